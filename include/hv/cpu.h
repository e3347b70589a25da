// SPDX-License-Identifier: Apache-2.0
// Physical CPUs: start, identity, and work on another CPU.
#pragma once

#include <hv/arch/cpu.h>
#include <hv/types.h>

// What another CPU has time for before it is called late. EL2 is never as slow, but a busy host can keep the thread
// that is a CPU from running for hundreds of milliseconds.
#define CPU_LATE_MS 2000

// Registers the handler of EL2's SGI, and how a panic stops the other CPUs. Once, on the boot CPU, before any other CPU
// starts.
void cpu_init(void);
// How many CPUs run ariel: 0 .. cpu_count() - 1.
unsigned int cpu_count(void);
// Starts CPUs 1 .. count - 1 one after the other, each at the code at entry (a physical address: its MMU is off) with
// its number in x0. False, with a record, when one does not come up within ten seconds; those before it run. Once, on
// the boot CPU.
bool cpu_start_others(unsigned int count, uint64_t entry);
// A started CPU says that it runs.
void cpu_mark_running(void);
// Runs function(argument) in EL2 on each CPU of the set (bit n: CPU n): on all others at once, hastened by SGIs, and
// then here when this one is in the set. It waits for one round of the others and no longer, also while they call too.
// False when one does not answer in CPU_LATE_MS (it is named in the log) or does not run. What runs on several CPUs at
// once must be fit for it. No locks held that function or another CPU's call takes; not from within a called function.
bool cpu_call_each(uint32_t cpus, void (*function)(void *argument), void *argument);
// The same on every CPU, and on one.
bool cpu_call_all(void (*function)(void *argument), void *argument);
bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument);
// Asks every other CPU to run function(argument) and waits for none (panic).
void cpu_post_all(void (*function)(void *argument), void *argument);
// EL2's SGI arrived, or this CPU waits for another one: runs what was asked of this CPU.
void cpu_serve_kick(void);
