// SPDX-License-Identifier: Apache-2.0
// EL2's own timer (CNTHP, DDI 0487 D11) has one comparator on each CPU, and several users want to be called at times
// of their own. So each user has a deadline on each CPU, and the comparator is set to the earliest of them. For
// example, with the watchdog due at 1,000,000 and a guest's alarm at 400,000, CNTHP_CVAL_EL2 is 400,000; when that has
// passed the alarm's user is called, and the comparator moves on to 1,000,000.
//
// A CPU touches its own deadlines only, and only with interrupts masked, so there is no lock. The timer is never turned
// off: core/tick.c always has a deadline, and HYP_TIMER_NEVER, the largest number, is never reached.

#include <hv/hyp_timer.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/memory_map.h>
#include <hv/platform.h>

static void (*handlers[HYP_TIMER_USERS])(void);
static uint64_t deadlines[CPU_MAX][HYP_TIMER_USERS];

// The deadlines of the CPU that calls. There is no function for those of another CPU.
static uint64_t *own_deadlines(void)
{
    return deadlines[cpu_id()];
}

// Sets the comparator to the earliest deadline. The timer's output is level-sensitive and follows the comparator; the
// barrier makes it fall before EL2 deactivates the interrupt of a deadline that has moved, which would else come again.
static void program(const uint64_t *own)
{
    uint64_t earliest = HYP_TIMER_NEVER;

    for (unsigned int user = 0; user < HYP_TIMER_USERS; user++)
        if (own[user] < earliest)
            earliest = own[user];
    WRITE_SYSREG(CNTHP_CVAL_EL2, earliest);
    barrier_context();
}

// A user has one handler for all CPUs. It runs in the interrupt, on the CPU whose deadline has passed.
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

// Users may call this often with an unchanged deadline. Then the register write and its barrier, which cost time, are
// left out.
void hyp_timer_set(enum hyp_timer_user user, uint64_t deadline)
{
    uint64_t *own = own_deadlines();

    if (own[user] == deadline)
        return;
    own[user] = deadline;
    program(own);
}

// Calls each user whose deadline has passed. The deadline is taken away before the handler runs, because the handler
// may set its next one. The comparator is programmed once more at the end, for deadlines that were taken away and not
// set again.
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
