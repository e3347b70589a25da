// SPDX-License-Identifier: Apache-2.0
// The guest-visible part of each ID register: a list of the fields that pass, so that what a later architecture adds
// stays hidden until somebody has thought about it. Hidden: EL2, EL3, AArch32 at EL1, SVE, SME, MTE, RAS, AMU, MPAM,
// PMU, SPE, TRBE, trace, LOR, nested virtualization, stage 2, ECV, FGT, HCX and what needs HCRX_EL2. Pointer
// authentication is visible when the policy does not trap it. (DDI 0487 D19.2, ID_AA64*)

#include "sysreg_id.h"

#include <hv/arch/fields.h>
#include <hv/event_key.h>

// The fields of these registers are four bits wide. FIELD(n) is the mask of the one that begins at bit n, F2(a, b) that
// of two of them. For example F2(4, 8) is 0xff0: bits 7:4 and bits 11:8.
#define FIELD(n) (UINT64_C(0xf) << (n))
#define F2(a, b) (FIELD(a) | FIELD(b))

// The fields that say which algorithms of pointer authentication the CPU has. The guest sees all of them or none.
#define PAUTH_ISAR1 (F2(4, 8) | F2(24, 28)) // APA, API, GPA, GPI
#define PAUTH_ISAR2 (F2(8, 12) | FIELD(24)) // GPA3, APA3, PAC_frac

struct id_row {
    uint16_t key;
    uint64_t keep;  // fields that pass
    uint64_t set;   // what the guest sees beyond them
    uint64_t pauth; // fields that pass with pointer authentication
};

// A field that passes, but with no higher value than this one. A higher number promises more than a lower one (DDI 0487
// D19.1.3), so a guest that reads the lower one finds on the CPU whatever it expects.
struct id_limit {
    uint16_t key;
    uint8_t shift; // of a four-bit field
    uint8_t most;
};

static const struct id_row id_rows[] = {
    // AArch32 at EL0: the instruction set and its floating point
    {KEY_REVIDR_EL1, ~UINT64_C(0), 0, 0},
    {KEY_ID_PFR0_EL1, F2(0, 4) | F2(8, 12) | F2(16, 24), 0, 0},    // State0-3, CSV2, DIT
    {KEY_ID_PFR1_EL1, FIELD(0) | FIELD(16), UINT64_C(1) << 28, 0}, // ProgMod, GenTimer; GIC = 1
    {KEY_ID_DFR0_EL1, FIELD(0), 0, 0},                             // CopDbg
    {KEY_ID_MMFR0_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_MMFR1_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_MMFR2_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_MMFR3_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_ISAR0_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_ISAR1_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_ISAR2_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_ISAR3_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_ISAR4_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_ISAR5_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_MMFR4_EL1, UINT32_MAX & ~FIELD(28), 0, 0}, // not EVT
    {KEY_ID_ISAR6_EL1, UINT32_MAX, 0, 0},
    {KEY_MVFR0_EL1, UINT32_MAX, 0, 0},
    {KEY_MVFR1_EL1, UINT32_MAX, 0, 0},
    {KEY_MVFR2_EL1, UINT32_MAX, 0, 0},
    {KEY_ID_PFR2_EL1, F2(0, 4), 0, 0}, // CSV3, SSBS
    // EL0, FP, AdvSIMD, DIT, CSV2, CSV3; EL1 = AArch64 only, no EL2, no EL3, GIC = 1 (GICv3 by system registers)
    {KEY_ID_AA64PFR0_EL1, FIELD(0) | F2(16, 20) | FIELD(48) | F2(56, 60), UINT64_C(1) << 4 | UINT64_C(1) << 24, 0},
    {KEY_ID_AA64PFR1_EL1, F2(0, 4), 0, 0},                           // BT, SSBS
    {KEY_ID_AA64DFR0_EL1, FIELD(0) | F2(12, 20) | F2(28, 36), 0, 0}, // DebugVer, BRPs, WRPs, CTX_CMPs, DoubleLock
    {KEY_ID_AA64ISAR0_EL1, ~(FIELD(24) | FIELD(0)), 0, 0},           // not TME
    // DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB, SPECRES, BF16, DGH, I8MM
    {KEY_ID_AA64ISAR1_EL1, FIELD(0) | F2(12, 16) | F2(20, 32) | F2(36, 40) | F2(44, 48) | FIELD(52), 0, PAUTH_ISAR1},
    {KEY_ID_AA64ISAR2_EL1, FIELD(4) | F2(20, 28), 0, PAUTH_ISAR2}, // RPRES, BC, CLRBHB
    // PARange, ASIDBits, BigEnd, BigEndEL0, TGran16, TGran64, TGran4, ExS
    {KEY_ID_AA64MMFR0_EL1, F2(0, 4) | F2(8, 16) | F2(20, 24) | F2(28, 44), 0, 0},
    {KEY_ID_AA64MMFR1_EL1, F2(0, 12) | F2(20, 36) | F2(44, 48), 0, 0}, // HAFDBS, HPDS, PAN, ETS, AFP, nTLBPA
    // CnP, UAO, LSM, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD
    {KEY_ID_AA64MMFR2_EL1, F2(0, 4) | F2(8, 16) | F2(20, 28) | F2(32, 36) | F2(48, 52) | FIELD(60), 0, 0},
    {KEY_AIDR_EL1, ~UINT64_C(0), 0, 0},
};

static const struct id_limit id_limits[] = {
    {KEY_ID_DFR0_EL1, 0, 8},      // Armv8.2 debug
    {KEY_ID_AA64PFR0_EL1, 56, 1}, // CSV2: SCXTNUM_ELx is hidden
    {KEY_ID_AA64DFR0_EL1, 0, 8},  // Armv8.2 debug
    {KEY_ID_AA64MMFR0_EL1, 0, 2}, // PARange: 40 bits, the least that holds the 39 of stage 2
};

// Returns what the guest reads of the register key when the CPU's own has the value host. A register without a row
// reads as zero, as one does that the architecture reserves. A limit is compared in the place where its field stands.
// For example, a CPU with 48 bits of physical address has PARange = 5; the limit makes it 2, and the guest sees 40
// bits.
uint64_t sysreg_id_visible(unsigned int key, uint64_t host, bool pauth)
{
    uint64_t value = 0;
    for (size_t i = 0; i < ARRAY_COUNT(id_rows); i++)
        if (id_rows[i].key == key)
            value = (host & (id_rows[i].keep | (pauth ? id_rows[i].pauth : 0))) | id_rows[i].set;
    for (size_t i = 0; i < ARRAY_COUNT(id_limits); i++) {
        uint64_t most = (uint64_t)id_limits[i].most << id_limits[i].shift;
        uint64_t field = FIELD(id_limits[i].shift);
        if (id_limits[i].key == key && (value & field) > most)
            value = (value & ~field) | most;
    }
    return value;
}
