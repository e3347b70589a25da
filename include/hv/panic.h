// SPDX-License-Identifier: Apache-2.0
// Our own bugs. Nothing that a guest, an image or a person at the monitor sends may reach it.
#pragma once

#include <hv/types.h>

// Prints what and where, keeps the log ring, stops the other CPUs and parks. Any CPU, any time, with any locks held.
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

// The same in parts, for a caller that has more to say than one line (trap/el2_exception.c): panic_begin, then records
// by log_panic, then panic_backtrace, then panic_end.
//
// Counts this CPU's reports; it parks for good when the report of a failed report fails too.
void panic_begin(void);
// Writes pc and the return addresses from frame pointer fp (x29) on, one record "backtrace" each.
void panic_backtrace(uint64_t pc, uint64_t fp);
// Asks the other CPUs to park and parks.
_Noreturn void panic_end(void);

// Makes the report that of fatal() (fatal.h) too. The first thing on the boot CPU.
void panic_init(void);

// Called by panic_end on the CPU that parks: asks all other CPUs to run park(argument), and waits for none.
typedef void (*panic_stopper)(void (*park)(void *argument));
void panic_register(panic_stopper stopper);
