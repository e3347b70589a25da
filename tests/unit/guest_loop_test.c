// SPDX-License-Identifier: Apache-2.0
// Which guests are in a loop of refused accesses, and that each place of one is told once.
// Links: trace/guest_loop.c trace/telemetry.c trace/event_name.c arch/aarch64/esr_fields.c policy/event_key.c
// Links: policy/policy.c lib/printf.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <hv/guest_loop.h>
#include <hv/log_budget.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/telemetry.h>
#include <hv/trap_result.h>

static struct telemetry counters;
static struct telemetry *const telemetry = &counters;
static unsigned int told;
static char last[512];

static const struct policy_row row = {"policy/test.toml:5", "default", "no row names this", 10, POLICY_DENY};
static const struct policy_range flash = {.base = 0, .size = 0x08000000, .key = KEY_DEVICE_FLASH};

static const struct policy policy = {.rows = &row, .row_count = 1, .ranges = &flash, .range_count = 1};
static struct vm vm = {.policy = &policy};
static struct vcpu vcpu = {.vm = &vm, .id = 2, .telemetry = &counters};

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    va_list arguments;

    assert_int_equal(limit.source, LOG_SOURCE_LOOP);
    assert_int_equal(limit.level, LOG_WARN);
    assert_int_equal(class, LOG_GUEST);
    assert_string_equal(event, "guest-loop");
    assert_non_null(strstr(format, "why=%pQ"));
    va_start(arguments, format);
    (void)format_text_v(last, sizeof(last), format, arguments);
    va_end(arguments);
    told++;
}

static struct event refused(uint64_t pc, uint64_t address)
{
    return (struct event){.vcpu = 2,
                          .pc = pc,
                          .address = address,
                          .key = KEY_CAUSE_IABT,
                          .cause = KEY_CAUSE_IABT,
                          .verdict = POLICY_DENY,
                          .result = TRAP_INJECT_ABORT};
}

// count exits, at places[0], places[1] ... in turn.
static void exits(const struct event *places, unsigned int place_count, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct event *event = telemetry_begin(telemetry);
        *event = places[i % place_count];
        event->vcpu = 2;
        telemetry_end(telemetry, event, 0);
    }
}

static int setup(void **state)
{
    static const struct event other = {.verdict = POLICY_EMULATE, .key = KEY_CAUSE_WFI};

    (void)state;
    telemetry_init(telemetry, 2);
    exits(&other, 1, 256);
    guest_loop_tick(&vcpu); // what was is over
    told = 0;
    return 0;
}

static void a_loop_is_told_once(void **state)
{
    struct event event = refused(0x200, 0x200);

    (void)state;
    for (unsigned int second = 0; second < 20; second++) {
        exits(&event, 1, 50000);
        guest_loop_tick(&vcpu);
    }
    assert_int_equal(told, 1);
    assert_non_null(strstr(last, " device=flash addr=0x200 pc=0x200 "));
    assert_non_null(strstr(last, " result=abort per_second=49"));
    assert_non_null(strstr(last, " row=0 at=policy/test.toml:5 "));
    assert_true(guest_loop_has(telemetry, &event));
    event.address++;
    assert_false(guest_loop_has(telemetry, &event));
}

static void a_loop_of_several_places_is_told_place_by_place(void **state)
{
    const struct event places[] = {refused(0x200, 0x200), refused(0x40000000, 0x09020000), refused(0x40000010, 8)};

    (void)state;
    for (unsigned int second = 0; second < 20; second++) {
        exits(places, 3, 3000);
        guest_loop_tick(&vcpu);
    }
    assert_int_equal(told, 3);
    for (unsigned int i = 0; i < 3; i++)
        assert_true(guest_loop_has(telemetry, &places[i]));
}

static void what_ends_may_be_told_again(void **state)
{
    const struct event event = refused(0x200, 0x200), other = {.verdict = POLICY_EMULATE, .pc = 4};

    (void)state;
    exits(&event, 1, 5000);
    guest_loop_tick(&vcpu);
    assert_true(guest_loop_has(telemetry, &event));
    exits(&other, 1, 5000);
    guest_loop_tick(&vcpu);
    assert_false(guest_loop_has(telemetry, &event));
    exits(&event, 1, 5000);
    guest_loop_tick(&vcpu);
    assert_int_equal(told, 2);
    exits(&event, 1, 500); // slower: its records are worth reading again
    guest_loop_tick(&vcpu);
    assert_false(guest_loop_has(telemetry, &event));
}

static void what_is_no_loop_is_not_told(void **state)
{
    const struct event polling = {.verdict = POLICY_EMULATE, .pc = 4, .address = 0x09000018, .logged = 1};
    struct event places[40];

    (void)state;
    exits(&polling, 1, 50000); // a driver
    guest_loop_tick(&vcpu);
    for (unsigned int i = 0; i < 40; i++)
        places[i] = refused(0x40000000 + 4 * i, 0); // somebody who looks for many things
    exits(places, 40, 40000);
    guest_loop_tick(&vcpu);
    exits(places, 1, 900); // now and then
    guest_loop_tick(&vcpu);
    assert_int_equal(told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_loop_is_told_once, setup),
        cmocka_unit_test_setup(a_loop_of_several_places_is_told_place_by_place, setup),
        cmocka_unit_test_setup(what_ends_may_be_told_again, setup),
        cmocka_unit_test_setup(what_is_no_loop_is_not_told, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
