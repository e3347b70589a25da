// SPDX-License-Identifier: Apache-2.0
#include "fake_console.h"

#include <hv/guest_words.h>
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
    memset(&fake_console, 0, sizeof(fake_console));
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

uint64_t console_hold_guest(bool hold)
{
    fake_console.hold = hold;
    return 0;
}

void console_guest_input(uint8_t byte)
{
    size_t length = strlen(fake_console.guest_input);

    if (length + 1 < sizeof(fake_console.guest_input)) {
        fake_console.guest_input[length] = (char)byte;
        fake_console.guest_input[length + 1] = '\0';
    }
}

void console_guest_break(void)
{
    console_guest_input(0xbb);
}

void console_set_transparent(bool on)
{
    fake_console.transparent = on;
}

bool console_is_transparent(void)
{
    return fake_console.transparent;
}

uint64_t console_dropped(void)
{
    return 0;
}

uint64_t console_input_dropped(void)
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

const char *guest_words(void)
{
    return "BUG: \"x\"";
}
