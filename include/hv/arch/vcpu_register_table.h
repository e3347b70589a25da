// SPDX-License-Identifier: Apache-2.0
// A vCPU's registers as one table: every system register that a guest can write and that keeps what was written, in the
// order in which a reset writes them. Rows:
//   REGISTER(name, op0, op1, CRn, CRm, op2, value at reset, saved, ID field, least)
//
// saved     what has to be done to keep it over a time in which the vCPU does not run:
//   LIVE     always: the guest may change it at any time without a trap
//   TIME     like LIVE, with CNTVOFF_EL2
//   DEBUG    while MDSCR_EL1 is not 0, or the guest may write the debug registers without a trap
//   PMU      while the policy lets the guest have the PMU
//   AARCH32  never in a guest whose EL1 is AArch64: hardware does not change it then
//   SET      write only: OSLSR_EL1.OSLK is what it holds
//   CLEAR    a view: ones clear what its twin ("SET" for "CLR") sets; the twin is what is read
// ID field  the register is there where this field (vcpu_registers.h) is "least" or more; ALWAYS is 0
//
// What is not here, because it keeps nothing of the guest's or somebody else resets it, is named with its reason in
// tests/tools/test_vcpu_registers.py. General registers, PC and PSTATE are in the frame; V registers by simd_access.h.
// SCTLR_EL1: its RES1 bits of Armv8.0; MMU, caches and alignment checks off.
// OSLAR_EL1 comes first: OSECCR_EL1, OSDTR*_EL1 and the flow flags in MDSCR_EL1 take a value only under the OS lock.
#pragma once

// clang-format off
#define VCPU_REGISTER_TABLE(REGISTER) \
    REGISTER(OSLAR_EL1,         2, 0,  1,  0, 4, 1,               SET,     ALWAYS,       0) \
    REGISTER(OSDTRRX_EL1,       2, 0,  0,  0, 2, 0,               DEBUG,   ALWAYS,       0) \
    REGISTER(OSDTRTX_EL1,       2, 0,  0,  3, 2, 0,               DEBUG,   ALWAYS,       0) \
    REGISTER(OSECCR_EL1,        2, 0,  0,  6, 2, 0,               DEBUG,   ALWAYS,       0) \
    REGISTER(MDSCR_EL1,         2, 0,  0,  2, 2, 0,               DEBUG,   ALWAYS,       0) \
    REGISTER(MDCCINT_EL1,       2, 0,  0,  2, 0, 0,               DEBUG,   ALWAYS,       0) \
    REGISTER(DBGCLAIMCLR_EL1,   2, 0,  7,  9, 6, 0xff,            CLEAR,   ALWAYS,       0) \
    REGISTER(DBGBCR0_EL1,       2, 0,  0,  0, 5, 0,               DEBUG,   BRPS,         0) \
    REGISTER(DBGBVR0_EL1,       2, 0,  0,  0, 4, 0,               DEBUG,   BRPS,         0) \
    REGISTER(DBGWCR0_EL1,       2, 0,  0,  0, 7, 0,               DEBUG,   WRPS,         0) \
    REGISTER(DBGWVR0_EL1,       2, 0,  0,  0, 6, 0,               DEBUG,   WRPS,         0) \
    REGISTER(DBGBCR1_EL1,       2, 0,  0,  1, 5, 0,               DEBUG,   BRPS,         1) \
    REGISTER(DBGBVR1_EL1,       2, 0,  0,  1, 4, 0,               DEBUG,   BRPS,         1) \
    REGISTER(DBGWCR1_EL1,       2, 0,  0,  1, 7, 0,               DEBUG,   WRPS,         1) \
    REGISTER(DBGWVR1_EL1,       2, 0,  0,  1, 6, 0,               DEBUG,   WRPS,         1) \
    REGISTER(DBGBCR2_EL1,       2, 0,  0,  2, 5, 0,               DEBUG,   BRPS,         2) \
    REGISTER(DBGBVR2_EL1,       2, 0,  0,  2, 4, 0,               DEBUG,   BRPS,         2) \
    REGISTER(DBGWCR2_EL1,       2, 0,  0,  2, 7, 0,               DEBUG,   WRPS,         2) \
    REGISTER(DBGWVR2_EL1,       2, 0,  0,  2, 6, 0,               DEBUG,   WRPS,         2) \
    REGISTER(DBGBCR3_EL1,       2, 0,  0,  3, 5, 0,               DEBUG,   BRPS,         3) \
    REGISTER(DBGBVR3_EL1,       2, 0,  0,  3, 4, 0,               DEBUG,   BRPS,         3) \
    REGISTER(DBGWCR3_EL1,       2, 0,  0,  3, 7, 0,               DEBUG,   WRPS,         3) \
    REGISTER(DBGWVR3_EL1,       2, 0,  0,  3, 6, 0,               DEBUG,   WRPS,         3) \
    REGISTER(DBGBCR4_EL1,       2, 0,  0,  4, 5, 0,               DEBUG,   BRPS,         4) \
    REGISTER(DBGBVR4_EL1,       2, 0,  0,  4, 4, 0,               DEBUG,   BRPS,         4) \
    REGISTER(DBGWCR4_EL1,       2, 0,  0,  4, 7, 0,               DEBUG,   WRPS,         4) \
    REGISTER(DBGWVR4_EL1,       2, 0,  0,  4, 6, 0,               DEBUG,   WRPS,         4) \
    REGISTER(DBGBCR5_EL1,       2, 0,  0,  5, 5, 0,               DEBUG,   BRPS,         5) \
    REGISTER(DBGBVR5_EL1,       2, 0,  0,  5, 4, 0,               DEBUG,   BRPS,         5) \
    REGISTER(DBGWCR5_EL1,       2, 0,  0,  5, 7, 0,               DEBUG,   WRPS,         5) \
    REGISTER(DBGWVR5_EL1,       2, 0,  0,  5, 6, 0,               DEBUG,   WRPS,         5) \
    REGISTER(DBGBCR6_EL1,       2, 0,  0,  6, 5, 0,               DEBUG,   BRPS,         6) \
    REGISTER(DBGBVR6_EL1,       2, 0,  0,  6, 4, 0,               DEBUG,   BRPS,         6) \
    REGISTER(DBGWCR6_EL1,       2, 0,  0,  6, 7, 0,               DEBUG,   WRPS,         6) \
    REGISTER(DBGWVR6_EL1,       2, 0,  0,  6, 6, 0,               DEBUG,   WRPS,         6) \
    REGISTER(DBGBCR7_EL1,       2, 0,  0,  7, 5, 0,               DEBUG,   BRPS,         7) \
    REGISTER(DBGBVR7_EL1,       2, 0,  0,  7, 4, 0,               DEBUG,   BRPS,         7) \
    REGISTER(DBGWCR7_EL1,       2, 0,  0,  7, 7, 0,               DEBUG,   WRPS,         7) \
    REGISTER(DBGWVR7_EL1,       2, 0,  0,  7, 6, 0,               DEBUG,   WRPS,         7) \
    REGISTER(DBGBCR8_EL1,       2, 0,  0,  8, 5, 0,               DEBUG,   BRPS,         8) \
    REGISTER(DBGBVR8_EL1,       2, 0,  0,  8, 4, 0,               DEBUG,   BRPS,         8) \
    REGISTER(DBGWCR8_EL1,       2, 0,  0,  8, 7, 0,               DEBUG,   WRPS,         8) \
    REGISTER(DBGWVR8_EL1,       2, 0,  0,  8, 6, 0,               DEBUG,   WRPS,         8) \
    REGISTER(DBGBCR9_EL1,       2, 0,  0,  9, 5, 0,               DEBUG,   BRPS,         9) \
    REGISTER(DBGBVR9_EL1,       2, 0,  0,  9, 4, 0,               DEBUG,   BRPS,         9) \
    REGISTER(DBGWCR9_EL1,       2, 0,  0,  9, 7, 0,               DEBUG,   WRPS,         9) \
    REGISTER(DBGWVR9_EL1,       2, 0,  0,  9, 6, 0,               DEBUG,   WRPS,         9) \
    REGISTER(DBGBCR10_EL1,      2, 0,  0, 10, 5, 0,               DEBUG,   BRPS,        10) \
    REGISTER(DBGBVR10_EL1,      2, 0,  0, 10, 4, 0,               DEBUG,   BRPS,        10) \
    REGISTER(DBGWCR10_EL1,      2, 0,  0, 10, 7, 0,               DEBUG,   WRPS,        10) \
    REGISTER(DBGWVR10_EL1,      2, 0,  0, 10, 6, 0,               DEBUG,   WRPS,        10) \
    REGISTER(DBGBCR11_EL1,      2, 0,  0, 11, 5, 0,               DEBUG,   BRPS,        11) \
    REGISTER(DBGBVR11_EL1,      2, 0,  0, 11, 4, 0,               DEBUG,   BRPS,        11) \
    REGISTER(DBGWCR11_EL1,      2, 0,  0, 11, 7, 0,               DEBUG,   WRPS,        11) \
    REGISTER(DBGWVR11_EL1,      2, 0,  0, 11, 6, 0,               DEBUG,   WRPS,        11) \
    REGISTER(DBGBCR12_EL1,      2, 0,  0, 12, 5, 0,               DEBUG,   BRPS,        12) \
    REGISTER(DBGBVR12_EL1,      2, 0,  0, 12, 4, 0,               DEBUG,   BRPS,        12) \
    REGISTER(DBGWCR12_EL1,      2, 0,  0, 12, 7, 0,               DEBUG,   WRPS,        12) \
    REGISTER(DBGWVR12_EL1,      2, 0,  0, 12, 6, 0,               DEBUG,   WRPS,        12) \
    REGISTER(DBGBCR13_EL1,      2, 0,  0, 13, 5, 0,               DEBUG,   BRPS,        13) \
    REGISTER(DBGBVR13_EL1,      2, 0,  0, 13, 4, 0,               DEBUG,   BRPS,        13) \
    REGISTER(DBGWCR13_EL1,      2, 0,  0, 13, 7, 0,               DEBUG,   WRPS,        13) \
    REGISTER(DBGWVR13_EL1,      2, 0,  0, 13, 6, 0,               DEBUG,   WRPS,        13) \
    REGISTER(DBGBCR14_EL1,      2, 0,  0, 14, 5, 0,               DEBUG,   BRPS,        14) \
    REGISTER(DBGBVR14_EL1,      2, 0,  0, 14, 4, 0,               DEBUG,   BRPS,        14) \
    REGISTER(DBGWCR14_EL1,      2, 0,  0, 14, 7, 0,               DEBUG,   WRPS,        14) \
    REGISTER(DBGWVR14_EL1,      2, 0,  0, 14, 6, 0,               DEBUG,   WRPS,        14) \
    REGISTER(DBGBCR15_EL1,      2, 0,  0, 15, 5, 0,               DEBUG,   BRPS,        15) \
    REGISTER(DBGBVR15_EL1,      2, 0,  0, 15, 4, 0,               DEBUG,   BRPS,        15) \
    REGISTER(DBGWCR15_EL1,      2, 0,  0, 15, 7, 0,               DEBUG,   WRPS,        15) \
    REGISTER(DBGWVR15_EL1,      2, 0,  0, 15, 6, 0,               DEBUG,   WRPS,        15) \
    REGISTER(SCTLR_EL1,         3, 0,  1,  0, 0, 0x30d00800,      LIVE,    ALWAYS,       0) \
    REGISTER(CPACR_EL1,         3, 0,  1,  0, 2, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TTBR0_EL1,         3, 0,  2,  0, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TTBR1_EL1,         3, 0,  2,  0, 1, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TCR_EL1,           3, 0,  2,  0, 2, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(APIAKeyLo_EL1,     3, 0,  2,  1, 0, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APIAKeyHi_EL1,     3, 0,  2,  1, 1, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APIBKeyLo_EL1,     3, 0,  2,  1, 2, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APIBKeyHi_EL1,     3, 0,  2,  1, 3, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APDAKeyLo_EL1,     3, 0,  2,  2, 0, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APDAKeyHi_EL1,     3, 0,  2,  2, 1, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APDBKeyLo_EL1,     3, 0,  2,  2, 2, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APDBKeyHi_EL1,     3, 0,  2,  2, 3, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APGAKeyLo_EL1,     3, 0,  2,  3, 0, 0,               LIVE,    PAUTH,        1) \
    REGISTER(APGAKeyHi_EL1,     3, 0,  2,  3, 1, 0,               LIVE,    PAUTH,        1) \
    REGISTER(SPSR_EL1,          3, 0,  4,  0, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(ELR_EL1,           3, 0,  4,  0, 1, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(SP_EL0,            3, 0,  4,  1, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(AFSR0_EL1,         3, 0,  5,  1, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(AFSR1_EL1,         3, 0,  5,  1, 1, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(ESR_EL1,           3, 0,  5,  2, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(FAR_EL1,           3, 0,  6,  0, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(PAR_EL1,           3, 0,  7,  4, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(MAIR_EL1,          3, 0, 10,  2, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(AMAIR_EL1,         3, 0, 10,  3, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(VBAR_EL1,          3, 0, 12,  0, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(CONTEXTIDR_EL1,    3, 0, 13,  0, 1, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TPIDR_EL1,         3, 0, 13,  0, 4, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(CNTKCTL_EL1,       3, 0, 14,  1, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(CSSELR_EL1,        3, 2,  0,  0, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TPIDR_EL0,         3, 3, 13,  0, 2, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TPIDRRO_EL0,       3, 3, 13,  0, 3, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(TPIDR2_EL0,        3, 3, 13,  0, 5, 0,               LIVE,    SME,          1) \
    REGISTER(SP_EL1,            3, 4,  4,  1, 0, 0,               LIVE,    ALWAYS,       0) \
    REGISTER(FPCR,              3, 3,  4,  4, 0, 0,               LIVE,    FP,           1) \
    REGISTER(FPSR,              3, 3,  4,  4, 1, 0,               LIVE,    FP,           1) \
    REGISTER(VDISR_EL2,         3, 4, 12,  1, 1, 0,               LIVE,    RAS,          1) \
    REGISTER(DACR32_EL2,        3, 4,  3,  0, 0, 0,               AARCH32, EL1_AARCH32,  1) \
    REGISTER(SPSR_irq,          3, 4,  4,  3, 0, 0,               AARCH32, EL1_AARCH32,  1) \
    REGISTER(SPSR_abt,          3, 4,  4,  3, 1, 0,               AARCH32, EL1_AARCH32,  1) \
    REGISTER(SPSR_und,          3, 4,  4,  3, 2, 0,               AARCH32, EL1_AARCH32,  1) \
    REGISTER(SPSR_fiq,          3, 4,  4,  3, 3, 0,               AARCH32, EL1_AARCH32,  1) \
    REGISTER(IFSR32_EL2,        3, 4,  5,  0, 1, 0,               AARCH32, EL1_AARCH32,  1) \
    REGISTER(FPEXC32_EL2,       3, 4,  5,  3, 0, 0,               AARCH32, FPEXC32,      1) \
    REGISTER(CNTP_CTL_EL0,      3, 3, 14,  2, 1, 0,               TIME,    ALWAYS,       0) \
    REGISTER(CNTP_CVAL_EL0,     3, 3, 14,  2, 2, 0,               TIME,    ALWAYS,       0) \
    REGISTER(CNTV_CTL_EL0,      3, 3, 14,  3, 1, 0,               TIME,    ALWAYS,       0) \
    REGISTER(CNTV_CVAL_EL0,     3, 3, 14,  3, 2, 0,               TIME,    ALWAYS,       0) \
    REGISTER(PMCR_EL0,          3, 3,  9, 12, 0, 0,               PMU,     PMUVER,       1) \
    REGISTER(PMCNTENCLR_EL0,    3, 3,  9, 12, 2, UINT32_MAX,      CLEAR,   PMUVER,       1) \
    REGISTER(PMINTENCLR_EL1,    3, 0,  9, 14, 2, UINT32_MAX,      CLEAR,   PMUVER,       1) \
    REGISTER(PMOVSCLR_EL0,      3, 3,  9, 12, 3, UINT32_MAX,      CLEAR,   PMUVER,       1) \
    REGISTER(PMSELR_EL0,        3, 3,  9, 12, 5, 0,               PMU,     PMUVER,       1) \
    REGISTER(PMUSERENR_EL0,     3, 3,  9, 14, 0, 0,               PMU,     PMUVER,       1) \
    REGISTER(PMCCNTR_EL0,       3, 3,  9, 13, 0, 0,               PMU,     PMUVER,       1) \
    REGISTER(PMCCFILTR_EL0,     3, 3, 14, 15, 7, 0,               PMU,     PMUVER,       1) \
    REGISTER(PMEVCNTR0_EL0,     3, 3, 14,  8, 0, 0,               PMU,     PMCR_N,       1) \
    REGISTER(PMEVTYPER0_EL0,    3, 3, 14, 12, 0, 0,               PMU,     PMCR_N,       1) \
    REGISTER(PMEVCNTR1_EL0,     3, 3, 14,  8, 1, 0,               PMU,     PMCR_N,       2) \
    REGISTER(PMEVTYPER1_EL0,    3, 3, 14, 12, 1, 0,               PMU,     PMCR_N,       2) \
    REGISTER(PMEVCNTR2_EL0,     3, 3, 14,  8, 2, 0,               PMU,     PMCR_N,       3) \
    REGISTER(PMEVTYPER2_EL0,    3, 3, 14, 12, 2, 0,               PMU,     PMCR_N,       3) \
    REGISTER(PMEVCNTR3_EL0,     3, 3, 14,  8, 3, 0,               PMU,     PMCR_N,       4) \
    REGISTER(PMEVTYPER3_EL0,    3, 3, 14, 12, 3, 0,               PMU,     PMCR_N,       4) \
    REGISTER(PMEVCNTR4_EL0,     3, 3, 14,  8, 4, 0,               PMU,     PMCR_N,       5) \
    REGISTER(PMEVTYPER4_EL0,    3, 3, 14, 12, 4, 0,               PMU,     PMCR_N,       5) \
    REGISTER(PMEVCNTR5_EL0,     3, 3, 14,  8, 5, 0,               PMU,     PMCR_N,       6) \
    REGISTER(PMEVTYPER5_EL0,    3, 3, 14, 12, 5, 0,               PMU,     PMCR_N,       6) \
    REGISTER(PMEVCNTR6_EL0,     3, 3, 14,  8, 6, 0,               PMU,     PMCR_N,       7) \
    REGISTER(PMEVTYPER6_EL0,    3, 3, 14, 12, 6, 0,               PMU,     PMCR_N,       7) \
    REGISTER(PMEVCNTR7_EL0,     3, 3, 14,  8, 7, 0,               PMU,     PMCR_N,       8) \
    REGISTER(PMEVTYPER7_EL0,    3, 3, 14, 12, 7, 0,               PMU,     PMCR_N,       8) \
    REGISTER(PMEVCNTR8_EL0,     3, 3, 14,  9, 0, 0,               PMU,     PMCR_N,       9) \
    REGISTER(PMEVTYPER8_EL0,    3, 3, 14, 13, 0, 0,               PMU,     PMCR_N,       9) \
    REGISTER(PMEVCNTR9_EL0,     3, 3, 14,  9, 1, 0,               PMU,     PMCR_N,      10) \
    REGISTER(PMEVTYPER9_EL0,    3, 3, 14, 13, 1, 0,               PMU,     PMCR_N,      10) \
    REGISTER(PMEVCNTR10_EL0,    3, 3, 14,  9, 2, 0,               PMU,     PMCR_N,      11) \
    REGISTER(PMEVTYPER10_EL0,   3, 3, 14, 13, 2, 0,               PMU,     PMCR_N,      11) \
    REGISTER(PMEVCNTR11_EL0,    3, 3, 14,  9, 3, 0,               PMU,     PMCR_N,      12) \
    REGISTER(PMEVTYPER11_EL0,   3, 3, 14, 13, 3, 0,               PMU,     PMCR_N,      12) \
    REGISTER(PMEVCNTR12_EL0,    3, 3, 14,  9, 4, 0,               PMU,     PMCR_N,      13) \
    REGISTER(PMEVTYPER12_EL0,   3, 3, 14, 13, 4, 0,               PMU,     PMCR_N,      13) \
    REGISTER(PMEVCNTR13_EL0,    3, 3, 14,  9, 5, 0,               PMU,     PMCR_N,      14) \
    REGISTER(PMEVTYPER13_EL0,   3, 3, 14, 13, 5, 0,               PMU,     PMCR_N,      14) \
    REGISTER(PMEVCNTR14_EL0,    3, 3, 14,  9, 6, 0,               PMU,     PMCR_N,      15) \
    REGISTER(PMEVTYPER14_EL0,   3, 3, 14, 13, 6, 0,               PMU,     PMCR_N,      15) \
    REGISTER(PMEVCNTR15_EL0,    3, 3, 14,  9, 7, 0,               PMU,     PMCR_N,      16) \
    REGISTER(PMEVTYPER15_EL0,   3, 3, 14, 13, 7, 0,               PMU,     PMCR_N,      16) \
    REGISTER(PMEVCNTR16_EL0,    3, 3, 14, 10, 0, 0,               PMU,     PMCR_N,      17) \
    REGISTER(PMEVTYPER16_EL0,   3, 3, 14, 14, 0, 0,               PMU,     PMCR_N,      17) \
    REGISTER(PMEVCNTR17_EL0,    3, 3, 14, 10, 1, 0,               PMU,     PMCR_N,      18) \
    REGISTER(PMEVTYPER17_EL0,   3, 3, 14, 14, 1, 0,               PMU,     PMCR_N,      18) \
    REGISTER(PMEVCNTR18_EL0,    3, 3, 14, 10, 2, 0,               PMU,     PMCR_N,      19) \
    REGISTER(PMEVTYPER18_EL0,   3, 3, 14, 14, 2, 0,               PMU,     PMCR_N,      19) \
    REGISTER(PMEVCNTR19_EL0,    3, 3, 14, 10, 3, 0,               PMU,     PMCR_N,      20) \
    REGISTER(PMEVTYPER19_EL0,   3, 3, 14, 14, 3, 0,               PMU,     PMCR_N,      20) \
    REGISTER(PMEVCNTR20_EL0,    3, 3, 14, 10, 4, 0,               PMU,     PMCR_N,      21) \
    REGISTER(PMEVTYPER20_EL0,   3, 3, 14, 14, 4, 0,               PMU,     PMCR_N,      21) \
    REGISTER(PMEVCNTR21_EL0,    3, 3, 14, 10, 5, 0,               PMU,     PMCR_N,      22) \
    REGISTER(PMEVTYPER21_EL0,   3, 3, 14, 14, 5, 0,               PMU,     PMCR_N,      22) \
    REGISTER(PMEVCNTR22_EL0,    3, 3, 14, 10, 6, 0,               PMU,     PMCR_N,      23) \
    REGISTER(PMEVTYPER22_EL0,   3, 3, 14, 14, 6, 0,               PMU,     PMCR_N,      23) \
    REGISTER(PMEVCNTR23_EL0,    3, 3, 14, 10, 7, 0,               PMU,     PMCR_N,      24) \
    REGISTER(PMEVTYPER23_EL0,   3, 3, 14, 14, 7, 0,               PMU,     PMCR_N,      24) \
    REGISTER(PMEVCNTR24_EL0,    3, 3, 14, 11, 0, 0,               PMU,     PMCR_N,      25) \
    REGISTER(PMEVTYPER24_EL0,   3, 3, 14, 15, 0, 0,               PMU,     PMCR_N,      25) \
    REGISTER(PMEVCNTR25_EL0,    3, 3, 14, 11, 1, 0,               PMU,     PMCR_N,      26) \
    REGISTER(PMEVTYPER25_EL0,   3, 3, 14, 15, 1, 0,               PMU,     PMCR_N,      26) \
    REGISTER(PMEVCNTR26_EL0,    3, 3, 14, 11, 2, 0,               PMU,     PMCR_N,      27) \
    REGISTER(PMEVTYPER26_EL0,   3, 3, 14, 15, 2, 0,               PMU,     PMCR_N,      27) \
    REGISTER(PMEVCNTR27_EL0,    3, 3, 14, 11, 3, 0,               PMU,     PMCR_N,      28) \
    REGISTER(PMEVTYPER27_EL0,   3, 3, 14, 15, 3, 0,               PMU,     PMCR_N,      28) \
    REGISTER(PMEVCNTR28_EL0,    3, 3, 14, 11, 4, 0,               PMU,     PMCR_N,      29) \
    REGISTER(PMEVTYPER28_EL0,   3, 3, 14, 15, 4, 0,               PMU,     PMCR_N,      29) \
    REGISTER(PMEVCNTR29_EL0,    3, 3, 14, 11, 5, 0,               PMU,     PMCR_N,      30) \
    REGISTER(PMEVTYPER29_EL0,   3, 3, 14, 15, 5, 0,               PMU,     PMCR_N,      30) \
    REGISTER(PMEVCNTR30_EL0,    3, 3, 14, 11, 6, 0,               PMU,     PMCR_N,      31) \
    REGISTER(PMEVTYPER30_EL0,   3, 3, 14, 15, 6, 0,               PMU,     PMCR_N,      31)
// clang-format on
