// SPDX-License-Identifier: Apache-2.0
// What no exit notices by itself: a guest that hangs, an EL2 handler that takes too long, input that nobody reads.
#pragma once

struct vcpu;

// From now on watchdog_tick is called once a second on this CPU. After hyp_timer_init_cpu.
void watchdog_init_cpu(void);

// One look, on vcpu's CPU. Records slow-exit for an exit of this CPU that has just taken more than a second, el2-stall
// for another CPU that has been in one exit as long, guest-hang (and opens the monitor) when vcpu has kept an interrupt
// waiting for 10 seconds with interrupts masked.
void watchdog_tick(struct vcpu *vcpu);
