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

// (register, value): written in this order.
#define EL2_REGISTER_TABLE(ROW)                                                                                        \
    ROW(HCR_EL2, HCR_BASE | policy_controls.hcr_el2)                                                                   \
    ROW(VTCR_EL2, vtcr_value())                                                                                        \
    ROW(VTTBR_EL2, stage2_vttbr(&vm0.stage2))                                                                          \
    ROW(CPTR_EL2, CPTR_EL2_RES1 | CPTR_EL2_TZ | policy_controls.cptr_el2)                                              \
    ROW(HSTR_EL2, policy_controls.hstr_el2)                                                                            \
    ROW(MDCR_EL2, mdcr_value())                                                                                        \
    ROW(CNTHCTL_EL2, policy_controls.cnthctl_el2)                                                                      \
    ROW(VPIDR_EL2, READ_SYSREG(MIDR_EL1))                                                                              \
    ROW(VMPIDR_EL2, READ_SYSREG(MPIDR_EL1))

void el2_setup(void)
{
#define EL2_REGISTER_WRITE(name, value) WRITE_SYSREG(name, value);
    EL2_REGISTER_TABLE(EL2_REGISTER_WRITE)
    barrier_context();      // stage 2 is this VM's before its TLB entries go
    tlb_flush_stage2_all(); // a reset need not have emptied the TLBs (DDI 0487 D8.13)
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
    log_record(LOG_INFO, LOG_CPU, "features",
               "midr=0x%lx pa_bits=%u gic=%lu vmid_bits=%u hafdbs=%lu xnx=%lu fgt=%lu ecv=%lu vhe=%lu",
               READ_SYSREG(MIDR_EL1), el2_physical_address_bits(),
               FIELD_GET(ID_AA64PFR0_EL1_GIC, READ_SYSREG(ID_AA64PFR0_EL1)),
               FIELD_GET(ID_AA64MMFR1_EL1_VMIDBITS, mmfr1) == 2 ? 16u : 8u, FIELD_GET(ID_AA64MMFR1_EL1_HAFDBS, mmfr1),
               FIELD_GET(ID_AA64MMFR1_EL1_XNX, mmfr1), FIELD_GET(ID_AA64MMFR0_EL1_FGT, mmfr0),
               FIELD_GET(ID_AA64MMFR0_EL1_ECV, mmfr0), FIELD_GET(ID_AA64MMFR1_EL1_VH, mmfr1));
}
