// SPDX-License-Identifier: Apache-2.0
// What each CPU does for itself on its way to the guest. The boot CPU does the same as the others, so that none of the
// registers that decide what a guest may do can differ between them.

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
#include <hv/policy.h>
#include <hv/stage2.h>
#include <hv/tick.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

extern char stacks_start[];

struct vcpu *this_cpu_adopt(unsigned int cpu)
{
    struct vcpu *vcpu = plan_vcpu_of_cpu(cpu);

    if (vcpu == NULL)
        panic("CPU %u is in no VM's plan", cpu);
    vcpu->cpu = cpu;
    vcpu->frame = (struct trap_frame *)(stacks_start + (cpu + 1) * STACK_STRIDE) - 1;
    WRITE_SYSREG(TPIDR_EL2, (uint64_t)vcpu);
    return vcpu;
}

void this_cpu_prepare(struct vcpu *vcpu)
{
    const struct policy_controls *controls = &vcpu->vm->policy->controls;

    el2_setup(&(struct el2_values){
        .hcr_el2 = controls->hcr_el2,
        .mdcr_el2 = controls->mdcr_el2,
        .cptr_el2 = controls->cptr_el2,
        .hstr_el2 = controls->hstr_el2,
        .cnthctl_el2 = controls->cnthctl_el2,
        .vttbr_el2 = stage2_vttbr(&vcpu->vm->space.stage2),
        // The guest sees the number of its vCPU where the machine has that of the CPU.
        .vmpidr_el2 = (READ_SYSREG(MPIDR_EL1) & ~MPIDR_AFFINITY) | vcpu->id,
        .ipa_bits = STAGE2_IPA_BITS,
    });
    gicv3_init_cpu(vcpu->cpu);
    vgic_init_cpu(vcpu);
    hyp_timer_init_cpu();
    vtimer_init_cpu(vcpu);
    tick_init_cpu();
}

_Noreturn void this_cpu_run(struct vcpu *vcpu)
{
    vcpu_wait(vcpu);
    vgic_flush(vcpu);
    guest_start(vcpu->frame);
}
