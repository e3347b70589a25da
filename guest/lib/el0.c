// SPDX-License-Identifier: Apache-2.0
// Drops to EL0 for one instruction and comes back with the first exception, whatever it is. EL0 uses x0 alone, so the
// callee-saved registers of el0_enter's caller are still there on the way back.
#include "lib/el0.h"

#include "lib/cpu.h"

#define INSN_SVC         0xd4000aa1u // svc #0x55
#define SPSR_EL1H_MASKED 0x3c5u

#define SPSR_USR32 0x1d0u // A, I and F masked
#define SPSR_T32   0x20u

static uint32_t code[8] __attribute__((aligned(64)));

uint64_t el0_enter(uint64_t x0, const uint32_t *entry);
uint64_t el0_enter32(const uint64_t x[4], const uint32_t *entry, uint64_t spsr);
void el0_return(void);

static uint64_t registers[4]; // of AArch32 code, at its exception

static void leave(struct exception_frame *frame)
{
    frame->elr = (uint64_t)el0_return;
    frame->spsr = SPSR_EL1H_MASKED;
}

static void leave32(struct exception_frame *frame)
{
    for (unsigned int n = 0; n < 4; n++)
        registers[n] = frame->x[n];
    leave(frame);
}

static void publish(void)
{
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(code) : "memory");
}

struct exception el0_run32(const uint32_t *instructions, unsigned int count, bool thumb, uint32_t nzcv, uint64_t x[4])
{
    for (unsigned int n = 0; n < count && n < sizeof(code) / sizeof(code[0]); n++)
        code[n] = instructions[n];
    publish();
    exception_set_el0_handler(leave32);
    exception_expect();
    (void)el0_enter32(x, code, SPSR_USR32 | (thumb ? SPSR_T32 : 0) | nzcv);
    struct exception e = exception_end();
    exception_set_el0_handler(0);
    for (unsigned int n = 0; n < 4; n++)
        x[n] = registers[n];
    return e;
}

struct exception el0_run(uint32_t instruction, uint64_t *x0)
{
    code[0] = instruction;
    code[1] = INSN_SVC;
    publish();
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
