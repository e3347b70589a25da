// SPDX-License-Identifier: Apache-2.0
// Lines of text in the trace, between the exits that they belong to: what the guest prints, and the log's records. A
// line is cut into pieces of TRACE_TEXT_SIZE bytes, a record each.
#pragma once

#include <hv/trace.h>
#include <hv/types.h>

extern bool trace_extras_wanted; // atomic

// Whether extras are wanted, the records that are no exits: lines, and requests to virtio devices (trace_virtio.h). One
// load and one test for whoever has one.
static inline bool trace_extras_on(void)
{
    return __builtin_expect(__atomic_load_n(&trace_extras_wanted, __ATOMIC_RELAXED), 0);
}

// From now on extras are traced, or not. Every CPU that runs has called trace_init_vcpu.
void trace_set_extras(bool on);

// A line, or a part of one.
struct trace_text {
    unsigned int kind; // TRACE_TEXT_CONSOLE, TRACE_TEXT_LOG
    uint64_t number;   // of the line among those of its kind: the same for all parts of one
    uint64_t offset;   // of the part in the line
    bool ends;         // the line ends with this part
};

// Adds length bytes (0 is an empty line) to the ring of the CPU that this runs on. Any bytes: readers escape them. The
// serial device's lock is taken; trace_extras_on was asked.
void trace_text_add(const struct trace_text *text, const char *bytes, size_t length);

// A record of the log, in the same way: number is its seq=. panic: it is one of the report of a panic; if that was
// caused by the trace itself, nothing happens.
void trace_text_log(uint64_t number, const char *line, size_t length, bool panic);
