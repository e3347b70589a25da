// SPDX-License-Identifier: Apache-2.0
// What the ring keeps of this boot and of the one before, and how a reader knows a genuine boot: tag and chain, wrap,
// clear, damage, resets by the guest.
// Links: trace/log.c trace/log_start.c trace/log_held.c trace/log_panic.c trace/log_read.c trace/log_budget.c
// Links: trace/log_ring.c trace/log_verdict.c trace/log_counters.c trace/log_virtio.c trace/log_names.c
// Links: trace/telemetry.c trace/event_name.c arch/aarch64/esr_fields.c
// Links: policy/policy_virtio.c lib/rate.c lib/printf.c lib/siphash.c tests/fake/fake_trace_text.c
#include "log_world.h"

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
            log_verdict(&vm.vcpus[0], &event);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_next_boot_says_how_many_were_hidden, set_up),
        cmocka_unit_test_setup(test_tag_differs_between_boots, set_up),
        cmocka_unit_test_setup(test_boots_are_chained, set_up),
        cmocka_unit_test_setup(test_ring_keeps_the_newest, set_up),
        cmocka_unit_test_setup(test_one_kind_leaves_the_others_alone, set_up),
        cmocka_unit_test_setup(test_the_first_of_each_source_stays, set_up),
        cmocka_unit_test_setup(test_class_is_not_taken_from_a_value, set_up),
        cmocka_unit_test_setup(test_clear_hides_and_goes_on, set_up),
        cmocka_unit_test_setup(test_previous_boot_stays, set_up),
        cmocka_unit_test_setup(test_damaged_ring, set_up),
        cmocka_unit_test_setup(test_a_loop_of_resets_keeps_the_boot_before_it, set_up),
        cmocka_unit_test_setup(test_a_loop_of_resets_is_told_once, set_up),
        cmocka_unit_test_setup(test_the_budget_survives_a_reset, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
