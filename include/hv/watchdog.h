// SPDX-License-Identifier: Apache-2.0
// What no exit notices by itself: a guest that hangs, an EL2 handler that takes too long, input that nobody reads.
#pragma once

struct vcpu;

// Registers watchdog_tick for each second of each CPU (tick.h). Once, on the boot CPU, before the others start.
void watchdog_init(void);

// One look, on vcpu's CPU. Records slow-exit for an exit of this CPU that has just taken more than a second, el2-stall
// for another CPU that has been in one exit as long, guest-hang (and opens the monitor) when vcpu has kept an interrupt
// waiting for 10 seconds with interrupts masked.
void watchdog_tick(struct vcpu *vcpu);
