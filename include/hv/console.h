// SPDX-License-Identifier: Apache-2.0
// The serial line and who may write on it: guests (channel.h), the log, the monitor. Lines of the three never mix
// within a line. One lock; every function may be called from any CPU in EL2.
#pragma once

#include <hv/types.h>

#define CONSOLE_INPUT_MAX 256 // prompt and typed line

// Ends what a guest was printing before a reset, makes the terminal readable, and registers as the log's sink. raw:
// what a guest prints reaches the terminal as it is, unfiltered. Once, on the boot CPU, when the UART is ready.
void console_init(bool raw);

// A whole line of EL2 (without end of line), put on a line of its own; what the monitor's user was typing is drawn
// again after it.
void console_line(const char *line, size_t length);

// A line of a panic's report: takes no lock, since its holder may be dead.
void console_panic_line(const char *text, size_t length);

// The monitor's own output: as is, "\n" becomes "\r\n".
void console_write(const char *text, size_t length);

// The monitor's line being typed, prompt included: drawn now, and anew after every line that comes between. cursor:
// bytes from its start. length 0: there is none (what stands on the screen stays). Longer than CONSOLE_INPUT_MAX is
// cut.
void console_show_input(const char *text, size_t length, size_t cursor);

// A person has the serial line from now on (the monitor has opened): the guest's output waits.
void console_hold(void);
// The line is the guest's again: what waited goes out, then the log where the guest has asked for it meanwhile. When
// the monitor closes, and before the machine ends with it open. Any CPU; the log's and the console's lock are taken.
void console_release(void);
// Whether a person has the line.
bool console_is_held(void);
// The guest asks for the log on the console: now, or when the line is the guest's again. Any CPU.
void console_dump_log(void);

// Writes the record "uart-silent" when the UART has dropped bytes since the last call. Once a second, on one CPU.
void console_check_uart(void);
