// SPDX-License-Identifier: Apache-2.0
// The log: line format, tag and boot chain, levels and hidden records, cut records, the ring (wrap, clear, the boot
// before, damage), rate limits, the panic path, counters.
// Links: trace/log.c trace/log_budget.c trace/log_ring.c trace/log_verdict.c trace/log_counters.c trace/telemetry.c
// Links: trace/log_names.c policy/event_name.c lib/printf.c lib/siphash.c
#include <hv/guest_loop.h>
#include <hv/log_budget.h>

#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/pl011.h>
#include <hv/policy.h>
#include <hv/siphash.h>
#include <hv/telemetry.h>

#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>

#include <hv/log_ring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HZ     1000000u
#define BUDGET 100

static struct log_ring ring;
static char console[4096][LOG_LINE_MAX + 1];
static unsigned int console_count;
static char uart[8192];
static size_t uart_length;
static bool panic_in_console;
static uint64_t now;
static bool in_loop;

// ---- What the log calls ----

void console_line(const char *line, size_t length)
{
    assert_true(length < LOG_LINE_MAX);
    memcpy(console[console_count % 4096], line, length);
    console[console_count++ % 4096][length] = '\0';
    if (panic_in_console) {
        panic_in_console = false;
        log_panic("panic", "reason=%pQ", "the console died");
    }
}

void pl011_put(uint8_t byte)
{
    uart[uart_length++] = (char)byte;
    uart[uart_length] = '\0';
}

unsigned int cpu_id(void)
{
    return 3;
}

bool guest_loop_has(const struct event *event)
{
    (void)event;
    return in_loop;
}

const char *event_key_name(unsigned int key)
{
    return key == KEY_CAUSE_WFI ? "wfi" : key == KEY_DC_CISW ? "DC_CISW" : key == KEY_CTR_EL0 ? "CTR_EL0" : "pl031";
}

unsigned int cpu_count(void)
{
    return 2;
}

void sysreg_encoded_name(uint32_t syndrome, char *buffer, size_t size)
{
    snprintf(buffer, size, "S3_0_C1_C2_%u", syndrome & 7);
}

// What the policy compiler lets through at most: with the quotes of %pQ, POLICY_PLACE_MAX and POLICY_WHY_MAX bytes.
#define TEN           "0 2 4 6 8 "
#define LONGEST_PLACE TEN TEN TEN TEN "a.t:65"
#define LONGEST_WHY   TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
_Static_assert(sizeof(LONGEST_PLACE) + 1 == POLICY_PLACE_MAX && sizeof(LONGEST_WHY) + 1 == POLICY_WHY_MAX);

const struct policy_row policy_rows[] = {
    {"policy/test.toml:1", "default", "", 0, POLICY_DENY},
    {"policy/test.toml:17", "sysreg PMU", "no \"counters\" here", 10, POLICY_DENY},
    {"policy/test.toml:40000", "mmio pl031", "quiet", 1, POLICY_ALLOW},
    {"policy/test.toml:60", "sysreg ID", "all", POLICY_LOG_UNLIMITED, POLICY_ALLOW},
    {LONGEST_PLACE, "sysreg ID", LONGEST_WHY, POLICY_LOG_UNLIMITED, POLICY_ALLOW},
};
const unsigned int policy_row_count = 5;
const unsigned int policy_log_budget = BUDGET;

const char *policy_action_name(unsigned int action)
{
    static const char *const names[] = {"allow", "emulate", "raz-wi", "deny", "pause", "stop"};
    return names[action];
}

// ---- Help ----

static void set_time(uint64_t ticks)
{
    now = ticks;
    fake_sysreg_set("CNTPCT_EL0", ticks);
}

static const char *last_line(void)
{
    return console_count == 0 ? "" : console[(console_count - 1) % 4096];
}

static void boot(void)
{
    console_count = 0;
    uart_length = 0;
    log_set_level(LOG_INFO);
    log_init_at(&ring);
}

static int set_up(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    memset(telemetry_cpu, 0, 2 * sizeof(telemetry_cpu[0]));
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", HZ);
    set_time(now + 1000000 * (uint64_t)HZ); // buckets of an earlier test are full again

    boot();
    log_flush();
    memset(&ring, 0, sizeof(ring));
    boot();
    return 0;
}

struct collected {
    unsigned int count;
    char first[LOG_LINE_MAX];
    char last[LOG_LINE_MAX];
};

static void collect(const char *line, size_t length, void *argument)
{
    struct collected *collected = argument;

    assert_int_equal(length, strlen(line));
    if (collected->count++ == 0) {
        strcpy(collected->first, line);
    }
    strcpy(collected->last, line);
}

static bool has(const char *line, const char *part)
{
    return strstr(line, part) != NULL;
}

// ---- Tests ----

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

static void test_the_next_boot_says_how_many_were_hidden(void **state)
{
    (void)state;
    log_quieten(LOG_ERROR);
    log_record(LOG_INFO, LOG_VM, "one", "%s", "");
    log_record(LOG_INFO, LOG_VM, "two", "%s", "");
    boot();
    assert_true(has(last_line(), " hidden_before=2 tag="));
    assert_int_equal(log_hidden(), 0);
    log_record(LOG_INFO, LOG_VM, "three", "%s", ""); // nor is it quiet any more
    assert_true(has(last_line(), "event=three"));
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

static void test_the_longest_reason_is_whole(void **state)
{
    struct event event = {.sequence = 999999999999999,
                          .pc = UINT64_MAX,
                          .address = UINT64_MAX,
                          .value = UINT64_MAX,
                          .syndrome = UINT32_MAX,
                          .key = KEY_SYSREG_UNKNOWN,
                          .row = 4,
                          .verdict = POLICY_EMULATE,
                          .write = true};
    (void)state;

    log_ring_half(&ring, false)->sequence = 999999999999999;
    log_verdict(&event);
    assert_true(has(last_line(), " row=4 at=\"" LONGEST_PLACE "\" why=\"" LONGEST_WHY "\" tag="));
    assert_false(has(last_line(), "cut="));
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

static void test_tag_differs_between_boots(void **state)
{
    uint32_t tag = log_tag();
    (void)state;

    set_time(now + 1);
    memset(&ring, 0, sizeof(ring));
    boot();
    assert_true(log_tag() != tag);
    tag = log_tag();
    memset(&ring, 0, sizeof(ring));
    fake_sysreg_set("ID_AA64ISAR0_EL1", ID_AA64ISAR0_EL1_RNDR);
    fake_sysreg_set("S3_3_C2_C4_0", 42);
    boot();
    assert_true(log_tag() != tag);
    assert_true(has(last_line(), " rng=rndr "));
}

static void test_boots_are_chained(void **state)
{
    unsigned long long next, proof[2];
    (void)state;

    assert_true(has(last_line(), "event=log-start boots=1 hz=1000000 rng=counter next="));
    assert_true(has(last_line(), " proof=none hidden_before=0 tag="));
    assert_int_equal(sscanf(strstr(last_line(), "next="), "next=%16llx", &next), 1);
    set_time(now + 1);
    boot(); // a warm reset: the ring is what it was
    assert_true(has(last_line(), "seq=0 "));
    assert_true(has(last_line(), " boots=2 "));
    assert_int_equal(sscanf(strstr(last_line(), "proof="), "proof=%16llx%16llx", &proof[0], &proof[1]), 2);
    assert_true(siphash_word((uint64_t[]){proof[0], proof[1]}, 0x7478656e) == next);
}

static void test_ring_keeps_the_newest(void **state)
{
    struct collected collected = {0};
    (void)state;

    for (unsigned int i = 1; i <= 5000; i++) {
        log_record(LOG_DEBUG, i % 10 == 0 ? LOG_PSCI : LOG_VM, "tick", "n=%u", i);
    }
    assert_int_equal(log_for_each(UINT32_MAX, LOG_CLASS_COUNT, collect, &collected), LOG_SLOTS);
    assert_int_equal(LOG_SLOTS, collected.count);
    assert_true(has(collected.last, " n=5000 tag="));
    assert_true(has(collected.first, "seq=0 ")); // the first of each kind stays

    memset(&collected, 0, sizeof(collected));
    assert_int_equal(log_for_each(3, LOG_PSCI, collect, &collected), 3);
    assert_true(has(collected.first, " n=4980 "));
    assert_true(has(collected.last, " n=5000 "));
    assert_int_equal(log_for_each(3, LOG_PANIC, collect, &collected), 0);
    assert_int_equal(log_for_each(0, LOG_CLASS_COUNT, collect, &collected), 0);
}

// A flood pushes out its own records and no others.
static void test_one_kind_leaves_the_others_alone(void **state)
{
    struct collected collected = {0};
    (void)state;

    for (unsigned int i = 0; i < 20; i++) {
        log_record(LOG_DEBUG, LOG_VM, "quiet", "n=%u", i);
        log_record(LOG_DEBUG, LOG_FAULT, "quiet", "n=%u", i);
    }
    for (unsigned int i = 0; i < 10000; i++) {
        log_record(LOG_DEBUG, LOG_PSCI, "flood", "n=%u", i);
    }
    log_record(LOG_DEBUG, LOG_FAULT, "last", "n=%u", 20);
    assert_int_equal(log_for_each(99, LOG_VM, collect, &collected), 20);
    assert_int_equal(log_for_each(99, LOG_FAULT, collect, &collected), 21);
    memset(&collected, 0, sizeof(collected));
    assert_in_range(log_for_each(UINT32_MAX, LOG_PSCI, collect, &collected), 900, LOG_SLOTS);
    assert_true(has(collected.first, " n=0 ") && has(collected.last, " n=9999 "));
}

// Of as many kinds as there are, the first record is there after any flood, and in order.
static void test_the_first_of_each_source_stays(void **state)
{
    struct collected collected = {0};
    (void)state;

    for (unsigned int round = 0; round < 3; round++) {
        for (unsigned int source = LOG_BOOT + 1; source < LOG_SOURCE_COUNT; source++) { // log-start was LOG_BOOT's
            log_allowed(LOG_PLACE(source, LOG_INFO, false), LOG_TRAP, "kind", "source=%u round=%u", source, round);
        }
    }
    for (unsigned int i = 0; i < 3000; i++) {
        log_record(LOG_DEBUG, LOG_VM, "flood", "n=%u", i);
    }
    log_for_each(UINT32_MAX, LOG_TRAP, collect, &collected);
    assert_true(has(collected.first, "source=1 round=0 "));
    unsigned int firsts = 0;
    uint64_t position = 0, last = 0;
    char line[LOG_LINE_MAX];
    while (log_ring_read(&ring, log_ring_half(&ring, false), &position, line, sizeof(line))) {
        firsts += has(line, " round=0 ");
        assert_true(position > last);
        last = position;
    }
    assert_int_equal(firsts, LOG_SOURCE_COUNT - 1);
}

static void test_class_is_not_taken_from_a_value(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_record(LOG_INFO, LOG_GUEST, "guest-exception", "text=%pQ", "x class=panic y");
    assert_int_equal(log_for_each(9, LOG_PANIC, collect, &collected), 0);
    assert_int_equal(log_for_each(9, LOG_GUEST, collect, &collected), 1);
}

static void test_clear_hides_and_goes_on(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_record(LOG_INFO, LOG_VM, "old", "%s", "");
    log_clear();
    assert_int_equal(log_for_each(9, LOG_CLASS_COUNT, collect, &collected), 0);
    log_record(LOG_INFO, LOG_VM, "new", "%s", "");
    assert_int_equal(log_for_each(9, LOG_CLASS_COUNT, collect, &collected), 1);
    assert_true(has(collected.first, "seq=2 "));
    assert_true(has(ring.slot[ring.current][1].text, "event=old")); // a dump still has it
}

static void test_previous_boot_stays(void **state)
{
    struct collected collected = {0};
    (void)state;

    assert_int_equal(log_previous_for_each(9, LOG_CLASS_COUNT, collect, &collected), 0);
    log_record(LOG_ERROR, LOG_VM, "vm-stop", "reason=%pQ", "first boot");
    boot();
    log_record(LOG_ERROR, LOG_VM, "vm-stop", "reason=%pQ", "second boot");
    assert_int_equal(log_previous_for_each(1, LOG_VM, collect, &collected), 1);
    assert_true(has(collected.last, "first boot"));
    boot();
    assert_int_equal(log_boots(), 3);
    memset(&collected, 0, sizeof(collected));
    assert_int_equal(log_previous_for_each(9, LOG_VM, collect, &collected), 1);
    assert_true(has(collected.last, "second boot"));
    assert_int_equal(log_for_each(9, LOG_CLASS_COUNT, collect, &collected), 1);
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

// Whatever an old ring holds: it is read within bounds, or not believed.
static void test_damaged_ring(void **state)
{
    struct collected collected = {0};
    uint64_t random = 88172645463325252u;
    (void)state;

    for (unsigned int round = 0; round < 200; round++) {
        boot();
        for (unsigned int i = 0; i < 40; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            size_t at = (size_t)(random >> 8) % (round % 2 == 0 ? LOG_RING_HEADER : sizeof(ring));
            ((uint8_t *)&ring)[round % 4 == 0 ? 40 + at % 100 : at] = (uint8_t)random;
        }
        boot();
        log_previous_for_each(UINT32_MAX, LOG_CLASS_COUNT, collect, &collected);
        assert_int_equal(log_for_each(UINT32_MAX, LOG_CLASS_COUNT, collect, &collected), 1);
    }
    boot();
    ring.version++;
    boot();
    assert_int_equal(log_boots(), 1);
    assert_true(has(last_line(), " proof=none "));
    memset(&ring, 0xff, sizeof(ring));
    boot();
    assert_int_equal(log_boots(), 1);
}

static void test_panic_takes_the_lock_when_it_can(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_panic("panic", "reason=%pQ", "a bug");
    assert_true(has(uart, "\r\nariel: seq=1 "));
    assert_true(has(uart, " level=error class=panic event=panic reason=\"a bug\" tag="));
    assert_int_equal(log_for_each(9, LOG_PANIC, collect, &collected), 1);
    log_record(LOG_INFO, LOG_VM, "next", "%s", ""); // the lock was released
}

static void test_panic_goes_on_without_the_lock(void **state)
{
    (void)state;
    panic_in_console = true;
    log_record(LOG_INFO, LOG_VM, "holds-the-lock", "%s", "");
    assert_true(has(uart, "event=panic reason=\"the console died\""));
    assert_true(has(ring.slot[ring.current][2].text, "event=panic"));
}

static struct event verdict_event(uint16_t row)
{
    return (struct event){.pc = 0x40001000,
                          .address = 0x9010000,
                          .value = 0x55,
                          .syndrome = 0x93800006,
                          .key = KEY_DEVICE_PL031,
                          .row = row,
                          .verdict = POLICY_DENY,
                          .write = 1};
}

static void test_verdict_cites_its_row(void **state)
{
    struct event event = verdict_event(1);
    (void)state;

    log_verdict(&event);
    assert_true(has(last_line(),
                    "level=warn class=policy event=verdict exit=0 key=pl031 op=write verdict=deny pc=0x40001000 "
                    "addr=0x9010000 value=0x55 esr=0x93800006 row=1 at=policy/test.toml:17 "
                    "why=\"no \\\"counters\\\" here\" tag="));
    event.key = KEY_SYSREG_UNKNOWN;
    event.write = 0;
    event.verdict = POLICY_STOP;
    log_verdict(&event);
    assert_true(
        has(last_line(), "level=error class=policy event=verdict exit=0 key=S3_0_C1_C2_6 op=read verdict=stop "));
    event.row = policy_row_count;
    unsigned int before = console_count;
    log_verdict(&event); // no such row: nothing
    assert_int_equal(console_count, before);
}

static unsigned int count_events(const char *part)
{
    unsigned int count = 0;

    for (unsigned int i = 0; i < console_count && i < 4096; i++) {
        count += has(console[i], part);
    }
    return count;
}

static void test_rate_limit(void **state)
{
    struct event event = verdict_event(1);
    uint64_t held = log_suppressed();
    (void)state;

    for (unsigned int i = 0; i < 1000; i++) { // at once: a second's worth
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 10);
    assert_int_equal(log_suppressed() - held, 990);
    assert_int_equal(log_suppressed_of_row(event.row), 990);
    assert_int_equal(log_suppressed_of_key(event.key), 990);
    assert_int_equal(log_suppressed_of_key(event.key + 1), 0);
    for (unsigned int i = 0; i < 1000; i++) { // a second in steps of a millisecond
        set_time(now + HZ / 1000);
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 20);
    assert_true(has(console[11], "event=suppressed row=1 at=policy/test.toml:17 count=1089 "));
    assert_true(has(console[12], "event=verdict"));
    set_time(now + 100 * (uint64_t)HZ); // never more than one second's worth is saved up
    for (unsigned int i = 0; i < 1000; i++) {
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 30);
}

static void test_every_held_verdict_is_told(void **state)
{
    struct event event = verdict_event(2);
    uint64_t held = log_suppressed();
    unsigned long told = 0;
    (void)state;

    for (unsigned int i = 0; i < 5000; i++) {
        set_time(now + HZ / 100);
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 50);
    log_flush();
    for (unsigned int i = 0; i < console_count; i++) {
        unsigned long count;
        if (has(console[i], "event=suppressed") && sscanf(strstr(console[i], "count="), "count=%lu", &count) == 1) {
            told += count;
        }
    }
    assert_int_equal(told, log_suppressed() - held);
    assert_int_equal(told, 5000 - 50);
}

static void test_what_was_held_is_told_once_it_is_quiet(void **state)
{
    struct event event = verdict_event(2);
    (void)state;

    for (unsigned int i = 0; i < 5; i++) {
        log_verdict(&event);
    }
    log_tick(); // not quiet yet
    assert_int_equal(count_events("event=suppressed"), 0);
    set_time(now + 2 * HZ);
    log_tick();
    log_tick();
    assert_int_equal(count_events("event=suppressed"), 1);
    assert_true(has(last_line(), " row=2 at=policy/test.toml:40000 count=4 of=verdict key=pl031 op=write tag="));
}

// Sums what the suppressed records on the console and held= say.
static uint64_t told(void)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < console_count && i < 4096; i++) {
        unsigned long count = 0;
        const char *at = strstr(console[i], has(console[i], "event=suppressed") ? "count=" : " held=");
        if (at != NULL && sscanf(strchr(at, '=') + 1, "%lu", &count) == 1) {
            sum += count;
        }
    }
    return sum;
}

// One key of a row leaves room for the others: CTR_EL0 that programs read for ever, beside an ID register read once.
static void test_limits_are_per_key(void **state)
{
    struct event event = verdict_event(1);
    (void)state;

    event.write = 0;
    event.key = KEY_CTR_EL0;
    for (unsigned int i = 0; i < 90000; i++) {
        log_verdict(&event);
    }
    event.key = KEY_ID_AA64PFR0_EL1;
    for (unsigned int i = 0; i < 10; i++) {
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 20);
    assert_int_equal(count_events("key=CTR_EL0"), 10);
    event.write = 1; // and so does one direction
    log_verdict(&event);
    assert_int_equal(count_events("event=verdict"), 21);
    log_flush();
    assert_int_equal(count_events("event=suppressed"), 1);
    assert_int_equal(told(), 89990);
}

// All keys of a VM together have one budget; the first of each comes through, and all that is held back is told.
static void test_all_keys_have_one_budget(void **state)
{
    uint64_t sent = 0, before = log_suppressed();
    unsigned int keys = 0;
    (void)state;

    for (unsigned int second = 0; second < 5; second++) {
        for (unsigned int i = 0; i < 100; i++) {
            set_time(now + HZ / 100);
            for (unsigned int key = KEY_SYSREG_FIRST; key < KEY_SYSREG_FIRST + 300; key += 2, sent++) {
                struct event event = verdict_event(0);
                event.key = (uint16_t)(key < KEY_DC_ISW || key > KEY_DC_CISW ? key : KEY_CTR_EL0);
                log_verdict(&event);
                keys += second + i == 0;
            }
        }
    }
    unsigned int verdicts = count_events("event=verdict");
    assert_in_range(verdicts, 500, keys + 6 * BUDGET);
    assert_in_range(console_count, 500, 2 * (keys + 6 * BUDGET));
    assert_int_equal(log_suppressed() - before, sent - verdicts);
    log_flush();
    assert_int_equal(told(), sent - verdicts);
}

static void test_a_row_may_be_unlimited(void **state)
{
    struct event event = verdict_event(3), other = verdict_event(1);
    (void)state;

    for (unsigned int i = 0; i < 1000; i++) {
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 1000);
    other.key = KEY_CTR_EL0;
    for (unsigned int i = 0; i < 20; i++) {
        log_verdict(&other);
    }
    assert_int_equal(count_events("event=verdict"), 1010); // the budget has not paid for the others
}

static void test_a_pause_is_always_recorded(void **state)
{
    struct event event = verdict_event(2);
    (void)state;

    event.verdict = POLICY_PAUSE;
    for (unsigned int i = 0; i < 50; i++) {
        log_verdict(&event);
    }
    assert_int_equal(count_events("event=verdict"), 50);
}

static void test_set_and_way_is_one_record_with_a_count(void **state)
{
    struct event event = verdict_event(1);
    (void)state;

    event.key = KEY_DC_CISW;
    for (unsigned int i = 0; i < 33280; i++) {
        event.value = i * 64;
        event.entry = now;
        log_verdict(&event);
        set_time(now + 10);
    }
    log_tick(); // it may go on
    assert_int_equal(console_count, 1);
    set_time(now + HZ / 10);
    log_tick();
    log_flush();
    assert_int_equal(console_count, 2);
    assert_true(has(last_line(), "class=policy event=set-way exit=0 key=DC_CISW verdict=deny count=33280 pc=0x40001000 "
                                 "value=0x0 row=1 at=policy/test.toml:17 why="));
    uint64_t all = 33280;
    for (unsigned int i = 0; i < 50000; i++, all++) { // for 5 s without a pause
        event.entry = now;
        log_verdict(&event);
        set_time(now + 100);
        if (i % 10000 == 0)
            log_tick();
    }
    log_flush();
    assert_int_equal(count_events("event=set-way"), 3);
    uint64_t counted = 0;
    for (unsigned int i = 0; i < console_count; i++) {
        unsigned long count;
        if (has(console[i], "event=set-way") && sscanf(strstr(console[i], "count="), "count=%lu", &count) == 1)
            counted += count;
    }
    assert_int_equal(counted, all);
}

static void test_a_loop_that_was_told_is_counted_until_it_ends(void **state)
{
    struct event event = verdict_event(1);
    uint64_t before = log_suppressed();
    (void)state;

    in_loop = true;
    for (unsigned int i = 0; i < 100000; i++) {
        set_time(now + 20);
        log_verdict(&event);
    }
    log_tick();
    assert_int_equal(console_count, 1); // in 2 s not a word
    in_loop = false;
    set_time(now + 2 * HZ);
    log_tick();
    assert_int_equal(console_count, 2);
    assert_true(has(last_line(), "count=100000 of=verdict key=pl031 op=write"));
    assert_int_equal(log_suppressed() - before, 100000);
}

// ---- Resets by the guest

static void test_a_loop_of_resets_keeps_the_boot_before_it(void **state)
{
    struct collected collected = {0};
    (void)state;

    log_record(LOG_ERROR, LOG_FAULT, "evil", "n=%u", 1);
    for (unsigned int i = 0; i < 100; i++) {
        set_time(now + HZ);
        log_guest_resets();
        boot();
        assert_int_equal(log_boots(), i + 2);
        assert_true(has(console[0], "event=log-start "));
    }
    assert_int_equal(log_previous_for_each(99, LOG_FAULT, collect, &collected), 1);
    assert_true(has(console[0], " resets=100 proof="));

    set_time(now + 61 * (uint64_t)HZ); // no loop any more: the last two boots
    log_record(LOG_ERROR, LOG_FAULT, "late", "n=%u", 2);
    log_guest_resets();
    boot();
    memset(&collected, 0, sizeof(collected));
    assert_int_equal(log_previous_for_each(99, LOG_FAULT, collect, &collected), 1);
    assert_true(has(collected.last, "event=late"));
    assert_true(has(last_line(), " resets=1 proof="));

    boot(); // by a person
    assert_true(has(last_line(), " resets=0 proof="));
    log_guest_resets();
    boot();
    assert_true(has(last_line(), " resets=1 proof="));
}

static void test_a_loop_of_resets_is_told_once(void **state)
{
    unsigned int loops = 0;
    (void)state;

    for (unsigned int i = 0; i < 50; i++) {
        log_guest_resets();
        boot();
        loops += count_events("event=reset-loop resets=3 ");
    }
    assert_int_equal(loops, 1);
}

// 50 boots in 5 s, in each a flood of many keys: no more than the first of each key and the budget of 5 s, beside each
// boot's log-start. All is accounted for: records that only the ring has are told by hidden=.
static void test_the_budget_survives_a_reset(void **state)
{
    uint64_t lines = 0, starts = 0;
    (void)state;

    for (unsigned int i = 0; i < 50; i++) {
        log_routine(LOG_BOOT, "boot", "n=%u", i);
        log_boot_done();
        for (unsigned int n = 0; n < 5000; n++) {
            struct event event = verdict_event(0);
            event.key = (uint16_t)(KEY_CTR_EL0 + n % 50);
            log_verdict(&event);
        }
        log_guest_resets();
        log_flush();
        log_routine(LOG_VM, "vm-reset", "n=%u", i);
        lines += console_count;
        set_time(now + HZ / 10);
        boot();
        starts += count_events("event=log-start");
    }
    assert_int_equal(starts, 50);
    // Twice the first of each: the boot before the loop and the loop.
    assert_in_range(lines, 300, starts + 2 * 50 + 6 * BUDGET + 50 * 3);
}

static void test_counters(void **state)
{
    const unsigned int last = TELEMETRY_BUCKETS - 1, ticks = TELEMETRY_BUCKETS;
    uint64_t *stat = telemetry_cpu[0].stat[KEY_CAUSE_WFI];
    (void)state;

    stat[last - 2] = 60;
    stat[last - 5] = 39;
    stat[ticks] = 500;
    telemetry_cpu[1].stat[KEY_CAUSE_WFI][last - 9] = 1;
    telemetry_cpu[1].stat[KEY_CAUSE_WFI][ticks] = 400;
    telemetry_cpu[1].stat[KEY_CAUSE_WFE][0] = 1;
    telemetry_cpu[0].row_count[2] = 4;
    telemetry_cpu[1].row_count[2] = 5;
    log_counters();
    assert_int_equal(console_count, 4);
    assert_true(has(console[2], "event=counters key=pl031 count=1 ticks=0 p50=0 p99=0 tag="));
    assert_true(has(console[1], "class=trap event=counters key=wfi count=100 ticks=900 p50=4 p99=32 tag="));
    assert_true(has(console[3], "event=row row=2 at=policy/test.toml:40000 count=9 what=\"mmio pl031\" tag="));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line_format, set_up),
        cmocka_unit_test_setup(test_frequency_zero_is_survived, set_up),
        cmocka_unit_test_setup(test_guest_bytes_cannot_break_the_line, set_up),
        cmocka_unit_test_setup(test_hidden_records_are_told, set_up),
        cmocka_unit_test_setup(test_what_was_held_back_is_written_at_the_end, set_up),
        cmocka_unit_test_setup(test_what_was_hidden_before_the_quiet_stays_so, set_up),
        cmocka_unit_test_setup(test_the_next_boot_says_how_many_were_hidden, set_up),
        cmocka_unit_test_setup(test_the_longest_reason_is_whole, set_up),
        cmocka_unit_test_setup(test_long_fields_are_left_out_whole, set_up),
        cmocka_unit_test_setup(test_tag_differs_between_boots, set_up),
        cmocka_unit_test_setup(test_boots_are_chained, set_up),
        cmocka_unit_test_setup(test_ring_keeps_the_newest, set_up),
        cmocka_unit_test_setup(test_one_kind_leaves_the_others_alone, set_up),
        cmocka_unit_test_setup(test_the_first_of_each_source_stays, set_up),
        cmocka_unit_test_setup(test_class_is_not_taken_from_a_value, set_up),
        cmocka_unit_test_setup(test_clear_hides_and_goes_on, set_up),
        cmocka_unit_test_setup(test_previous_boot_stays, set_up),
        cmocka_unit_test_setup(test_dump_prints_no_new_records, set_up),
        cmocka_unit_test_setup(test_damaged_ring, set_up),
        cmocka_unit_test_setup(test_panic_takes_the_lock_when_it_can, set_up),
        cmocka_unit_test_setup(test_a_panic_writes_what_was_held_back_first, set_up),
        cmocka_unit_test_setup(test_verdict_cites_its_row, set_up),
        cmocka_unit_test_setup(test_rate_limit, set_up),
        cmocka_unit_test_setup(test_every_held_verdict_is_told, set_up),
        cmocka_unit_test_setup(test_what_was_held_is_told_once_it_is_quiet, set_up),
        cmocka_unit_test_setup(test_limits_are_per_key, set_up),
        cmocka_unit_test_setup(test_all_keys_have_one_budget, set_up),
        cmocka_unit_test_setup(test_a_row_may_be_unlimited, set_up),
        cmocka_unit_test_setup(test_a_pause_is_always_recorded, set_up),
        cmocka_unit_test_setup(test_set_and_way_is_one_record_with_a_count, set_up),
        cmocka_unit_test_setup(test_a_loop_that_was_told_is_counted_until_it_ends, set_up),
        cmocka_unit_test_setup(test_a_loop_of_resets_keeps_the_boot_before_it, set_up),
        cmocka_unit_test_setup(test_a_loop_of_resets_is_told_once, set_up),
        cmocka_unit_test_setup(test_the_budget_survives_a_reset, set_up),
        cmocka_unit_test_setup(test_counters, set_up),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup(test_panic_goes_on_without_the_lock, set_up), // last: the lock stays lost
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
