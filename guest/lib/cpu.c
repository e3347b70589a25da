// SPDX-License-Identifier: Apache-2.0
// Runs single instructions: patches a slot, executes it with known registers, and says what changed. A patched word is
// cleaned to the point of unification before it is fetched (DDI 0487 B2.4.4).
#include "lib/cpu.h"

#include <stddef.h>

extern uint32_t cpu_run_spsel[], cpu_run_slot[], cpu_try_slot[];
void cpu_run_call(struct cpu_state *state);
uint64_t cpu_try_call(uint64_t x0);

#define INSN_MSR_SPSEL_0 0xd50040bfu

static void patch(uint32_t *slot, uint32_t instruction)
{
    if (*(volatile uint32_t *)slot == instruction)
        return;
    *(volatile uint32_t *)slot = instruction;
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(slot) : "memory");
}

static struct exception run(struct cpu_state *state, uint32_t spsel, uint32_t instruction)
{
    patch(cpu_run_spsel, spsel);
    patch(cpu_run_slot, instruction);
    exception_expect();
    cpu_run_call(state);
    return exception_end();
}

struct exception cpu_run(struct cpu_state *state, uint32_t instruction)
{
    return run(state, INSN_MSR_SPSEL_0, instruction);
}

struct exception cpu_run_el1h(struct cpu_state *state, uint32_t instruction)
{
    return run(state, INSN_NOP, instruction);
}

uint64_t cpu_run_address(void)
{
    return (uint64_t)cpu_run_slot;
}

struct exception cpu_try(uint32_t instruction, uint64_t *x0)
{
    patch(cpu_try_slot, instruction);
    exception_expect();
    *x0 = cpu_try_call(*x0);
    return exception_end();
}

uint64_t cpu_try_address(void)
{
    return (uint64_t)cpu_try_slot;
}

struct exception cpu_try_read(uint32_t encoding, uint64_t *value)
{
    return cpu_try(INSN_MRS_X0(encoding), value);
}

struct exception cpu_try_write(uint32_t encoding, uint64_t value)
{
    return cpu_try(INSN_MSR_X0(encoding), &value);
}

void cpu_state_fill(struct cpu_state *state, uint64_t seed)
{
    uint64_t pattern = 0x0101010101010101;

    for (unsigned int n = 0; n < 31; n++)
        state->x[n] = seed ^ (pattern * (n + 1)) ^ 0xa5a5000000000000;
    state->sp = 0x41000000 + (seed & 0xff0);
    state->nzcv = (seed & 1) ? 0x90000000 : 0x60000000;
    state->tpidr_el0 = ~seed;
    state->tpidrro_el0 = ~seed << 8;
    state->tpidr_el1 = ~seed << 16;
    state->fpcr = 0;
    state->fpsr = 0;
    for (unsigned int n = 0; n < 32; n++) {
        state->v[n][0] = seed * (n + 3) + 0x1122334455667788;
        state->v[n][1] = ~seed * (n + 5) + 0x99aabbccddeeff00;
    }
}

static const char *const x_names[31] = {"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
                                        "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
                                        "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30"};

const char *cpu_state_difference(const struct cpu_state *a, const struct cpu_state *b, uint32_t ignore)
{
    for (unsigned int n = 0; n < 31; n++)
        if (a->x[n] != b->x[n] && !(ignore >> n & 1))
            return x_names[n];
    if (a->sp != b->sp)
        return "sp";
    if (a->nzcv != b->nzcv)
        return "nzcv";
    if (a->tpidr_el0 != b->tpidr_el0 || a->tpidrro_el0 != b->tpidrro_el0 || a->tpidr_el1 != b->tpidr_el1)
        return "tpidr";
    if (a->fpcr != b->fpcr || a->fpsr != b->fpsr)
        return "fpcr or fpsr";
    for (unsigned int n = 0; n < 32; n++)
        if (a->v[n][0] != b->v[n][0] || a->v[n][1] != b->v[n][1])
            return "v registers";
    return NULL;
}
