// SPDX-License-Identifier: Apache-2.0
// AArch32 code at EL0, A32 and T32: every MCR, MRC, MCRR and MRRC of both debug and system coprocessors; loads and
// stores of every form at devices and holes, calls that EL0 does not have. Each is done, or an exception of EL0 that
// this guest's EL1 takes; none is EL2's alone.
#include "hostile.h"

#include "lib/cpu.h"

#define SPSR_USR32   0x1d0u  // A, I, F masked
#define SPSR_T32_NE  0x1820u // T32, in an IT block of this one instruction, whose condition holds
#define INSN_SVC32   0xef000000u
#define INSN_SVC_T32 0xbf00df00u // svc; nop
#define EC_SVC32     0x11
#define EC_BKPT32    0x38
#define EC_CP_FIRST  0x03 // traps of coprocessors, FP, WFE
#define EC_CP_LAST   0x0c
#define CP_ENCODINGS (1u << 18) // opc1, L, CRn, opc2, CRm, and which of the two

// Address in r1, data in r2 to r6, offset 0 in r7.
static const uint32_t plain[] = {
    0xe5912000, 0xe5812000, 0xe5d12000, 0xe5c12000, 0xe1d120b0, 0xe1c120b0, 0xe1d120d0, 0xe1d120f0, // ldr, str, b, h
    0xe1c120d0, 0xe1c120f0, 0xe4912004, 0xe5b12008, 0xe4b12000, 0xe4a12000, 0xe7912007, 0xe7812007, // ldrd, post, ldrt
    0xe891000c, 0xe8a1007c, 0xe911003c, 0xe981007c, 0xe8d1000c,                                     // ldm, stm
    0xe1912f9f, 0xe1814f92, 0xe1b12f9f, 0xe1a14f92, 0xe1d12f9f, 0xe1912c9f, 0xe181fc92, 0xe1912e9f, // ldrex, lda
    0xe1014092, 0xed912b00, 0xed812b00, 0xec912b08, 0xec812b08, 0xf421270f, 0xf401270f, 0xf421020f, // swp, VFP, NEON
    0xf5d1f000, 0xf5d1f000, 0xf451f000, 0xed115e00, 0xed015e00, 0xedd10b00, 0xed910a00,             // pld, ldc p14
    0xe1400070, 0xe14fff7f, 0xe1600070, 0xe160007f, 0xe320f003, 0xe320f002, 0xe320f004, 0xe1200070, // hvc, smc, wfi
    0xf1080080, 0xf1010200, 0xe160006e, 0xf8910a00, 0xf96d0513, 0xe1000200, 0xe7f000f0, 0xf57ff04f, // cps, setend, rfe
    0xe10f2000, 0xe14f2000, 0xe129f002, 0xe320f0f0, 0xe8f1000c, 0xe129f302, 0xf1020010, 0xef123456, // mrs, msr, dbg
};

static uint32_t random_coprocessor(uint32_t any)
{
    uint32_t number = any % CP_ENCODINGS;
    uint32_t cp = number >> 17 & 1 ? 15 : 14, transfer = 0xee000010 | (number & 0xef) | (number >> 8 & 1) << 20;

    if (random_below(3) == 0) // MCRR, MRRC
        return 0xec432000 | cp << 8 | (number & 0xff) | (number >> 8 & 1) << 20;
    // opc2 and CRm as they stand, opc1 and CRn behind them; Rt = r2
    return transfer | (number >> 9 & 0xf) << 16 | (number >> 13 & 7) << 21 | cp << 8 | 2 << 12 |
           (number >> 16 & 1) << 4;
}

static uint32_t random_instruction(uint32_t any)
{
    return random_below(4) ? random_coprocessor(any) : plain[random_below(sizeof(plain) / sizeof(plain[0]))];
}

// T32 has the same encodings, as two halfwords.
static uint32_t random_t32(uint32_t any)
{
    uint32_t instruction = random_coprocessor(any);

    return instruction >> 16 | instruction << 16;
}

static bool is_el0s_own(const struct exception *e)
{
    struct exception memory = *e;

    memory.ec = EC_DABT;
    return e->taken == 1 && e->slot / 4 == 3 &&
           (e->ec == EC_SVC32 || e->ec == EC_BKPT32 || e->ec == EC_UNKNOWN || e->ec == EC_ILLEGAL ||
            (e->ec >= EC_CP_FIRST && e->ec <= EC_CP_LAST) || (e->ec == EC_DABT_LOWER && is_refusal(&memory)));
}

void attack_aarch32(uint64_t count)
{
    static const struct lower_kind kind = {"AArch32 at EL0", random_instruction, is_el0s_own, INSN_SVC32, SPSR_USR32};
    static const struct lower_kind t32 = {"T32 at EL0", random_t32, is_el0s_own, INSN_SVC_T32,
                                          SPSR_USR32 | SPSR_T32_NE};

    if ((READ_REG(id_aa64pfr0_el1) & 0xf) != 2)
        return; // this CPU has no AArch32
    lower_attack(&kind, count / 2);
    lower_attack(&t32, count / 2);
}
