// SPDX-License-Identifier: Apache-2.0
// The generic register accessor for devices that EL2 emulates: a device is a table of rows.
#pragma once

#include <hv/types.h>

struct vcpu;

struct mmio_access {
    uint64_t offset; // from the device's base
    uint64_t value;  // written, or to be filled in; zero-extended
    uint8_t size;    // 1, 2, 4 or 8 bytes; offset is a multiple of it
    bool write;
};

// Registers at offset, offset + stride ... : count of them. The handler gets the access as it came.
struct mmio_register {
    uint32_t offset;
    uint32_t count;
    uint8_t width;                                                // bytes of one register: 4 or 8
    uint8_t sizes;                                                // bit n: an access of 1 << n bytes is implemented
    const char *name;                                             // as the manual spells it
    void (*read)(struct vcpu *vcpu, struct mmio_access *access);  // NULL: reads as zero
    void (*write)(struct vcpu *vcpu, struct mmio_access *access); // NULL: ignored
};

// The row that covers access, or NULL when none does or the size is not implemented. rows sorted by offset.
const struct mmio_register *mmio_find_register(const struct mmio_register *rows, size_t count,
                                               const struct mmio_access *access);
