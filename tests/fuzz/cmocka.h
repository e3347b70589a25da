// SPDX-License-Identifier: Apache-2.0
// The assertions of cmocka that the worlds of tests/unit use, for a fuzz target: they end the process.
#pragma once

#include <fuzz.h>

#define assert_true(condition)    fuzz_check(condition)
#define assert_false(condition)   fuzz_check(!(condition))
#define assert_int_equal(a, b)    fuzz_check((uint64_t)(a) == (uint64_t)(b))
#define assert_ptr_equal(a, b)    fuzz_check((a) == (b))
#define assert_string_equal(a, b) fuzz_check(strcmp(a, b) == 0)
