// SPDX-License-Identifier: Apache-2.0
// System registers by name, this CPU's number, and its interrupt mask. Inline code only, which needs nothing else of
// the library, so that every file of it can use this header.
#pragma once

#include <stdint.h>

#define REG_TEXT_(name) #name
#define REG_TEXT(name)  REG_TEXT_(name)
#define READ_REG(name)                                                                                                 \
    ({                                                                                                                 \
        uint64_t value_;                                                                                               \
        __asm__ volatile("mrs %0, " REG_TEXT(name) : "=r"(value_));                                                    \
        value_;                                                                                                        \
    })
#define WRITE_REG(name, value)                                                                                         \
    __asm__ volatile("msr " REG_TEXT(name) ", %0\n isb" : : "r"((uint64_t)(value)) : "memory")

// This CPU's number, 0 .. CPU_MAX - 1 (MPIDR_EL1.Aff0).
static inline unsigned int cpu_index(void)
{
    return (unsigned int)READ_REG(mpidr_el1) & 7;
}

static inline void cpu_irq_unmask(void)
{
    __asm__ volatile("msr daifclr, #2" ::: "memory");
}

static inline void cpu_irq_mask(void)
{
    __asm__ volatile("msr daifset, #2" ::: "memory");
}
