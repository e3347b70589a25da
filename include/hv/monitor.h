// SPDX-License-Identifier: Apache-2.0
// The monitor: what a person types after Ctrl-], one line or one key at a time. Runs in EL2 on the CPU that owns the
// UART's interrupt.
#pragma once

#include <hv/notify.h>
#include <hv/types.h>

struct vm;

// Commands are about vm until somebody chooses another one. Registers the monitor for what a person types at it
// (channel.h) and for the events that open it (notify.h). Once, on the boot CPU, before any other function of these.
void monitor_init(struct vm *vm);

// The monitor opens by itself (prompt "ariel> "), saying why: "paused by guest", "guest panic" ... A guest can cause
// that, so what is typed then is ignored until Enter alone, or Ctrl-], shows that a person is there. CPU 0 only.
void monitor_open(const char *reason);
// A person has asked for it, or no guest has run that they could have been typing for: keys count at once. CPU 0 only.
void monitor_open_for_person(const char *reason);
// A BREAK came: opens the monitor; two in a row, with nothing typed between, are one for the guest, and close it.
void monitor_break(void);
// Whether it is open: then guest output waits.
bool monitor_is_open(void);
// One byte typed while the monitor is open or after the attention key. CPU 0 only.
void monitor_input(int byte);
