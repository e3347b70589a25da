// SPDX-License-Identifier: Apache-2.0
// Sized accesses with the exact instruction: a plain load or store with a base register and no writeback, so that a
// trapped one arrives with a valid syndrome (ISV = 1).
#pragma once

#include <stdint.h>

#include <hv/memory_map.h>

// A guest's sources may name devices as on the bare machine, where these are the same addresses; unless they include a
// board's own header before.
#ifndef PL011_PA
#define PL011_PA PL011_IPA
#define PL031_PA PL031_IPA
#define GICD_PA  GICD_IPA
#define GICR_PA  GICR_IPA
#endif

#define MMIO_READ(bits, form, type)                                                                                    \
    static inline type mmio_read##bits(uint64_t address)                                                               \
    {                                                                                                                  \
        uint64_t value;                                                                                                \
        __asm__ volatile(form ", [%1]" : "=r"(value) : "r"(address) : "memory");                                       \
        return (type)value;                                                                                            \
    }
#define MMIO_WRITE(bits, form, type)                                                                                   \
    static inline void mmio_write##bits(uint64_t address, type value)                                                  \
    {                                                                                                                  \
        __asm__ volatile(form ", [%1]" : : "r"((uint64_t)value), "r"(address) : "memory");                             \
    }

MMIO_READ(8, "ldrb %w0", uint8_t)
MMIO_READ(16, "ldrh %w0", uint16_t)
MMIO_READ(32, "ldr %w0", uint32_t)
MMIO_READ(64, "ldr %x0", uint64_t)
MMIO_WRITE(8, "strb %w0", uint8_t)
MMIO_WRITE(16, "strh %w0", uint16_t)
MMIO_WRITE(32, "str %w0", uint32_t)
MMIO_WRITE(64, "str %x0", uint64_t)
