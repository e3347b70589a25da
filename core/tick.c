// SPDX-License-Identifier: Apache-2.0
// The second that passes on each CPU, by EL2's own timer. The next tick is set before this one's functions run, so that
// slow ones do not make the second longer; a tick that was missed meanwhile comes at once, and only once.
#include <hv/tick.h>

#include <hv/arch/registers.h>
#include <hv/hyp_timer.h>
#include <hv/irq.h>
#include <hv/panic.h>
#include <hv/platform.h>

static tick_function functions[TICK_FUNCTIONS_MAX];
static unsigned int function_count;

void tick_register(tick_function function)
{
    for (unsigned int i = 0; i < function_count; i++)
        if (functions[i] == function)
            return;
    if (function_count == TICK_FUNCTIONS_MAX)
        panic("tick: more than %u functions", TICK_FUNCTIONS_MAX);
    functions[function_count++] = function;
}

static void set_next(void)
{
    hyp_timer_set(HYP_TIMER_TICK, READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0));
}

static void second_passed(void)
{
    set_next();
    for (unsigned int i = 0; i < function_count; i++)
        functions[i]();
}

static enum irq_end timer_interrupt(void *argument)
{
    (void)argument;
    hyp_timer_interrupt();
    return IRQ_DONE;
}

void tick_init_cpu(void)
{
    irq_register(platform.hyp_timer_intid, timer_interrupt, NULL);
    hyp_timer_register(HYP_TIMER_TICK, second_passed);
    set_next();
}
