// SPDX-License-Identifier: Apache-2.0
// Functions that are called once a second on each CPU: the watchdog, the console's care for a line that nobody reads.
#pragma once

typedef void (*tick_function)(void);

#define TICK_FUNCTIONS_MAX 4

// function is called once a second from now on, on each CPU that has called tick_init_cpu: in EL2, in the timer's
// interrupt, no locks held; the vCPU of that CPU may run, wait or be off. At boot, on the boot CPU, before the others
// start. Registering the same function again is no fault. Panics when there is no place for one more.
void tick_register(tick_function function);

// Starts the seconds of this CPU. Once per CPU, after hyp_timer_init_cpu.
void tick_init_cpu(void);
