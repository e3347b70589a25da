// SPDX-License-Identifier: Apache-2.0
// The line editor: keys, history, escape sequences whole and broken, bounds, and any bytes at all.
// Links: monitor/line.c
#include <hv/monitor_line.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct monitor_line line;

static int set_up(void **state)
{
    (void)state;
    memset(&line, 0, sizeof(line));
    return 0;
}

static enum monitor_line_result type(const char *keys)
{
    enum monitor_line_result result = LINE_NONE;

    for (; *keys != '\0'; keys++)
        result = monitor_line_byte(&line, (uint8_t)*keys);
    return result;
}

static void enter(const char *text)
{
    assert_int_equal(type(text), LINE_CHANGED);
    assert_int_equal(type("\r"), LINE_DONE);
    monitor_line_remember(&line);
    monitor_line_clear(&line);
}

static void edits_at_the_cursor(void **state)
{
    static const struct {
        const char *keys;
        const char *text;
        size_t cursor;
    } rows[] = {
        {"abc", "abc", 3},
        {"abc\b", "ab", 2},
        {"abc\177\177", "a", 1},
        {"abc\033[D\033[Dx", "axbc", 2},
        {"abc\033OD\033OC", "abc", 3},
        {"abc\001x", "xabc", 1},
        {"abc\033[Hx\005y", "xabcy", 5},
        {"abc\033[1~x\033[4~y", "xabcy", 5},
        {"abc\033[7~x\033[8~y", "xabcy", 5},
        {"abc\033OHx\033OFy", "xabcy", 5},
        {"abc\001\033[3~", "bc", 0},
        {"abc\001\004", "bc", 0},
        {"abc\002\013", "ab", 2},
        {"abc\002\002\006\025", "c", 0},
        {"one two  \027", "one ", 4},
        {"one two\002\002\027", "one wo", 4},
        {"abc\033[200~", "abc", 3},
        {"abc\033[1;5D", "abc", 2},
        {"a\033[\033[Dx", "xa", 1},
        {"a\033zb", "ab", 2},
        {"abc\003", "", 0},
        {"a\302\265b\177\177\177c", "c", 1},
        {"a\033[65~b", "ab", 2},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(state);
        type(rows[i].keys);
        assert_string_equal(line.text, rows[i].text);
        assert_int_equal(line.cursor, rows[i].cursor);
        assert_int_equal(line.length, strlen(rows[i].text));
    }
}

static void reports_what_a_key_means(void **state)
{
    (void)state;
    assert_int_equal(type("\t"), LINE_TAB);
    assert_int_equal(type("\014"), LINE_REDRAW);
    assert_int_equal(type("\004"), LINE_END);
    assert_int_equal(type("a\003"), LINE_CANCEL);
    assert_int_equal(type("\b"), LINE_REFUSED);
    assert_int_equal(type("\177"), LINE_REFUSED);
    assert_int_equal(type("\025"), LINE_REFUSED);
    assert_int_equal(type("\033[D"), LINE_REFUSED);
    assert_int_equal(type("\002"), LINE_REFUSED);
    assert_int_equal(type("\006"), LINE_REFUSED);
    assert_int_equal(type("\033[3~"), LINE_REFUSED);
    assert_int_equal(type("\303"), LINE_REFUSED);
    assert_int_equal(type("\007"), LINE_REFUSED);
    assert_int_equal(type("\r"), LINE_DONE);
    assert_int_equal(type("\n"), LINE_NONE);
    assert_int_equal(type("\n"), LINE_DONE);
    assert_int_equal(monitor_line_byte(&line, 0), LINE_NONE);
}

static void walks_the_history(void **state)
{
    (void)state;
    assert_int_equal(type("\033[A"), LINE_REFUSED);
    enter("first");
    enter("second");
    enter("second");
    assert_int_equal(line.history_count, 2);
    type("draft");
    type("\033[A");
    assert_string_equal(line.text, "second");
    type("\020");
    assert_string_equal(line.text, "first");
    assert_int_equal(type("\033[A"), LINE_REFUSED);
    type("\033[B\016");
    assert_string_equal(line.text, "draft");
    assert_int_equal(type("\033[B"), LINE_REFUSED);
    assert_int_equal(line.cursor, 5);
}

static void keeps_the_newest_lines(void **state)
{
    char text[] = "a";

    (void)state;
    for (char c = 'a'; c <= 'z'; c++) {
        text[0] = c;
        enter(text);
    }
    for (int i = 0; i < LINE_HISTORY_COUNT; i++)
        assert_int_equal(type("\033[A"), LINE_CHANGED);
    assert_int_equal(type("\033[A"), LINE_REFUSED);
    assert_int_equal(line.text[0], 'z' - LINE_HISTORY_COUNT + 1);
    monitor_line_clear(&line);
    monitor_line_remember(&line);
    assert_int_equal(line.history_count, 26);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    for (int i = 0; i < LINE_LENGTH_MAX; i++)
        assert_int_equal(type("x"), LINE_CHANGED);
    assert_int_equal(type("x"), LINE_REFUSED);
    assert_int_equal(line.length, LINE_LENGTH_MAX);
    assert_false(monitor_line_insert(&line, "ab", 2));
    assert_int_equal(type("\b"), LINE_CHANGED);
    assert_false(monitor_line_insert(&line, "ab", 2));
    assert_true(monitor_line_insert(&line, "a", 1));
}

static void survives_any_bytes(void **state)
{
    (void)state;
    srandom(20);
    for (int i = 0; i < 400000; i++) {
        static const char likely[] = "\033[ABCDHF~0123456789;O\r\n\t\b\001\002\003\004\005\013\014\025\027 abc";
        long pick = random();
        uint8_t byte = (uint8_t)(pick & 1 ? likely[(pick >> 1) % (long)sizeof(likely)] : pick >> 8);

        if (monitor_line_byte(&line, byte) == LINE_DONE) {
            monitor_line_remember(&line);
            monitor_line_clear(&line);
        }
        assert_true(line.length <= LINE_LENGTH_MAX);
        assert_true(line.cursor <= line.length);
        assert_int_equal(strlen(line.text), line.length);
        for (size_t n = 0; n < line.length; n++)
            assert_in_range(line.text[n], 0x20, 0x7e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(edits_at_the_cursor, set_up),
        cmocka_unit_test_setup(reports_what_a_key_means, set_up),
        cmocka_unit_test_setup(walks_the_history, set_up),
        cmocka_unit_test_setup(keeps_the_newest_lines, set_up),
        cmocka_unit_test_setup(refuses_what_does_not_fit, set_up),
        cmocka_unit_test_setup(survives_any_bytes, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
