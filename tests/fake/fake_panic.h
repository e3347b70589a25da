// SPDX-License-Identifier: Apache-2.0
// core/panic.c and lib/fatal.c for tests: panic (and fatal, which calls it) ends the function under test with longjmp,
// when the test has said that it expects that, and the program otherwise.
//
//     if (FAKE_PANIC_EXPECTED() == 0) { call(); fail(); }
//     assert_string_equal(fake_panic_text, "...");
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <hv/fatal.h>
#include <hv/panic.h>

__attribute__((weak)) jmp_buf fake_panic_exit;
__attribute__((weak)) bool fake_panic_expected;
__attribute__((weak)) char fake_panic_text[256];
__attribute__((weak)) panic_stopper fake_panic_stopper; // what panic_register was given

#define FAKE_PANIC_EXPECTED() (fake_panic_expected = true, setjmp(fake_panic_exit))

__attribute__((weak)) _Noreturn void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), format, arguments);
    va_end(arguments);
    if (fake_panic_expected) {
        fake_panic_expected = false;
        longjmp(fake_panic_exit, 1);
    }
    fprintf(stderr, "panic: %s\n", fake_panic_text);
    abort();
}

__attribute__((weak)) _Noreturn void fatal(const char *reason)
{
    panic("%s", reason);
}

__attribute__((weak)) void panic_register(panic_stopper stopper)
{
    fake_panic_stopper = stopper;
}
