// SPDX-License-Identifier: Apache-2.0
// Formatted output of the boot CPU through the PL011 at its fixed address. No buffer: what was printed is out.
#include "lib/print.h"

#include <hv/memory_map.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/mmio.h"

#define PL011_DR      (PL011_IPA + 0x00)
#define PL011_FR      (PL011_IPA + 0x18)
#define PL011_FR_TXFF 0x20

void print_char(char c)
{
    if (c == '\n')
        print_char('\r');
    while (mmio_read32(PL011_FR) & PL011_FR_TXFF)
        ;
    mmio_write32(PL011_DR, (uint8_t)c);
}

static void print_text(const char *text)
{
    while (*text)
        print_char(*text++);
}

static void print_number(uint64_t value, unsigned int base, unsigned int width)
{
    char digits[20];
    unsigned int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (width > count) {
        print_char('0');
        width--;
    }
    while (count)
        print_char(digits[--count]);
}

static void print_signed(int64_t value)
{
    if (value < 0)
        print_char('-');
    print_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, 0);
}

void print_list(const char *format, va_list arguments)
{
    for (; *format; format++) {
        unsigned int width = 0;
        bool is_long = false;

        if (*format != '%') {
            print_char(*format);
            continue;
        }
        for (format++; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + (unsigned int)(*format - '0');
        for (; *format == 'l'; format++)
            is_long = true;
        if (*format == 's')
            print_text(va_arg(arguments, const char *));
        else if (*format == 'c')
            print_char((char)va_arg(arguments, int));
        else if (*format == 'd')
            print_signed(is_long ? va_arg(arguments, long) : va_arg(arguments, int));
        else if (*format == 'u' || *format == 'x')
            print_number(is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int),
                         *format == 'x' ? 16 : 10, width);
        else if (*format)
            print_char(*format);
        else
            return;
    }
}

void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
}
