// SPDX-License-Identifier: Apache-2.0
// AArch64 code at EL0: loads and stores of every form at devices and holes, every encoding of MRS, MSR, SYS and SYSL,
// calls, waits and exception returns that EL0 does not have. Each is done, or an exception of EL0 that this guest's EL1
// takes; none is EL2's alone.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"

#define SPSR_EL0T   0x3c0u
#define INSN_SVC    0xd4000aa1u
#define EC_PAC      0x09
#define EC_LS64     0x0a
#define EC_BTI      0x0d
#define EC_SVE      0x19
#define EC_SME      0x1d
#define BATCH       32
#define RUNS_EACH   4
#define TIMER_ON    1
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
    struct lower_code *code = (struct lower_code *)SCRATCH_IPA;
    uint32_t number = (uint32_t)random_next(), step = (uint32_t)random_next() | 1;

    exception_set_el0_handler(lower_leave);
    gic_init_cpu();
    gic_enable(GIC_INTID_VTIMER, 0x40); // due for ever, so that no WFI waits
    WRITE_REG(cntv_cval_el0, 0);
    WRITE_REG(cntv_ctl_el0, TIMER_ON);
    for (uint64_t i = 0; i < count; i += BATCH * RUNS_EACH) {
        for (unsigned int n = 0; n < BATCH; n++, number += step)
            code[n] = (struct lower_code){random_instruction(number), INSN_SVC};
        __asm__ volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
        for (unsigned int n = 0; n < BATCH * RUNS_EACH; n++) {
            uint64_t address = random_below(4) ? random_device_address() : SCRATCH_IPA + SCRATCH_SIZE / 2;
            uint64_t x[8] = {random_next(), address, random_next(), 0, random_next(), random_next()};

            exception_expect();
            lower_call(x, &code[n % BATCH], SPSR_EL0T);
            struct exception e = exception_end();
            account(is_el0s_own(&e), "AArch64 at EL0", code[n % BATCH].instruction, address, e.esr);
        }
    }
    WRITE_REG(cntv_ctl_el0, 0);
    exception_set_el0_handler(NULL);
}
