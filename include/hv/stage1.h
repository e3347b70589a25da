// SPDX-License-Identifier: Apache-2.0
// EL2's own address space: identity mapped, text read-only and executable, everything else never executable, guard
// pages unmapped.
#pragma once

#include <hv/types.h>

// The values of MAIR_EL2, TCR_EL2, TTBR0_EL2 and SCTLR_EL2, in the order in which stage1_enable reads them.
struct stage1_registers {
    uint64_t mair;
    uint64_t tcr;
    uint64_t ttbr;
    uint64_t sctlr;
};

// Builds the tables from the linker's symbols and the board's table (hv/platform.h). Once, on the boot CPU, before
// stage1_enable.
void stage1_init(void);
// Whether all of it is mapped: a board may have its devices in more places than there are tables for.
bool stage1_is_complete(void);
// Turns this CPU's EL2 MMU and caches on. Touches no memory but stage1_registers, so that it may run with caches off.
void stage1_enable(void);
