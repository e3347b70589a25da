// SPDX-License-Identifier: Apache-2.0
// The serial line and who may write on it: the guest's output, log records, the monitor. Lines of the three never mix
// within a line. One lock; every function may be called from any CPU in EL2.
#pragma once

#include <hv/types.h>

#define CONSOLE_INPUT_MAX 256 // prompt and typed line

// Ends what a guest was printing before a reset, and makes the terminal readable. raw: what a guest prints reaches the
// terminal as it is, unfiltered. Once, on the boot CPU, when the UART is ready.
void console_init(bool raw);

// Guest output, byte by byte as its UART sends it; what would act on the person's terminal is shown instead
// (terminal_filter.h). Goes out at once, or into the bounded buffer while the monitor is
// open (drops are counted).
void console_guest_byte(uint8_t byte);

// Guest output by hypercall: printed a line at a time behind "guest: ", with control bytes escaped, so that it can't
// pass for EL2's words.
void console_guest_text(const uint8_t *text, size_t length);

// A whole line of EL2 (without end of line), put on a line of its own; what the monitor's user was typing is drawn
// again after it.
void console_line(const char *line, size_t length);

// The monitor's own output: as is, "\n" becomes "\r\n".
void console_write(const char *text, size_t length);

// The monitor's line being typed, prompt included: drawn now, and anew after every line that comes between. cursor:
// bytes from its start. length 0: there is none (what stands on the screen stays). Longer than CONSOLE_INPUT_MAX is
// cut.
void console_show_input(const char *text, size_t length, size_t cursor);

// hold true: the guest's output waits from now on. false: what waited goes out; returns how many bytes did not fit and
// were dropped since it was held.
uint64_t console_hold_guest(bool hold);

// A person has the serial line from now on (the monitor has opened): the guest's output waits.
void console_hold(void);
// The line is the guest's again: what waited goes out, then the log where the guest has asked for it meanwhile. When
// the monitor closes, and before the machine ends with it open. Any CPU; the log's and the console's lock are taken.
void console_release(void);
// Whether a person has the line.
bool console_is_held(void);
// The guest asks for the log on the console: now, or when the line is the guest's again. Any CPU.
void console_dump_log(void);

// A byte for the guest from the serial line. One that its UART refuses waits in a bounded queue and is offered again;
// while that is full the serial line is not read.
void console_guest_input(uint8_t byte);

// A BREAK for the guest: in its place among the bytes that wait. A second one while the first waits is the same one.
void console_guest_break(void);

// on: every byte that is typed while the monitor is closed is the guest's, Ctrl-] too, for binary transfers; a BREAK
// opens the monitor as ever.
void console_set_transparent(bool on);
bool console_is_transparent(void);

// The guest took a byte from its UART: offers it those that wait. Any CPU; not with the UART's lock held.
void console_guest_room(void);

// From now on the UART's interrupt, taken by the CPU that calls this, brings what is typed, and console_tick is called
// each second. Once, on the boot CPU, after gicv3_init_cpu.
void console_listen(void);

// Once a second, on the CPU that owns the UART. A guest that has not read for 10 seconds, with the queue full, holds
// the serial line off no longer: bytes that it has no room for are dropped and counted, so that Ctrl-] comes through.
void console_tick(void);

// What the person at the serial line typed: called from the UART's interrupt and from the idle loop. Never blocks.
void console_receive(void);

// Typed bytes dropped because the guest did not read and the queue was full.
uint64_t console_input_dropped(void);

// Guest bytes dropped because the buffer was full while the monitor was open.
uint64_t console_dropped(void);
