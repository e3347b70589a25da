// SPDX-License-Identifier: Apache-2.0
// The end of an abort that is not the emulation of an access: one that is refused, skipped, retried or fatal. What the
// hardware's rules make of it is known when it comes here (abort_classify.c). The policy row that speaks for the
// address is found, obeyed where it says pause or stop, and cited in the record with the reason.
//
// A guest can fault without end. It gets LOG_LIMIT_PER_SECOND records a second for each key and direction, and the next
// record says how many were held back.

#include <hv/trap.h>

#include <hv/guest_loop.h>
#include <hv/hold.h>
#include <hv/log_budget.h>
#include <hv/policy.h>
#include <hv/vm.h>

// The place in the policy's file of the row that decided; "none" when no row did.
static const char *place_of(const struct policy *policy, const struct event *event)
{
    return event->row < policy->row_count ? policy->rows[event->row].place : "none";
}

// A guest in a loop of faults has been told of in one record (guest_loop.c). What it does in the loop is only counted.
static void record(const struct vcpu *vcpu, const struct event *event, enum trap_result outcome, const char *reason)
{
    unsigned int source = log_source_of_abort(event);

    if (event->row < vcpu->vm->policy->row_count)
        log_budget_set_row(vcpu->vm->log_budget, source, vcpu->vm->policy, event->row);
    if (guest_loop_has(vcpu->telemetry, event)) {
        log_budget_hold(vcpu->vm->log_budget, source, 1);
        return;
    }
    log_limited(LOG_LIMIT(source, outcome == TRAP_STOP ? LOG_ERROR : LOG_WARN), LOG_FAULT, "abort",
                "exit=%lu key=%s op=%s result=%s pc=0x%lx addr=0x%lx esr=0x%x row=%u at=%pQ reason=%pQ",
                event->sequence, event_key_name(event->key), event->write ? "write" : "read", trap_result_name(outcome),
                event->pc, event->address, event->syndrome, event->row, place_of(vcpu->vm->policy, event), reason);
}

// Returns the verdicts, for a read and a write, that speak for the event. The key of a data abort with an address
// becomes that of the device there, so that counters and records name the device and not just "a data abort".
static const struct policy_verdict *find_verdicts(const struct policy *policy, struct event *event)
{
    if (event->key == KEY_CAUSE_DABT && event->address != 0) {
        const struct policy_range *range = policy_find_range(policy, ipa_make(event->address));
        event->key = range ? range->key : KEY_DEVICE_NONE;
        if (range)
            return range->verdict;
    }
    return policy_verdicts_of(policy, event->key);
}

// What is tried again or skipped was neither allowed nor refused: it counts for no row, least of all as a denial of the
// row that speaks for its address.
static void undecided(struct event *event)
{
    event->row = POLICY_ROW_NONE;
    event->verdict = POLICY_EMULATE;
}

// The order is that of who may overrule whom: what raced with another CPU is tried again, whatever the row says, and no
// record is written; then a row's stop, then a row's pause, then what the architecture would do.
enum trap_result trap_fault(struct vcpu *vcpu, struct event *event, enum trap_result outcome, const char *reason)
{
    const struct policy_verdict *verdict = &find_verdicts(vcpu->vm->policy, event)[event->write];

    event->row = verdict->row;
    event->verdict = verdict->action;
    if (outcome == TRAP_RETRY) {
        undecided(event);
        return outcome;
    }
    if (verdict->action == POLICY_STOP) {
        outcome = TRAP_STOP;
        reason = notify_name(NOTIFY_POLICY_STOP);
    }
    bool pause = verdict->action == POLICY_PAUSE && outcome != TRAP_STOP;
    if (pause && hold_passed(vcpu, event))
        return outcome;
    if (outcome == TRAP_DONE && !pause)
        undecided(event);
    event->result = (uint8_t)outcome;
    event->logged = 1;
    record(vcpu, event, outcome, reason);
    if (outcome == TRAP_STOP) {
        // The one fault that ariel does not know how to go on from is fault status code 0x31 (abort_classify.c).
        vm_stop(vcpu, verdict->action == POLICY_STOP ? NOTIFY_POLICY_STOP : NOTIFY_DESCRIPTOR_UPDATE);
    } else if (pause) {
        hold_access(vcpu, event);
        return TRAP_RETRY;
    } else if (outcome == TRAP_INJECT_ABORT) {
        // The row may say emulate, for accesses that can be. This one cannot, and is refused.
        event->verdict = POLICY_DENY;
    }
    return outcome;
}
