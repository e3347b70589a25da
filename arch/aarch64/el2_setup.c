// SPDX-License-Identifier: Apache-2.0
// The registers of EL2 on each CPU. Most of them are UNKNOWN after a reset (DDI 0487 D1.4), and a bit of theirs that
// nobody wrote may let a guest past EL2 or stop it for no reason. So each register of EL2 that has a say about the
// guest stands in one table, with the feature that brings it and the value it gets; a CPU that lacks the feature does
// not have the register, and EL2 must not touch it there. What differs between VMs is handed in as struct el2_values.

#include <hv/arch/el2_setup.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/arch/tlb.h>

// What is set for every guest: stage 2 is on, set/way maintenance cleans as well, all interrupts and SErrors come to
// EL2, EL1 is AArch64, and SMC and the IMPLEMENTATION DEFINED registers trap (DDI 0487 D19.2.48).
#define HCR_BASE                                                                                                       \
    (HCR_EL2_VM | HCR_EL2_SWIO | HCR_EL2_FMO | HCR_EL2_IMO | HCR_EL2_AMO | HCR_EL2_RW | HCR_EL2_TSC | HCR_EL2_TIDCP)

// Stage 2 (DDI 0487 D19.2.159): 4 KiB pages from level 1 on, walked in the caches like other memory of EL2's, and
// output addresses as wide as the CPU's, 48 bits at most: 52 need another format of descriptors (PS = 6).
static uint64_t vtcr_value(unsigned int ipa_bits)
{
    uint64_t pa_range = FIELD_GET(ID_AA64MMFR0_EL1_PARANGE, READ_SYSREG(ID_AA64MMFR0_EL1));

    return VTCR_EL2_RES1 | FIELD_PREP(VTCR_EL2_T0SZ, 64 - ipa_bits) | FIELD_PREP(VTCR_EL2_SL0, 1) |
           FIELD_PREP(VTCR_EL2_IRGN0, 1) | FIELD_PREP(VTCR_EL2_ORGN0, 1) | FIELD_PREP(VTCR_EL2_SH0, 3) |
           FIELD_PREP(VTCR_EL2_PS, pa_range < 5 ? pa_range : 5);
}

// MDCR_EL2.HPMN says how many event counters EL1 has; above what there are its effect is CONSTRAINED UNPREDICTABLE
// (DDI 0487 D19.3.17). So it is the number that the CPU has, and 0 on a CPU without a PMU of the architecture's.
static uint64_t mdcr_value(uint64_t set)
{
    uint64_t pmu = FIELD_GET(ID_AA64DFR0_EL1_PMUVER, READ_SYSREG(ID_AA64DFR0_EL1));
    uint64_t counters = pmu != 0 && pmu != 0xf ? FIELD_GET(PMCR_EL0_N, READ_SYSREG(PMCR_EL0)) : 0;
    return FIELD_PREP(MDCR_EL2_HPMN, counters) | set;
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

// HCRX_EL2 (DDI 0487 D19.2.49): its other fields enable for EL1 and EL0 what a later architecture brought, so that 0
// traps it. TALLINT is the other way round: MSR ALLINT traps when it is 1. The fine-grained traps (HFGRTR_EL2 ...) are
// 0 for the same reason: what is newer than they are has a bit there whose name begins with "n", and traps at 0.
static uint64_t hcrx_value(const struct el2_features *f)
{
    return FIELD_GET(ID_AA64PFR1_EL1_NMI, f->pfr1) != 0 ? HCRX_EL2_TALLINT : 0;
}

// Rows: ROW(name, accessor, condition, value). The accessor is what READ_SYSREG and WRITE_SYSREG take, S3_4_C1_C2_2 for
// a register that the assembler does not know by name. The row is written, in this order, on a CPU for which the
// condition is true; f is what this CPU has, v what the VM adds.
//
// Registers of EL2 that are not here: those without effect while a bit of one that is here keeps their feature off
// (SMPRIMAP_EL2 by HCRX_EL2.SMPME, ZCR_EL2 by CPTR_EL2.TZ, S2PIR_EL2 by VTCR_EL2, CONTEXTIDR_EL2 by HCR_EL2.E2H); the
// GIC's (gicv3_init_cpu, vgic_init_cpu); the timers' (vtimer_init_cpu, hyp_timer_init_cpu); EL2's own translation
// (boot.S).
#define EL2_REGISTER_TABLE(ROW)                                                                                        \
    ROW(HCR_EL2, HCR_EL2, true, HCR_BASE | v->hcr_el2)                                                                 \
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
    ROW(VTCR_EL2, VTCR_EL2, true, vtcr_value(v->ipa_bits))                                                             \
    ROW(VTTBR_EL2, VTTBR_EL2, true, v->vttbr_el2)                                                                      \
    ROW(CPTR_EL2, CPTR_EL2, true, CPTR_EL2_RES1 | CPTR_EL2_TZ | v->cptr_el2)                                           \
    ROW(HSTR_EL2, HSTR_EL2, true, v->hstr_el2)                                                                         \
    ROW(MDCR_EL2, MDCR_EL2, true, mdcr_value(v->mdcr_el2))                                                             \
    ROW(TRFCR_EL2, S3_4_C1_C2_1, HAS(dfr0, DFR0, TRACEFILT, 1), 0)                                                     \
    ROW(PMSCR_EL2, S3_4_C9_C9_0, HAS(dfr0, DFR0, PMSVER, 1), 0)                                                        \
    ROW(BRBCR_EL2, S2_4_C9_C0_0, HAS(dfr0, DFR0, BRBE, 1), 0)                                                          \
    ROW(CNTHCTL_EL2, CNTHCTL_EL2, true, v->cnthctl_el2)                                                                \
    ROW(CNTPOFF_EL2, S3_4_C14_C0_6, HAS(mmfr0, MMFR0, ECV, 2), 0)                                                      \
    ROW(CNTHV_CTL_EL2, S3_4_C14_C3_1, HAS(mmfr1, MMFR1, VH, 1), 0)                                                     \
    ROW(VDISR_EL2, S3_4_C12_C1_1, HAS(pfr0, PFR0, RAS, 1), 0)                                                          \
    ROW(VSESR_EL2, S3_4_C5_C2_3, HAS(pfr0, PFR0, RAS, 1), 0)                                                           \
    ROW(MPAM2_EL2, S3_4_C10_C5_0, has_mpam(f), MPAM2_EL2_TRAPMPAM0EL1 | MPAM2_EL2_TRAPMPAM1EL1)                        \
    ROW(MPAMHCR_EL2, S3_4_C10_C4_0, has_mpam_hcr(f), MPAMHCR_EL2_TRAP_MPAMIDR_EL1)                                     \
    ROW(VPIDR_EL2, VPIDR_EL2, true, READ_SYSREG(MIDR_EL1))                                                             \
    ROW(VMPIDR_EL2, VMPIDR_EL2, true, v->vmpidr_el2)

// Whether a field of an ID register is "least" or more: HAS(mmfr0, MMFR0, FGT, 1) asks ID_AA64MMFR0_EL1.FGT. Such
// fields are numbers without a sign, and a higher number has all that a lower one has (DDI 0487 D19.1.3).
#define HAS(member, register, field, least) (FIELD_GET(ID_AA64##register##_EL1_##field, f->member) >= (least))

static void write_table(const struct el2_features *f, const struct el2_values *v)
{
#define EL2_REGISTER_WRITE(name, accessor, there, value)                                                               \
    if (there)                                                                                                         \
        WRITE_SYSREG(accessor, value);
    EL2_REGISTER_TABLE(EL2_REGISTER_WRITE)
}

void el2_setup(const struct el2_values *values)
{
    const struct el2_features features = {
        .pfr0 = READ_SYSREG(ID_AA64PFR0_EL1),
        .pfr1 = READ_SYSREG(ID_AA64PFR1_EL1),
        .dfr0 = READ_SYSREG(ID_AA64DFR0_EL1),
        .mmfr0 = READ_SYSREG(ID_AA64MMFR0_EL1),
        .mmfr1 = READ_SYSREG(ID_AA64MMFR1_EL1),
        .mmfr3 = READ_SYSREG(S3_0_C0_C7_3), // ID_AA64MMFR3_EL1: 0 where nobody has heard of it
    };

    write_table(&features, values);
    barrier_context();      // EL2's controls are in place before the TLB entries go
    tlb_flush_all_guests(); // a reset need not have emptied the TLBs (DDI 0487 D8.13)
}

// The bits of physical address that a value of ID_AA64MMFR0_EL1.PARange stands for: 0 is 32 bits, 5 is 48. A value that
// the table does not know yet is a wider one, and EL2 uses no more than 52.
static unsigned int physical_address_bits(uint64_t mmfr0)
{
    static const uint8_t bits[] = {32, 36, 40, 42, 44, 48, 52};
    uint64_t range = FIELD_GET(ID_AA64MMFR0_EL1_PARANGE, mmfr0);

    return range < ARRAY_COUNT(bits) ? bits[range] : 52;
}

struct cpu_features cpu_features_read(void)
{
    uint64_t mmfr0 = READ_SYSREG(ID_AA64MMFR0_EL1);
    uint64_t mmfr1 = READ_SYSREG(ID_AA64MMFR1_EL1);

    return (struct cpu_features){
        .midr = READ_SYSREG(MIDR_EL1),
        .pa_bits = physical_address_bits(mmfr0),
        .vmid_bits = FIELD_GET(ID_AA64MMFR1_EL1_VMIDBITS, mmfr1) == 2 ? 16 : 8,
        .gic = (unsigned int)FIELD_GET(ID_AA64PFR0_EL1_GIC, READ_SYSREG(ID_AA64PFR0_EL1)),
        .hafdbs = (unsigned int)FIELD_GET(ID_AA64MMFR1_EL1_HAFDBS, mmfr1),
        .xnx = (unsigned int)FIELD_GET(ID_AA64MMFR1_EL1_XNX, mmfr1),
        .vhe = (unsigned int)FIELD_GET(ID_AA64MMFR1_EL1_VH, mmfr1),
        .fgt = (unsigned int)FIELD_GET(ID_AA64MMFR0_EL1_FGT, mmfr0),
        .ecv = (unsigned int)FIELD_GET(ID_AA64MMFR0_EL1_ECV, mmfr0),
    };
}
