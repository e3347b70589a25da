// SPDX-License-Identifier: Apache-2.0
// Physical CPUs: start, identity, and work on another CPU.
#pragma once

#include <hv/types.h>

// 0 .. CPU_MAX-1, of the CPU this runs on.
unsigned int cpu_id(void);
// How many CPUs run ariel.
unsigned int cpu_count(void);
// Runs function(argument) in EL2 on every other CPU (at its next entry to EL2, hastened by an SGI) and then here;
// returns when all are done, or false when one does not answer in 100 ms (it is named in the log). Not from within a
// cpu_call.
bool cpu_call_all(void (*function)(void *argument), void *argument);
// The same on one CPU, which may be this one.
bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument);
