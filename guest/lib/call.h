// SPDX-License-Identifier: Apache-2.0
// Calls to EL2, with the whole result: SMCCC lets a call return in x0-x3.
#pragma once

#include <stdint.h>

struct call_result {
    uint64_t x[4];
};

// hvc #0 and smc #0 with x0 = number; x0 of the result.
int64_t call_hvc(uint64_t number, uint64_t x1, uint64_t x2, uint64_t x3);
int64_t call_smc(uint64_t number, uint64_t x1, uint64_t x2, uint64_t x3);
