// SPDX-License-Identifier: Apache-2.0
// Policy applied: each kind of event asks for its verdict, does what the verdict says, and is logged when the row wants
// it. Nothing here knows an encoding; nothing elsewhere decides.

#include <hv/trap.h>

#include <hv/arch/guarded.h>
#include <hv/arch/inject.h>
#include <hv/arch/sysreg.h>
#include <hv/call.h>
#include <hv/device.h>
#include <hv/guest_abi.h>
#include <hv/hold.h>
#include <hv/log_budget.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/vm.h>

static inline const struct policy_verdict *judge(struct event *event, const struct policy_verdict *verdicts)
{
    const struct policy_verdict *verdict = &verdicts[event->write];
    event->row = verdict->row;
    event->verdict = verdict->action;
    return verdict;
}

static void write_record(const struct vcpu *vcpu, struct event *event)
{
    event->logged = 1;
    log_verdict(vcpu, event);
}

// The record, when the row asks for one, is written after the access, so that it has the value. Those of pause and
// stop, which no row can do without, come before (decide).
static inline void finish(const struct vcpu *vcpu, struct event *event, const struct policy_verdict *verdict,
                          enum trap_result result)
{
    if (__builtin_expect((verdict->flags & POLICY_FLAG_LOG) && event->verdict < POLICY_PAUSE, 0)) {
        event->result = (uint8_t)result;
        write_record(vcpu, event);
    }
}

// decide's answer when the access is to be performed.
#define GO_ON TRAP_RESULT_COUNT

// The verdicts that are the same for every kind of event.
static enum trap_result decide(struct vcpu *vcpu, struct event *event, enum trap_result refusal)
{
    if (event->verdict >= POLICY_RAZ_WI && !event->write)
        event->value = 0; // what such a read got, or was to get, is not what the slot held before
    switch (event->verdict) {
    case POLICY_DENY:
    case POLICY_RAZ_WI:
        return event->verdict == POLICY_DENY ? refusal : TRAP_DONE;
    case POLICY_STOP:
        write_record(vcpu, event);
        vm_stop(vcpu->vm, NOTIFY_POLICY_STOP);
        return TRAP_STOP;
    case POLICY_PAUSE:
        if (hold_passed(vcpu, event))
            return GO_ON;
        write_record(vcpu, event);
        hold_access(vcpu, event);
        return TRAP_RETRY;
    default:
        return GO_ON;
    }
}

static enum trap_result pass_sysreg(struct event *event)
{
    enum hv_status status =
        event->write ? sysreg_write(event->key, event->value) : sysreg_read(event->key, &event->value);
    return status == HV_OK ? TRAP_DONE : TRAP_INJECT_UNDEF;
}

enum trap_result trap_sysreg(struct vcpu *vcpu, struct event *event)
{
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = GO_ON;

    event->address = 0;
    if (__builtin_expect(verdict->action != POLICY_EMULATE, 0))
        result = verdict->action == POLICY_ALLOW ? pass_sysreg(event) : decide(vcpu, event, TRAP_INJECT_UNDEF);
    if (result == GO_ON)
        result = sysreg_emulate(vcpu, event);
    finish(vcpu, event, verdict, result);
    return result;
}

enum trap_result trap_call(struct vcpu *vcpu, struct event *event)
{
    event->write = 1;
    event->address = vcpu_get_reg(vcpu, 0);
    event->key = (uint16_t)call_key(event->cause, event->syndrome, event->address);
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = GO_ON;

    // There is nothing behind ariel to pass a call on to: allow is its own answer.
    if (__builtin_expect(verdict->action != POLICY_EMULATE, 0)) {
        event->value = verdict->action == POLICY_RAZ_WI ? 0 : (uint64_t)HVC_NOT_SUPPORTED;
        result = decide(vcpu, event, TRAP_DONE);
    }
    if (result == GO_ON) {
        event->value = (uint64_t)call_handle(vcpu, event->key);
        // The monitor may have sent the guest elsewhere, while the call waited.
        result = vcpu->frame->elr_el2 == event->pc ? TRAP_DONE : TRAP_RETRY;
    }
    finish(vcpu, event, verdict, result);
    if (result == TRAP_DONE)
        vcpu_set_reg(vcpu, 0, event->value);
    return result;
}

// The device itself, on the guest's behalf: its PA is its IPA.
static enum trap_result pass_mmio(struct event *event, unsigned int size)
{
    if (!device_may_pass(event->key, event->write) || !platform_may_pass(event->address, size))
        return TRAP_INJECT_ABORT;
    bool done = event->write ? guarded_device_write(pa_make(event->address), size, event->value)
                             : guarded_device_read(pa_make(event->address), size, &event->value);
    return done ? TRAP_DONE : TRAP_INJECT_ABORT;
}

static enum trap_result emulate_mmio(struct vcpu *vcpu, struct event *event, unsigned int size)
{
    unsigned int access = event->write ? size | MMIO_WRITE : size;
    enum mmio_result result = device_emulate(vcpu, event->key, event->address, access, &event->value);

    return result == MMIO_DONE ? TRAP_DONE : TRAP_INJECT_ABORT;
}

enum trap_result trap_mmio(struct vcpu *vcpu, struct event *event, unsigned int size)
{
    const struct policy_range *range = policy_find_range(vcpu->vm->policy, ipa_make(event->address));
    const struct policy_verdict *verdicts =
        range ? range->verdict : policy_verdicts_of(vcpu->vm->policy, KEY_DEVICE_NONE);
    enum trap_result result = GO_ON;

    event->key = range ? range->key : KEY_DEVICE_NONE;
    const struct policy_verdict *verdict = judge(event, verdicts);
    if (range && !(range->widths & size)) // widths: bit n is 1 << n bytes, which is size itself
        event->verdict = POLICY_DENY;
    if (__builtin_expect(event->verdict != POLICY_EMULATE, 0))
        result = event->verdict == POLICY_ALLOW ? pass_mmio(event, size) : decide(vcpu, event, TRAP_INJECT_ABORT);
    if (result == GO_ON)
        result = emulate_mmio(vcpu, event, size);
    finish(vcpu, event, verdict, result);
    return result;
}

enum trap_result trap_wfx(struct vcpu *vcpu, struct event *event)
{
    event->address = 0;
    event->value = 0;
    event->write = 0;
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = decide(vcpu, event, TRAP_INJECT_UNDEF);

    if (result == GO_ON) {
        // WFIT ends at once, as the architecture lets any of them do: nobody here watches its time-out.
        if (event->key == KEY_CAUSE_WFI && !(event->syndrome & ESR_ELX_ISS_WFX_TI_TIMED))
            vcpu_wait_for_interrupt(vcpu);
        result = vcpu->frame->elr_el2 == event->pc ? TRAP_DONE : TRAP_RETRY; // as in trap_call
    }
    finish(vcpu, event, verdict, result);
    return result;
}

// Moves no data and has no emulation: unless the row stops, what follows is after.
static enum trap_result decide_alone(struct vcpu *vcpu, struct event *event, enum trap_result after)
{
    event->address = 0;
    event->value = 0;
    event->write = 0;
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = decide(vcpu, event, after);

    if (result == GO_ON)
        result = after;
    finish(vcpu, event, verdict, result);
    return result;
}

enum trap_result trap_other(struct vcpu *vcpu, struct event *event)
{
    return decide_alone(vcpu, event, TRAP_INJECT_UNDEF);
}

enum trap_result trap_debug(struct vcpu *vcpu, struct event *event)
{
    return decide_alone(vcpu, event, TRAP_REFLECT);
}

void trap_serror(struct vcpu *vcpu, struct event *event)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_SERROR, LOG_ERROR), LOG_FAULT, "serror", "pc=0x%lx esr=0x%x", event->pc,
                event->syndrome);
    inject_serror(vcpu);
}
