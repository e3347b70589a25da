// SPDX-License-Identifier: Apache-2.0
// A vCPU that is not in the guest: EL2's idle loop, in which it serves interrupts (and with them the monitor and other
// CPUs) until it may run.

#include <hv/vcpu.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    __atomic_fetch_or(&vcpu->request, request, __ATOMIC_RELEASE);
    if (vcpu->cpu != cpu_id())
        gicv3_send_sgi(GICV3_SGI_KICK, vcpu->cpu);
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
