// SPDX-License-Identifier: Apache-2.0
// Tests: TEST("suite", "name") { CHECK_EQ(got, expected); } registers itself in a linker section. Tests run in order of
// suite, then of their place in the file, on the boot CPU with the MMU off, FP usable and interrupts masked; the runner
// restores that after every test. A failed check prints what was expected and returns from the test.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/exception.h"

struct test {
    const char *suite;
    const char *name;
    void (*run)(void);
    unsigned int line;
};

#define TEST_JOIN_(a, b) a##b
#define TEST_JOIN(a, b)  TEST_JOIN_(a, b)
#define TEST(suite_, name_)                                                                                            \
    static void TEST_JOIN(test_run_, __LINE__)(void);                                                                  \
    static const struct test TEST_JOIN(test_, __LINE__) = {suite_, name_, TEST_JOIN(test_run_, __LINE__), __LINE__};   \
    static const struct test *const TEST_JOIN(test_pointer_, __LINE__)                                                 \
        __attribute__((section(".guest_tests." suite_), used, retain)) = &TEST_JOIN(test_, __LINE__);                  \
    static void TEST_JOIN(test_run_, __LINE__)(void)

// Each returns from the function that holds it when it does not hold.
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            test_fail(__LINE__, "expected %s", #condition);                                                            \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
#define CHECK_EQ(got, expected)                                                                                        \
    do {                                                                                                               \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                                             \
        if (got_ != expected_) {                                                                                       \
            test_fail(__LINE__, "%s: expected 0x%lx got 0x%lx", #got, expected_, got_);                                \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
// A check inside a helper that returns false when it failed.
#define CHECK_TRUE(call)                                                                                               \
    do {                                                                                                               \
        if (!(call))                                                                                                   \
            return;                                                                                                    \
    } while (0)
#define SKIP(...)                                                                                                      \
    do {                                                                                                               \
        test_skip(__VA_ARGS__);                                                                                        \
        return;                                                                                                        \
    } while (0)

// Marks the running test failed; only the first call of a test is printed.
void test_fail(unsigned int line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void test_skip(const char *reason);

// Runs the tests whose "suite: name" begins with filter ("" = all) and prints TAP and the summary.
void test_run(const char *filter);
// Prints "suite: name" of every test.
void test_list(void);

// Whether a guest exception is what the architecture says about an undefined or refused instruction at address:
// EC 0, ISS 0, ELR at the instruction. False, and the running test failed, when not.
bool test_expect_undef(unsigned int line, const struct exception *e, uint64_t address);
// A synchronous external abort from EL1 (EC 0x25, not on a walk) with FAR = far and WnR = write.
bool test_expect_external_abort(unsigned int line, const struct exception *e, uint64_t far, bool write);
bool test_expect_no_exception(unsigned int line, const struct exception *e);

#define CHECK_UNDEF(e, address)    CHECK_TRUE(test_expect_undef(__LINE__, &(e), address))
#define CHECK_ABORT(e, far, write) CHECK_TRUE(test_expect_external_abort(__LINE__, &(e), far, write))
#define CHECK_NO_EXCEPTION(e)      CHECK_TRUE(test_expect_no_exception(__LINE__, &(e)))
