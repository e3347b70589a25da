// SPDX-License-Identifier: Apache-2.0
// Calls from EL2 to the firmware (QEMU answers SMC from EL2).
#pragma once

#include <hv/types.h>

// smc #0 with SMCCC arguments; x0 of the result.
int64_t smc_call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3);
