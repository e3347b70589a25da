// SPDX-License-Identifier: Apache-2.0
// One kept event in words: for exc last and explain.
#pragma once

#include <hv/event.h>

// Events begin[cpu] .. end[cpu] - 1 of every CPU, in order of time, a row each.
void monitor_show_events(const uint64_t *begin, const uint64_t *end);
// A copy of event sequence of cpu; false when it is gone, or changed meanwhile.
bool monitor_copy_event(unsigned int cpu, uint64_t sequence, struct event *event);
// Nanoseconds of ticks of the counter.
uint64_t monitor_nanoseconds(uint64_t ticks);
