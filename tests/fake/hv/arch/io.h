// SPDX-License-Identifier: Apache-2.0
// Device registers of the host tests, in place of include/hv/arch/io.h: each access is a call of the test's device.
#pragma once

#include <stddef.h>
#include <stdint.h>

// size is 1, 2, 4 or 8. NULL: reads 0, writes are lost.
__attribute__((weak)) uint64_t (*fake_io_read)(uint64_t address, unsigned int size);
__attribute__((weak)) void (*fake_io_write)(uint64_t address, unsigned int size, uint64_t value);

static inline uint8_t io_read8(uint64_t address)
{
    return fake_io_read != NULL ? (uint8_t)fake_io_read(address, 1) : 0;
}

static inline uint16_t io_read16(uint64_t address)
{
    return fake_io_read != NULL ? (uint16_t)fake_io_read(address, 2) : 0;
}

static inline uint32_t io_read32(uint64_t address)
{
    return fake_io_read != NULL ? (uint32_t)fake_io_read(address, 4) : 0;
}

static inline uint64_t io_read64(uint64_t address)
{
    return fake_io_read != NULL ? fake_io_read(address, 8) : 0;
}

static inline void io_write8(uint64_t address, uint8_t value)
{
    if (fake_io_write != NULL)
        fake_io_write(address, 1, value);
}

static inline void io_write16(uint64_t address, uint16_t value)
{
    if (fake_io_write != NULL)
        fake_io_write(address, 2, value);
}

static inline void io_write32(uint64_t address, uint32_t value)
{
    if (fake_io_write != NULL)
        fake_io_write(address, 4, value);
}

static inline void io_write64(uint64_t address, uint64_t value)
{
    if (fake_io_write != NULL)
        fake_io_write(address, 8, value);
}
