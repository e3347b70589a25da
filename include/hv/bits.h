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
