// SPDX-License-Identifier: Apache-2.0
// What a guest prints on a person's terminal: what editors, menus and shells need passes whole, the rest can be read
// instead of being obeyed, and a record that was printed stays, begun in a state in which it can be read.
// Links: console/terminal_filter.c
#include <hv/terminal_filter.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCREEN_CHECK(condition) assert_true(condition)
#include "terminal_screen.h"

static struct terminal_filter filter;
static struct screen screen;
static char sent[8192];
static size_t sent_length;
static unsigned int records;

static void send(const uint8_t *bytes, size_t length)
{
    assert_true(length <= TERMINAL_OUT_MAX);
    for (size_t i = 0; i < length; i++) {
        screen_byte(&screen, bytes[i]);
        if (sent_length + 1 < sizeof(sent))
            sent[sent_length++] = (char)bytes[i];
    }
    sent[sent_length] = '\0';
}

static void guest_bytes(const char *text, size_t length)
{
    uint8_t out[TERMINAL_OUT_MAX];

    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (terminal_filter_is_plain(&filter, byte))
            send(&byte, 1);
        else
            send(out, terminal_filter_byte(&filter, byte, out));
    }
}

static void guest(const char *text)
{
    guest_bytes(text, strlen(text));
}

// As the console prints one.
static const char *record(void)
{
    static char text[200];
    uint8_t out[TERMINAL_OUT_MAX];
    size_t length = terminal_filter_own(&filter, out);

    send(out, length);
    if (screen.column != 0)
        send((const uint8_t *)"\r\n", 2);
    assert_true(screen_is_readable(&screen));
    (void)snprintf(text, sizeof(text),
                   "ariel: seq=%u level=warn class=policy event=verdict key=pl031 why=\"a reason that is "
                   "longer than a line of eighty columns has room for\" tag=01234567",
                   records++);
    send((const uint8_t *)text, strlen(text));
    send((const uint8_t *)"\r\n", 2);
    terminal_filter_protect(&filter);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    filter = (struct terminal_filter){0};
    screen_init(&screen, 24, 80);
    records = 0;
    sent_length = 0;
    sent[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(screen.kept);
    screen.kept = NULL;
    return 0;
}

static void expect(const char *typed, const char *text)
{
    sent_length = 0;
    sent[0] = '\0';
    guest(typed);
    assert_string_equal(sent, text);
}

static void expect_same(const char *text)
{
    expect(text, text);
}

static void text_passes(void **state)
{
    (void)state;
    expect_same("plain ~ text\r\n\tand a bell\a, backspaces\b\b");
    expect_same("gr\xc3\xbc\xc3\x9f"
                "e, \xe2\x94\x80\xe2\x94\x82, \xf0\x9f\x98\x80, \xed\x9f\xbf, \xee\x80\x80");
    guest_bytes("\0", 1);
    assert_int_equal(sent[sent_length - 1], '\0');
}

static const char *const needed[] = {
    "\033[m",
    "\033[0;1;31m",
    "\033[38;2;1;2;3m",
    "\033[38:2::1:2:3m",
    "\033[A",
    "\033[5B",
    "\033[C",
    "\033[80D",
    "\033[2E",
    "\033[F",
    "\033[1G",
    "\033[H",
    "\033[24;80H",
    "\033[1;1f",
    "\033[5d",
    "\033[J",
    "\033[1J",
    "\033[2J",
    "\033[K",
    "\033[1K",
    "\033[2K",
    "\033[3L",
    "\033[M",
    "\033[4P",
    "\033[@",
    "\033[X",
    "\033[2S",
    "\033[T",
    "\033[5b",
    "\033[1;24r",
    "\033[r",
    "\033[s",
    "\033[u",
    "\033[4h",
    "\033[4l",
    "\033[?1h",
    "\033[?25l",
    "\033[?25h",
    "\033[?7l",
    "\033[?12l",
    "\033[?2004h",
    "\033[?5h",
    "\033[2 q",
    "\0337",
    "\0338",
    "\033D",
    "\033E",
    "\033M",
    "\033=",
    "\033>",
    "\033H",
    "\033[g",
    "\033(0",
    "\033(B",
    "\033)0",
    "\033%G",
    "\016lqk\017",
    "\033[Z",
    "\033[2I",
    "\033[a",
    "\033[`",
};

static void what_consoles_need_passes_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        expect_same(needed[i]);
    expect("\033[?1049h", "\033[?1049h");
    expect("\033[?1049h\033[?47h", ""); // it is shown
    expect("\033[?1047l", "\033[?1049l");
    expect("\033[?1049l", "");
    expect("\033[?12;25h", "\033[?12h\033[?25h");
}

static const struct {
    const char *typed, *shown;
} shown_rows[] = {
    {"\033[6n", "\\x1b[6n"},
    {"\033[c", "\\x1b[c"},
    {"\033[>c", "\\x1b[>c"},
    {"\033[=c", "\\x1b[=c"},
    {"\033[5n", "\\x1b[5n"},
    {"\033[?6n", "\\x1b[?6n"},
    {"\033[18t", "\\x1b[18t"},
    {"\033[21t", "\\x1b[21t"},
    {"\033[x", "\\x1b[x"},
    {"\033[i", "\\x1b[i"},
    {"\033[5i", "\\x1b[5i"},
    {"\033[?5i", "\\x1b[?5i"},
    {"\033Z", "\\x1bZ"},
    {"\033c", "\\x1bc"},
    {"\033[!p", "\\x1b[!p"},
    {"\033[?1$p", "\\x1b[?1$p"},
    {"\033[>q", "\\x1b[>q"},
    {"\033[> q", "\\x1b[> q"}, // a shape of the cursor has a digit or nothing
    {"\033[= q", "\\x1b[= q"},
    {"\033[! q", "\\x1b[! q"},
    {"\033[  q", "\\x1b[  q"},
    {"\033[?u", "\\x1b[?u"},
    {"\033[>1u", "\\x1b[>1u"},
    {"\033[>4;2m", "\\x1b[>4;2m"},
    {"\033[?1000h", "\\x1b[?1000h"},
    {"\033[?1004;25h", "\\x1b[?1004h\033[?25h"},
    {"\033[?3h", "\\x1b[?3h"},
    {"\033[?6h", "\\x1b[?6h"},
    {"\033[?69h", "\\x1b[?69h"},
    {"\033[20h", "\\x1b[20h"},
    {"\033[1;40s", "\\x1b[1;40s"},
    {"\033[1;1;1;1;1T", "\\x1b[1;1;1;1;1T"},
    {"\033[99999b", "\\x1b[99999b"},
    {"\033#8", "\\x1b#8"},
    {"\033%@", "\\x1b%@"},
    {"\033 G", "\\x1b G"},
    {"\033(K", "\\x1b(K"},
    {"\033n", "\\x1bn"},
    {"\033]0;title\007", "\\x1b]0;title\007"},
    {"\033]52;c;cm0K\033\\", "\\x1b]52;c;cm0K\\x1b\\"},
    {"\033Pswallowed", "\\x1bPswallowed"},
    {"\033P$q\"p\033\\", "\\x1bP$q\"p\\x1b\\"},
    {"\033_G\033^p\033Xs", "\\x1b_G\\x1b^p\\x1bXs"},
    {"\033kname\033\\", "\\x1bkname\\x1b\\"},
    {"\005\023\021\030\032\177", "\\x05\\x13\\x11\\x18\\x1a\\x7f"},
    {"\013\014", "\\x0b\\x0c"},
    {"\2336n", "\\x9b6n"},
    {"\220q\234", "\\x90q\\x9c"},
    {"\302\2336n", "\\xc2\\x9b6n"},
    {"\302\220q", "\\xc2\\x90q"},
    {"\033[3J", ""},
    {"\033[0;3J", "\\x1b[0;3J"},
    {"\033[?0c", ""},
    // Sequences that something cuts off: what came is shown, and what cut it off counts
    {"\033[\r6n", "\\x1b[\r6n"},
    {"\033[\033[6n", "\\x1b[\\x1b[6n"},
    {"\033\033[6n", "\\x1b\\x1b[6n"},
    {"\033[6\030n", "\\x1b[6\\x18n"},
    {"\033[6\233n", "\\x1b[6\\x9bn"},
    {"\033\nx", "\\x1b\nx"},
    {"\303\033[6n", "\\xc3\\x1b[6n"},
    // What is no UTF-8
    {"\300\233", "\\xc0\\x9b"},
    {"\340\200\233", "\\xe0\\x80\\x9b"},
    {"\355\240\200", "\\xed\\xa0\\x80"},
    {"\360\200\200\233", "\\xf0\\x80\\x80\\x9b"},
    {"\364\220\200\200", "\\xf4\\x90\\x80\\x80"},
    {"\374\200x", "\\xfc\\x80x"},
    {"\342\224x", "\\xe2\\x94x"},
    {"\351t\351", "\\xe9t"},
};

static void what_makes_a_terminal_act_or_answer_can_be_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shown_rows) / sizeof(shown_rows[0]); i++) {
        (void)tear_down(NULL);
        (void)set_up(NULL);
        expect(shown_rows[i].typed, shown_rows[i].shown);
    }
}

static void an_endless_sequence_is_shown(void **state)
{
    (void)state;
    guest("\033[");
    for (int i = 0; i < 200; i++)
        guest("1");
    assert_int_equal(strncmp(sent, "\\x1b[111", 8), 0);
    assert_true(sent_length > 190);
    assert_null(strchr(sent, '\033'));
}

static void a_record_stands_within_no_sequence(void **state)
{
    static const char *const split[] = {"\033[0;1", "\033", "\033(", "\xe2\x94", "\033[?104"};
    static const char *const rest[] = {";31m", "[1m", "0", "\x80", "9h"};
    char whole[32];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        guest("text");
        guest(split[i]);
        const char *text = record();
        sent_length = 0;
        guest(rest[i]);
        sent[sent_length] = '\0';
        (void)snprintf(whole, sizeof(whole), "%s%s", split[i], rest[i]);
        const char *tail = strlen(sent) > strlen(whole) ? sent + strlen(sent) - strlen(whole) : sent;
        assert_string_equal(tail, whole);
        assert_true(screen_has(&screen, text));
    }
}

static void a_record_begins_readable(void **state)
{
    static const char *const before[] = {
        "\033[8m",       "\033[30;40mtext",
        "\033(0",        "\016",
        "\033[?7l",      "\033[4h",
        "\033[?5h",      "\033[5;10r",
        "\033[?1049h",   "\033[?1049h\033[1;1r\033[2;3r\033[31mtext\r\n",
        "\033P",         "\033]0;",
        "\033[?25l\r\n", "\0337\033[7m\0338",
        "\033[31m\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        guest(before[i]);
        assert_true(screen_has(&screen, record())); // record() looks at the state
    }
    sent_length = 0;
    guest("\033[31mred\033[0m\r\n");
    const char *text = record();
    assert_string_equal(&sent[strlen("\033[31mred\033[0m\r\n")],
                        "ariel: seq=15 level=warn class=policy event=verdict key=pl031 "
                        "why=\"a reason that is longer than a line of eighty columns has room for\" tag=01234567\r\n");
    assert_true(screen_has(&screen, text));
}

static void a_record_stays(void **state)
{
    static const char *const attacks[] = {
        "\033[3A\033[J",
        "\033[H\033[J",
        "\033[2J",
        "\033[1J",
        "\033[3J\033[2J",
        "\033M\033M\033M\033[J",
        "\0338\033[J",
        "\033[u\033[J",
        "\033[99F\033[J",
        "\033[1;1f\033[99M",
        "\033[1d\033[J",
        "\033[99T",
        "\033[99S",
        "\033[1;3r\033[J",
        "\033[2;3r\033[H\n\n\n\n\033[r",
        "\n\n\033[4A\033[J",
        "\n\n\033[1A\033[1A\033[1A\033[J",
        "\033[?1049h\033[2J\033[?1049l\033[H\033[J",
        "\033[?1049h\033[?1049l\033[A\033[J",
        "\033[99B\033[99A\033[J",
        "\n\n\n\033[2A\n\n\n\033[9A\033[J",
        "\033[L\033[L\033[99A\033[J",
        "\033E\033D\033[5A\033[J",
        "\033[?47h\033[H\033[J\033[?47l",
        "\033[H\033[99L",
        "\r\033[K\033[A\r\033[K\033[A\033[2K",
    };

    (void)state;
    for (int rows = 5; rows <= 100; rows += 19) {
        for (int lines = 0; lines < 130; lines += 9) {
            for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
                (void)tear_down(NULL);
                filter = (struct terminal_filter){0};
                screen_init(&screen, rows, 80);
                guest("\0337");
                for (int line = 0; line < lines; line++)
                    guest("text\r\n");
                const char *text = record();
                guest(attacks[i]);
                if (!screen_has(&screen, text))
                    fail_msg("%d rows, behind %d lines: attack %zu has erased a record", rows, lines, i);
                guest("\033[H\033[2J\033[3J");
                if (!screen_has(&screen, text))
                    fail_msg("%d rows, behind %d lines: after attack %zu, a record is erased", rows, lines, i);
            }
        }
    }
}

static void the_guest_has_the_lines_below_a_record(void **state)
{
    (void)state;
    (void)record();
    expect("one\r\ntwo\r\nthree", "one\r\ntwo\r\nthree");
    expect("\033[2A\r\033[J", "\033[2A\r\033[J");
    expect("\033[A", "");
    expect("\n\n\033[5A", "\n\n\033[2A");
    expect("\033M", "");
    expect("\033[9F", "");
    expect("\r\n50 %\033[K\r51 %\033[K\033[1A\n", "\r\n50 %\033[K\r51 %\033[K\033[1A\n");
}

static void a_screen_is_given_once_until_the_next_record(void **state)
{
    (void)state;
    (void)record();
    guest("\033[H\033[2J\033[5;5Hmenu");
    assert_true(strstr(sent, "\033[999;1H\n\n\n") != NULL);
    expect_same("\033[H\033[2J\033[9A\033M\0338\033[1;5r\033[5T");
    (void)record();
    for (int i = 0; i < TERMINAL_ROWS_MAX; i++)
        guest("a line\r\n");
    expect_same("\033[H\033[2J"); // it has left the screen by itself
}

static void raw_is_raw(void **state)
{
    uint8_t out[TERMINAL_OUT_MAX];

    (void)state;
    filter.raw = true;
    for (const char *c = "\033[6n\033P\233\005\033]0;x"; *c != '\0'; c++) {
        assert_int_equal(terminal_filter_byte(&filter, (uint8_t)*c, out), 1);
        assert_int_equal(out[0], (uint8_t)*c);
    }
    size_t length = terminal_filter_own(&filter, out);
    assert_int_equal(length, strlen(TERMINAL_RESET "\r\n"));
    assert_memory_equal(out, TERMINAL_RESET "\r\n", length);
    terminal_filter_protect(&filter);
    assert_int_equal(terminal_filter_byte(&filter, 'A', out), 1);
    assert_int_equal(terminal_filter_own(&filter, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_consoles_need_passes_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_makes_a_terminal_act_or_answer_can_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_endless_sequence_is_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_stands_within_no_sequence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_begins_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_guest_has_the_lines_below_a_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_screen_is_given_once_until_the_next_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(raw_is_raw, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
