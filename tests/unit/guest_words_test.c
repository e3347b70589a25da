// SPDX-License-Identifier: Apache-2.0
// What a guest's console says about panics and oopses: which lines are told, how often, and that what is kept of them
// is printable and bounded.
// Links: console/guest_words.c trace/log_budget.c trace/log_names.c tests/fake/fake_trace_text.c
#include <hv/guest_words.h>

#include <hv/arch/registers.h>
#include <hv/log_budget.h>
#include <hv/policy.h>
#include <hv/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fake_panic.h>

#include <fake_notify.h>
#include <fake_trace_text.h>

static struct guest_words words;
static struct vcpu vcpu = {.id = 2};
static unsigned int records;
static const char *last_event;
static uint64_t now;

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    uint64_t held;

    assert_int_equal(limit.level, LOG_ERROR);
    assert_int_equal(class, LOG_GUEST);
    (void)format;
    last_event = event;
    records += log_budget_ask(0, limit.source, LOG_LIMIT_PER_SECOND, &held) != LOG_HOLD;
}

// Prints text; returns the event of the record that its last told line got, or NULL.
static const char *print(const char *text)
{
    last_event = NULL;
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vcpu);
    fake_sysreg_set("CNTFRQ_EL0", 1000);
    fake_sysreg_set("CNTPCT_EL0", now += 1000);
    for (; *text != '\0'; text++) {
        if (guest_words_byte(&words, (uint8_t)*text))
            guest_words_tell(&words);
    }
    return last_event;
}

static void test_kernel_words_are_told(void **state)
{
    (void)state;
    assert_string_equal(print("[   12.345678] Kernel panic - not syncing: sysrq triggered crash\r\n"), "guest-panic");
    assert_string_equal(words.last, "Kernel panic - not syncing: sysrq triggered crash");
    assert_string_equal(print("[    1.0][   T1] Internal error: Oops: 0000000096000045 [#1] SMP\r\n"), "guest-oops");
    assert_string_equal(print("~ # [    1.000000] BUG: scheduling while atomic\n"), "guest-oops");
    assert_string_equal(print("watchdog: BUG: soft lockup - CPU#1 stuck for 22s!\n"), "guest-oops");
    assert_string_equal(print("[  1.0] rcu: INFO: rcu_preempt self-detected stall on CPU\n"), "guest-oops");
    assert_int_equal(fake_notify_count, 0);
}

static void test_other_words_are_not(void **state)
{
    (void)state;
    assert_null(print("Kernel panic\n"));
    assert_null(print("grep 'Kernel panic - not syncing' log\n"));
    assert_null(print("Kernel panic - not\nsyncing\n"));
    assert_null(print("] ]] \n]\n\n\r\n"));
    assert_null(print("[ 1.0] Internal error"));
    assert_string_equal(print(": Oops\n"), "guest-oops");
}

static void test_what_is_kept_is_printable_and_bounded(void **state)
{
    char text[1000] = "BUG: \033[2J\x01\xff ariel: seq=1";

    (void)state;
    assert_null(print(text));
    memset(text, 'x', sizeof(text) - 1);
    assert_null(print(text));
    assert_string_equal(print("\n"), "guest-oops");
    assert_int_equal(strlen(words.last), 120);
    assert_memory_equal(words.last, "BUG: ?[2J?? ariel: seq=1xxx", 27);
}

static void test_a_flood_is_held_back(void **state)
{
    (void)state;
    records = 0;
    for (unsigned int i = 0; i < 1000; i++) {
        (void)print("BUG: flood\n");
        now -= 1000; // all in one second
    }
    assert_in_range(records, 1, 10);
}

static void test_the_monitor_opens_once_at_many_oopses(void **state)
{
    (void)state;
    assert_int_equal(fake_notify_count, 1); // the flood before
    assert_int_equal(fake_notified, NOTIFY_GUEST_OOPSES);
    assert_ptr_equal(fake_notified_about, &vcpu);
    now += 1000;
    assert_string_equal(print("BUG: one more\n"), "guest-oops");
    assert_int_equal(fake_notify_count, 1);
}

static void test_the_monitor_opens_once_at_the_end(void **state)
{
    (void)state;
    fake_notify_reset();
    records = 0;
    for (unsigned int i = 0; i < 3; i++)
        assert_null(print("[    9.1] ---[ end Kernel panic - not syncing: x ]---\r\n"));
    assert_int_equal(fake_notify_count, 1);
    assert_int_equal(fake_notified, NOTIFY_GUEST_PANIC);
    assert_ptr_equal(fake_notified_about, &vcpu);
    assert_int_equal(records, 0);
}

// What stands behind the end of a full line is no part of it.
static void a_bracket_behind_a_full_line_is_not_followed(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 119; i++)
        assert_false(guest_words_byte(&words, 'x'));
    assert_false(guest_words_byte(&words, '\r'));
    assert_false(guest_words_byte(&words, ']'));
    assert_false(guest_words_byte(&words, '\n'));
}

static void lines_go_to_the_trace_as_they_are(void **state)
{
    (void)state;
    words = (struct guest_words){0};
    fake_trace_text_reset(false);
    (void)print("before anybody wants to know\n");
    assert_int_equal(fake_trace_text.length, 0);
    fake_trace_text_reset(true);
    (void)print("one\r\n\n\033[1mtwo\001 ");
    (void)print("three\n# ");
    guest_words_end(&words);
    assert_string_equal(fake_trace_text.text, "0.1+0 one$\n0.2+0 $\n0.3+0 \033[1mtwo\001 three$\n0.4+0 # \n");
}

// What comes by hypercall stands on a line of its own, and breaks one that is being printed, as on the screen.
static void a_call_ends_the_line_that_is_being_printed(void **state)
{
    (void)state;
    words = (struct guest_words){0};
    fake_trace_text_reset(true);
    (void)print("be");
    guest_words_other(&words, "guest: ", "called", 6);
    (void)print("gun\n");
    guest_words_other(&words, "guest: ", "", 0);
    assert_string_equal(fake_trace_text.text,
                        "0.0+0 be$\n0.1+0 guest: \n0.1+7 called$\n0.2+0 gun$\n0.3+0 guest: \n0.3+7 $\n");
    // The words are looked for in what the guest's UART has got all the same.
    (void)print("Kernel panic - not syn");
    guest_words_other(&words, "guest: ", "x", 1);
    assert_string_equal(print("cing: split\n"), "guest-panic");
}

static void a_line_without_end_is_handed_on_in_parts(void **state)
{
    char wanted[3 * GUEST_WORDS_PART];
    (void)state;

    words = (struct guest_words){0};
    fake_trace_text_reset(true);
    (void)print("[    1.0] BUG: ");
    for (unsigned int i = 15; i < 2 * GUEST_WORDS_PART + 3; i++)
        assert_null(print(i % 2 == 1 ? "o" : "x"));
    assert_string_equal(print("\r\n"), "guest-oops"); // told when the line has ended, as any other
    memset(wanted, 0, sizeof(wanted));
    char *at = wanted + sprintf(wanted, "0.0+0 [    1.0] BUG: ");
    for (unsigned int i = 15; i < GUEST_WORDS_PART; i++)
        *at++ = i % 2 == 1 ? 'o' : 'x';
    at += sprintf(at, "\n0.0+%u ", GUEST_WORDS_PART);
    for (unsigned int i = 0; i < GUEST_WORDS_PART; i++)
        *at++ = i % 2 == 1 ? 'o' : 'x';
    (void)sprintf(at, "\n0.0+%u xox$\n", 2 * GUEST_WORDS_PART);
    assert_string_equal(fake_trace_text.text, wanted);
    assert_null(print("BUG\n"));
    assert_string_equal(print("BUG: again\n"), "guest-oops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_words_are_told),
        cmocka_unit_test(test_other_words_are_not),
        cmocka_unit_test(test_what_is_kept_is_printable_and_bounded),
        cmocka_unit_test(test_a_flood_is_held_back),
        cmocka_unit_test(test_the_monitor_opens_once_at_many_oopses),
        cmocka_unit_test(test_the_monitor_opens_once_at_the_end),
        cmocka_unit_test(a_bracket_behind_a_full_line_is_not_followed),
        cmocka_unit_test(lines_go_to_the_trace_as_they_are),
        cmocka_unit_test(a_call_ends_the_line_that_is_being_printed),
        cmocka_unit_test(a_line_without_end_is_handed_on_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
