// SPDX-License-Identifier: Apache-2.0
// The log's records: line format, levels and hidden records, cut records, what is held back while a person types, their
// order on the way to the sink, the panic path.
// Links: trace/log.c trace/log_start.c trace/log_held.c trace/log_panic.c trace/log_read.c trace/log_budget.c
// Links: trace/log_ring.c trace/log_verdict.c trace/log_counters.c trace/log_virtio.c trace/log_names.c
// Links: trace/telemetry.c trace/event_name.c arch/aarch64/esr_fields.c
// Links: policy/policy_virtio.c lib/rate.c lib/printf.c lib/siphash.c tests/fake/fake_trace_text.c
#include "../../trace/log_parts.h"
#include "log_world.h"

static void test_line_format(void **state)
{
    char expected[LOG_LINE_MAX];
    (void)state;

    set_time(now + 90061 * (uint64_t)HZ + 7);
    log_record(LOG_WARN, LOG_FAULT, "fault", "address=0x%x name=%pQ", 0x1000, "two words");
    snprintf(expected, sizeof(expected),
             "ariel: seq=1 t=90061000007 cpu=3 level=warn class=fault event=fault address=0x1000 name=\"two words\" "
             "tag=%08x",
             log_tag());
    assert_string_equal(last_line(), expected);
    log_record(LOG_INFO, LOG_VM, "vm-resume", "%s", "");
    assert_true(has(last_line(), "seq=2 "));
    assert_int_equal(log_sequence(), 3);
}

static void test_frequency_zero_is_survived(void **state)
{
    (void)state;
    fake_sysreg_set("CNTFRQ_EL0", 0);
    boot();
    assert_true(has(last_line(), "hz=1 "));
}

static void test_guest_bytes_cannot_break_the_line(void **state)
{
    (void)state;
    log_record(LOG_INFO, LOG_GUEST, "guest-exception", "raw=%s", "a\nariel: seq=9\r\x1b[2J\xff");
    assert_true(has(last_line(), "raw=a?ariel: seq=9??[2J? tag="));
    log_record(LOG_INFO, LOG_GUEST, "guest-exception", "value=%pQ", "a\nb\" tag=00000000");
    assert_true(has(last_line(), "value=\"a\\nb\\\" tag=00000000\" tag="));
}

static void test_hidden_records_are_told(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_record(LOG_DEBUG, LOG_VM, "a", "%s", "");
    log_record(LOG_DEBUG, LOG_VM, "b", "%s", "");
    assert_int_equal(console_count, 1);
    log_record(LOG_INFO, LOG_VM, "c", "x=1");
    assert_int_equal(console_count, 2);
    assert_true(has(last_line(), "seq=3 "));
    assert_true(has(last_line(), " x=1 hidden=2 tag="));
    log_record(LOG_INFO, LOG_VM, "d", "%s", "");
    assert_false(has(last_line(), "hidden="));
    assert_int_equal(log_for_each(100, LOG_CLASS_COUNT, collect, &collected), 5);
    assert_int_equal(log_set_level(LOG_LEVEL_COUNT), LOG_INFO);
    log_record(LOG_ERROR, LOG_VM, "e", "%s", "");
    assert_int_equal(console_count, 3);
    assert_int_equal(log_get_level(), LOG_LEVEL_COUNT);
}

// What the console has, from its line number first on: the numbers of its records, with a blank behind each.
static const char *numbers_from(unsigned int first)
{
    static char text[256];
    size_t length = 0;

    text[0] = '\0';
    for (unsigned int i = first; i < console_count; i++) {
        length += (size_t)snprintf(&text[length], sizeof(text) - length, "%d ", atoi(strstr(console[i], "seq=") + 4));
    }
    return text;
}

static void test_what_was_held_back_is_written_at_the_end(void **state)
{
    (void)state;
    log_quieten(LOG_ERROR);
    log_record(LOG_INFO, LOG_VM, "one", "%s", "");
    log_record(LOG_ERROR, LOG_VM, "two", "%s", "");
    assert_true(has(last_line(), "seq=2 ") && has(last_line(), " hidden=1 tag="));
    log_quieten(LOG_ERROR); // the next key
    log_record(LOG_WARN, LOG_VM, "three", "text=%pQ", "not level=error");
    log_record(LOG_INFO, LOG_VM, "four", "%s", "");
    assert_int_equal(log_hidden(), 3);
    log_begin_end();
    assert_string_equal(numbers_from(1), "2 5 1 3 4 ");
    assert_true(has(console[2], "event=held-back count=3 hidden=2 tag="));
    assert_int_equal(log_hidden(), 0);
    log_quieten(LOG_ERROR); // a key comes too late to hide anything
    log_set_level(LOG_LEVEL_COUNT);
    log_record(LOG_INFO, LOG_VM, "vm-off", "%s", "");
    assert_string_equal(numbers_from(6), "6 ");
    assert_false(has(last_line(), "hidden="));
}

static void test_what_was_hidden_before_the_quiet_stays_so(void **state)
{
    (void)state;
    log_record(LOG_DEBUG, LOG_VM, "one", "%s", "");
    log_quieten(LOG_ERROR);
    log_record(LOG_INFO, LOG_VM, "two", "%s", "");
    log_quieten(LOG_WARN); // the person says so: what was held back till now is theirs to look for
    log_record(LOG_INFO, LOG_VM, "three", "%s", "");
    log_write_held();
    assert_string_equal(numbers_from(1), "4 3 ");
    assert_true(has(console[1], "event=held-back count=1 hidden=3 tag="));
    assert_int_equal(log_hidden(), 2);
    log_write_held();
    log_record(LOG_DEBUG, LOG_VM, "five", "%s", ""); // that was no end: levels count again
    assert_string_equal(numbers_from(1), "4 3 ");
}

static void test_a_panic_writes_what_was_held_back_first(void **state)
{
    const char *one, *two;
    (void)state;

    log_quieten(LOG_ERROR);
    log_record(LOG_INFO, LOG_VM, "one", "%s", "");
    log_record(LOG_INFO, LOG_VM, "two", "%s", "");
    uart_length = 0;
    log_panic("panic", "reason=%pQ", "a bug");
    one = strstr(uart, "event=held-back count=2 hidden=2 tag=");
    assert_non_null(one);
    one = strstr(one, "\nariel: seq=1 ");
    assert_non_null(one);
    two = strstr(one, "\nariel: seq=2 ");
    assert_non_null(two);
    assert_non_null(strstr(two, "event=panic reason=\"a bug\" tag="));
}

static void test_long_fields_are_left_out_whole(void **state)
{
    char longest[LOG_LINE_MAX + 100];
    (void)state;

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    longest[50] = ' ';
    log_record(LOG_DEBUG, LOG_VM, "hide", "%s", "");
    log_record(LOG_INFO, LOG_VM, "long", "a=1 b=%pQ c=3", longest);
    assert_true(has(last_line(), "event=long a=1 cut=1 hidden=1 tag="));
    for (unsigned int length = 300; length < LOG_LINE_MAX; length++) {
        longest[length] = '\0';
        longest[50] = 'x';
        log_record(LOG_INFO, LOG_VM, "long", "b=%s c=%pQ", longest, "a \" b");
        longest[length] = 'x';
        assert_true(strlen(last_line()) < LOG_LINE_MAX);
        bool whole = has(last_line(), "c=\"a \\\" b\" tag=");
        assert_true(whole || has(last_line(), " cut=1 tag="));
        assert_true(strlen(strstr(last_line(), "tag=")) == 12);
    }
}

static void test_dump_prints_no_new_records(void **state)
{
    (void)state;
    log_record(LOG_INFO, LOG_VM, "x", "%s", "");
    unsigned int before = console_count;
    log_dump();
    assert_int_equal(console_count, before + 2);
    assert_memory_equal(last_line(), "seq=1 ", 6);
}

static void test_panic_takes_the_lock_when_it_can(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_panic("panic", "reason=%pQ", "a bug");
    assert_true(has(uart, "ariel: seq=1 "));
    assert_true(has(uart, " level=error class=panic event=panic reason=\"a bug\" tag="));
    assert_int_equal(console_count, 1); // log-start: the report went its own way
    assert_int_equal(log_for_each(9, LOG_PANIC, collect, &collected), 1);
    log_record(LOG_INFO, LOG_VM, "next", "%s", ""); // the lock was released
}

static void panic_while_printing(void)
{
    while_printing = NULL;
    log_panic("panic", "reason=%pQ", "the console died");
}

static void test_panic_goes_on_within_the_sink(void **state)
{
    (void)state;
    while_printing = panic_while_printing;
    log_record(LOG_INFO, LOG_VM, "is-printed", "%s", "");
    assert_true(has(uart, "event=panic reason=\"the console died\""));
    assert_true(has(ring.slot[ring.current][2].text, "event=panic"));
}

static void test_panic_goes_on_without_the_lock(void **state)
{
    (void)state;
    spinlock_acquire(&log_state.lock); // by a CPU that died
    log_panic("panic", "reason=%pQ", "the log died");
    assert_true(has(uart, "event=panic reason=\"the log died\""));
    assert_true(has(ring.slot[ring.current][1].text, "event=panic"));
    spinlock_release(&log_state.lock);
}

// While a record is printed, other CPUs write theirs to the ring, and people read there: no lock is held.
static void write_while_printing(void)
{
    struct collected collected = {0};

    while_printing = NULL;
    log_set_level(LOG_WARN); // the record below goes to the ring only
    log_record(LOG_INFO, LOG_VM, "second", "%s", "");
    assert_int_equal(log_for_each(9, LOG_VM, collect, &collected), 2);
}

static void test_no_lock_is_held_while_a_record_is_printed(void **state)
{
    (void)state;
    while_printing = write_while_printing;
    log_record(LOG_INFO, LOG_VM, "first", "%s", "");
    assert_true(has(console[1], "event=first"));
    assert_int_equal(log_hidden(), 1);
}

// A CPU whose record has a later number waits, by yielding, for the one that prints.
static void finish_the_first(void)
{
    assert_int_equal(console_count, 1);
    log_state.turn++;
}

static void test_records_are_printed_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    log_state.next_ticket++; // another CPU has written its record to the ring and is about to print it
    fake_yield = finish_the_first;
    log_record(LOG_INFO, LOG_VM, "second", "%s", "");
    fake_yield = NULL;
    assert_int_equal(console_count, 2);
    log_end(); // nobody has a record under way
    spinlock_release(&log_state.lock);
}

static void test_without_a_sink_the_ring_has_all(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_set_sink(NULL);
    log_record(LOG_ERROR, LOG_VM, "unseen", "%s", "");
    log_panic("panic", "reason=%pQ", "unseen too");
    log_dump();
    assert_int_equal(console_count, 1);
    assert_int_equal(log_for_each(9, LOG_CLASS_COUNT, collect, &collected), 3);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < LOG_CLASS_COUNT; i++) {
        assert_int_equal(log_class_find(log_class_name(i)), i);
    }
    for (unsigned int i = 0; i < LOG_LEVEL_COUNT; i++) {
        assert_int_equal(log_level_find(log_level_name(i)), i);
    }
    assert_int_equal(log_class_find("all"), LOG_CLASS_COUNT);
    assert_int_equal(log_level_find(""), LOG_LEVEL_COUNT);
    assert_string_equal(log_class_name(LOG_CLASS_COUNT), "?");
    assert_string_equal(log_level_name(99), "?");
}

static void errors_of_the_boot_are_urgent(void **state)
{
    (void)state;
    log_record(LOG_ERROR, LOG_BOOT, "refused", "reason=x value=0x0 bound=0x0");
    assert_int_equal(urgent_count, 1);
    log_record(LOG_WARN, LOG_BOOT, "refused", "reason=x value=0x0 bound=0x0");
    log_record(LOG_ERROR, LOG_CPU, "cpu-late", "vcpu=0 limit_ms=1 held=0");
    assert_int_equal(urgent_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line_format, set_up),
        cmocka_unit_test_setup(errors_of_the_boot_are_urgent, set_up),
        cmocka_unit_test_setup(test_frequency_zero_is_survived, set_up),
        cmocka_unit_test_setup(test_guest_bytes_cannot_break_the_line, set_up),
        cmocka_unit_test_setup(test_hidden_records_are_told, set_up),
        cmocka_unit_test_setup(test_what_was_held_back_is_written_at_the_end, set_up),
        cmocka_unit_test_setup(test_what_was_hidden_before_the_quiet_stays_so, set_up),
        cmocka_unit_test_setup(test_long_fields_are_left_out_whole, set_up),
        cmocka_unit_test_setup(test_dump_prints_no_new_records, set_up),
        cmocka_unit_test_setup(test_panic_takes_the_lock_when_it_can, set_up),
        cmocka_unit_test_setup(test_a_panic_writes_what_was_held_back_first, set_up),
        cmocka_unit_test_setup(test_names, set_up),
        cmocka_unit_test_setup(test_panic_goes_on_within_the_sink, set_up),
        cmocka_unit_test_setup(test_no_lock_is_held_while_a_record_is_printed, set_up),
        cmocka_unit_test_setup(test_records_are_printed_in_the_order_of_their_numbers, set_up),
        cmocka_unit_test_setup(test_without_a_sink_the_ring_has_all, set_up),
        cmocka_unit_test_setup(test_panic_goes_on_without_the_lock, set_up), // last: the lock stays lost
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
