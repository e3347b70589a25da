// SPDX-License-Identifier: Apache-2.0
// The generic register accessor for devices that EL2 emulates: a device is a table of rows.
#pragma once

#include <hv/bits.h>
#include <hv/types.h>

struct vcpu;

struct mmio_access {
    uint64_t offset; // from the device's base
    uint64_t value;  // written, or to be filled in; zero-extended
    uint8_t size;    // 1, 2, 4 or 8 bytes; offset is a multiple of it
    bool write;
};

// Registers at offset, offset + width ... : count of them. The handler gets the access as it came.
struct mmio_register {
    uint32_t offset;
    uint32_t count;
    uint8_t width;                                                // bytes of one register: 4 or 8
    uint8_t sizes;                                                // bit n: an access of 1 << n bytes is implemented
    const char *name;                                             // as the manual spells it
    void (*read)(struct vcpu *vcpu, struct mmio_access *access);  // NULL: reads as zero
    void (*write)(struct vcpu *vcpu, struct mmio_access *access); // NULL: ignored
};

// The row that covers access, or NULL when none does or the size is not implemented. rows sorted by offset, disjoint.
const struct mmio_register *mmio_find_register(const struct mmio_register *rows, size_t count,
                                               const struct mmio_access *access);

// Which of the row's registers access names: 0 .. count-1.
static inline unsigned int mmio_index(const struct mmio_register *row, const struct mmio_access *access)
{
    return (unsigned int)((access->offset - row->offset) / row->width);
}

// The bits of a register of width bytes (4 or 8) that access moves; the whole register when access is as wide.
static inline uint64_t mmio_part_mask(unsigned int width, const struct mmio_access *access)
{
    return GENMASK64(8 * access->size - 1, 0) << (8 * (access->offset & (width - 1)));
}

// What access reads of a register of width bytes that holds whole. For an access at most as wide as the register.
static inline uint64_t mmio_read_part(unsigned int width, uint64_t whole, const struct mmio_access *access)
{
    return (whole & mmio_part_mask(width, access)) >> (8 * (access->offset & (width - 1)));
}

// The register of width bytes after access has written its part of it; the other bits as in whole.
static inline uint64_t mmio_write_part(unsigned int width, uint64_t whole, const struct mmio_access *access)
{
    uint64_t mask = mmio_part_mask(width, access);

    return (whole & ~mask) | ((access->value << (8 * (access->offset & (width - 1)))) & mask);
}
