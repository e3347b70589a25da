// SPDX-License-Identifier: Apache-2.0
// What each CPU does for itself on its way to the guest. The registers that decide what a guest may do (HCR_EL2,
// VTTBR_EL2 and the rest) exist once in each CPU. If one CPU had other values than its neighbours, a guest could move
// to it and do more there. So every CPU, the one that boots as well, takes all of them from the same policy by the same
// function, this_cpu_prepare.

#include "this_cpu.h"

#include <hv/arch/el2_setup.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/arch/trap.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>
#include <hv/panic.h>
#include <hv/plan.h>
#include <hv/platform.h>
#include <hv/stage2.h>
#include <hv/tick.h>
#include <hv/trace.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

extern char stacks_start[];

// Gives the CPU its vCPU. Two things hold from here on: TPIDR_EL2 points to the vCPU that this CPU runs, which is how
// the vectors and vcpu_current find it; and the vCPU's trap frame is at the top of the CPU's stack, where the vectors
// save the guest's registers. With a STACK_STRIDE of 20 KiB the stack of CPU 1 ends 40 KiB after stacks_start, and the
// frame is the last sizeof(struct trap_frame) bytes below that. boot.S (set_stack) computes the same address; the two
// must agree. vcpu->cpu is vm_build's to set. Until then the boot CPU's vCPU has 0 there, as all of struct vm is zero,
// and 0 is the boot CPU's number (CPU_BOOT).
struct vcpu *this_cpu_adopt(unsigned int cpu)
{
    struct vcpu *vcpu = plan_vcpu_of_cpu(cpu);

    if (vcpu == NULL)
        panic("CPU %u is in no VM's plan", cpu);
    vcpu->frame = (struct trap_frame *)(stacks_start + (cpu + 1) * STACK_STRIDE) - 1;
    WRITE_SYSREG(TPIDR_EL2, (uint64_t)vcpu);
    return vcpu;
}

void this_cpu_prepare(struct vcpu *vcpu)
{
    const struct policy_controls *controls = &vcpu->vm->controls;

    el2_setup(&(struct el2_values){
        .hcr_el2 = controls->hcr_el2,
        .mdcr_el2 = controls->mdcr_el2,
        .cptr_el2 = controls->cptr_el2,
        .hstr_el2 = controls->hstr_el2,
        .cnthctl_el2 = controls->cnthctl_el2,
        .vttbr_el2 = stage2_vttbr(&vcpu->vm->space.stage2),
        // The guest reads VMPIDR_EL2 when it reads MPIDR_EL1. Its affinity is the number of the vCPU, whatever affinity
        // the board gives the CPU below; the other bits (U, MT, RES1) are those of the CPU.
        .vmpidr_el2 = (READ_SYSREG(MPIDR_EL1) & ~MPIDR_AFFINITY) | vcpu->id,
        .ipa_bits = STAGE2_IPA_BITS,
    });
    gicv3_init_cpu(vcpu->cpu);
    vgic_init_cpu(vcpu);
    hyp_timer_init_cpu();
    vtimer_init_cpu(vcpu);
    tick_init_cpu();
    trace_init_vcpu(vcpu);
}

// Waits in EL2 until the vCPU is on and its VM runs, puts what is pending for it into the list registers, and goes to
// the guest. Every later entry to the guest is the return from an exception.
_Noreturn void this_cpu_run(struct vcpu *vcpu)
{
    vcpu_wait(vcpu);
    vgic_flush(vcpu);
    guest_start(vcpu->frame);
}
