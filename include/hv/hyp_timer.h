// SPDX-License-Identifier: Apache-2.0
// EL2's own timer (CNTHP_*_EL2, PPI 26), shared by all that want to be called at a time: each CPU has a list of
// deadlines, and the hardware is set to the earliest. Deadlines count CNTPCT_EL0; who keeps guest time adds
// vm->virtual_offset, and must expect to be called while the VM is paused and guest time stands still.
#pragma once

#include <hv/types.h>

#define HYP_TIMER_NEVER UINT64_MAX

// At most so many functions with their arguments have a deadline on one CPU at the same time: the tick, a vCPU's
// physical timer, and the UART, the clock and the virtio devices of each VM.
#define HYP_TIMER_DEADLINES 16

// No deadlines on this CPU; turns its timer and the timer's interrupt on. Once per CPU, after gicv3_init_cpu.
void hyp_timer_init_cpu(void);

// Has expired(argument) called when CNTPCT_EL0 has reached at, once: in EL2, in the timer's interrupt, on the CPU that
// calls this (its vCPU may run, wait or be off, and need not be argument's VM's), without any lock held. It may set the
// next deadline. A deadline that the same function has for the same argument on this CPU is replaced; HYP_TIMER_NEVER
// withdraws it. One that has passed is due at once. Any locks may be held. It is a bug of EL2's (fatal.h) when
// HYP_TIMER_DEADLINES others are set.
void hyp_timer_set(uint64_t at, void (*expired)(void *argument), void *argument);

// PPI 26 was taken: calls everyone whose deadline has passed.
void hyp_timer_interrupt(void);
