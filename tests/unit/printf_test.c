// SPDX-License-Identifier: Apache-2.0
// format_text against the host's snprintf with random conversions and values, and what is its own: %pQ, unknown
// conversions, cut text.
// Links: lib/printf.c
#include <hv/printf.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// The formats here are made at run time, or wrong on purpose.
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat"
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#endif

#define ROUNDS 200000

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

// Small, large and edge values alike.
static uint64_t random_value(void)
{
    static const uint64_t edges[] = {
        0, 1, 9, 10, 15, 16, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
    uint64_t value = random_u64();

    if (value % 4 == 0) {
        return edges[random_u64() % (sizeof(edges) / sizeof(edges[0]))];
    }
    return value >> (random_u64() % 64);
}

static void random_modifiers(char *format, const char *flags)
{
    size_t length = 0;

    format[length++] = '%';
    uint64_t pick = random_u64() % 6;
    if (pick < strlen(flags)) {
        format[length++] = flags[pick];
    }
    format[length] = '\0';
    if (random_u64() % 2 == 0) {
        sprintf(format + length, "%u", 1 + (unsigned int)(random_u64() % 30));
    }
}

#define EXPECT_SAME(format, ...)                                                                                       \
    do {                                                                                                               \
        char ours[100], theirs[100];                                                                                   \
        size_t size = random_u64() % sizeof(ours);                                                                     \
        memset(ours, 0x55, sizeof(ours));                                                                              \
        memset(theirs, 0x55, sizeof(theirs));                                                                          \
        int a = format_text(ours, size, format, __VA_ARGS__);                                                          \
        int b = snprintf(theirs, size, format, __VA_ARGS__);                                                           \
        if (a != b || memcmp(ours, theirs, sizeof(ours)) != 0) {                                                       \
            fail_msg("format '%s': %d '%.90s', libc %d '%.90s'", format, a, ours, b, theirs);                          \
        }                                                                                                              \
    } while (0)

static void test_integers_like_libc(void **state)
{
    static const char *const lengths[] = {"", "l", "ll"};
    (void)state;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        char format[40];
        char letter = "dux"[random_u64() % 3];
        unsigned int length = (unsigned int)(random_u64() % 3);
        uint64_t value = random_value();

        random_modifiers(format, letter == 'd' ? "-" : "-0");
        sprintf(format + strlen(format), "%s%c|%%s", lengths[length], letter);
        if (length == 1) {
            EXPECT_SAME(format, (unsigned long)value, "end");
        } else if (length == 2) {
            EXPECT_SAME(format, (unsigned long long)value, "end");
        } else {
            EXPECT_SAME(format, (unsigned int)value, "end");
        }
    }
}

static void test_strings_like_libc(void **state)
{
    (void)state;
    for (unsigned int round = 0; round < ROUNDS / 4; round++) {
        char format[40];
        char text[40];
        size_t length = random_u64() % (sizeof(text) - 1);

        for (size_t i = 0; i < length; i++) {
            text[i] = (char)(1 + random_u64() % 255);
        }
        text[length] = '\0';
        random_modifiers(format, "-");
        strcat(format, "s|%%|%.*s|%s");
        int precision = (int)(random_u64() % 50) - 5;
        EXPECT_SAME(format, text, precision, text, "end");
    }
}

static void test_precision_reads_no_further(void **state)
{
    char *text = malloc(3); // not terminated: the sanitizer watches its end
    char out[8];
    (void)state;

    memcpy(text, "abc", 3);
    assert_int_equal(format_text(out, sizeof(out), "%.*s", 3, text), 3);
    assert_string_equal(out, "abc");
    free(text);
}

static void test_bool(void **state)
{
    char out[32];
    (void)state;

    format_text(out, sizeof(out), "%y %-4y|%j %j", true, false, true, false);
    assert_string_equal(out, "yes no  |true false");
}

static void test_json_string(void **state)
{
    char out[64];
    (void)state;

    format_text(out, sizeof(out), "%pJ,%pJ", "plain", "say \"hi\" \\ \x01\x7f\xff");
    assert_string_equal(out, "\"plain\",\"say \\\"hi\\\" \\\\ \\u0001\\u007f\\u00ff\"");
}

static void expect_logfmt(const char *value, const char *expected)
{
    char out[64];
    int length = format_text(out, sizeof(out), "k=%pQ;", value);

    assert_int_equal(length, strlen(out));
    assert_memory_equal(out, "k=", 2);
    out[length - 1] = '\0';
    assert_string_equal(out + 2, expected);
}

static void test_logfmt_value(void **state)
{
    (void)state;
    expect_logfmt("plain-0x1f/.:", "plain-0x1f/.:");
    expect_logfmt("", "\"\"");
    expect_logfmt(NULL, "(null)");
    expect_logfmt("two words", "\"two words\"");
    expect_logfmt("a=b", "\"a=b\"");
    expect_logfmt("say \"hi\" \\", "\"say \\\"hi\\\" \\\\\"");
    expect_logfmt("line\nbreak\r\t\x1b[0m", "\"line\\nbreak\\x0d\\x09\\x1b[0m\"");
    expect_logfmt("\x7f\x80\xff", "\"\\x7f\\x80\\xff\"");
}

static void test_unknown_conversion_touches_no_argument(void **state)
{
    char out[64];
    (void)state;

    assert_int_equal(format_text(out, sizeof(out), "%d %k %s %d", 7, (char *)1, 9), 10);
    assert_string_equal(out, "7 %k %s %d");
    assert_int_equal(format_text(out, sizeof(out), "%f", 1.0), 2);
    assert_string_equal(out, "%f");
    format_text(out, sizeof(out), "%n", (int *)NULL);
    assert_string_equal(out, "%n");
    format_text(out, sizeof(out), "cut %");
    assert_string_equal(out, "cut %");
    format_text(out, sizeof(out), "cut %08l");
    assert_string_equal(out, "cut %08l");
}

static void test_bounds(void **state)
{
    char out[4] = "xyz";
    (void)state;

    assert_int_equal(format_text(NULL, 0, "%s", "hello"), 5);
    assert_int_equal(format_text(out, 0, "hello"), 5);
    assert_string_equal(out, "xyz");
    assert_int_equal(format_text(out, 1, "hello"), 5);
    assert_string_equal(out, "");
    assert_int_equal(format_text(out, sizeof(out), "hello"), 5);
    assert_string_equal(out, "hel");
    const char *volatile wide = "%99999999999u";
    assert_int_equal(format_text(out, sizeof(out), wide, 1), 4095);
    assert_string_equal(out, "   ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_like_libc),
        cmocka_unit_test(test_strings_like_libc),
        cmocka_unit_test(test_precision_reads_no_further),
        cmocka_unit_test(test_bool),
        cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_logfmt_value),
        cmocka_unit_test(test_unknown_conversion_touches_no_argument),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
