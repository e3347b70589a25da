// SPDX-License-Identifier: Apache-2.0
// Instructions at EL0 and back: batches of them, each executed a few times.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"

#define SPSR_EL1H 0x3c5u
#define BATCH     32
#define RUNS_EACH 4
#define TIMER_ON  1

struct code {
    uint32_t instruction;
    uint32_t svc;
};

__asm__(".pushsection .text.lower, \"ax\"\n"
        ".global lower_call\nlower_call:\n"
        "stp x29, x30, [sp, #-32]!\n str x0, [sp, #16]\n msr elr_el1, x1\n msr spsr_el1, x2\n"
        "ldp x2, x3, [x0, #16]\n ldp x4, x5, [x0, #32]\n ldp x6, x7, [x0, #48]\n ldp x0, x1, [x0]\n eret\n"
        ".global lower_return\nlower_return:\n"
        "ldr x16, [sp, #16]\n stp x0, x1, [x16]\n stp x2, x3, [x16, #16]\n"
        "ldp x29, x30, [sp], #32\n ret\n"
        ".popsection\n");
// x0 to x7 in; x0 to x3 come back.
void lower_call(uint64_t x[8], const struct code *code, uint64_t spsr);
void lower_return(void);

static void leave(struct exception_frame *frame)
{
    frame->elr = (uint64_t)lower_return;
    frame->spsr = SPSR_EL1H;
}

void lower_attack(const struct lower_kind *kind, uint64_t count)
{
    struct code *code = (struct code *)SCRATCH_IPA;
    uint32_t number = (uint32_t)random_next(), step = (uint32_t)random_next() | 1;

    exception_set_el0_handler(leave);
    gic_init_cpu();
    gic_enable(GIC_INTID_VTIMER, 0x40); // due for ever, so that no WFI waits
    WRITE_REG(cntv_cval_el0, 0);
    WRITE_REG(cntv_ctl_el0, TIMER_ON);
    for (uint64_t i = 0; i < count; i += BATCH * RUNS_EACH) {
        for (unsigned int n = 0; n < BATCH; n++, number += step)
            code[n] = (struct code){kind->instruction(number), kind->svc};
        __asm__ volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
        for (unsigned int n = 0; n < BATCH * RUNS_EACH; n++) {
            uint64_t address = random_below(4) ? random_device_address() : SCRATCH_IPA + SCRATCH_SIZE / 2;
            uint64_t x[8] = {random_next(), address, random_next(), 0, random_next(), random_next()};

            exception_expect();
            lower_call(x, &code[n % BATCH], kind->spsr);
            struct exception e = exception_end();
            account(kind->allowed(&e), kind->words, code[n % BATCH].instruction, address, e.esr);
        }
    }
    WRITE_REG(cntv_ctl_el0, 0);
    exception_set_el0_handler(NULL);
}
