// SPDX-License-Identifier: Apache-2.0
// A vCPU that is not in the guest. Its VM may be paused, the guest may have turned it off, or it waits for an
// interrupt. Its CPU is then in a loop of EL2, in which it serves interrupts, and with them the monitor and other CPUs.
// A wake-up must not get lost between the look at the state and the sleep. The rule: whoever changes what a vCPU waits
// for first makes the change, then sets a bit in vcpu->request and kicks the CPU with an SGI. The waiting CPU clears
// the bit first and looks afterwards. WFI ends also for an interrupt that came before it (DDI 0487, the WFI
// instruction).

#include <hv/vcpu.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/telemetry.h>
#include <hv/trace_port.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

// The bit is set before the kick is sent, so that the CPU finds it when the SGI arrives. A vCPU of this CPU needs no
// kick: it looks at its requests at the end of this exit.
void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    __atomic_fetch_or(&vcpu->request, request, __ATOMIC_RELEASE);
    if (vcpu->cpu != cpu_id())
        gicv3_send_sgi(GICV3_SGI_KICK, vcpu->cpu);
}

static bool may_run(struct vcpu *vcpu)
{
    // The bit is cleared before the state is read. A request that is made after this clearing leaves its bit set, and
    // the loop comes here once more; if the bit were cleared after the reading, that request would be lost.
    __atomic_fetch_and(&vcpu->request, ~VCPU_REQUEST_WAIT, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&vcpu->vm->state, __ATOMIC_ACQUIRE) == VM_RUNNING &&
           __atomic_load_n(&vcpu->power, __ATOMIC_ACQUIRE) != VCPU_OFF;
}

// Sleeps until an interrupt comes. The time is the guest's own, and counts for no exit.
static void sleep_until_interrupt(void)
{
    uint64_t counted = telemetry_stop_clock();

    cpu_wait_for_interrupt();
    telemetry_start_clock(counted);
}

// "waiting" tells whoever pauses the VM that this vCPU stands still in EL2 (gather, vm.c). Interrupts are served
// meanwhile, and one of them may be what lets the vCPU run.
static void wait_until_it_may_run(struct vcpu *vcpu)
{
    trace_port_flush(); // it may be long until the next exit
    __atomic_store_n(&vcpu->waiting, true, __ATOMIC_RELEASE);
    while (!may_run(vcpu)) {
        irq_serve(gicv3_acknowledge());
        if (!(__atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) & VCPU_REQUEST_WAIT))
            sleep_until_interrupt();
    }
    __atomic_store_n(&vcpu->waiting, false, __ATOMIC_RELEASE);
}

// A vCPU that leaves the wait ON_PENDING was turned on by another one: it begins a new life, at the entry that PSCI
// CPU_ON has given, with registers in their reset state and without anything of its former life.
void vcpu_wait(struct vcpu *vcpu)
{
    if (vcpu->power == VCPU_OFF)
        vgic_stop_cpu(vcpu);
    do {
        wait_until_it_may_run(vcpu);
        // A CPU that pauses the VM sets the request and then reads "waiting" (gather, vm.c). If it still read true, it
        // believes that this vCPU stands still. This side has stored false before the barrier and reads the request
        // after it, so at least one of the two CPUs sees what the other one wrote, and this vCPU waits again.
        barrier_order();
    } while (__atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) & VCPU_REQUEST_WAIT);
    vtimer_update_offset(vcpu);
    if (vcpu->power == VCPU_ON_PENDING) {
        vcpu->held.valid = false; // an access held before PSCI CPU_OFF is not the new code's
        vgic_init_cpu(vcpu);
        vtimer_init_cpu(vcpu);
        vcpu_reset(vcpu, vcpu->on_entry, vcpu->on_context);
        __atomic_store_n(&vcpu->power, VCPU_ON, __ATOMIC_RELEASE);
    }
}

// A trapped WFI of the guest. It ends when the vCPU has an interrupt pending, masked or not, or when anybody asks
// something of this vCPU.
void vcpu_wait_for_interrupt(struct vcpu *vcpu)
{
    __atomic_fetch_and(&vcpu->request, ~VCPU_REQUEST_SUSPEND, __ATOMIC_RELAXED);
    while (!vgic_has_pending(vcpu) && __atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) == 0) {
        sleep_until_interrupt();
        irq_serve(gicv3_acknowledge());
    }
}
