// SPDX-License-Identifier: Apache-2.0
// The policy, applied. Every kind of event that a policy can speak about has a function here. Each does the same four
// things: it finds the verdict for the event's key and direction, it does what the verdict says, it writes a record
// when the verdict's row asks for one, and it returns what becomes of the guest. The rule: nothing here knows an
// encoding of an instruction or a register, and nothing outside (but the shorter way, by the same verdicts) decides
// about an access.

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

// Finds what the policy says about the event's key and direction, and notes in the event which row said it. The verdict
// is loaded, not searched: the compiler of the policy has folded all rows into one table.
static inline const struct policy_verdict *judge(struct event *event, const struct policy_verdict *verdicts)
{
    const struct policy_verdict *verdict = &verdicts[event->write];
    event->row = verdict->row;
    event->verdict = verdict->action;
    return verdict;
}

// The record cites the event by its number (exit=), so the event is kept longer than those around it.
static void write_record(const struct vcpu *vcpu, struct event *event)
{
    event->logged = 1;
    log_verdict(vcpu, event);
}

// Writes the record, when the row asks for one. It comes after the access, so that it can have the value that was read.
// A verdict that pauses or stops has always written its record before (decide).
static inline void finish(const struct vcpu *vcpu, struct event *event, const struct policy_verdict *verdict,
                          enum trap_result result)
{
    if (__builtin_expect((verdict->flags & POLICY_FLAG_LOG) && event->verdict < POLICY_PAUSE, 0)) {
        event->result = (uint8_t)result;
        write_record(vcpu, event);
    }
}

// What decide answers when the access is to be performed: none of the results that an event can have.
#define GO_ON TRAP_RESULT_COUNT

// Does what a verdict says that means the same for every kind of event: deny, raz-wi, stop and pause. refusal is what
// deny means for this kind.
static enum trap_result decide(struct vcpu *vcpu, struct event *event, enum trap_result refusal)
{
    if (event->verdict >= POLICY_RAZ_WI && !event->write)
        event->value = 0; // the value of such a read is 0, and not what the slot's older event had
    switch (event->verdict) {
    case POLICY_DENY:
    case POLICY_RAZ_WI:
        return event->verdict == POLICY_DENY ? refusal : TRAP_DONE;
    case POLICY_STOP:
        write_record(vcpu, event);
        vm_stop(vcpu, NOTIFY_POLICY_STOP);
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

// allow, where the register traps all the same: because another register shares its trap bit, or because the row
// counts. EL2 makes the access in the guest's place. What this CPU does not have, or EL2 cannot do, is UNDEFINED for
// the guest.
static enum trap_result pass_sysreg(struct vcpu *vcpu, struct event *event)
{
    enum hv_status status =
        event->write ? sysreg_write(vcpu, event->key, event->value) : sysreg_read(vcpu, event->key, &event->value);
    return status == HV_OK ? TRAP_DONE : TRAP_INJECT_UNDEF;
}

// Most registers that trap are emulated, so that this action is looked for first. A pause that a person has ended, and
// no other verdict of decide, goes on to the emulation as well.
enum trap_result trap_sysreg(struct vcpu *vcpu, struct event *event)
{
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = GO_ON;

    event->address = 0;
    if (__builtin_expect(verdict->action != POLICY_EMULATE, 0))
        result = verdict->action == POLICY_ALLOW ? pass_sysreg(vcpu, event) : decide(vcpu, event, TRAP_INJECT_UNDEF);
    if (result == GO_ON)
        result = sysreg_emulate(vcpu, event);
    finish(vcpu, event, verdict, result);
    return result;
}

// HVC and SMC. The function's number is in X0, and so is the result; a call is neither a read nor a write, but has the
// verdict of a write. A refused call is no error of the guest's: it gets NOT_SUPPORTED (-1), as for a function that the
// firmware does not have (DEN 0028).
enum trap_result trap_call(struct vcpu *vcpu, struct event *event)
{
    event->write = 1;
    event->address = vcpu_get_reg(vcpu, 0);
    event->key = (uint16_t)call_key(event->cause, event->syndrome, event->address);
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = GO_ON;

    // A call that is allowed is answered by ariel too: there is nobody behind it to pass the call on to.
    if (__builtin_expect(verdict->action != POLICY_EMULATE, 0)) {
        event->value = verdict->action == POLICY_RAZ_WI ? 0 : (uint64_t)HVC_NOT_SUPPORTED;
        result = decide(vcpu, event, TRAP_DONE);
    }
    if (result == GO_ON) {
        event->value = (uint64_t)call_handle(vcpu, event->key);
        // A call may wait in EL2 while the VM is paused, and a person may have set the guest's PC meanwhile. Then the
        // call is over, and neither its result nor the step over the instruction belongs to where the guest is now.
        result = vcpu->frame->elr_el2 == event->pc ? TRAP_DONE : TRAP_RETRY;
    }
    finish(vcpu, event, verdict, result);
    if (result == TRAP_DONE)
        vcpu_set_reg(vcpu, 0, event->value);
    return result;
}

// Performs the access on the device itself, on the guest's behalf. The devices of the board that a policy can pass on
// stand at the same address for the guest (IPA) as for the machine (PA).
static enum trap_result pass_mmio(struct event *event, unsigned int size)
{
    if (!device_may_pass(event->key, event->write) || !platform_may_pass(event->address, size))
        return TRAP_INJECT_ABORT;
    bool done = event->write ? guarded_device_write(pa_make(event->address), size, event->value)
                             : guarded_device_read(pa_make(event->address), size, &event->value);
    return done ? TRAP_DONE : TRAP_INJECT_ABORT;
}

// One table of devices (vdev/device.c) finds whose registers these are. What a device refuses, the guest gets as an
// external abort, as from a bus on which nobody answers.
static enum trap_result emulate_mmio(struct vcpu *vcpu, struct event *event, unsigned int size)
{
    unsigned int access = event->write ? size | MMIO_WRITE : size;
    enum mmio_result result = device_emulate(device_of(event->key), vcpu, event->address, access, &event->value);

    return result == MMIO_DONE ? TRAP_DONE : TRAP_INJECT_ABORT;
}

// An access to an IPA without RAM: a device, or a hole. The ranges of the policy are sorted, and an address between
// them is KEY_DEVICE_NONE. A width that the device's row does not list is refused whatever the action says: for
// example, a byte of a register that the hardware lets be read as a word only.
enum trap_result trap_mmio(struct vcpu *vcpu, struct event *event, unsigned int size)
{
    const struct policy_range *range = policy_find_range(vcpu->vm->policy, ipa_make(event->address));
    const struct policy_verdict *verdicts =
        range ? range->verdict : policy_verdicts_of(vcpu->vm->policy, KEY_DEVICE_NONE);
    enum trap_result result = GO_ON;

    event->key = range ? range->key : KEY_DEVICE_NONE;
    const struct policy_verdict *verdict = judge(event, verdicts);
    if (range && !(range->widths & size)) // bit n of widths stands for accesses of 1 << n bytes, and size is such a bit
        event->verdict = POLICY_DENY;
    if (__builtin_expect(event->verdict != POLICY_EMULATE, 0))
        result = event->verdict == POLICY_ALLOW ? pass_mmio(event, size) : decide(vcpu, event, TRAP_INJECT_ABORT);
    if (result == GO_ON)
        result = emulate_mmio(vcpu, event, size);
    finish(vcpu, event, verdict, result);
    return result;
}

// WFI and WFE, where the policy traps them. WFI waits in EL2 until an interrupt is pending for the vCPU. WFE is only
// skipped: EL2 does not see the event that would end it, and a WFE may end at any time.
enum trap_result trap_wfx(struct vcpu *vcpu, struct event *event)
{
    event->address = 0;
    event->value = 0;
    event->write = 0;
    const struct policy_verdict *verdict = judge(event, policy_verdicts_of(vcpu->vm->policy, event->key));
    enum trap_result result = decide(vcpu, event, TRAP_INJECT_UNDEF);

    if (result == GO_ON) {
        // WFIT ends at once. WFI and its kin may end at any time (DDI 0487 D1.6.2), and EL2 does not watch a time-out.
        if (event->key == KEY_CAUSE_WFI && !(event->syndrome & ESR_ELX_ISS_WFX_TI_TIMED))
            vcpu_wait_for_interrupt(vcpu);
        result = vcpu->frame->elr_el2 == event->pc ? TRAP_DONE : TRAP_RETRY; // see trap_call
    }
    finish(vcpu, event, verdict, result);
    return result;
}

// For events that move no data and have no emulation: unless the verdict pauses or stops, or ignores the instruction
// (raz-wi), the guest gets the result `after`.
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

// Refused unless a row says otherwise: the instruction is UNDEFINED for the guest.
enum trap_result trap_other(struct vcpu *vcpu, struct event *event)
{
    return decide_alone(vcpu, event, TRAP_INJECT_UNDEF);
}

// The guest's own debug exception: it is handed to the guest's EL1, with the syndrome that EL2 got.
enum trap_result trap_debug(struct vcpu *vcpu, struct event *event)
{
    return decide_alone(vcpu, event, TRAP_REFLECT);
}

// An SError is nobody's instruction, so the record that there was one is written whatever the row says. It is the
// guest's: it becomes pending for the guest (HCR_EL2.VSE), which takes it when its PSTATE.A lets it. A row that says
// stop keeps a guest whose memory or devices have failed from going on.
enum trap_result trap_serror(struct vcpu *vcpu, struct event *event)
{
    (void)judge(event, policy_verdicts_of(vcpu->vm->policy, KEY_CAUSE_SERROR));
    log_limited(LOG_LIMIT(LOG_SOURCE_SERROR, LOG_ERROR), LOG_FAULT, "serror", "pc=0x%lx esr=0x%x", event->pc,
                event->syndrome);
    if (event->verdict == POLICY_STOP)
        return decide(vcpu, event, TRAP_STOP);
    event->row = POLICY_ROW_NONE; // nothing was refused
    event->verdict = POLICY_EMULATE;
    inject_serror(vcpu);
    return TRAP_RETRY;
}
