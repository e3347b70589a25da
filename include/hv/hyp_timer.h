// SPDX-License-Identifier: Apache-2.0
// EL2's own timer (CNTHP_*_EL2, PPI 26), shared by all that want to be called at a time: each has a deadline on each
// CPU, and the hardware is set to the earliest. Deadlines count CNTPCT_EL0; who keeps guest time adds
// vm->virtual_offset, and must expect to be called while the VM is paused and guest time stands still.
#pragma once

#include <hv/types.h>

enum hyp_timer_user {
    HYP_TIMER_PHYSICAL_TIMER, // vdev/vtimer.c: the guest's emulated physical timer
    HYP_TIMER_UART,           // vdev/vpl011.c: what a PL011 does after a number of bit periods
    HYP_TIMER_RTC,            // vdev/vpl031.c: the alarm of the guest's clock
    HYP_TIMER_TICK,           // core/tick.c: once a second
    HYP_TIMER_USERS,
};

#define HYP_TIMER_NEVER UINT64_MAX

// Names the function that is called when a deadline of user has passed: in EL2, in the timer's interrupt, on the CPU
// that set the deadline (its vCPU may run, wait or be off), without any lock held. The deadline is HYP_TIMER_NEVER by
// then; the function may set a new one. At boot, before the first hyp_timer_set of that user.
void hyp_timer_register(enum hyp_timer_user user, void (*expired)(void));

// No deadlines on this CPU; turns its timer and the timer's interrupt on. Once per CPU, after gicv3_init_cpu.
void hyp_timer_init_cpu(void);

// Sets user's deadline on this CPU in place of the one before; HYP_TIMER_NEVER withdraws it. One that has passed is
// due at once. Any locks may be held.
void hyp_timer_set(enum hyp_timer_user user, uint64_t deadline);

// PPI 26 was taken: calls everyone whose deadline has passed.
void hyp_timer_interrupt(void);
