// SPDX-License-Identifier: Apache-2.0
// The tick: functions that each CPU calls once a second, from an interrupt of EL2's own timer. Other rooms register
// such a function and need no timer of their own. The next tick is set before the functions of this one run. So a slow
// function does not make the seconds longer: if the functions take 0.3 s, the next tick still comes 1 s after this one
// and not 1.3 s. If they take longer than a second, the next tick is overdue when they end, and comes at once. It comes
// once, however many seconds have passed.
#include <hv/tick.h>

#include <hv/arch/registers.h>
#include <hv/hyp_timer.h>
#include <hv/irq.h>
#include <hv/panic.h>
#include <hv/platform.h>

static tick_function functions[TICK_FUNCTIONS_MAX];
static unsigned int function_count;

// Registering a function again does nothing, because a room may register its function from code that each CPU runs.
// There is no lock: registrations are made at boot, by one CPU at a time.
void tick_register(tick_function function)
{
    for (unsigned int i = 0; i < function_count; i++)
        if (functions[i] == function)
            return;
    if (function_count == TICK_FUNCTIONS_MAX)
        panic("tick: more than %u functions", TICK_FUNCTIONS_MAX);
    functions[function_count++] = function;
}

static void second_passed(void *argument);

// CNTFRQ_EL0 is the number of ticks of CNTPCT_EL0 in a second.
static void set_next(void)
{
    hyp_timer_set(READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0), second_passed, NULL);
}

// Called by hyp_timer.c when the tick's deadline has passed.
static void second_passed(void *argument)
{
    (void)argument;
    set_next();
    for (unsigned int i = 0; i < function_count; i++)
        functions[i]();
}

// The timer's interrupt is shared by all users of hyp_timer.c, which finds out whose deadline has passed.
static enum irq_end timer_interrupt(void *argument)
{
    (void)argument;
    hyp_timer_interrupt();
    return IRQ_DONE;
}

// Each CPU calls this for itself: the timer and its PPI exist once for each CPU.
void tick_init_cpu(void)
{
    irq_register(platform.hyp_timer_intid, timer_interrupt, NULL);
    set_next();
}
