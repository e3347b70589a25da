// SPDX-License-Identifier: Apache-2.0
// EL2's own timer (CNTHP, DDI 0487 D11) has one comparator on each CPU, and several want to be called at times of their
// own: the tick, and the devices of each guest. So each CPU has a list of deadlines, and the comparator is set to the
// earliest of them. For example, with the tick due at 1,000,000 and a guest's alarm at 400,000, CNTHP_CVAL_EL2 is
// 400,000; when that has passed the alarm's function is called, and the comparator moves on to 1,000,000.
//
// A deadline belongs to a function and its argument. Two guests' clocks have the same function and different arguments,
// so that neither takes the other's deadline away, also on one CPU: the boot CPU brings what is typed to all of them.
//
// A CPU touches its own deadlines only, and only with interrupts masked, so there is no lock. The timer is never turned
// off: core/tick.c always has a deadline, and HYP_TIMER_NEVER, the largest number, is never reached.

#include <hv/hyp_timer.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/arch/registers.h>
#include <hv/fatal.h>
#include <hv/gicv3.h>
#include <hv/memory_map.h>
#include <hv/platform.h>

struct deadline {
    uint64_t at;                     // in ticks of CNTPCT_EL0; HYP_TIMER_NEVER: the place is free
    void (*expired)(void *argument); // whose it is, together with argument
    void *argument;
};

// One CPU's. The places behind the first count were never used.
struct deadlines {
    unsigned int count;
    struct deadline of[HYP_TIMER_DEADLINES];
};

static struct deadlines deadlines[CPU_MAX];

// The deadlines of the CPU that calls. There is no function for those of another CPU.
static struct deadlines *own_deadlines(void)
{
    return &deadlines[cpu_id()];
}

// Sets the comparator to the earliest deadline. The timer's output is level-sensitive and follows the comparator; the
// barrier makes it fall before EL2 deactivates the interrupt of a deadline that has moved, which would else come again.
static void program(const struct deadlines *own)
{
    uint64_t earliest = HYP_TIMER_NEVER;

    for (unsigned int n = 0; n < own->count; n++)
        if (own->of[n].at < earliest)
            earliest = own->of[n].at;
    WRITE_SYSREG(CNTHP_CVAL_EL2, earliest);
    barrier_context();
}

void hyp_timer_init_cpu(void)
{
    struct deadlines *own = own_deadlines();

    own->count = 0;
    program(own);
    WRITE_SYSREG(CNTHP_CTL_EL2, CNTX_CTL_ENABLE);
    barrier_context(); // an old deadline is gone before the interrupt is let in
    gicv3_enable(platform.hyp_timer_intid, cpu_id());
}

// The place of that function and argument: the one that it has had, or else a free one.
static struct deadline *find_place(struct deadlines *own, void (*expired)(void *argument), void *argument)
{
    struct deadline *place = NULL;

    for (unsigned int n = 0; n < own->count; n++) {
        if (own->of[n].expired == expired && own->of[n].argument == argument)
            return &own->of[n];
        if (own->of[n].at == HYP_TIMER_NEVER)
            place = &own->of[n];
    }
    if (place == NULL) {
        if (own->count == HYP_TIMER_DEADLINES)
            fatal("hyp_timer: more than HYP_TIMER_DEADLINES on one CPU");
        place = &own->of[own->count++];
    }
    *place = (struct deadline){HYP_TIMER_NEVER, expired, argument};
    return place;
}

// Devices may call this often with an unchanged deadline. Then the register write and its barrier, which cost time, are
// left out.
void hyp_timer_set(uint64_t at, void (*expired)(void *argument), void *argument)
{
    struct deadlines *own = own_deadlines();
    struct deadline *place = find_place(own, expired, argument);

    if (place->at == at)
        return;
    place->at = at;
    program(own);
}

// Calls each function whose deadline has passed. The deadline is taken away before the function runs, because the
// function may set its next one. The comparator is programmed once more at the end, for deadlines that were taken away
// and not set again.
void hyp_timer_interrupt(void)
{
    struct deadlines *own = own_deadlines();
    uint64_t now = READ_SYSREG(CNTPCT_EL0);

    for (unsigned int n = 0; n < own->count; n++) {
        struct deadline *due = &own->of[n];

        if (due->at > now)
            continue;
        due->at = HYP_TIMER_NEVER;
        due->expired(due->argument);
    }
    program(own);
}
