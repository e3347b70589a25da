// SPDX-License-Identifier: Apache-2.0
// Links: drivers/hyp_timer.c
// Links: platform/platform.c
// EL2's own timer: each CPU's earliest deadline is in the hardware, and each that has passed is called once.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>

#include <fake_panic.h>

static unsigned int here, enabled, uart_calls, watchdog_calls;
static uint64_t again;
static int one, two; // whose deadlines they are
static void *called_for;

unsigned int cpu_id(void)
{
    return here;
}

void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(cpu, here);
    enabled = intid;
}

static void uart_expired(void *argument)
{
    called_for = argument;
    uart_calls++;
    if (again != 0)
        hyp_timer_set(again, uart_expired, argument);
}

static void watchdog_expired(void *argument)
{
    assert_null(argument);
    watchdog_calls++;
}

static uint64_t hardware(void)
{
    return fake_sysreg_get("CNTHP_CVAL_EL2");
}

static int setup(void **state)
{
    (void)state;
    fake_sysreg_reset();
    uart_calls = watchdog_calls = 0;
    again = 0;
    fake_sysreg_set("CNTPCT_EL0", 100);
    for (here = 2; here-- > 0;)
        hyp_timer_init_cpu();
    here = 0;
    return 0;
}

static void starts_on_and_without_deadlines(void **state)
{
    (void)state;
    assert_int_equal(fake_sysreg_get("CNTHP_CTL_EL2"), 1);
    assert_int_equal(enabled, INTID_HYP_TIMER);
    assert_int_equal(hardware(), HYP_TIMER_NEVER);
    hyp_timer_set(90, uart_expired, &one);
    hyp_timer_init_cpu();
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 0);
}

static void the_earliest_deadline_is_in_the_hardware(void **state)
{
    (void)state;
    hyp_timer_set(1000, watchdog_expired, NULL);
    assert_int_equal(hardware(), 1000);
    hyp_timer_set(500, uart_expired, &one);
    assert_int_equal(hardware(), 500);
    hyp_timer_set(2000, uart_expired, &one);
    assert_int_equal(hardware(), 1000);
    hyp_timer_set(700, uart_expired, &one);
    hyp_timer_set(HYP_TIMER_NEVER, uart_expired, &one);
    assert_int_equal(hardware(), 1000);
}

static void a_deadline_is_called_once_when_it_has_passed(void **state)
{
    (void)state;
    hyp_timer_set(1000, watchdog_expired, NULL);
    hyp_timer_set(500, uart_expired, &one);
    fake_sysreg_set("CNTPCT_EL0", 499);
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 0);
    fake_sysreg_set("CNTPCT_EL0", 500);
    hyp_timer_interrupt();
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 1);
    assert_int_equal(watchdog_calls, 0);
    assert_int_equal(hardware(), 1000);
    hyp_timer_set(600, uart_expired, &one);
    fake_sysreg_set("CNTPCT_EL0", 5000); // both, late
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 2);
    assert_int_equal(watchdog_calls, 1);
    assert_int_equal(hardware(), HYP_TIMER_NEVER);
}

static void a_new_deadline_set_by_the_function_stays(void **state)
{
    (void)state;
    again = 800;
    hyp_timer_set(500, uart_expired, &one);
    fake_sysreg_set("CNTPCT_EL0", 500);
    hyp_timer_interrupt();
    assert_int_equal(hardware(), 800);
    again = 0;
    fake_sysreg_set("CNTPCT_EL0", 800);
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 2);
}

static void each_cpu_has_its_own(void **state)
{
    (void)state;
    hyp_timer_set(500, uart_expired, &one);
    fake_sysreg_set("CNTPCT_EL0", 600);
    here = 1;
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 0);
    here = 0;
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 1);
}

// Two guests' devices of one kind on one CPU.
static void each_argument_has_its_own(void **state)
{
    (void)state;
    hyp_timer_set(500, uart_expired, &one);
    hyp_timer_set(400, uart_expired, &two);
    assert_int_equal(hardware(), 400);
    fake_sysreg_set("CNTPCT_EL0", 450);
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 1);
    assert_ptr_equal(called_for, &two);
    assert_int_equal(hardware(), 500);
    hyp_timer_set(HYP_TIMER_NEVER, uart_expired, &two);
    assert_int_equal(hardware(), 500);
    fake_sysreg_set("CNTPCT_EL0", 500);
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 2);
    assert_ptr_equal(called_for, &one);
}

// A place whose deadline has passed is used again; more deadlines at once than there are places are a bug of EL2's.
static void the_list_is_bounded(void **state)
{
    static int owners[HYP_TIMER_DEADLINES + 1];

    (void)state;
    for (unsigned int round = 0; round < 3; round++) {
        for (unsigned int i = 0; i < HYP_TIMER_DEADLINES; i++)
            hyp_timer_set(1000 + i, uart_expired, &owners[(i + round) % ARRAY_COUNT(owners)]);
        fake_sysreg_set("CNTPCT_EL0", 5000);
        hyp_timer_interrupt();
        fake_sysreg_set("CNTPCT_EL0", 100);
        assert_int_equal(uart_calls, (round + 1) * HYP_TIMER_DEADLINES);
    }
    for (unsigned int i = 0; i < HYP_TIMER_DEADLINES; i++)
        hyp_timer_set(1000, uart_expired, &owners[i]);
    if (FAKE_PANIC_EXPECTED() == 0) {
        hyp_timer_set(1000, uart_expired, &owners[HYP_TIMER_DEADLINES]);
        fail();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_on_and_without_deadlines, setup),
        cmocka_unit_test_setup(the_earliest_deadline_is_in_the_hardware, setup),
        cmocka_unit_test_setup(a_deadline_is_called_once_when_it_has_passed, setup),
        cmocka_unit_test_setup(a_new_deadline_set_by_the_function_stays, setup),
        cmocka_unit_test_setup(each_cpu_has_its_own, setup),
        cmocka_unit_test_setup(each_argument_has_its_own, setup),
        cmocka_unit_test_setup(the_list_is_bounded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
