// SPDX-License-Identifier: Apache-2.0
// Links: core/cpu.c core/notify.c platform/platform.c
// Calls between CPUs: they run once, where and while the caller waits for them, or never.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ENTRY UINT64_C(0x41000100) // where the other CPUs start

#include <hv/arch/psci_firmware.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/log.h>
#include <hv/platform.h>
#include <hv/memory_map.h>

#include <fake_irq.h>
#include <fake_panic.h>

static unsigned int here;    // the CPU that runs
static bool others_answer;   // another CPU takes its kick at once
static unsigned int dead;    // the CPU that the firmware refuses to start, or that
static bool refused;         // is started and never comes up
static unsigned int records; // of a late CPU
static unsigned int ran_on, runs, nested, parked;

unsigned int cpu_id(void)
{
    return here;
}

void cpu_wait_for_interrupt(void)
{
}

int64_t firmware_cpu_on(uint64_t affinity, uint64_t entry, uint64_t context)
{
    unsigned int caller = here;
    unsigned int cpu = platform_cpu_number(affinity);
    assert_int_equal(cpu, context);
    assert_int_equal(entry, ENTRY);
    if (cpu == dead)
        return refused ? -2 : 0;
    here = cpu;
    cpu_mark_running();
    here = caller;
    return 0;
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    (void)level, (void)class, (void)event, (void)format;
    records++;
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit;
    (void)class, (void)event, (void)format;
    records++;
}

void gicv3_send_sgi(unsigned int intid, unsigned int cpu)
{
    unsigned int caller = here;
    assert_int_equal(intid, GICV3_SGI_KICK);
    if (others_answer) {
        here = cpu;
        cpu_serve_kick();
        here = caller;
    }
    // Each kick costs ten seconds: whoever waits for an answer waits too long.
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 10000);
}

static void count(void *argument)
{
    ran_on = here;
    runs += *(unsigned int *)argument;
}

static void count_argument(void *argument)
{
    assert_null(argument);
    parked++;
}

// A function that itself serves what is asked of its CPU does not meet itself again.
static void count_and_serve(void *argument)
{
    nested++;
    assert_int_equal(nested, 1);
    count(argument);
    cpu_serve_kick();
    nested--;
}

static int setup(void **state)
{
    (void)state;
    fake_trace_reset();
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 1000);
    here = 0;
    records = runs = nested = parked = dead = 0;
    others_answer = true;
    fake_yield = NULL;
    assert_true(cpu_start_others(4, ENTRY));
    assert_int_equal(cpu_count(), 4);
    return 0;
}

static void a_call_runs_once_on_its_cpu(void **state)
{
    unsigned int one = 1;
    (void)state;
    assert_true(cpu_call(2, count, &one));
    assert_int_equal(ran_on, 2);
    assert_true(cpu_call(0, count, &one));
    assert_int_equal(ran_on, 0);
    assert_false(cpu_call(4, count, &one));
    assert_int_equal(runs, 2);
    assert_true(cpu_call_all(count, &one));
    assert_int_equal(runs, 6);
    assert_true(cpu_call(3, count_and_serve, &one));
    assert_int_equal(runs, 7);
}

// Its argument is on the stack of a caller that has gone on: it must not be looked at any more.
static void a_call_that_nobody_waits_for_never_runs(void **state)
{
    unsigned int one = 1;
    (void)state;
    others_answer = false;
    assert_false(cpu_call(1, count, &one));
    assert_int_equal(records, 1);
    here = 1;
    cpu_serve_kick();
    assert_int_equal(runs, 0);
    here = 0;
    others_answer = true;
    assert_true(cpu_call(1, count, &one));
    assert_int_equal(runs, 1);
}

static bool serving;
static bool calling[CPU_MAX];
static unsigned int rounds;

// The waiting CPU gives way: every other one has its turn, once.
static void one_round(void)
{
    unsigned int caller = here;

    if (serving)
        return; // whoever serves yields as well
    serving = true;
    rounds++;
    assert_true(rounds < 100);
    for (here = 0; here < cpu_count(); here++)
        if (here != caller)
            cpu_serve_kick();
    here = caller;
    serving = false;
}

static void a_call_of_all_waits_for_one_round(void **state)
{
    unsigned int one = 1;
    (void)state;
    others_answer = false;
    fake_yield = one_round;
    rounds = 0;
    assert_true(cpu_call_all(count, &one));
    assert_int_equal(runs, 4);
    assert_int_equal(rounds, 1);
    assert_true(cpu_call_each(0xa, count, &one));
    assert_int_equal(runs, 6);
    assert_int_equal(rounds, 2);
    assert_false(cpu_call_each(0x12, count, &one)); // CPU 4 does not run
    assert_int_equal(runs, 7);
}

// While one waits the next one calls, and while the last one waits all have their turn.
static void next_one_calls(void)
{
    unsigned int caller = here, next = (here + 1) % 4, one = 1;

    if (serving)
        return;
    if (calling[next]) {
        one_round();
        return;
    }
    calling[next] = true;
    here = next;
    assert_true(cpu_call_all(count, &one));
    here = caller;
}

static void callers_do_not_queue(void **state)
{
    unsigned int one = 1;
    (void)state;
    others_answer = false;
    fake_yield = next_one_calls;
    rounds = 0;
    memset(calling, 0, sizeof(calling));
    calling[0] = true;
    assert_true(cpu_call_all(count, &one));
    assert_int_equal(runs, 16);
    assert_in_range(rounds, 1, 4);
}

static void pass_time(void)
{
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 1);
}

// Those before it run; those behind it are not asked for.
static void a_cpu_that_does_not_come_up_is_told_and_left_out(void **state)
{
    unsigned int one = 1;
    (void)state;
    fake_yield = pass_time;
    dead = 4;
    for (unsigned int i = 0; i < 2; i++) {
        refused = i == 0;
        records = 0;
        assert_false(cpu_start_others(6, ENTRY));
        assert_int_equal(records, 1);
        assert_int_equal(cpu_count(), 4);
        assert_false(cpu_call(4, count, &one));
        assert_false(cpu_call(5, count, &one));
    }
    assert_int_equal(runs, 0);
    assert_int_equal(fake_sysreg_get("CNTPCT_EL0"), 10000); // 10 seconds, of the one that the firmware has started
}

// What panic asks replaces a call under way, and is not lost with its end.
static void replace(void *argument)
{
    here = 0;
    others_answer = false;
    cpu_post_all(count, argument);
    here = 1;
}

static void a_posted_function_outlives_a_call(void **state)
{
    unsigned int one = 1;
    (void)state;
    here = 1;
    others_answer = false;
    here = 0;
    assert_false(cpu_call(1, replace, &one));
    cpu_post_all(replace, &one);
    here = 1;
    cpu_serve_kick(); // replace, during which CPU 0 posts count
    assert_int_equal(runs, 0);
    cpu_serve_kick();
    assert_int_equal(runs, 1);
    for (here = 2; here < 4; here++)
        cpu_serve_kick();
}

static void a_kick_is_served_and_a_panic_stops_the_others(void **state)
{
    unsigned int one = 1;
    (void)state;
    cpu_init();
    assert_int_equal(fake_irq_intid, GICV3_SGI_KICK);
    others_answer = false;
    here = 1;
    cpu_post_all(count, &one);
    here = 2;
    assert_int_equal(fake_irq_handler(fake_irq_argument), IRQ_DONE);
    assert_int_equal(ran_on, 2);
    assert_int_equal(runs, 1);
    here = 1;
    fake_panic_stopper(count_argument); // asks, and waits for nobody
    for (here = 0; here < 4; here++)
        cpu_serve_kick();
    assert_int_equal(parked, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_runs_once_on_its_cpu, setup),
        cmocka_unit_test_setup(a_call_of_all_waits_for_one_round, setup),
        cmocka_unit_test_setup(callers_do_not_queue, setup),
        cmocka_unit_test_setup(a_call_that_nobody_waits_for_never_runs, setup),
        cmocka_unit_test_setup(a_posted_function_outlives_a_call, setup),
        cmocka_unit_test_setup(a_kick_is_served_and_a_panic_stops_the_others, setup),
        cmocka_unit_test_setup(a_cpu_that_does_not_come_up_is_told_and_left_out, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
