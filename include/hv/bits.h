// SPDX-License-Identifier: Apache-2.0
// Whole-mask fields: FIELD_GET(HCR_EL2_VM, v), FIELD_PREP(ESR_ELx_EC, ec). Usable in constant expressions.
#pragma once

#include <stdint.h>

#define BIT64(n) (UINT64_C(1) << (n))
// Bits hi..lo inclusive, 63 >= hi >= lo >= 0.
#define GENMASK64(hi, lo)       ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))
#define FIELD_SHIFT(mask)       (__builtin_ctzll(mask))
#define FIELD_GET(mask, value)  (((uint64_t)(value) & (mask)) >> FIELD_SHIFT(mask))
#define FIELD_PREP(mask, value) (((uint64_t)(value) << FIELD_SHIFT(mask)) & (mask))

// How many bits are 1: in pairs, fours, bytes, and their sum in the top byte. (The compiler's own needs SIMD.)
static inline unsigned int bit_count(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (unsigned int)(bits * 0x0101010101010101 >> 56);
}
