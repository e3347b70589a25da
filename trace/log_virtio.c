// SPDX-License-Identifier: Apache-2.0
// The records of requests to virtio devices. A guest makes thousands of them in a second, so most policies ask for the
// records of few. Each row of the policy is a source of its own (log_budget.h): one that is asked for often does not
// use up what another one may write.
#include <hv/log_virtio.h>

#include <hv/log_budget.h>
#include <hv/machine.h>
#include <hv/string.h>
#include <hv/virtio.h>

#include "log_parts.h"

// No such record is cut, whatever the policy says.
#define REQUEST_LONGEST                                                                                                \
    LOG_HEAD_LONGEST                                                                                                   \
    "device=console transport=31 op=secure-erase sector=18446744073709551615 bytes=18446744073709551615 "              \
    "status=not-supported row=1023 at= why="
_Static_assert(sizeof(REQUEST_LONGEST) + POLICY_PLACE_MAX + POLICY_WHY_MAX < LOG_LINE_MAX - LOG_TAIL_MAX, "policy.h");

struct request {
    const struct policy_virtio *row;
    const struct policy_virtio_access *access;
    uint64_t bytes;
    const char *status;
};

static unsigned int limit_of(const struct policy_row *row)
{
    if (row->log_per_second == POLICY_LOG_UNLIMITED)
        return LOG_UNLIMITED;
    return row->log_per_second != 0 ? row->log_per_second : LOG_LIMIT_PER_SECOND;
}

// What each event has behind its own fields.
static void write_record(struct log_limit limit, const struct policy *policy, const struct request *request)
{
    const struct policy_virtio_access *access = request->access;
    const struct policy_row *row = &policy->rows[request->row->row];
    const char *op = policy_virtio_request_name(access->request);
    const char *type = policy_virtio_type_name(access->device_id);

    if (access->device_id == VIRTIO_ID_BLOCK)
        log_allowed(limit, LOG_POLICY, "virtio-blk",
                    "device=%s transport=%u op=%s sector=%lu bytes=%lu status=%s row=%u at=%pQ why=%pQ", type,
                    access->transport, op, access->sector, request->bytes, request->status, request->row->row,
                    row->place, row->why);
    else if (access->device_id == VIRTIO_ID_NET)
        log_allowed(limit, LOG_POLICY, "virtio-net",
                    "device=%s transport=%u op=%s bytes=%lu status=%s row=%u at=%pQ why=%pQ", type, access->transport,
                    op, request->bytes, request->status, request->row->row, row->place, row->why);
    else
        log_allowed(limit, LOG_POLICY, "virtio-io", "device=%s transport=%u bytes=%lu status=%s row=%u at=%pQ why=%pQ",
                    type, access->transport, request->bytes, request->status, request->row->row, row->place, row->why);
}

// n: the row's number among the policy's rows about virtio.
static COLD void record(struct vm *vm, unsigned int n, const struct policy_virtio_access *access, uint64_t bytes,
                        const char *status)
{
    const struct policy_virtio *row = &vm->policy->virtio[n];
    struct log_limit limit = {.source = LOG_SOURCE_VIRTIO + n,
                              .level = strcmp(status, "ok") == 0 ? LOG_INFO : LOG_WARN};

    if (log_may_record(&limit, vm, row->row, limit_of(&vm->policy->rows[row->row])))
        write_record(limit, vm->policy, &(struct request){row, access, bytes, status});
}

// The counters are the VM's, not a CPU's: a request ends on the CPU that gets the device's interrupt, whichever vCPU
// has made it.
inline void log_virtio_request(struct vm *vm, const struct policy_virtio *row,
                               const struct policy_virtio_access *access, uint64_t bytes, const char *status)
{
    const struct policy *policy = vm->policy;
    uint64_t n = (uint64_t)(row - policy->virtio);

    if (n >= policy->virtio_count || n >= POLICY_VIRTIO_ROW_MAX) // no row of this policy's
        return;
    (void)__atomic_fetch_add(&vm->virtio_requests[n], 1, __ATOMIC_RELAXED);
    if (!(row->flags & POLICY_VIRTIO_LOG))
        return;
    record(vm, (unsigned int)n, access, bytes, status);
}

uint64_t log_virtio_count(const struct vm *vm, unsigned int row)
{
    uint64_t sum = 0;

    for (unsigned int n = 0; n < vm->policy->virtio_count && n < POLICY_VIRTIO_ROW_MAX; n++)
        if (vm->policy->virtio[n].row == row)
            sum += __atomic_load_n(&vm->virtio_requests[n], __ATOMIC_RELAXED);
    return sum;
}

void log_virtio_reset(struct vm *vm)
{
    for (unsigned int n = 0; n < POLICY_VIRTIO_ROW_MAX; n++)
        __atomic_store_n(&vm->virtio_requests[n], 0, __ATOMIC_RELAXED);
}
