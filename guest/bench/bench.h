// SPDX-License-Identifier: Apache-2.0
// What the files of the bench guest share.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BENCH_PSCI_VERSION 0x84000000
#define BENCH_SGI          3
#define BENCH_PRIORITY     0x80
#define COUNTER_GRAIN      16 // instructions in one tick of the counter, under -icount shift=0

extern uint64_t bench_rounds; // how often each operation is measured: a word of the Image header (start.S) says it

// A function loop_<name>(operand, rounds, high) that runs body rounds times. The body may use, by these names:
//   x4          operand: an address or a value
//   data, dataw the register that a read fills, 0 before the first round: x1, or x19 when high is set
//   left, leftw how many rounds are left, 32 bits of it for what stores something: x9, or x20 when high is set
//   x0 to x3    as it likes
// A hypervisor may treat the registers that a call of a C function loses, like x1, otherwise than those that such a
// call keeps, like x19: each operation is measured with both.
#define LOOP_WITH(body, data_register, left_register, rounds, operand)                                                 \
    __asm__ volatile("data .req x" data_register "\n dataw .req w" data_register "\n"                                  \
                     "left .req x" left_register "\n leftw .req w" left_register "\n"                                  \
                     "mov left, %0\n mov x4, %1\n mov data, #0\n"                                                      \
                     "1: " body "\n subs left, left, #1\n b.ne 1b\n"                                                   \
                     ".unreq data\n .unreq dataw\n .unreq left\n .unreq leftw"                                         \
                     :                                                                                                 \
                     : "r"(rounds), "r"(operand)                                                                       \
                     : "x0", "x1", "x2", "x3", "x4", "x9", "x19", "x20", "cc", "memory")

#define LOOP(name, body)                                                                                               \
    static __attribute__((noinline)) void loop_##name(uint64_t operand, uint64_t rounds, bool high)                    \
    {                                                                                                                  \
        if (high)                                                                                                      \
            LOOP_WITH(body, "19", "20", rounds, operand);                                                              \
        else                                                                                                           \
            LOOP_WITH(body, "1", "9", rounds, operand);                                                                \
    }

// The virtual counter now.
uint64_t bench_now(void);
// Prints what one of rounds took, when all took so many ticks.
void bench_say(const char *name, uint64_t ticks, uint64_t rounds);
// The same of an operation that was measured with its data in x1 and in x19: the worse, then both.
void bench_say_both(const char *name, uint64_t ticks_x1, uint64_t ticks_x19, uint64_t rounds);
// hvc #0
int64_t bench_call(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3);

// How many CPUs the redistributors belong to (1 .. CPU_MAX).
unsigned int bench_cpu_count(void);
// An SGI to another CPU, and traps of all CPUs at once.
void bench_several(unsigned int cpu_count);
