// SPDX-License-Identifier: Apache-2.0
// EL2 instructions that are allowed to fault: pairs {address, fixup} that guarded accesses leave in section .extable.
#pragma once

#include <hv/types.h>

// When *pc is such an instruction, moves it to its fixup and says true. A fixup may rely on every register but x17.
bool extable_fixup(uint64_t *pc);
