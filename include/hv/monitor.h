// SPDX-License-Identifier: Apache-2.0
// The monitor: what a person types after Ctrl-], one line or one key at a time. Runs in EL2 on the CPU that owns the
// UART's interrupt.
#pragma once

#include <hv/types.h>

#define MONITOR_ATTENTION 0x1d // Ctrl-]

// Opens the monitor (prompt "ariel> "), saying why: "attention", "break", "paused by guest" ...
void monitor_open(const char *reason);
// Whether it is open: then guest output waits.
bool monitor_is_open(void);
// One byte typed while the monitor is open or after the attention key.
void monitor_input(int byte);
