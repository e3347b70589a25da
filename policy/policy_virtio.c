// SPDX-License-Identifier: Apache-2.0
// What a policy says about virtio devices and their requests. A file has a handful of [[virtio]] rows, which the policy
// compiler has turned into one table in the order of the file, with the file's default as the last row. A lookup walks
// that table and takes the first row that matches.
//
// The rule for sectors keeps a request from getting around a row by being larger than the row: a row that denies
// sectors 0 to 7 matches a write of sectors 7 to 8, because the write touches sector 7; a row that emulates sectors 0
// to 7 does not match that write, because sector 8 is not the row's, and so a later row decides about it.
#include <hv/policy_virtio.h>

#define REQUEST_BIT(id) (1u << VIRTIO_REQUEST_##id)

// The requests that change a disk: the rows of the table with the effect WRITES.
#define WRITING_READS(id)
#define WRITING_OTHER(id)
#define WRITING_WRITES(id)              | REQUEST_BIT(id)
#define WRITING(id, name, type, effect) WRITING_##effect(id)
static const uint32_t writing_requests = 0 VIRTIO_REQUEST_TABLE(WRITING);

_Static_assert(VIRTIO_REQUEST_COUNT <= 32, "struct policy_virtio.requests");

// For a policy without virtio rows, and for device types beyond those that a row can name.
static const struct policy_virtio nothing = {
    .sector_last = POLICY_VIRTIO_SECTOR_END, .action = POLICY_DENY, .rate = POLICY_VIRTIO_NO_RATE};

static bool has_bit(uint32_t bits, unsigned int n)
{
    return n < 32 && (bits >> n & 1);
}

static bool names_device(const struct policy_virtio *row, unsigned int transport, unsigned int device_id)
{
    return has_bit(row->devices, device_id) && has_bit(row->transports, transport);
}

static bool names_sectors(const struct policy_virtio *row, uint64_t first, uint64_t last)
{
    if (row->action == POLICY_DENY)
        return first <= row->sector_last && last >= row->sector_first;
    return first >= row->sector_first && last <= row->sector_last;
}

const struct policy_virtio *policy_virtio_device(const struct policy *policy, unsigned int transport,
                                                 unsigned int device_id)
{
    for (unsigned int n = 0; n < policy->virtio_count; n++)
        if (!(policy->virtio[n].flags & POLICY_VIRTIO_PART) && names_device(&policy->virtio[n], transport, device_id))
            return &policy->virtio[n];
    return &nothing;
}

struct policy_virtio_verdict policy_virtio_request(const struct policy *policy,
                                                   const struct policy_virtio_access *access)
{
    const struct policy_virtio *device = policy_virtio_device(policy, access->transport, access->device_id);
    const struct policy_virtio *found = device;
    uint64_t more = access->sectors != 0 ? access->sectors - 1 : 0; // sectors behind the first
    uint64_t last = more > UINT64_MAX - access->sector ? UINT64_MAX : access->sector + more;

    for (unsigned int n = 0; n < policy->virtio_count; n++) {
        const struct policy_virtio *row = &policy->virtio[n];

        if (names_device(row, access->transport, access->device_id) && has_bit(row->requests, access->request) &&
            names_sectors(row, access->sector, last)) {
            found = row;
            break;
        }
    }
    bool may_write = !(device->flags & POLICY_VIRTIO_READ_ONLY) || !has_bit(writing_requests, access->request);
    bool allowed = device->action == POLICY_EMULATE && found->action == POLICY_EMULATE && may_write;

    // What a row of its own would let through, a device that is read-only or absent refuses: then the device's row is
    // the one that decides.
    if (!allowed && found->action == POLICY_EMULATE)
        found = device;
    return (struct policy_virtio_verdict){.row = found, .device = device, .allowed = allowed};
}

bool policy_virtio_allows_all(const struct policy *policy, unsigned int transport, unsigned int device_id)
{
    const struct policy_virtio *device = policy_virtio_device(policy, transport, device_id);

    for (unsigned int n = 0; n < policy->virtio_count; n++)
        if ((policy->virtio[n].flags & POLICY_VIRTIO_PART) && names_device(&policy->virtio[n], transport, device_id))
            return false;
    return device->action == POLICY_EMULATE && !(device->flags & POLICY_VIRTIO_READ_ONLY) &&
           device->rate == POLICY_VIRTIO_NO_RATE;
}

// ---- How fast

// Whether the buckets of one row let a request go. Where they do not, *when is moved to the later of the two times.
static bool row_allows(struct policy_virtio_rates *rates, const struct policy_virtio *row, uint64_t bytes,
                       struct rate_clock clock, uint64_t *when)
{
    uint64_t at = 0;
    bool allowed = true;

    if (row->rate >= POLICY_VIRTIO_RATE_MAX)
        return true;
    if (row->bytes_per_second != 0 &&
        !rate_allows(&rates->row[row->rate].bytes, row->bytes_per_second, bytes, clock, &at)) {
        allowed = false;
        *when = at > *when ? at : *when;
    }
    if (row->requests_per_second != 0 &&
        !rate_allows(&rates->row[row->rate].requests, row->requests_per_second, 1, clock, &at)) {
        allowed = false;
        *when = at > *when ? at : *when;
    }
    return allowed;
}

static void row_take(struct policy_virtio_rates *rates, const struct policy_virtio *row, uint64_t bytes)
{
    if (row->rate >= POLICY_VIRTIO_RATE_MAX)
        return;
    rate_take(&rates->row[row->rate].bytes, bytes);
    rate_take(&rates->row[row->rate].requests, 1);
}

// All buckets are asked before any of them is paid: a request that must wait for one of them does not use up another.
bool policy_virtio_pace(struct policy_virtio_rates *rates, const struct policy_virtio_verdict *verdict, uint64_t bytes,
                        struct rate_clock clock, uint64_t *when)
{
    bool both = verdict->row != verdict->device;

    *when = 0;
    bool device = row_allows(rates, verdict->device, bytes, clock, when);
    bool row = !both || row_allows(rates, verdict->row, bytes, clock, when);
    if (!device || !row)
        return false;
    row_take(rates, verdict->device, bytes);
    if (both)
        row_take(rates, verdict->row, bytes);
    return true;
}

static void row_settle(struct policy_virtio_rates *rates, const struct policy_virtio *row, uint64_t paid, uint64_t used)
{
    if (row->rate >= POLICY_VIRTIO_RATE_MAX || row->bytes_per_second == 0)
        return;
    if (used >= paid)
        rate_take(&rates->row[row->rate].bytes, used - paid);
    else
        rate_return(&rates->row[row->rate].bytes, paid - used);
}

void policy_virtio_settle(struct policy_virtio_rates *rates, const struct policy_virtio_verdict *verdict, uint64_t paid,
                          uint64_t used)
{
    row_settle(rates, verdict->device, paid, used);
    if (verdict->row != verdict->device)
        row_settle(rates, verdict->row, paid, used);
}

// ---- Names

const char *policy_virtio_request_name(unsigned int request)
{
#define REQUEST_NAME(id, name, ...) [VIRTIO_REQUEST_##id] = name,
    static const char *const names[VIRTIO_REQUEST_COUNT] = {VIRTIO_REQUEST_TABLE(REQUEST_NAME)};

    return request < VIRTIO_REQUEST_COUNT ? names[request] : "?";
}

unsigned int policy_virtio_request_type(enum virtio_request request)
{
#define TYPE_NUMBER(id, name, number)        TYPE_##id = (number),
#define REQUEST_TYPE(id, name, type, effect) [VIRTIO_REQUEST_##id] = TYPE_##type,
    enum { TYPE_NONE, VIRTIO_TYPE_TABLE(TYPE_NUMBER) };
    static const uint8_t types[VIRTIO_REQUEST_COUNT] = {VIRTIO_REQUEST_TABLE(REQUEST_TYPE)};

    return types[request];
}

const char *policy_virtio_type_name(unsigned int device_id)
{
#define TYPE_NAME(id, name, number) [number] = name,
    static const char *const names[] = {VIRTIO_TYPE_TABLE(TYPE_NAME)};

    return device_id < sizeof(names) / sizeof(names[0]) && names[device_id] != NULL ? names[device_id] : "?";
}
