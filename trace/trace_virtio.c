// SPDX-License-Identifier: Apache-2.0
// Requests to virtio devices as records of the trace. A request ends on the CPU that takes the device's interrupt, and
// that CPU's ring has it, whichever vCPU has made it.
#include <hv/trace_virtio.h>

#include <hv/arch/registers.h>
#include <hv/event_key.h>
#include <hv/string.h>
#include <hv/trace.h>
#include <hv/trace_text.h>

static const char *const statuses[TRACE_VIRTIO_STATUS_COUNT] = {"?",           "ok",      "error",
                                                                "unsupported", "refused", "dropped"};

const char *trace_virtio_status_name(unsigned int status)
{
    return statuses[status];
}

static unsigned int status_of(const char *word)
{
    unsigned int status = TRACE_VIRTIO_STATUS_COUNT - 1;

    while (status > 0 && strcmp(statuses[status], word) != 0)
        status--;
    return status;
}

void trace_virtio(const struct trace_virtio_request *request)
{
    const struct policy_virtio_access *access = request->access;
    struct vcpu *vcpu = vcpu_current();
    struct trace_record record = {
        .event = {.entry = request->taken,
                  .exit = READ_SYSREG(CNTPCT_EL0),
                  .address = access->sector,
                  .value = request->bytes,
                  .key = KEY_DEVICE_VIRTIO_MMIO,
                  .row = request->row->row,
                  .verdict = request->row->action,
                  .vcpu = (uint8_t)vcpu->id,
                  .type = TRACE_TYPE_VIRTIO},
        .x = {access->transport, access->request, status_of(request->status), request->queue},
        .vm = vcpu->vm->number,
    };

    trace_write(vcpu, &record);
}
