// SPDX-License-Identifier: Apache-2.0
// EL2's own address space: identity mapped, text read-only and executable, everything else never executable, guard
// pages unmapped.
#pragma once

#include <hv/status.h>
#include <hv/types.h>

// Builds the tables from the linker's symbols. Once, on the boot CPU, before stage1_enable.
void stage1_init(void);
// Turns this CPU's EL2 MMU and caches on.
void stage1_enable(void);
