// SPDX-License-Identifier: Apache-2.0
// EL2's interrupts: each reaches whoever registered it, what is left to do with it is done, and a storm ends. The
// seconds of core/tick.c come by EL2's own timer.
// Links: core/irq.c core/tick.c drivers/hyp_timer.c platform/platform.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_cpu_id.h>
#include <fake_gicv3.h>
#include <fake_panic.h>
#include <fake_records.h>

#include <hv/arch/registers.h>
#include <hv/hyp_timer.h>
#include <hv/irq.h>
#include <hv/tick.h>

#define SECOND 1000
#define SPI    33

static unsigned int served, ticks, other_ticks;

static enum irq_end take(void *argument)
{
    ++*(unsigned int *)argument;
    return IRQ_DONE;
}

static enum irq_end forward(void *argument)
{
    ++*(unsigned int *)argument;
    return IRQ_FORWARDED;
}

static int register_all(void **state)
{
    (void)state;
    irq_register(GICV3_SGI_KICK, take, &served);
    irq_register(INTID_MAINTENANCE, take, &served);
    irq_register(INTID_VIRTUAL_TIMER, forward, &served);
    irq_register(SPI, take, &served);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    served = ticks = other_ticks = 0;
    fake_gicv3 = (struct fake_gicv3){.last_disabled = INTID_SPURIOUS};
    fake_records = (struct fake_records){0};
    fake_sysreg_set("CNTFRQ_EL0", SECOND);
    fake_sysreg_set("CNTPCT_EL0", 100 * SECOND);
    return 0;
}

static void serve_all(unsigned int intid, unsigned int count)
{
    for (fake_gicv3.pending_count = 0; fake_gicv3.pending_count < count; fake_gicv3.pending_count++)
        fake_gicv3.pending[fake_gicv3.pending_count] = intid;
    irq_serve(gicv3_acknowledge());
}

static void an_interrupt_reaches_its_handler_and_is_ended(void **state)
{
    (void)state;
    serve_all(SPI, 1);
    assert_int_equal(served, 1);
    assert_int_equal(fake_gicv3.dropped, 1);
    assert_int_equal(fake_gicv3.deactivated, 1);
    serve_all(INTID_VIRTUAL_TIMER, 1); // the guest deactivates it
    assert_int_equal(served, 2);
    assert_int_equal(fake_gicv3.deactivated, 1);
    irq_serve(INTID_SPURIOUS);
    assert_int_equal(fake_gicv3.dropped, 2);
}

static void an_interrupt_of_nobodys_is_turned_off_in_one_record(void **state)
{
    (void)state;
    serve_all(99, 1);
    assert_int_equal(fake_gicv3.last_disabled, 99);
    assert_int_equal(fake_records.count, 1);
    assert_int_equal(fake_gicv3.deactivated, 1);
}

static void a_storm_of_interrupts_ends_the_exit(void **state)
{
    (void)state;
    serve_all(SPI, 32);
    assert_int_equal(served, IRQ_PER_EXIT_MAX);
    assert_int_equal(fake_gicv3.pending_count, 32 - IRQ_PER_EXIT_MAX);
    assert_int_equal(fake_gicv3.last_disabled, INTID_SPURIOUS);
}

// Its line stays up whatever is done: the guest must go on all the same.
static void a_stuck_private_interrupt_is_turned_off_in_one_record(void **state)
{
    (void)state;
    for (fake_gicv3.pending_count = 0; fake_gicv3.pending_count < 16; fake_gicv3.pending_count++)
        fake_gicv3.pending[fake_gicv3.pending_count] = INTID_MAINTENANCE;
    fake_gicv3.pending[0] = GICV3_SGI_KICK; // the last of them: not stuck yet
    irq_serve(gicv3_acknowledge());
    assert_int_equal(fake_gicv3.last_disabled, INTID_SPURIOUS);
    serve_all(INTID_MAINTENANCE, 17);
    assert_int_equal(fake_records.count, 1);
    assert_int_equal(fake_gicv3.last_disabled, INTID_MAINTENANCE);
    assert_int_equal(fake_gicv3.pending_count, 1); // and the exit ends
    fake_gicv3.last_disabled = INTID_SPURIOUS;
    serve_all(GICV3_SGI_KICK, 16); // another vCPU's doing
    assert_int_equal(fake_gicv3.last_disabled, INTID_SPURIOUS);
}

static void an_interrupt_belongs_to_one_handler(void **state)
{
    (void)state;
    irq_register(SPI, take, &served); // the same again
    if (FAKE_PANIC_EXPECTED() == 0) {
        irq_register(SPI, forward, &served);
        fail();
    }
    assert_string_equal(fake_panic_text, "irq: INTID 33 is registered twice");
    if (FAKE_PANIC_EXPECTED() == 0) {
        irq_register(INTID_SPECIAL, take, &served);
        fail();
    }
    assert_string_equal(fake_panic_text, "irq: INTID 1020 is out of range: 1019 at most");
}

static void count_second(void)
{
    ticks++;
}

static void count_second_too(void)
{
    other_ticks++;
}

// Late or not, the next tick is a whole second after this one.
static void a_second_passes(void **state)
{
    (void)state;
    tick_register(count_second);
    tick_register(count_second_too);
    tick_register(count_second); // it has a place already
    hyp_timer_init_cpu();
    tick_init_cpu();
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), 101 * SECOND);
    fake_sysreg_set("CNTPCT_EL0", 101 * SECOND - 1);
    irq_serve(INTID_HYP_TIMER);
    assert_int_equal(ticks, 0);
    fake_sysreg_set("CNTPCT_EL0", 101 * SECOND + 3);
    irq_serve(INTID_HYP_TIMER);
    irq_serve(INTID_HYP_TIMER);
    assert_int_equal(ticks, 1);
    assert_int_equal(other_ticks, 1);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), 102 * SECOND + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_interrupt_reaches_its_handler_and_is_ended, setup),
        cmocka_unit_test_setup(an_interrupt_of_nobodys_is_turned_off_in_one_record, setup),
        cmocka_unit_test_setup(a_storm_of_interrupts_ends_the_exit, setup),
        cmocka_unit_test_setup(a_stuck_private_interrupt_is_turned_off_in_one_record, setup),
        cmocka_unit_test_setup(an_interrupt_belongs_to_one_handler, setup),
        cmocka_unit_test_setup(a_second_passes, setup),
    };
    return cmocka_run_group_tests(tests, register_all, NULL);
}
