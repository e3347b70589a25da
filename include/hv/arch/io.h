// SPDX-License-Identifier: Apache-2.0
// Aligned accesses to device registers, one load or store each. Device memory keeps them in program order among
// themselves; ordering against normal memory is the caller's (barrier.h). The host tests put
// tests/fake/hv/arch/io.h before this one on the include path.
#pragma once

#include <stdint.h>

static inline uint8_t io_read8(uint64_t address)
{
    return *(const volatile uint8_t *)address;
}

static inline uint16_t io_read16(uint64_t address)
{
    return *(const volatile uint16_t *)address;
}

static inline uint32_t io_read32(uint64_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline uint64_t io_read64(uint64_t address)
{
    return *(const volatile uint64_t *)address;
}

static inline void io_write8(uint64_t address, uint8_t value)
{
    *(volatile uint8_t *)address = value;
}

static inline void io_write16(uint64_t address, uint16_t value)
{
    *(volatile uint16_t *)address = value;
}

static inline void io_write32(uint64_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline void io_write64(uint64_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}
