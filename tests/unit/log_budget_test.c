// SPDX-License-Identifier: Apache-2.0
// The budget of what a guest can write: sources have numbers of their own, and limits that no other source uses up.
// Links: trace/log_budget.c trace/log_names.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <fake_panic.h>

#include <hv/arch/registers.h>
#include <hv/log_budget.h>
#include <hv/policy.h>

#define HZ     1000000u
#define BUDGET 100

static struct log_budget memory[LOG_BUDGETS];
static uint64_t now = 1000 * (uint64_t)HZ;

static void set_time(uint64_t ticks)
{
    now = ticks;
    fake_sysreg_set("CNTPCT_EL0", ticks);
}

static int setup(void **state)
{
    (void)state;
    fake_sysreg_set("CNTFRQ_EL0", HZ);
    set_time(now);
    memset(memory, 0, sizeof(memory));
    log_budget_init(memory);
    (void)log_budget_open(BUDGET);
    return 0;
}

// Asks count times; how many were to be written, and how many were told as held.
static unsigned int ask(unsigned int source, unsigned int limit, unsigned int count, uint64_t *told)
{
    unsigned int written = 0;

    for (unsigned int i = 0; i < count; i++) {
        uint64_t held;
        written += log_budget_ask(0, source, limit, &held) == LOG_WRITE;
        *told += held;
    }
    return written;
}

static void every_source_has_a_number_and_a_name_of_its_own(void **state)
{
    static bool seen[LOG_SOURCE_COUNT];
    unsigned int key;
    bool write;

    (void)state;
    for (unsigned int n = 0; n < 2 * KEY_COUNT; n++) {
        struct event event = {.key = (uint16_t)(n / 2), .write = n % 2};
        unsigned int source = log_source_of_verdict(&event);
        assert_in_range(source, LOG_SOURCE_VERDICT, LOG_SOURCE_ABORT - 1);
        assert_string_equal(log_source_name(source, &key, &write), "verdict");
        assert_int_equal(key, n / 2);
        assert_true(!seen[source] || n / 2 < KEY_DEVICE_FIRST); // calls and causes have no direction
        assert_true(n / 2 < KEY_DEVICE_FIRST || write == n % 2);
        seen[source] = true;
        source = log_source_of_abort(&event);
        assert_in_range(source, LOG_SOURCE_ABORT, LOG_SOURCE_VIRTIO - 1);
        bool aborts = n / 2 < KEY_HVC_FIRST || (n / 2 >= KEY_DEVICE_FIRST && n / 2 < KEY_SYSREG_FIRST);
        assert_string_equal(log_source_name(source, &key, &write), "abort");
        assert_true(!aborts || key == n / 2);
        seen[source] = true;
    }
    for (unsigned int source = LOG_SOURCE_VERDICT; source < LOG_SOURCE_VIRTIO; source++)
        assert_true(seen[source]);
    for (unsigned int source = LOG_SOURCE_VIRTIO; source < LOG_SOURCE_COUNT; source++) {
        assert_string_equal(log_source_name(source, &key, &write), "virtio");
        assert_int_equal(key, KEY_COUNT);
    }
    assert_string_equal(log_source_name(LOG_SOURCE_SERROR, &key, &write), "serror");
    assert_string_equal(log_source_name(LOG_SOURCE_STALL, &key, &write), "el2-stall");
    assert_int_equal(key, KEY_COUNT);
}

static void a_source_has_its_limit_and_leaves_the_others_theirs(void **state)
{
    uint64_t told = 0;

    (void)state;
    assert_int_equal(ask(LOG_SOURCE_SERROR, 10, 5000, &told), 10);
    assert_int_equal(ask(LOG_SOURCE_CPU_ON, 10, 5000, &told), 10);
    set_time(now + HZ);
    assert_int_equal(ask(LOG_SOURCE_SERROR, 10, 5000, &told), 10);
    assert_int_equal(told, 4990);
    assert_int_equal(log_budget_held(), 3 * 4990);
}

static void all_sources_share_the_budget_but_for_their_first(void **state)
{
    uint64_t told = 0, held;
    unsigned int written = 0, source = 0;

    (void)state;
    for (unsigned int round = 0; round < 50; round++)
        for (source = LOG_SOURCE_VERDICT; source < LOG_SOURCE_COUNT; source++)
            written += ask(source, 10, 1, &told);
    assert_int_equal(written, LOG_SOURCE_COUNT - LOG_SOURCE_VERDICT);
    set_time(now + HZ);
    for (unsigned int round = 0; round < 50; round++)
        for (source = LOG_SOURCE_VERDICT; source < LOG_SOURCE_COUNT; source++)
            written += ask(source, 10, 1, &told);
    assert_int_equal(written, LOG_SOURCE_COUNT - LOG_SOURCE_VERDICT + BUDGET);
    for (source = 0; log_budget_next_held(0, &source, true, &held); source++)
        told += held;
    assert_int_equal(told, 100 * (LOG_SOURCE_COUNT - LOG_SOURCE_VERDICT) - written); // each is told once
    assert_int_equal(log_budget_held(), told);
}

static void the_budget_is_the_rings(void **state)
{
    uint64_t told = 0, held;

    (void)state;
    for (unsigned int source = LOG_SOURCE_VERDICT; source < LOG_SOURCE_VERDICT + 20; source++)
        (void)ask(source, 10, 10, &told);
    log_budget_init(memory);
    (void)log_budget_open(BUDGET); // the next boot of a guest that resets the machine again and again
    assert_int_equal(log_budget_ask(0, LOG_SOURCE_VERDICT, 10, &held), LOG_RING_ONLY); // its first, but not the first
    assert_int_equal(log_budget_ask(0, LOG_SOURCE_VERDICT, 10, &held), LOG_HOLD);
    assert_int_equal(log_budget_ask(0, LOG_SOURCE_SERROR, 10, &held), LOG_WRITE); // there was none before
    set_time(now + HZ);
    assert_int_equal(log_budget_ask(0, LOG_SOURCE_VERDICT, 10, &held), LOG_WRITE);
    assert_int_equal(held, 1);
}

// A counter that begins anew with the reset leaves no budget that lasts for years.
static void a_counter_that_went_back_is_survived(void **state)
{
    uint64_t told = 0;

    (void)state;
    memory[0].full = UINT64_MAX - 5;
    set_time(10);
    assert_int_equal(ask(LOG_SOURCE_SERROR, 10, 10, &told), 1);
    set_time(10 + 2 * HZ);
    assert_int_equal(ask(LOG_SOURCE_SERROR, 10, 20, &told), 10);
    set_time(1000 * (uint64_t)HZ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_source_has_a_number_and_a_name_of_its_own, setup),
        cmocka_unit_test_setup(a_source_has_its_limit_and_leaves_the_others_theirs, setup),
        cmocka_unit_test_setup(all_sources_share_the_budget_but_for_their_first, setup),
        cmocka_unit_test_setup(the_budget_is_the_rings, setup),
        cmocka_unit_test_setup(a_counter_that_went_back_is_survived, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
