// SPDX-License-Identifier: Apache-2.0
// In the place of console/line.c and of the UART: what EL2 writes is kept, what the guest would get is kept.
#pragma once

#include <hv/channel.h>
#include <hv/console.h>

struct fake_console {
    const struct channel_control *control; // what the monitor has registered
    char text[1 << 20];                    // what was written, terminated; begins anew when it is full
    size_t length;
    char input[CONSOLE_INPUT_MAX + 1]; // the line being typed, prompt included
    bool hold;                         // the guest's output waits
    bool transparent;
    char guest_input[64];   // bytes for the guest; 0xbb is a BREAK
    const char *uart_input; // what pl011_get gives, until its end
};
extern struct fake_console fake_console;

// Nothing was written, typed or asked for.
void fake_console_reset(void);
// Forgets what was written.
void fake_console_clear(void);
