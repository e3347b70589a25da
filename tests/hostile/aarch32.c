// SPDX-License-Identifier: Apache-2.0
// AArch32 code at EL0: every MCR, MRC, MCRR and MRRC of both debug and system coprocessors, loads and stores of every
// form at devices and holes, calls that EL0 does not have. Each is done, or an exception of EL0 that this guest's EL1
// takes; none is EL2's alone.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"

#define SPSR_USR32   0x1d0u // A, I, F masked
#define SPSR_EL1H    0x3c5u
#define INSN_SVC32   0xef000000u
#define EC_SVC32     0x11
#define EC_BKPT32    0x38
#define EC_CP_FIRST  0x03 // traps of coprocessors, FP, WFE
#define EC_CP_LAST   0x0c
#define BATCH        32
#define RUNS_EACH    4
#define TIMER_ON     1
#define CP_ENCODINGS (1u << 18) // opc1, L, CRn, opc2, CRm, and which of the two

__asm__(".pushsection .text.aarch32, \"ax\"\n"
        ".global lower_call\nlower_call:\n"
        "stp x29, x30, [sp, #-32]!\n str x0, [sp, #16]\n msr elr_el1, x1\n msr spsr_el1, x2\n"
        "ldp x2, x3, [x0, #16]\n ldp x4, x5, [x0, #32]\n ldp x6, x7, [x0, #48]\n ldp x0, x1, [x0]\n eret\n"
        ".global lower_return\nlower_return:\n"
        "ldr x16, [sp, #16]\n stp x0, x1, [x16]\n stp x2, x3, [x16, #16]\n"
        "ldp x29, x30, [sp], #32\n ret\n"
        ".popsection\n");
void lower_return(void);

void lower_leave(struct exception_frame *frame)
{
    frame->elr = (uint64_t)lower_return;
    frame->spsr = SPSR_EL1H;
}

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

static uint32_t random_instruction(uint32_t number)
{
    uint32_t cp = number >> 17 & 1 ? 15 : 14, transfer = 0xee000010 | (number & 0xef) | (number >> 8 & 1) << 20;

    switch (random_below(4)) {
    case 0:
        return plain[random_below(sizeof(plain) / sizeof(plain[0]))];
    case 1: // MCRR, MRRC
        return 0xec432000 | cp << 8 | (number & 0xff) | (number >> 8 & 1) << 20;
    default: // opc2 and CRm as they stand, opc1 and CRn behind them; Rt = r2
        return transfer | (number >> 9 & 0xf) << 16 | (number >> 13 & 7) << 21 | cp << 8 | 2 << 12 |
               (number >> 16 & 1) << 4;
    }
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
    struct lower_code *code = (struct lower_code *)SCRATCH_IPA;
    uint32_t number = (uint32_t)random_next(), step = (uint32_t)random_next() | 1;

    if ((READ_REG(id_aa64pfr0_el1) & 0xf) != 2)
        return; // this CPU has no AArch32
    exception_set_el0_handler(lower_leave);
    gic_init_cpu();
    gic_enable(GIC_INTID_VTIMER, 0x40); // due for ever, so that no WFI waits
    WRITE_REG(cntv_cval_el0, 0);
    WRITE_REG(cntv_ctl_el0, TIMER_ON);
    for (uint64_t i = 0; i < count; i += BATCH * RUNS_EACH) {
        for (unsigned int n = 0; n < BATCH; n++, number += step)
            code[n] = (struct lower_code){random_instruction(number % CP_ENCODINGS), INSN_SVC32};
        __asm__ volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
        for (unsigned int n = 0; n < BATCH * RUNS_EACH; n++) {
            uint64_t address = random_below(4) ? random_device_address() : SCRATCH_IPA + SCRATCH_SIZE / 2;
            uint64_t x[8] = {random_next(), address, random_next(), random_next(), random_next(), random_next()};

            exception_expect();
            lower_call(x, &code[n % BATCH], SPSR_USR32);
            struct exception e = exception_end();
            account(is_el0s_own(&e), "AArch32 at EL0", code[n % BATCH].instruction, address, e.esr);
        }
    }
    WRITE_REG(cntv_ctl_el0, 0);
    exception_set_el0_handler(NULL);
}
