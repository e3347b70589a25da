// SPDX-License-Identifier: Apache-2.0
// The guest's V registers, which stay in the hardware while EL2 runs (EL2 is built without them). Only while
// CPTR_EL2.TFP is 0: else the access traps to EL2 itself.
#pragma once

#include <stdint.h>

struct simd_value {
    uint64_t part[2]; // bits 63:0, bits 127:64
} __attribute__((aligned(16)));

// V<n % 32>, all 128 bits. A write zeroes what SVE has above them, as every SIMD load does.
void simd_read(unsigned int n, struct simd_value *value);
void simd_write(unsigned int n, const struct simd_value *value);
