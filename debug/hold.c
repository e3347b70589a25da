// SPDX-License-Identifier: Apache-2.0
// An access that a policy row holds. The VM pauses before the access is made, a person looks at it, and when the VM
// goes on the guest executes the same instruction again: so EL2 has to know the access when it comes the second time,
// let it pass once, and hold whatever has taken its place. struct vcpu keeps what was shown to the person (vcpu->held).
#include <hv/hold.h>

#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vcpu.h>
#include <hv/vm.h>

// Whether event is the access that the person let pass. Between the pause and the moment at which the instruction is
// executed again, the guest may take an interrupt on this vCPU, and other vCPUs may write the instruction or the page
// tables. The same PC alone would let another access through. So everything that makes up the access is compared: what
// it is, where it goes, what it writes, and the general registers. A read has no value to compare.
static bool is_held(const struct vcpu *vcpu, const struct event *event)
{
    const struct vcpu_held *held = &vcpu->held;

    return held->valid && held->pc == event->pc && held->key == event->key && held->write == event->write &&
           held->address == event->address && held->syndrome == event->syndrome &&
           (!event->write || held->value == event->value) && memcmp(held->x, vcpu->frame->x, sizeof(held->x)) == 0 &&
           memcmp(held->parts, vcpu->parts, sizeof(held->parts)) == 0;
}

// One instruction may be several accesses (LDP, or one that crosses a page), and EL2 asks here for each of them within
// one exit. The first one uses the permission up and notes the number of the exit; the others pass by that number. An
// exit's number is its sequence + 1, so that break_passed = 0 is no exit's.
COLD bool hold_passed(struct vcpu *vcpu, const struct event *event)
{
    uint64_t exit = vcpu->telemetry->sequence + 1;

    if (is_held(vcpu, event)) {
        vcpu->held.valid = false;
        vcpu->break_passed = exit;
    }
    return vcpu->break_passed == exit;
}

COLD void hold_access(struct vcpu *vcpu, const struct event *event)
{
    struct vcpu_held *held = &vcpu->held;

    held->write = event->write;
    held->key = event->key;
    held->syndrome = event->syndrome;
    held->pc = event->pc;
    held->address = event->address;
    held->value = event->write ? event->value : 0;
    memcpy(held->x, vcpu->frame->x, sizeof(held->x));
    memcpy(held->parts, vcpu->parts, sizeof(held->parts));
    // Valid only if this access is what paused the VM: otherwise the person was not shown it.
    held->valid = vm_break(vcpu, NOTIFY_POLICY_PAUSE);
}

void hold_drop(struct vcpu *vcpu)
{
    vcpu->held.valid = false;
    vcpu_request(vcpu, VCPU_REQUEST_WAIT); // a vCPU in a trapped WFI leaves it for any request
}
