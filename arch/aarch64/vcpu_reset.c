// SPDX-License-Identifier: Apache-2.0
// The architectural state of a vCPU at reset (PSCI CPU_ON, DEN 0022 6.4; DDI 0487 D1.4). Nothing of it is switched
// while the vCPU lives, since each has a CPU of its own.

#include <hv/arch/vcpu_reset.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/arch/simd_access.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/machine.h>
#include <hv/string.h>

// A vCPU begins at EL1 with SP_EL1, and with debug exceptions, SErrors, IRQs and FIQs masked.
#define SPSR_RESET (SPSR_ELX_D | SPSR_ELX_A | SPSR_ELX_I | SPSR_ELX_F | SPSR_M_EL1H)

// Nothing of what a former guest of this CPU computed is left. Where the policy traps SIMD there was nothing.
static void reset_simd(void)
{
    static const struct simd_value zero;

    if (READ_SYSREG(CPTR_EL2) & CPTR_EL2_TFP)
        return;
    for (unsigned int n = 0; n < 32; n++)
        simd_write(n, &zero);
}

// What ACTLR_EL1 holds at reset only the CPU's maker knows; a policy may allow the guest to write it.
static void reset_actlr(struct vcpu *vcpu)
{
    if (!vcpu->actlr_known)
        vcpu->actlr = READ_SYSREG(ACTLR_EL1);
    vcpu->actlr_known = true;
    WRITE_SYSREG(ACTLR_EL1, vcpu->actlr);
}

void vcpu_reset(struct vcpu *vcpu, uint64_t entry, uint64_t context)
{
    vcpu_registers_reset();
    reset_actlr(vcpu);
    reset_simd();
    // An SError that waited for the vCPU's former life.
    if (READ_SYSREG(HCR_EL2) & HCR_EL2_VSE)
        WRITE_SYSREG(HCR_EL2, READ_SYSREG(HCR_EL2) & ~HCR_EL2_VSE);
    memset(vcpu->frame, 0, sizeof(*vcpu->frame));
    vcpu->frame->x[0] = context;
    vcpu->frame->elr_el2 = entry;
    vcpu->frame->spsr_el2 = SPSR_RESET;
    barrier_context();
}
