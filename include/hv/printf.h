// SPDX-License-Identifier: Apache-2.0
// Formatting for EL2: a small, bounded, freestanding printf.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// Formats into buffer (size bytes, always terminated when size > 0); returns the length the whole text has, as C99
// does. Knows %% %c %s %.*s %d %i %u %x %X %p with l, ll, z, h, hh, width, '-', '0', '#' and %pQ (a string as a logfmt
// value: quoted and escaped when it has blanks, quotes, '=' or bytes outside 0x21..0x7e).
__attribute__((format(printf, 3, 0))) int format_text_v(char *buffer, size_t size, const char *format,
                                                        va_list arguments);
__attribute__((format(printf, 3, 4))) int format_text(char *buffer, size_t size, const char *format, ...);
