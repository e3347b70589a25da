// SPDX-License-Identifier: Apache-2.0
// System register access and the fields ariel uses, spelled as DDI 0487 spells them. Host tests shadow this header.
#pragma once

#include <hv/arch/fields.h>
#include <stdint.h>

#define READ_SYSREG(name)                                                                                              \
    ({                                                                                                                 \
        uint64_t value_;                                                                                               \
        __asm__ volatile("mrs %0, " #name : "=r"(value_));                                                             \
        value_;                                                                                                        \
    })

// The "memory" clobber keeps table writes before the register that makes them live.
#define WRITE_SYSREG(name, value) __asm__ volatile("msr " #name ", %0" : : "r"((uint64_t)(value)) : "memory")

// In a loop that waits for another CPU. Without it QEMU under -icount, which runs one CPU at a time, goes on with this
// one.
static inline void cpu_yield(void)
{
    __asm__ volatile("yield" : : : "memory");
}
