// SPDX-License-Identifier: Apache-2.0
// ariel's own hypercalls, 0 to 5, and the way of every call to its handler. What a guest names here, a range of its
// memory, is checked whole before any of it is used; what it can cause to be logged is limited (log_budget.h).

#include <hv/call.h>

#include <hv/channel.h>
#include <hv/console.h>
#include <hv/guest_abi.h>
#include <hv/guest_mem.h>
#include <hv/log_budget.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

// A text goes through a buffer on the stack of EL2, which is small. So it is copied in pieces.
#define CONSOLE_PIECE    128 // bytes copied at a time
#define DUMPS_PER_SECOND 1

// A guest finds out by this call that it runs under ariel.
int64_t hvc_get_hv_id(struct vcpu *vcpu)
{
    (void)vcpu;
    return HV_ID;
}

// The number of exits of the calling vCPU so far. A guest that reads it twice learns what it has cost in between.
int64_t hvc_get_status(struct vcpu *vcpu)
{
    return (int64_t)vcpu->telemetry->sequence;
}

// The same result whether the log is printed at once, later or never: a guest does not learn from it whether a person
// is there.
int64_t hvc_dump_log(struct vcpu *vcpu)
{
    uint64_t held; // wishes before this one that were not granted; the ring misses nothing for it

    if (log_budget_ask(vcpu->vm->log_budget, LOG_SOURCE_DUMP, DUMPS_PER_SECOND, &held) == LOG_WRITE)
        console_dump_log();
    return HVC_SUCCESS;
}

// The VM pauses once this exit has ended, and the monitor opens. The guest goes on behind the call.
int64_t hvc_pause(struct vcpu *vcpu)
{
    vm_break(vcpu, NOTIFY_GUEST_PAUSE);
    return HVC_SUCCESS;
}

// The whole range is checked before the first byte is printed. Should the guest's memory be taken away while the copy
// goes on, the pieces before that have been printed, and the call reports the failure.
int64_t hvc_guest_console_write(struct vcpu *vcpu)
{
    ipa_t ipa = ipa_make(vcpu_get_reg(vcpu, 1));
    uint64_t length = vcpu_get_reg(vcpu, 2);
    uint8_t piece[CONSOLE_PIECE];

    if (length == 0)
        return 0;
    if (length > HVC_CONSOLE_WRITE_MAX || guest_mem_check(&vcpu->vm->space, ipa, length, STAGE2_READ) != HV_OK)
        return HVC_INVALID_PARAMETERS;
    for (uint64_t done = 0; done < length; done += CONSOLE_PIECE) {
        size_t size = length - done < CONSOLE_PIECE ? length - done : CONSOLE_PIECE;
        if (guest_mem_read(&vcpu->vm->space, ipa_add(ipa, done), piece, size) != HV_OK)
            return HVC_INVALID_PARAMETERS;
        uint64_t counted = telemetry_stop_clock(); // printing is no time of the exit
        channel_put_text(vcpu->vm->uart.channel, piece, size);
        telemetry_start_clock(counted);
    }
    return (int64_t)length;
}

// Never inlined: tests/qemu/test_panic.py stops EL2 in it.
__attribute__((noinline)) int64_t hvc_report_exception(struct vcpu *vcpu)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_EXCEPTION, LOG_WARN), LOG_GUEST, "guest-exception",
                "vcpu=%u esr=0x%lx elr=0x%lx far=0x%lx", vcpu->id, vcpu_get_reg(vcpu, 1), vcpu_get_reg(vcpu, 2),
                vcpu_get_reg(vcpu, 3));
    return HVC_SUCCESS;
}

// ---- Every call

typedef int64_t (*call_fn)(struct vcpu *vcpu);

#define HVC_HANDLER(id, number, name, handler, ...)   [KEY_HVC_##id - KEY_HVC_FIRST] = (handler),
#define SMCCC_HANDLER(id, number, name, handler, ...) [KEY_##id - KEY_HVC_FIRST] = (handler),
static const call_fn handlers[KEY_SMCCC_UNKNOWN - KEY_HVC_FIRST] = {HVC_CALL_TABLE(HVC_HANDLER)
                                                                        SMCCC_CALL_TABLE(SMCCC_HANDLER)};

int64_t call_handle(struct vcpu *vcpu, unsigned int key)
{
    unsigned int index = key - KEY_HVC_FIRST;

    // The keys of unknown numbers lie between those of the two tables, and have no handler.
    if (index >= ARRAY_COUNT(handlers) || handlers[index] == NULL)
        return HVC_NOT_SUPPORTED;
    return handlers[index](vcpu);
}
