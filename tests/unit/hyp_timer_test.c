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

static unsigned int here, enabled, uart_calls, watchdog_calls;
static uint64_t again;

unsigned int cpu_id(void)
{
    return here;
}

void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(cpu, here);
    enabled = intid;
}

static void uart_expired(void)
{
    uart_calls++;
    if (again != 0)
        hyp_timer_set(HYP_TIMER_UART, again);
}

static void watchdog_expired(void)
{
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
    hyp_timer_register(HYP_TIMER_UART, uart_expired);
    hyp_timer_register(HYP_TIMER_TICK, watchdog_expired);
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
    hyp_timer_set(HYP_TIMER_UART, 90);
    hyp_timer_init_cpu();
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 0);
}

static void the_earliest_deadline_is_in_the_hardware(void **state)
{
    (void)state;
    hyp_timer_set(HYP_TIMER_TICK, 1000);
    assert_int_equal(hardware(), 1000);
    hyp_timer_set(HYP_TIMER_UART, 500);
    assert_int_equal(hardware(), 500);
    hyp_timer_set(HYP_TIMER_UART, 2000);
    assert_int_equal(hardware(), 1000);
    hyp_timer_set(HYP_TIMER_UART, 700);
    hyp_timer_set(HYP_TIMER_UART, HYP_TIMER_NEVER);
    assert_int_equal(hardware(), 1000);
}

static void a_deadline_is_called_once_when_it_has_passed(void **state)
{
    (void)state;
    hyp_timer_set(HYP_TIMER_TICK, 1000);
    hyp_timer_set(HYP_TIMER_UART, 500);
    fake_sysreg_set("CNTPCT_EL0", 499);
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 0);
    fake_sysreg_set("CNTPCT_EL0", 500);
    hyp_timer_interrupt();
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 1);
    assert_int_equal(watchdog_calls, 0);
    assert_int_equal(hardware(), 1000);
    hyp_timer_set(HYP_TIMER_UART, 600);
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
    hyp_timer_set(HYP_TIMER_UART, 500);
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
    hyp_timer_set(HYP_TIMER_UART, 500);
    fake_sysreg_set("CNTPCT_EL0", 600);
    here = 1;
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 0);
    here = 0;
    hyp_timer_interrupt();
    assert_int_equal(uart_calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_on_and_without_deadlines, setup),
        cmocka_unit_test_setup(the_earliest_deadline_is_in_the_hardware, setup),
        cmocka_unit_test_setup(a_deadline_is_called_once_when_it_has_passed, setup),
        cmocka_unit_test_setup(a_new_deadline_set_by_the_function_stays, setup),
        cmocka_unit_test_setup(each_cpu_has_its_own, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
