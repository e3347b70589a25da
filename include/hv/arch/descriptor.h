// SPDX-License-Identifier: Apache-2.0
// Fields of VMSAv8-64 translation table descriptors as whole masks (DDI 0487 D8.3). The only place for them.
#pragma once

#include <hv/bits.h>

// Both stages, every level
#define DESC_VALID   BIT64(0)
#define DESC_TABLE   BIT64(1) // with VALID: a table at levels 0..2, a page at level 3
#define DESC_ADDRESS GENMASK64(47, 12)
#define DESC_SH      GENMASK64(9, 8)
#define DESC_AF      BIT64(10)
#define DESC_CONTIG  BIT64(52)

#define DESC_SH_INNER 3

// Stage 2 leaves (D8.3.2)
#define S2_DESC_MEMATTR GENMASK64(5, 2)
#define S2_DESC_S2AP_R  BIT64(6)
#define S2_DESC_S2AP_W  BIT64(7)
#define S2_DESC_XN      GENMASK64(54, 53)
// "IGNORED: reserved for software use": ariel keeps there what a fault means (STAGE2_MEANING)
#define S2_DESC_SOFTWARE GENMASK64(58, 55)

#define S2_MEMATTR_DEVICE_NGNRE 0x1
#define S2_MEMATTR_NORMAL_WB    0xf
// XN[1]: never executable at EL1 and EL0. Without FEAT_XNX, XN[0] is RES0 and this encoding means the same.
#define S2_XN_NEVER 2

// Stage 1 leaves of EL2 (HCR_EL2.E2H = 0): one exception level, one XN
#define EL2_DESC_XN      BIT64(54)
#define EL2_DESC_AP_RES1 BIT64(6)

// 64 KiB granule with 52-bit addresses: PA[51:48]
#define DESC_ADDRESS_HIGH GENMASK64(15, 12)

// Stage 1 leaves of the EL1&0 regime (D8.3.2)
#define S1_DESC_ATTRINDX GENMASK64(4, 2)
#define S1_DESC_NS       BIT64(5)
#define S1_DESC_AP       GENMASK64(7, 6) // AP[2:1]
#define S1_DESC_AP_EL0   BIT64(6)        // AP[1]: EL0 may access
#define S1_DESC_AP_RO    BIT64(7)        // AP[2]: read-only
#define S1_DESC_NG       BIT64(11)
#define S1_DESC_GP       BIT64(50)
#define S1_DESC_DBM      BIT64(51)
#define S1_DESC_PXN      BIT64(53)
#define S1_DESC_UXN      BIT64(54)

// Stage 1 table descriptors: limits on everything below (D8.4)
#define S1_DESC_PXN_TABLE    BIT64(59)
#define S1_DESC_UXN_TABLE    BIT64(60)
#define S1_DESC_AP_TABLE_EL0 BIT64(61) // APTable[0]: EL0 may not access
#define S1_DESC_AP_TABLE_RO  BIT64(62) // APTable[1]: read-only
