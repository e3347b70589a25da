// SPDX-License-Identifier: Apache-2.0
// The architectural state of a vCPU at reset (PSCI CPU_ON, DEN 0022 6.4; DDI 0487 D1.4). Nothing of it is switched
// while the vCPU lives, since each has a CPU of its own.

#include <hv/vcpu.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/arch/simd_access.h>
#include <hv/string.h>

#define SPSR_RESET (SPSR_ELX_D | SPSR_ELX_A | SPSR_ELX_I | SPSR_ELX_F | SPSR_M_EL1H)

// (register, value at reset)
#define EL1_RESET_TABLE(ROW)                                                                                           \
    ROW(SCTLR_EL1, SCTLR_EL1_RESET)                                                                                    \
    ROW(TCR_EL1, 0)                                                                                                    \
    ROW(TTBR0_EL1, 0)                                                                                                  \
    ROW(TTBR1_EL1, 0)                                                                                                  \
    ROW(MAIR_EL1, 0)                                                                                                   \
    ROW(AMAIR_EL1, 0)                                                                                                  \
    ROW(VBAR_EL1, 0)                                                                                                   \
    ROW(CONTEXTIDR_EL1, 0)                                                                                             \
    ROW(CPACR_EL1, 0)                                                                                                  \
    ROW(CNTKCTL_EL1, 0)                                                                                                \
    ROW(CNTV_CTL_EL0, 0)                                                                                               \
    ROW(CNTV_CVAL_EL0, 0)                                                                                              \
    ROW(MDSCR_EL1, 0)                                                                                                  \
    ROW(ESR_EL1, 0)                                                                                                    \
    ROW(ELR_EL1, 0)                                                                                                    \
    ROW(SPSR_EL1, 0)                                                                                                   \
    ROW(FAR_EL1, 0)                                                                                                    \
    ROW(PAR_EL1, 0)                                                                                                    \
    ROW(TPIDR_EL0, 0)                                                                                                  \
    ROW(TPIDRRO_EL0, 0)                                                                                                \
    ROW(TPIDR_EL1, 0)                                                                                                  \
    ROW(SP_EL0, 0)                                                                                                     \
    ROW(SP_EL1, 0)

// Nothing of what a former guest of this CPU computed is left. Where the policy traps SIMD there was nothing.
static void reset_simd(void)
{
    static const struct simd_value zero;

    if (READ_SYSREG(CPTR_EL2) & CPTR_EL2_TFP)
        return;
    for (unsigned int n = 0; n < 32; n++)
        simd_write(n, &zero);
    WRITE_SYSREG(S3_3_C4_C4_0, 0); // FPCR and FPSR: their names are not for code without FP (-mgeneral-regs-only)
    WRITE_SYSREG(S3_3_C4_C4_1, 0);
}

void vcpu_reset(struct vcpu *vcpu, uint64_t entry, uint64_t context)
{
#define EL1_RESET_WRITE(name, value) WRITE_SYSREG(name, value);
    EL1_RESET_TABLE(EL1_RESET_WRITE)
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
