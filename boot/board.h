// SPDX-License-Identifier: Apache-2.0
// The machine against the board's table. Private to boot/.
#pragma once

#include <hv/types.h>

struct board_fault {
    const char *reason; // what was wrong and what to do
    const char *name;   // of what was looked at: [a-z0-9_]+
    uint64_t value;     // what was found there
    uint64_t bound;     // what the board needs
};

// Whether the machine is the board of hv/platform.h. False: *fault says what differs. Reads device registers only.
// Once, on the boot CPU, with the MMU and the vectors on, before any device but the console is used.
bool board_check(struct board_fault *fault);

// How many CPUs to use: those that the machine has, or fewer when the run script says so (hv/boot_options.h).
unsigned int board_cpu_count(uint64_t options);
