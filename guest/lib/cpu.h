// SPDX-License-Identifier: Apache-2.0
// The CPU under test: system registers, one instruction at a time with the whole register file around it.
#pragma once

#include <stdint.h>

#include "lib/exception.h"
#include "lib/layout.h"
#include "lib/registers.h"

// The 32-bit encoding of one instruction given as text: INSN("ldr x1, [x2], #8"). It is assembled, not executed here.
#define INSN(text)                                                                                                     \
    ({                                                                                                                 \
        uint32_t word_;                                                                                                \
        __asm__ volatile(".arch_extension fp\n ldr %w0, 771f\n b 772f\n 771: " text "\n 772:" : "=r"(word_));          \
        word_;                                                                                                         \
    })

// MRS x0, S<op0>_<op1>_C<n>_C<m>_<op2> and MSR the other way; SYS with op0 = 1.
#define SYS_ENCODING(op0, op1, crn, crm, op2)                                                                          \
    ((uint32_t)(op0) << 19 | (uint32_t)(op1) << 16 | (uint32_t)(crn) << 12 | (uint32_t)(crm) << 8 |                    \
     (uint32_t)(op2) << 5)
#define INSN_MRS_X0(encoding) (0xd5200000u | (encoding))
#define INSN_MSR_X0(encoding) (0xd5000000u | (encoding))
#define INSN_NOP              0xd503201fu

// Every register that a trap must preserve.
struct cpu_state {
    uint64_t x[31];
    uint64_t sp; // SP_EL0: the instruction runs at EL1t
    uint64_t nzcv;
    uint64_t tpidr_el0;
    uint64_t tpidrro_el0;
    uint64_t tpidr_el1;
    uint64_t fpcr;
    uint64_t fpsr;
    uint64_t v[32][2];
} __attribute__((aligned(16)));

_Static_assert(__builtin_offsetof(struct cpu_state, sp) == STATE_SP, "cpu_run.S");
_Static_assert(__builtin_offsetof(struct cpu_state, tpidr_el1) == STATE_TPIDR_EL1, "cpu_run.S");
_Static_assert(__builtin_offsetof(struct cpu_state, v) == STATE_V, "cpu_run.S");
_Static_assert(sizeof(struct cpu_state) == STATE_SIZE, "cpu_run.S");

// A different value in every register; FPCR and FPSR 0.
void cpu_state_fill(struct cpu_state *state, uint64_t seed);

// Loads *state into the CPU, executes instruction, stores the CPU's registers back. Exceptions that the guest takes are
// recorded; the instruction must not branch. Boot CPU only. elr is the address where the instruction stood.
struct exception cpu_run(struct cpu_state *state, uint32_t instruction);
uint64_t cpu_run_address(void);
// Same, at EL1h on the guest's own stack (state->sp is still SP_EL0).
struct exception cpu_run_el1h(struct cpu_state *state, uint32_t instruction);

// Executes an instruction that uses only x0 (and the flags): *x0 in and out.
struct exception cpu_try(uint32_t instruction, uint64_t *x0);
// Reads or writes a system register by encoding; what the guest took, if it was refused.
struct exception cpu_try_read(uint32_t encoding, uint64_t *value);
struct exception cpu_try_write(uint32_t encoding, uint64_t value);
// Where the instruction of cpu_try stands.
uint64_t cpu_try_address(void);

// The first register whose value differs, as words ("x3", "v7", "nzcv"), or NULL; registers in ignore (bit n = xn) are
// not compared.
const char *cpu_state_difference(const struct cpu_state *a, const struct cpu_state *b, uint32_t ignore);
