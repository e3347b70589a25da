// SPDX-License-Identifier: Apache-2.0
// The trace, on and off. While it is off the vectors of all CPUs are those without it, and it costs nothing at all.
#pragma once

#include <hv/machine.h>

#define TRACE_FILTER_WORDS 120 // bytes of a filter as a person spelled it, end of string included

// The chunk that says what the numbers in all others mean (trace_meta.h). It is made at the first call, behind
// trace_init and when the guests are loaded. On one CPU at a time.
struct trace_chunk *trace_names(void);

// Whether it is on.
bool trace_is_on(void);

// Turns it on or off for all VMs, on every CPU; the choices of the filters count again or no more, and what is in the
// rings is flushed. False: a CPU did not answer in time (the log names it), and the others have turned. On any CPU, no
// locks held (cpu_call).
bool trace_turn(bool on);

// Makes what was chosen since (trace_filter.h) count, if the trace is on.
void trace_apply_filters(void);

// How the trace begins at boot, before the first entry of vm's guest: with everything, or else with the rows of its
// policy that say trace = true; off when it has none.
void trace_begin(struct vm *vm, bool everything);

// The filter as a person would spell it: "all" at first. trace_set_filter_words takes what was spelled, cut to
// TRACE_FILTER_WORDS - 1 bytes; it changes no choice.
const char *trace_filter_words(void);
void trace_set_filter_words(const char *words);
