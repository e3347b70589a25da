// SPDX-License-Identifier: Apache-2.0
// Formatting for EL2: a small, bounded, freestanding printf.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// Formats into buffer (size bytes, always terminated when size > 0); returns the length the whole text has, as C99
// does. Knows %% %s %d %u %x with l and width, '-' or '0' (not a negative %d), %.*s; and its own:
//   %pQ  a string as a logfmt value: quoted and escaped when it has blanks, quotes, '=' or bytes outside 0x21..0x7e
//   %pJ  a string as JSON
//   %y   a bool: "yes" or "no"; %j: "true" or "false". Compilers don't know these: for formats that are made
__attribute__((format(printf, 3, 0))) int format_text_v(char *buffer, size_t size, const char *format,
                                                        va_list arguments);
__attribute__((format(printf, 3, 4))) int format_text(char *buffer, size_t size, const char *format, ...);
// The same, byte by byte to take.
__attribute__((format(printf, 2, 0))) void format_each(void (*take)(char byte), const char *format, va_list arguments);
