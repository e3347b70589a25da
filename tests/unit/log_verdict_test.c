// SPDX-License-Identifier: Apache-2.0
// Records of verdicts: what they cite, how many a guest can cause, and that all that is held back is told; counters.
// Links: trace/log.c trace/log_start.c trace/log_held.c trace/log_panic.c trace/log_read.c trace/log_budget.c
// Links: trace/log_ring.c trace/log_verdict.c trace/log_counters.c trace/log_virtio.c trace/log_names.c
// Links: trace/telemetry.c trace/event_name.c arch/aarch64/esr_fields.c
// Links: policy/policy_virtio.c lib/rate.c lib/printf.c lib/siphash.c tests/fake/fake_trace_text.c
#include "log_world.h"

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
    log_verdict(&vm.vcpus[0], &event);
    assert_true(has(last_line(), " row=4 at=\"" LONGEST_PLACE "\" why=\"" LONGEST_WHY "\" tag="));
    assert_false(has(last_line(), "cut="));
}

static void test_verdict_cites_its_row(void **state)
{
    struct event event = verdict_event(1);
    (void)state;

    log_verdict(&vm.vcpus[0], &event);
    assert_true(has(last_line(),
                    "level=warn class=policy event=verdict exit=0 key=pl031 op=write verdict=deny pc=0x40001000 "
                    "addr=0x9010000 value=0x55 esr=0x93800006 row=1 at=policy/test.toml:17 "
                    "why=\"no \\\"counters\\\" here\" tag="));
    event.key = KEY_SYSREG_UNKNOWN;
    event.syndrome = 0x623c0405; // MRS of S3_0_C1_C2_6
    event.write = 0;
    event.verdict = POLICY_STOP;
    log_verdict(&vm.vcpus[0], &event);
    assert_true(
        has(last_line(), "level=error class=policy event=verdict exit=0 key=S3_0_C1_C2_6 op=read verdict=stop "));
    event.row = policy.row_count;
    unsigned int before = console_count;
    log_verdict(&vm.vcpus[0], &event); // no such row: nothing
    assert_int_equal(console_count, before);
}

static void test_rate_limit(void **state)
{
    struct event event = verdict_event(1);
    uint64_t held = log_suppressed();
    (void)state;

    for (unsigned int i = 0; i < 1000; i++) { // at once: a second's worth
        log_verdict(&vm.vcpus[0], &event);
    }
    assert_int_equal(count_events("event=verdict"), 10);
    assert_int_equal(log_suppressed() - held, 990);
    assert_int_equal(log_suppressed_of_row(&vm, event.row), 990);
    assert_int_equal(log_suppressed_of_key(&vm, event.key), 990);
    assert_int_equal(log_suppressed_of_key(&vm, event.key + 1), 0);
    assert_int_equal(log_written_of_row(&vm, event.row), 10);
    assert_int_equal(log_written_of_key(&vm, event.key), 10);
    assert_int_equal(log_written_of_key(&vm, event.key + 1), 0);
    for (unsigned int i = 0; i < 1000; i++) { // a second in steps of a millisecond
        set_time(now + HZ / 1000);
        log_verdict(&vm.vcpus[0], &event);
    }
    assert_int_equal(count_events("event=verdict"), 20);
    assert_true(has(console[11], "event=suppressed row=1 at=policy/test.toml:17 count=1089 "));
    assert_true(has(console[12], "event=verdict"));
    set_time(now + 100 * (uint64_t)HZ); // never more than one second's worth is saved up
    for (unsigned int i = 0; i < 1000; i++) {
        log_verdict(&vm.vcpus[0], &event);
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
        log_verdict(&vm.vcpus[0], &event);
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
        log_verdict(&vm.vcpus[0], &event);
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
        log_verdict(&vm.vcpus[0], &event);
    }
    event.key = KEY_ID_AA64PFR0_EL1;
    for (unsigned int i = 0; i < 10; i++) {
        log_verdict(&vm.vcpus[0], &event);
    }
    assert_int_equal(count_events("event=verdict"), 20);
    assert_int_equal(count_events("key=CTR_EL0"), 10);
    event.write = 1; // and so does one direction
    log_verdict(&vm.vcpus[0], &event);
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
                log_verdict(&vm.vcpus[0], &event);
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
        log_verdict(&vm.vcpus[0], &event);
    }
    assert_int_equal(count_events("event=verdict"), 1000);
    other.key = KEY_CTR_EL0;
    for (unsigned int i = 0; i < 20; i++) {
        log_verdict(&vm.vcpus[0], &other);
    }
    assert_int_equal(count_events("event=verdict"), 1010); // the budget has not paid for the others
}

static void test_a_pause_is_always_recorded(void **state)
{
    struct event event = verdict_event(2);
    (void)state;

    event.verdict = POLICY_PAUSE;
    for (unsigned int i = 0; i < 50; i++) {
        log_verdict(&vm.vcpus[0], &event);
    }
    assert_int_equal(count_events("event=verdict"), 50);
}

// A VM that floods the log from every source takes neither another VM's limits nor its budget, and its counts are its
// own.
static void test_two_vms_have_limits_and_budgets_of_their_own(void **state)
{
    static struct vm other = {
        .policy = &policy, .vcpu_count = 1, .vcpus = {{.vm = &other, .cpu = 2, .telemetry = &counters[1]}}};
    struct event event = verdict_event(1);
    (void)state;

    other.log_budget = log_budget_open(BUDGET);
    assert_int_not_equal(other.log_budget, vm.log_budget);
    for (unsigned int i = 0; i < 50 * KEY_COUNT; i++) {
        event.key = (uint16_t)(i % KEY_COUNT);
        if (event.key < KEY_DC_ISW || event.key > KEY_DC_CISW)
            log_verdict(&vm.vcpus[0], &event);
    }
    unsigned int before = count_events("event=verdict");
    event = verdict_event(1);
    for (unsigned int i = 0; i < 1000; i++)
        log_verdict(&other.vcpus[0], &event);
    assert_int_equal(count_events("event=verdict") - before, 10);
    assert_int_equal(log_suppressed_of_key(&other, event.key), 990);
    assert_int_equal(log_suppressed_of_row(&other, 1), 990);
    assert_true(log_suppressed_of_row(&vm, 1) > 990);
}

// Two VMs that clean their caches at the same time: each has its record, with its own count.
static void test_set_and_way_of_two_vms_is_two_records(void **state)
{
    static struct vm other = {
        .policy = &policy, .vcpu_count = 1, .vcpus = {{.vm = &other, .cpu = 2, .telemetry = &counters[1]}}};
    struct event event = verdict_event(1);
    (void)state;

    event.key = KEY_DC_CISW;
    for (unsigned int i = 0; i < 300; i++) {
        event.entry = now;
        event.pc = 0x1000;
        log_verdict(&vm.vcpus[i % 2], &event);
        event.pc = 0x2000;
        if (i % 3 == 0)
            log_verdict(&other.vcpus[0], &event);
        set_time(now + 10);
    }
    log_flush();
    assert_int_equal(count_events("event=set-way"), 2);
    assert_true(has(console[console_count - 2], "count=300 pc=0x1000"));
    assert_true(has(last_line(), "count=100 pc=0x2000"));
}

static void test_set_and_way_is_one_record_with_a_count(void **state)
{
    struct event event = verdict_event(1);
    (void)state;

    event.key = KEY_DC_CISW;
    for (unsigned int i = 0; i < 33280; i++) {
        event.value = i * 64;
        event.entry = now;
        log_verdict(&vm.vcpus[0], &event);
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
        log_verdict(&vm.vcpus[0], &event);
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
    assert_int_equal(log_written_of_key(&vm, KEY_DC_CISW) + log_suppressed_of_key(&vm, KEY_DC_CISW), all);
    assert_int_equal(log_written_of_row(&vm, 1) + log_suppressed_of_row(&vm, 1), all);
}

// Rows of one key that speak in turn: each has what it has asked for, whoever spoke last.
static void test_rows_of_one_key_are_counted_apart(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 300; i++) {
        struct event event = verdict_event(i % 3 == 0 ? 1 : 2);
        log_verdict(&vm.vcpus[0], &event);
    }
    assert_int_equal(log_written_of_row(&vm, 1) + log_suppressed_of_row(&vm, 1), 100);
    assert_int_equal(log_written_of_row(&vm, 2) + log_suppressed_of_row(&vm, 2), 200);
}

static void test_a_loop_that_was_told_is_counted_until_it_ends(void **state)
{
    struct event event = verdict_event(1);
    uint64_t before = log_suppressed();
    (void)state;

    in_loop = true;
    for (unsigned int i = 0; i < 100000; i++) {
        set_time(now + 20);
        log_verdict(&vm.vcpus[0], &event);
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

static void test_counters(void **state)
{
    const unsigned int last = TELEMETRY_BUCKETS - 1, ticks = TELEMETRY_BUCKETS;
    uint64_t *stat = counters[0].stat[KEY_CAUSE_WFI];
    (void)state;

    stat[last - 2] = 60;
    stat[last - 5] = 39;
    stat[ticks] = 500;
    counters[1].stat[KEY_CAUSE_WFI][last - 9] = 1;
    counters[1].stat[KEY_CAUSE_WFI][ticks] = 400;
    counters[1].stat[KEY_CAUSE_WFE][0] = 1;
    counters[0].row_count[2] = 4;
    counters[1].row_count[2] = 5;
    log_counters(&vm);
    assert_int_equal(console_count, 4);
    assert_true(
        has(console[2], "event=counters key=pl031 count=1 ticks=0 min=0 p50=0 p99=0 max=0 logged=0 suppressed=0 tag="));
    assert_true(has(
        console[1],
        "class=trap event=counters key=wfi count=100 ticks=900 min=2 p50=3 p99=31 max=511 logged=0 suppressed=0 tag="));
    assert_true(
        has(console[3],
            "event=row row=2 at=policy/test.toml:40000 count=9 logged=0 suppressed=0 what=\"mmio pl031\" tag="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_longest_reason_is_whole, set_up),
        cmocka_unit_test_setup(test_verdict_cites_its_row, set_up),
        cmocka_unit_test_setup(test_rate_limit, set_up),
        cmocka_unit_test_setup(test_every_held_verdict_is_told, set_up),
        cmocka_unit_test_setup(test_what_was_held_is_told_once_it_is_quiet, set_up),
        cmocka_unit_test_setup(test_limits_are_per_key, set_up),
        cmocka_unit_test_setup(test_all_keys_have_one_budget, set_up),
        cmocka_unit_test_setup(test_a_row_may_be_unlimited, set_up),
        cmocka_unit_test_setup(test_a_pause_is_always_recorded, set_up),
        cmocka_unit_test_setup(test_two_vms_have_limits_and_budgets_of_their_own, set_up),
        cmocka_unit_test_setup(test_set_and_way_of_two_vms_is_two_records, set_up),
        cmocka_unit_test_setup(test_rows_of_one_key_are_counted_apart, set_up),
        cmocka_unit_test_setup(test_set_and_way_is_one_record_with_a_count, set_up),
        cmocka_unit_test_setup(test_a_loop_that_was_told_is_counted_until_it_ends, set_up),
        cmocka_unit_test_setup(test_counters, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
