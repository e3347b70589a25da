// SPDX-License-Identifier: Apache-2.0
// How an access reaches a device that EL2 emulates: offset from the device's base, a multiple of the size; size in
// bytes, MMIO_WRITE added for a write; and *value, written (zero-extended from size), or to be filled in. In registers,
// because a guest's drivers spend their exits here.
#pragma once

#include <hv/bits.h>
#include <hv/types.h>

// What a device makes of an access.
enum mmio_result {
    MMIO_DONE,  // done; after a read *value has what was read, zero-extended from the size
    MMIO_FAULT, // refused, without any effect but on *value: what a bus error, an external abort, is to the guest
};

// What an access may be: its size alone for a read.
#define MMIO_WRITE 0x10u

static inline unsigned int mmio_size(unsigned int access)
{
    return access & ~MMIO_WRITE;
}

// The bits of a register of width bytes (4 or 8) that an access of size bytes at offset moves.
static inline uint64_t mmio_part_mask(unsigned int width, uint32_t offset, unsigned int size)
{
    return GENMASK64(8 * size - 1, 0) << (8 * (offset & (width - 1)));
}

// What such an access reads of a register that holds whole. size is at most width.
static inline uint64_t mmio_read_part(unsigned int width, uint64_t whole, uint32_t offset, unsigned int size)
{
    return (whole & mmio_part_mask(width, offset, size)) >> (8 * (offset & (width - 1)));
}

// The register after such an access has written its part of it; the other bits as in whole.
static inline uint64_t mmio_write_part(unsigned int width, uint64_t whole, uint32_t offset, unsigned int size,
                                       uint64_t value)
{
    uint64_t mask = mmio_part_mask(width, offset, size);

    return (whole & ~mask) | ((value << (8 * (offset & (width - 1)))) & mask);
}
