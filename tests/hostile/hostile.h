// SPDX-License-Identifier: Apache-2.0
// What the attacks share: seeded random numbers, hostile values, every form of access, and one line of account at the
// end of each attack.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hv/memory_map.h>

#include "lib/exception.h"

// Lines to execute before any that is typed, and where the host puts them.
#define JOBS_IPA  (GUEST_RAM_IPA + 0x0ff00000)
#define JOBS_SIZE 0x1000
// Where attacks may store without destroying the guest's own program; a part for each CPU.
#define SCRATCH_IPA      (GUEST_RAM_IPA + 0x10000000)
#define SCRATCH_SIZE     0x1000000
#define SCRATCH_CPU_SIZE (SCRATCH_SIZE / CPU_MAX)
// Guest RAM that no attack names but at its end; the host compares it before and after.
#define UNTOUCHED_IPA UINT64_C(0x58000000)
#define UNTOUCHED_END UINT64_C(0x6fff0000)

// Per CPU; the same seed gives the same attacks on one CPU.
uint64_t random_next(void);
// 0 .. n - 1
uint64_t random_below(uint64_t n);
// Edges of everything: ends of RAM, EL2's own memory, devices, wraps, small and huge numbers, all of them give or take
// a few, and anything at all.
uint64_t random_hostile(void);
// An address for an access of up to 512 bytes before and behind it: hostile, a device, any page below 1 TiB. Never what
// holds this program up, nor the untouched half.
uint64_t random_address(void);
// An emulated device, mostly aligned; never the UART's data register.
uint64_t random_device_address(void);
// What holds this program and its console up.
bool is_ours(uint64_t address);

// An attack has been made. good: it ended as the architecture and ariel's manuals say. Otherwise the first ones of a
// run are printed as "# bad <words> <a> <b> <c>".
void account(bool good, const char *words, uint64_t a, uint64_t b, uint64_t c);

// An exception of this CPU that an attack may end in: none, UNDEF, or what memory answers that is none: an external
// abort, a misaligned access, an address beyond the CPU's, an unsupported exclusive. Never a fault of stage 2.
bool is_refusal(const struct exception *e);
// The same with what the guest's own stage 1 refuses.
bool is_own_fault(const struct exception *e);

// The first number of this job, and how many CPUs attack.
uint64_t job_seed(void);
unsigned int job_cpus(void);
// An interrupt handler that silences both timers.
void serve_timers(unsigned int intid);

// Loads, stores and maintenance in every form: address in x1, offset or operand in x3, data in x2, x4, x5, v2 to v5.
struct form {
    uint32_t instruction;
    uint32_t ret;
};
const struct form *random_form(void);
// Executes form (here or a copy of it elsewhere) with x0 to x7 in and out; what the guest took.
struct exception form_run(const struct form *form, uint64_t x[8]);
// The same with random data; a refused one must have changed no register.
void form_attack(const struct form *form, uint64_t address, bool (*allowed)(const struct exception *e));
// Loads and stores of 1, 2, 4, 8 bytes.
extern const struct form form_load[4], form_store[4];

// Instructions at EL0, each with random registers; the program comes back from there by svc, or an exception.
struct lower_kind {
    const char *words;
    uint32_t (*instruction)(uint32_t number); // any number
    bool (*allowed)(const struct exception *e);
    uint32_t svc;
    uint64_t spsr;
};
void lower_attack(const struct lower_kind *kind, uint64_t count);

// One attack of each kind, count times, on this CPU; from every CPU at once but where it says boot CPU.
void attack_aarch32(uint64_t count); // boot CPU
void attack_ask(uint64_t count);
void attack_calls(uint64_t count);
void attack_console(uint64_t count);
void attack_disk(uint64_t count); // CPU 0 drives the device, the others rewrite its rings
void attack_el0(uint64_t count);  // boot CPU
void attack_gic(uint64_t count);
void attack_immediates(uint64_t count); // boot CPU
void attack_mmio(uint64_t count);
void attack_net(uint64_t count); // as attack_disk
void attack_psci(uint64_t count);
void attack_races(uint64_t count);
void attack_watch(uint64_t count); // boot CPU: mmio, with every register watched
void attack_storm(uint64_t count);
void attack_sweep(uint64_t count);
void attack_sysregs(uint64_t count); // boot CPU; every encoding once when count is 0
void attack_tables(uint64_t count);
void attack_timers(uint64_t count);

// Attacks that nobody comes back from: the monitor must answer, and its reset start the guest again.
void attack_wfi(uint64_t count);    // waits for interrupts that cannot come
void attack_double(uint64_t count); // exceptions whose handler cannot be fetched
// Resets the machine while the others attack, count times in all; returns when that many have been made.
void attack_reset(uint64_t count);
