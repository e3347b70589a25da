// SPDX-License-Identifier: Apache-2.0
// What the attacks share: seeded random numbers, hostile values, and one line of account at the end of each.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hv/memory_map.h>

#include "lib/exception.h"

// Where attacks may store without destroying the guest's own program: half-way up its RAM.
#define SCRATCH_IPA  (GUEST_RAM_IPA + 0x10000000)
#define SCRATCH_SIZE 0x1000000

// Per CPU; the same seed gives the same attacks on one CPU.
uint64_t random_next(void);
// 0 .. n - 1
uint64_t random_below(uint64_t n);
// Edges of everything: ends of RAM, EL2's own memory, devices, wraps, small and huge numbers, all of them give or take
// a few, and anything at all.
uint64_t random_hostile(void);

// An attack has been made. good: it ended as the architecture and ariel's manuals say. Otherwise the first ones of a
// run are printed as "# bad <words> <a> <b> <c>".
void account(bool good, const char *words, uint64_t a, uint64_t b, uint64_t c);

// An exception of this CPU that an attack may end in: none, UNDEF, or what memory answers that is none: an external
// abort, a misaligned access, an address beyond the CPU's, an unsupported exclusive. Never a fault of stage 2.
bool is_refusal(const struct exception *e);

// One attack of each kind, count times, on this CPU; from every CPU at once but where it says boot CPU.
void attack_calls(uint64_t count);
void attack_gic(uint64_t count);
void attack_mmio(uint64_t count);    // boot CPU
void attack_sysregs(uint64_t count); // boot CPU; every encoding once when count is 0
