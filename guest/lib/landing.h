// SPDX-License-Identifier: Apache-2.0
// Calling a function that may end early, from however deep, without returning (setjmp without libc).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct landing {
    uint64_t registers[13]; // x19-x30, sp
};

// Calls function. True when it returned, false when landing_leave ended it.
bool landing_call(struct landing *landing, void (*function)(void));
// Ends the function that landing_call runs. At EL1h.
_Noreturn void landing_leave(struct landing *landing);
