// SPDX-License-Identifier: Apache-2.0
// Text on the PL011, polled. print() knows %s %c %u %d %x %lu %lx %% and a field width with leading zeros (%08x).
#pragma once

#include <stdarg.h>

void print_char(char c);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
