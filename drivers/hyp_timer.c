// SPDX-License-Identifier: Apache-2.0
// EL2's own timer, and the deadlines of those who share it. Each CPU touches its own deadlines only, so there is no
// lock. The timer is never off: core/tick.c always has a deadline, and one of HYP_TIMER_NEVER does not come.

#include <hv/hyp_timer.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/memory_map.h>
#include <hv/platform.h>

static void (*handlers[HYP_TIMER_USERS])(void);
static uint64_t deadlines[CPU_MAX][HYP_TIMER_USERS];

static uint64_t *own_deadlines(void)
{
    return deadlines[cpu_id()];
}

// Sets the hardware to the earliest deadline. The timer's output follows at once, before EL2 ends the interrupt of a
// deadline that was moved: else it would come again.
static void program(const uint64_t *own)
{
    uint64_t earliest = HYP_TIMER_NEVER;

    for (unsigned int user = 0; user < HYP_TIMER_USERS; user++)
        if (own[user] < earliest)
            earliest = own[user];
    WRITE_SYSREG(CNTHP_CVAL_EL2, earliest);
    barrier_context();
}

void hyp_timer_register(enum hyp_timer_user user, void (*expired)(void))
{
    handlers[user] = expired;
}

void hyp_timer_init_cpu(void)
{
    uint64_t *own = own_deadlines();

    for (unsigned int user = 0; user < HYP_TIMER_USERS; user++)
        own[user] = HYP_TIMER_NEVER;
    program(own);
    WRITE_SYSREG(CNTHP_CTL_EL2, CNTX_CTL_ENABLE);
    barrier_context(); // an old deadline is gone before the interrupt is let in
    gicv3_enable(platform.hyp_timer_intid, cpu_id());
}

void hyp_timer_set(enum hyp_timer_user user, uint64_t deadline)
{
    uint64_t *own = own_deadlines();

    if (own[user] == deadline)
        return;
    own[user] = deadline;
    program(own);
}

void hyp_timer_interrupt(void)
{
    uint64_t *own = own_deadlines();
    uint64_t now = READ_SYSREG(CNTPCT_EL0);

    for (unsigned int user = 0; user < HYP_TIMER_USERS; user++) {
        if (own[user] > now)
            continue;
        own[user] = HYP_TIMER_NEVER;
        handlers[user]();
    }
    program(own);
}
