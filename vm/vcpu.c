// SPDX-License-Identifier: Apache-2.0
// A vCPU that is not in the guest: EL2's idle loop, in which it serves interrupts (and with them the monitor and other
// CPUs) until it may run.

#include <hv/vcpu.h>

#include <hv/arch/barrier.h>
#include <hv/arch/step.h>
#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    __atomic_fetch_or(&vcpu->request, request, __ATOMIC_RELEASE);
    if (vcpu->id != cpu_id())
        gicv3_send_sgi(GICV3_SGI_KICK, vcpu->id);
}

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

COLD bool vcpu_break_passed(struct vcpu *vcpu, const struct event *event)
{
    uint64_t exit = vcpu->telemetry->sequence + 1; // never 0

    if (is_held(vcpu, event)) {
        vcpu->held.valid = false;
        vcpu->break_passed = exit;
    }
    return vcpu->break_passed == exit; // for each part of the access
}

COLD void vcpu_break(struct vcpu *vcpu, const struct event *event)
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

void vcpu_moved(struct vcpu *vcpu)
{
    vcpu->held.valid = false;
    vcpu_request(vcpu, VCPU_REQUEST_WAIT); // ends WFI
}

static bool may_run(struct vcpu *vcpu)
{
    // Cleared before the state is read: a request made after the reading stays and brings the vCPU back here.
    __atomic_fetch_and(&vcpu->request, ~VCPU_REQUEST_WAIT, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&vcpu->vm->state, __ATOMIC_ACQUIRE) == VM_RUNNING &&
           __atomic_load_n(&vcpu->power, __ATOMIC_ACQUIRE) != VCPU_OFF;
}

static void wait_until_it_may_run(struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->waiting, true, __ATOMIC_RELEASE);
    while (!may_run(vcpu)) {
        irq_serve(gicv3_acknowledge());
        if (!(__atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) & VCPU_REQUEST_WAIT))
            cpu_wait_for_interrupt();
    }
    __atomic_store_n(&vcpu->waiting, false, __ATOMIC_RELEASE);
}

void vcpu_wait(struct vcpu *vcpu)
{
    if (vcpu->power == VCPU_OFF)
        vgic_stop_cpu(vcpu);
    if (vcpu->vm->state != VM_RUNNING || vcpu->power != VCPU_ON)
        step_cancel(vcpu); // whoever resumes, or turns it on again, does not expect the rest of the steps
    do {
        wait_until_it_may_run(vcpu);
        // Whoever asked this vCPU to wait since, and still read "waiting", is seen here: the store goes first.
        barrier_order();
    } while (__atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) & VCPU_REQUEST_WAIT);
    vtimer_update_offset(vcpu);
    if (vcpu->power == VCPU_ON_PENDING) {
        vcpu->held.valid = false; // it was of the vCPU's former life
        vgic_init_cpu(vcpu);
        vtimer_init_cpu(vcpu);
        vcpu_reset(vcpu, vcpu->on_entry, vcpu->on_context);
        __atomic_store_n(&vcpu->power, VCPU_ON, __ATOMIC_RELEASE);
    }
}

void vcpu_wait_for_interrupt(struct vcpu *vcpu)
{
    __atomic_fetch_and(&vcpu->request, ~VCPU_REQUEST_SUSPEND, __ATOMIC_RELAXED);
    while (!vgic_has_pending(vcpu) && __atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) == 0) {
        cpu_wait_for_interrupt();
        irq_serve(gicv3_acknowledge());
    }
}
