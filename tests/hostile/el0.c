// SPDX-License-Identifier: Apache-2.0
// AArch64 code at EL0: loads and stores of every form at devices and holes, every encoding of MRS, MSR, SYS and SYSL,
// calls, waits and exception returns that EL0 does not have. Each is done, or an exception of EL0 that this guest's EL1
// takes; none is EL2's alone.
#include "hostile.h"

#define SPSR_EL0T   0x3c0u
#define INSN_SVC    0xd4000aa1u
#define EC_PAC      0x09
#define EC_LS64     0x0a
#define EC_BTI      0x0d
#define EC_SVE      0x19
#define EC_SME      0x1d
#define ENCODINGS   (1u << 18) // MSR, MRS, SYS, SYSL, and what lies beside them
#define SLOT_EL0_64 2          // of four vectors each

// hvc, smc, eret, drps, hlt, brk, wfi, wfe, wfit, esb, psb, tsb, sb, dgh, msr of DAIF and SPSel, udf
static const uint32_t others[] = {0xd4000002, 0xd4000003, 0xd69f03e0, 0xd6bf03e0, 0xd4400000, 0xd4200000,
                                  0xd503207f, 0xd503205f, 0xd5031021, 0xd503221f, 0xd503223f, 0xd503225f,
                                  0xd50330ff, 0xd50320df, 0xd50342df, 0xd50040bf, 0x00000000, 0xd4001fe2};

static uint32_t random_instruction(uint32_t number)
{
    switch (random_below(4)) {
    case 0:
        return others[random_below(sizeof(others) / sizeof(others[0]))];
    case 1:
        return random_form()->instruction;
    default: // Rt = x2
        return 0xd5000002 | (number % ENCODINGS) << 5 | (number >> 17 & 1) << 21;
    }
}

static bool is_el0s_own(const struct exception *e)
{
    struct exception memory = *e;

    memory.ec = EC_DABT;
    if (e->taken != 1 || e->slot / 4 != SLOT_EL0_64)
        return false;
    switch (e->ec) {
    case EC_UNKNOWN:
    case EC_WFX:
    case EC_FP:
    case EC_PAC:
    case EC_LS64:
    case EC_BTI:
    case EC_ILLEGAL:
    case EC_SVC64:
    case EC_SYSREG:
    case EC_SVE:
    case EC_SME:
    case EC_BRK:
        return true;
    case EC_DABT_LOWER:
        return is_refusal(&memory);
    default:
        return false;
    }
}

void attack_el0(uint64_t count)
{
    static const struct lower_kind kind = {"AArch64 at EL0", random_instruction, is_el0s_own, INSN_SVC, SPSR_EL0T};

    lower_attack(&kind, count);
}
