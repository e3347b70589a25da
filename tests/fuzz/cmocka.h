// SPDX-License-Identifier: Apache-2.0
// The part of cmocka that the worlds of tests/unit use, for a fuzz target: an assertion ends the process, a group of
// tests does not run.
#pragma once

#include <fuzz.h>

#define assert_true(condition)       fuzz_check(condition)
#define assert_false(condition)      fuzz_check(!(condition))
#define assert_null(pointer)         fuzz_check((pointer) == NULL)
#define assert_non_null(pointer)     fuzz_check((pointer) != NULL)
#define assert_int_equal(a, b)       fuzz_check((uint64_t)(a) == (uint64_t)(b))
#define assert_int_not_equal(a, b)   fuzz_check((uint64_t)(a) != (uint64_t)(b))
#define assert_ptr_equal(a, b)       fuzz_check((a) == (b))
#define assert_string_equal(a, b)    fuzz_check(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) fuzz_check(memcmp(a, b, n) == 0)
#define assert_in_range(n, a, b)     fuzz_check((n) >= (a) && (n) <= (b))
#define fail_msg(...)                (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())

struct CMUnitTest {
    void (*test)(void **state);
    int (*setup)(void **state);
};
#define cmocka_unit_test(test)                    {test, NULL}
#define cmocka_unit_test_setup(test, setup)       {test, setup}
#define cmocka_run_group_tests(tests, setup, end) ((void)(tests), (void)(setup), (void)(end), 0)
