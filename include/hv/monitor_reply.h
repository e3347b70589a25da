// SPDX-License-Identifier: Apache-2.0
// The reply to a monitor command: how it ends, when it ends, and what is done once it has ended. Used by the commands
// and by what runs them, on the CPU that owns the serial line only, so nothing here takes a lock.
#pragma once

#include <hv/types.h>

// Formats what is wrong, for a handler to return. The text holds until the next call.
__attribute__((format(printf, 1, 2))) const char *monitor_error(const char *format, ...);
// Whether a number was typed with 0x: what is said about it is then hexadecimal too.
bool monitor_is_hexadecimal(const char *word);
// NULL and *value in min .. max, or the error: it names the word as it was typed, and its bounds in the same base.
// what: what the number is, for the error ("vcpu", "bytes").
const char *monitor_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *value);

// Ticks of the counter (CNTPCT_EL0) in other units, rounded down; 0 where CNTFRQ_EL0 says nothing.
uint64_t monitor_microseconds(uint64_t ticks);
uint64_t monitor_nanoseconds(uint64_t ticks);
// Microseconds from the begin of this boot's log to a value of CNTPCT_EL0: the clock of the records' t=.
uint64_t monitor_uptime_us(uint64_t count);

// Asks for something that must not happen before the reply is out (a reset): function is called after "ok", and not at
// all after "err ...".
void monitor_after_reply(void (*function)(void));

// Says that the reply comes later (a step's, when the guest has made its steps): finish writes its last rows then.
void monitor_defer_reply(void (*finish)(void));
// Whether such a reply is still due to the client that asks, and whether to any.
bool monitor_reply_deferred(void);
bool monitor_reply_awaited(void);
// It is complete: calls finish and ends it with "ok". With an error it is given up: ends it with that.
void monitor_finish_reply(const char *error);
// The client that asks is gone: it is due to nobody.
void monitor_forget_reply(void);

// The last line of a reply: "ok" (NULL) or "err <error>".
void monitor_end_reply(const char *error);

// Asks to close the monitor when this reply has ended; whether that was asked since the last question.
void monitor_ask_close(void);
bool monitor_close_asked(void);
