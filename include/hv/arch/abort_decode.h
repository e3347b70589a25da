// SPDX-License-Identifier: Apache-2.0
// A64 loads and stores, decoded from the instruction itself: for a data abort whose syndrome does not describe the
// access (ESR_EL2.ISS.ISV = 0, DDI 0487 D19.2.37), as after a post-indexed store or a load of a pair.
#pragma once

#include <hv/types.h>

#define ALIGNMENT_NEVER 0 // DC ZVA and its kin: an alignment fault wherever memory is Device (DDI 0487 C6.2, DC ZVA)

// How one faulting load or store moves data; filled from ESR_EL2.ISS when ISV = 1, else from the instruction itself.
struct abort_access {
    uint8_t size;      // bytes of one register: 1, 2, 4, 8, 16
    uint8_t alignment; // bytes of which its address must be a multiple in Device memory; ALIGNMENT_NEVER: none will do
    uint8_t count;     // registers moved: 1, or 2 for a pair
    uint8_t reg[2];    // 0..30, 31 = zero register; for SIMD V0..V31
    bool write;
    bool sign_extend;
    bool sixty_four; // the destination is an X register (SF)
    bool simd;       // reg[] are SIMD registers
    bool acquire_release;
    bool writeback;         // base register base gets base_offset added (pre or post index)
    uint8_t base;           // 0..30, 31 = SP
    int64_t base_offset;    // bytes
    int64_t address_offset; // of the first byte from the base register's old value; not for register offset and literal
};

// Decodes an A64 load or store. False when it is none that can be emulated; then *reason names what it is ("an atomic
// operation", "an exclusive access", "an SVE access" ...), and access has its alignment alone. Pure.
bool abort_decode_instruction(uint32_t instruction, struct abort_access *access, const char **reason);
