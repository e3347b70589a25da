// SPDX-License-Identifier: Apache-2.0
// The name of the function at an address of the guest's code, beside each address that a command shows.
#pragma once

#include <hv/types.h>

// A new reply begins: where the kernel runs is asked for anew before the first name in it.
void monitor_forget_place(void);
// Whether an address of the chosen VM's has a name.
bool monitor_place_known(uint64_t address);
// Goes on in a row with " <start_kernel+0x9c>", in JSON the field "symbol"; nothing when the address has no name.
void monitor_show_place(uint64_t address);
