// SPDX-License-Identifier: Apache-2.0
// An access that a policy row holds. The VM pauses before the access is made, a person looks at it, and when the VM
// goes on the guest executes the same instruction again: so EL2 has to know the access when it comes the second time,
// let it pass once, and hold whatever has taken its place. struct vcpu keeps what was shown to the person (vcpu->held).
#include <hv/hold.h>

#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vcpu.h>
#include <hv/vm.h>

// Between the pause and the moment at which the instruction is executed again the guest may take an interrupt on this
// vCPU, and other vCPUs may write the instruction and the page tables: nothing but the access itself is to be trusted.
static bool is_held(const struct vcpu *vcpu, const struct event *event)
{
    const struct vcpu_held *held = &vcpu->held;

    return held->valid && held->pc == event->pc && held->key == event->key && held->write == event->write &&
           held->address == event->address && held->syndrome == event->syndrome &&
           (!event->write || held->value == event->value) && memcmp(held->x, vcpu->frame->x, sizeof(held->x)) == 0 &&
           memcmp(held->parts, vcpu->parts, sizeof(held->parts)) == 0;
}

COLD bool hold_passed(struct vcpu *vcpu, const struct event *event)
{
    uint64_t exit = vcpu->telemetry->sequence + 1; // never 0

    if (is_held(vcpu, event)) {
        vcpu->held.valid = false;
        vcpu->break_passed = exit;
    }
    return vcpu->break_passed == exit; // for each part of the access
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
    held->valid = vm_break(vcpu->vm, NOTIFY_POLICY_PAUSE);
}

void hold_drop(struct vcpu *vcpu)
{
    vcpu->held.valid = false;
    vcpu_request(vcpu, VCPU_REQUEST_WAIT); // ends WFI
}
