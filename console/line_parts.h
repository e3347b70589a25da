// SPDX-License-Identifier: Apache-2.0
// What channel.c uses of line.c: the line under its lock. Private to console/.
#pragma once

#include <hv/spinlock.h>
#include <hv/types.h>

// Guards all output, that which channels hold back too.
extern struct spinlock console_lock;

// Prints a byte of a guest's when that takes no more than to send it: it is text outside of any sequence, and the UART
// has room. False: something else is needed, and nothing has happened; line_put_guest does it.
bool line_put_text(uint8_t byte) REQUIRES(console_lock);
// Prints a byte of a guest's, tamed by the terminal filter.
void line_put_guest(uint8_t byte) REQUIRES(console_lock);
// Whether text stands on the line whose end was not sent yet.
bool line_is_open(void) REQUIRES(console_lock);
// Ends the line that is being typed, prompt included; it is not drawn again.
void line_drop_input(void) REQUIRES(console_lock);
