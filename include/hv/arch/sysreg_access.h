// SPDX-License-Identifier: Apache-2.0
// The instructions behind sysreg.c, one for each row of sysreg_table.h (sysreg_access.S). Host tests bring their own.
#pragma once

#include <hv/types.h>

// Reads or writes the register of row index (key - KEY_SYSREG_FIRST) on this CPU. False when the CPU does not have it;
// *value untouched. The caller knows that the row allows the direction.
bool sysreg_access_read(unsigned int index, uint64_t *value);
bool sysreg_access_write(unsigned int index, uint64_t value);

// PAR_EL1 after a translation of the guest's address through both stages, as EL1 or EL0, for a read or a write. Keeps
// the guest's own PAR_EL1.
uint64_t sysreg_access_translate(gva_t address, bool el0, bool write);
