// SPDX-License-Identifier: Apache-2.0
// Which AArch64 register a coprocessor register of A32 and T32 code is (DDI 0487 G8.2, G8.3). trap/aarch32.c makes its
// tables of these rows, and the tools on the host read them from here (tools/ariel/tables.py).
//   BLOCK(class, opc1, CRn, first CRm, last CRm, op0, op1)
//     registers that MCR and MRC (an exception class of fields.h) reach at the CRn, CRm and opc2 that they have in
//     AArch64 too, but there at op0 and op1
//   SINGLE(class, upper, name, place)
//     one that stands elsewhere. upper: the instruction sees bits 63:32 of the AArch64 register. place: MRC(opc1, CRn,
//     CRm, opc2), of VMRS with its reg as CRn, or MRRC(opc1, CRm)
#pragma once

// clang-format off
#define AARCH32_BLOCK_TABLE(BLOCK) \
    BLOCK(ESR_EC_CP15, 0, 9, 12, 14, 3, 3) /* performance monitors */ \
    BLOCK(ESR_EC_CP15, 0, 13, 2, 3, 3, 3)  /* activity monitors */ \
    BLOCK(ESR_EC_CP15, 0, 14, 2, 2, 3, 3)  /* the physical timer */ \
    BLOCK(ESR_EC_CP15, 0, 14, 8, 15, 3, 3) /* PMEVCNTR<n>, PMEVTYPER<n>, PMCCFILTR */ \
    BLOCK(ESR_EC_CP14, 0, 0, 0, 0, 0, 0)   /* DBGDIDR, which has no AArch64 name */ \
    BLOCK(ESR_EC_CP14, 0, 0, 1, 1, 2, 3)   /* DBGDSCRint: MDCCSR_EL0 */ \
    BLOCK(ESR_EC_CP14, 0, 0, 5, 5, 2, 3)   /* DBGDTRRXint, DBGDTRTXint */ \
    BLOCK(ESR_EC_CP14, 0, 1, 0, 0, 2, 0)   /* DBGDRAR: MDRAR_EL1 */ \
    BLOCK(ESR_EC_CP14, 0, 2, 0, 0, 0, 0)   /* DBGDSAR, which has no AArch64 name */

#define AARCH32_SINGLE_TABLE(SINGLE) \
    SINGLE(ESR_EC_CP15,    1, PMCEID0_EL0,    MRC(0, 9, 14, 4)) /* PMCEID2 */ \
    SINGLE(ESR_EC_CP15,    1, PMCEID1_EL0,    MRC(0, 9, 14, 5)) /* PMCEID3 */ \
    SINGLE(ESR_EC_VMRS,    0, MVFR2_EL1,      MRC(7, 5, 0, 0)) \
    SINGLE(ESR_EC_VMRS,    0, MVFR1_EL1,      MRC(7, 6, 0, 0)) \
    SINGLE(ESR_EC_VMRS,    0, MVFR0_EL1,      MRC(7, 7, 0, 0)) \
    SINGLE(ESR_EC_CP15_64, 0, CNTPCT_EL0,     MRRC(0, 14)) \
    SINGLE(ESR_EC_CP15_64, 0, CNTP_CVAL_EL0,  MRRC(2, 14)) \
    SINGLE(ESR_EC_CP15_64, 0, CNTPCTSS_EL0,   MRRC(8, 14)) \
    SINGLE(ESR_EC_CP15_64, 0, PMCCNTR_EL0,    MRRC(0, 9)) \
    SINGLE(ESR_EC_CP15_64, 0, AMEVCNTR00_EL0, MRRC(0, 0)) /* AMEVCNTR0<n> */ \
    SINGLE(ESR_EC_CP15_64, 0, AMEVCNTR01_EL0, MRRC(1, 0)) \
    SINGLE(ESR_EC_CP15_64, 0, AMEVCNTR02_EL0, MRRC(2, 0)) \
    SINGLE(ESR_EC_CP15_64, 0, AMEVCNTR03_EL0, MRRC(3, 0)) \
    SINGLE(ESR_EC_CP14_64, 0, MDRAR_EL1,      MRRC(0, 1)) /* DBGDRAR */ \
    SINGLE(ESR_EC_CP14_64, 0, DBGDSAR,        MRRC(0, 2)) /* DBGDSAR */
// clang-format on
