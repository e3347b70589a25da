// SPDX-License-Identifier: Apache-2.0
#include "fake_console.h"

#include <hv/pl011.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fake_console fake_console;

void fake_console_reset(void)
{
    const struct channel_control *control = fake_console.control; // it is registered once

    memset(&fake_console, 0, sizeof(fake_console));
    fake_console.control = control;
}

void fake_console_clear(void)
{
    fake_console.length = 0;
    fake_console.text[0] = '\0';
}

static void append(const char *text, size_t length)
{
    if (fake_console.length + length >= sizeof(fake_console.text))
        fake_console.length = 0;
    memcpy(&fake_console.text[fake_console.length], text, length);
    fake_console.length += length;
    fake_console.text[fake_console.length] = '\0';
}

void console_write(const char *text, size_t length)
{
    append(text, length);
}

void console_line(const char *line, size_t length)
{
    append(line, length);
    append("\n", 1);
}

void console_show_input(const char *text, size_t length, size_t cursor)
{
    assert_true(length <= CONSOLE_INPUT_MAX && cursor <= length);
    memcpy(fake_console.input, text, length);
    fake_console.input[length] = '\0';
}

void channel_set_control(const struct channel_control *control)
{
    fake_console.control = control;
}

bool channel_is_held(void)
{
    return fake_console.hold;
}

uint64_t channel_hold(bool hold)
{
    fake_console.hold = hold;
    return 0;
}

void channel_type(uint8_t byte)
{
    size_t length = strlen(fake_console.guest_input);

    if (length + 1 < sizeof(fake_console.guest_input)) {
        fake_console.guest_input[length] = (char)byte;
        fake_console.guest_input[length + 1] = '\0';
    }
}

void channel_type_break(void)
{
    channel_type(0xbb);
}

void channel_set_transparent(bool on)
{
    fake_console.transparent = on;
}

bool channel_is_transparent(void)
{
    return fake_console.transparent;
}

uint64_t channel_output_dropped(void)
{
    return 0;
}

uint64_t channel_input_dropped(void)
{
    return 0;
}

int pl011_get(void)
{
    return fake_console.uart_input != NULL && *fake_console.uart_input != '\0' ? *fake_console.uart_input++
                                                                               : PL011_EMPTY;
}

uint64_t pl011_dropped(void)
{
    return 0;
}

const char *channel_words(void)
{
    return "BUG: \"x\"";
}
