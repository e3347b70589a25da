// SPDX-License-Identifier: Apache-2.0
// What the files of the bench guest share.
#pragma once

#include <stdint.h>

#define BENCH_PSCI_VERSION 0x84000000
#define BENCH_SGI          3
#define BENCH_PRIORITY     0x80
#define COUNTER_GRAIN      16 // instructions in one tick of the counter, under -icount shift=0

extern const uint64_t bench_rounds; // in start.S

// One loop: body, then count down. x9 is the counter; x4 the address or value the body uses; x0-x3 are lost.
#define LOOP(name, body)                                                                                               \
    static __attribute__((noinline)) void loop_##name(uint64_t operand, uint64_t rounds)                               \
    {                                                                                                                  \
        __asm__ volatile("mov x9, %0\n mov x4, %1\n"                                                                   \
                         "1: " body "\n subs x9, x9, #1\n b.ne 1b"                                                     \
                         :                                                                                             \
                         : "r"(rounds), "r"(operand)                                                                   \
                         : "x0", "x1", "x2", "x3", "x4", "x9", "cc", "memory");                                        \
    }

// The virtual counter now.
uint64_t bench_now(void);
// Prints what one of rounds took, when all took so many ticks.
void bench_say(const char *name, uint64_t ticks, uint64_t rounds);
// hvc #0
int64_t bench_call(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3);

// How many CPUs the redistributors belong to (1 .. CPU_MAX).
unsigned int bench_cpu_count(void);
// An SGI to another CPU, and traps of all CPUs at once.
void bench_several(unsigned int cpu_count);
