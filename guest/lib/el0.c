// SPDX-License-Identifier: Apache-2.0
// Drops to EL0 for one instruction and comes back with the first exception, whatever it is. EL0 uses x0 alone, so the
// callee-saved registers of el0_enter's caller are still there on the way back.
#include "lib/el0.h"

#include "lib/cpu.h"

#define INSN_SVC         0xd4000aa1u // svc #0x55
#define SPSR_EL1H_MASKED 0x3c5u

static uint32_t code[4] __attribute__((aligned(64)));

uint64_t el0_enter(uint64_t x0, const uint32_t *entry);
void el0_return(void);

static void leave(struct exception_frame *frame)
{
    frame->elr = (uint64_t)el0_return;
    frame->spsr = SPSR_EL1H_MASKED;
}

struct exception el0_run(uint32_t instruction, uint64_t *x0)
{
    code[0] = instruction;
    code[1] = INSN_SVC;
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(code) : "memory");
    exception_set_el0_handler(leave);
    exception_expect();
    *x0 = el0_enter(*x0, code);
    struct exception e = exception_end();
    exception_set_el0_handler(0);
    return e;
}

uint64_t el0_address(void)
{
    return (uint64_t)code;
}
