// SPDX-License-Identifier: Apache-2.0
// The registers of EL2 on each CPU: initial values as one table, widened by what the policy needs trapped, and what the
// CPU can do.

#include <hv/arch/el2_setup.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/arch/tlb.h>
#include <hv/log.h>
#include <hv/policy.h>
#include <hv/vm.h>

#define HCR_BASE                                                                                                       \
    (HCR_EL2_VM | HCR_EL2_SWIO | HCR_EL2_FMO | HCR_EL2_IMO | HCR_EL2_AMO | HCR_EL2_RW | HCR_EL2_TSC | HCR_EL2_TIDCP)

static uint64_t vtcr_value(void)
{
    uint64_t pa_range = FIELD_GET(ID_AA64MMFR0_EL1_PARANGE, READ_SYSREG(ID_AA64MMFR0_EL1));
    return VTCR_EL2_RES1 | FIELD_PREP(VTCR_EL2_T0SZ, 64 - STAGE2_IPA_BITS) | FIELD_PREP(VTCR_EL2_SL0, 1) |
           FIELD_PREP(VTCR_EL2_IRGN0, 1) | FIELD_PREP(VTCR_EL2_ORGN0, 1) | FIELD_PREP(VTCR_EL2_SH0, 3) |
           FIELD_PREP(VTCR_EL2_PS, pa_range < 5 ? pa_range : 5);
}

static uint64_t mdcr_value(void)
{
    uint64_t pmu = FIELD_GET(ID_AA64DFR0_EL1_PMUVER, READ_SYSREG(ID_AA64DFR0_EL1));
    uint64_t counters = pmu != 0 && pmu != 0xf ? FIELD_GET(PMCR_EL0_N, READ_SYSREG(PMCR_EL0)) : 0;
    return FIELD_PREP(MDCR_EL2_HPMN, counters) | policy_controls.mdcr_el2;
}

// The fields of the ID registers that say which registers of EL2 there are.
struct el2_features {
    uint64_t pfr0, pfr1, dfr0, mmfr0, mmfr1, mmfr3;
};

static bool has_mpam(const struct el2_features *f)
{
    return FIELD_GET(ID_AA64PFR0_EL1_MPAM, f->pfr0) != 0 || FIELD_GET(ID_AA64PFR1_EL1_MPAM_FRAC, f->pfr1) != 0;
}

static bool has_mpam_hcr(const struct el2_features *f)
{
    return has_mpam(f) && (READ_SYSREG(S3_0_C10_C4_4) & MPAMIDR_EL1_HAS_HCR); // MPAMIDR_EL1
}

// What later architectures add to EL1 and EL0 traps where 0 is written: the names with "n" in the fine-grained traps,
// and what HCRX_EL2 enables. MSR ALLINT is the other way round.
static uint64_t hcrx_value(const struct el2_features *f)
{
    return FIELD_GET(ID_AA64PFR1_EL1_NMI, f->pfr1) != 0 ? HCRX_EL2_TALLINT : 0;
}

// (name, accessor, there?, value): written in this order. f is what this CPU has. Registers whose value at reset is
// UNKNOWN and matters; not here: those of features that a bit of these turns off (SMPRIMAP_EL2 by HCRX_EL2.SMPME,
// ZCR_EL2 by CPTR_EL2.TZ, S2PIR_EL2 by VTCR_EL2, CONTEXTIDR_EL2 by HCR_EL2.E2H), the GIC's (gicv3_init_cpu,
// vgic_init_cpu), the timers' (vtimer_init_cpu, hyp_timer_init_cpu), EL2's own translation (boot.S).
#define EL2_REGISTER_TABLE(ROW)                                                                                        \
    ROW(HCR_EL2, HCR_EL2, true, HCR_BASE | policy_controls.hcr_el2)                                                    \
    ROW(HCRX_EL2, S3_4_C1_C2_2, HAS(mmfr1, MMFR1, HCX, 1), hcrx_value(f))                                              \
    ROW(HACR_EL2, S3_4_C1_C1_7, true, 0)                                                                               \
    ROW(HFGRTR_EL2, S3_4_C1_C1_4, HAS(mmfr0, MMFR0, FGT, 1), 0)                                                        \
    ROW(HFGWTR_EL2, S3_4_C1_C1_5, HAS(mmfr0, MMFR0, FGT, 1), 0)                                                        \
    ROW(HFGITR_EL2, S3_4_C1_C1_6, HAS(mmfr0, MMFR0, FGT, 1), 0)                                                        \
    ROW(HDFGRTR_EL2, S3_4_C3_C1_4, HAS(mmfr0, MMFR0, FGT, 1), 0)                                                       \
    ROW(HDFGWTR_EL2, S3_4_C3_C1_5, HAS(mmfr0, MMFR0, FGT, 1), 0)                                                       \
    ROW(HAFGRTR_EL2, S3_4_C3_C1_6, HAS(mmfr0, MMFR0, FGT, 1) && HAS(pfr0, PFR0, AMU, 1), 0)                            \
    ROW(HFGRTR2_EL2, S3_4_C3_C1_2, HAS(mmfr0, MMFR0, FGT, 2), 0)                                                       \
    ROW(HFGWTR2_EL2, S3_4_C3_C1_3, HAS(mmfr0, MMFR0, FGT, 2), 0)                                                       \
    ROW(HFGITR2_EL2, S3_4_C3_C1_7, HAS(mmfr0, MMFR0, FGT, 2), 0)                                                       \
    ROW(HDFGRTR2_EL2, S3_4_C3_C1_0, HAS(mmfr0, MMFR0, FGT, 2), 0)                                                      \
    ROW(HDFGWTR2_EL2, S3_4_C3_C1_1, HAS(mmfr0, MMFR0, FGT, 2), 0)                                                      \
    ROW(TCR2_EL2, S3_4_C2_C0_3, HAS(mmfr3, MMFR3, TCRX, 1), 0)                                                         \
    ROW(SCTLR2_EL2, S3_4_C1_C0_3, HAS(mmfr3, MMFR3, SCTLRX, 1), 0)                                                     \
    ROW(VTCR_EL2, VTCR_EL2, true, vtcr_value())                                                                        \
    ROW(VTTBR_EL2, VTTBR_EL2, true, stage2_vttbr(&vm0.space.stage2))                                                   \
    ROW(CPTR_EL2, CPTR_EL2, true, CPTR_EL2_RES1 | CPTR_EL2_TZ | policy_controls.cptr_el2)                              \
    ROW(HSTR_EL2, HSTR_EL2, true, policy_controls.hstr_el2)                                                            \
    ROW(MDCR_EL2, MDCR_EL2, true, mdcr_value())                                                                        \
    ROW(TRFCR_EL2, S3_4_C1_C2_1, HAS(dfr0, DFR0, TRACEFILT, 1), 0)                                                     \
    ROW(PMSCR_EL2, S3_4_C9_C9_0, HAS(dfr0, DFR0, PMSVER, 1), 0)                                                        \
    ROW(BRBCR_EL2, S2_4_C9_C0_0, HAS(dfr0, DFR0, BRBE, 1), 0)                                                          \
    ROW(CNTHCTL_EL2, CNTHCTL_EL2, true, policy_controls.cnthctl_el2)                                                   \
    ROW(CNTPOFF_EL2, S3_4_C14_C0_6, HAS(mmfr0, MMFR0, ECV, 2), 0)                                                      \
    ROW(CNTHV_CTL_EL2, S3_4_C14_C3_1, HAS(mmfr1, MMFR1, VH, 1), 0)                                                     \
    ROW(VDISR_EL2, S3_4_C12_C1_1, HAS(pfr0, PFR0, RAS, 1), 0)                                                          \
    ROW(VSESR_EL2, S3_4_C5_C2_3, HAS(pfr0, PFR0, RAS, 1), 0)                                                           \
    ROW(MPAM2_EL2, S3_4_C10_C5_0, has_mpam(f), MPAM2_EL2_TRAPMPAM0EL1 | MPAM2_EL2_TRAPMPAM1EL1)                        \
    ROW(MPAMHCR_EL2, S3_4_C10_C4_0, has_mpam_hcr(f), MPAMHCR_EL2_TRAP_MPAMIDR_EL1)                                     \
    ROW(VPIDR_EL2, VPIDR_EL2, true, READ_SYSREG(MIDR_EL1))                                                             \
    ROW(VMPIDR_EL2, VMPIDR_EL2, true, READ_SYSREG(MPIDR_EL1))

#define HAS(member, register, field, least) (FIELD_GET(ID_AA64##register##_EL1_##field, f->member) >= (least))

static void write_table(const struct el2_features *f)
{
#define EL2_REGISTER_WRITE(name, accessor, there, value)                                                               \
    if (there)                                                                                                         \
        WRITE_SYSREG(accessor, value);
    EL2_REGISTER_TABLE(EL2_REGISTER_WRITE)
}

void el2_setup(void)
{
    const struct el2_features features = {
        .pfr0 = READ_SYSREG(ID_AA64PFR0_EL1),
        .pfr1 = READ_SYSREG(ID_AA64PFR1_EL1),
        .dfr0 = READ_SYSREG(ID_AA64DFR0_EL1),
        .mmfr0 = READ_SYSREG(ID_AA64MMFR0_EL1),
        .mmfr1 = READ_SYSREG(ID_AA64MMFR1_EL1),
        .mmfr3 = READ_SYSREG(S3_0_C0_C7_3), // ID_AA64MMFR3_EL1: 0 where nobody has heard of it
    };

    write_table(&features);
    barrier_context();      // EL2's controls are in place before the TLB entries go
    tlb_flush_all_guests(); // a reset need not have emptied the TLBs (DDI 0487 D8.13)
}

unsigned int el2_physical_address_bits(void)
{
    static const uint8_t bits[] = {32, 36, 40, 42, 44, 48, 52};
    uint64_t range = FIELD_GET(ID_AA64MMFR0_EL1_PARANGE, READ_SYSREG(ID_AA64MMFR0_EL1));
    return range < ARRAY_COUNT(bits) ? bits[range] : 52;
}

bool el2_has_gicv3(void)
{
    return FIELD_GET(ID_AA64PFR0_EL1_GIC, READ_SYSREG(ID_AA64PFR0_EL1)) != 0;
}

void el2_log_features(void)
{
    uint64_t mmfr0 = READ_SYSREG(ID_AA64MMFR0_EL1);
    uint64_t mmfr1 = READ_SYSREG(ID_AA64MMFR1_EL1);
    log_routine(LOG_CPU, "features",
                "midr=0x%lx pa_bits=%u gic=%lu vmid_bits=%u hafdbs=%lu xnx=%lu fgt=%lu ecv=%lu vhe=%lu",
                READ_SYSREG(MIDR_EL1), el2_physical_address_bits(),
                FIELD_GET(ID_AA64PFR0_EL1_GIC, READ_SYSREG(ID_AA64PFR0_EL1)),
                FIELD_GET(ID_AA64MMFR1_EL1_VMIDBITS, mmfr1) == 2 ? 16u : 8u, FIELD_GET(ID_AA64MMFR1_EL1_HAFDBS, mmfr1),
                FIELD_GET(ID_AA64MMFR1_EL1_XNX, mmfr1), FIELD_GET(ID_AA64MMFR0_EL1_FGT, mmfr0),
                FIELD_GET(ID_AA64MMFR0_EL1_ECV, mmfr0), FIELD_GET(ID_AA64MMFR1_EL1_VH, mmfr1));
}
