// SPDX-License-Identifier: Apache-2.0
// In the place of trace/trace_text.c, trace/trace_virtio.c and console/trace_port.c: what would have
// gone into the trace.
#pragma once

#include <hv/trace_text.h>
#include <hv/trace_virtio.h>

struct fake_trace_text {
    // Lines, each with its kind, number and offset before it ("0.3+0 a line"), and "$" behind one that ends
    char text[1 << 16];
    size_t length;
    unsigned int requests; // to virtio devices
    struct trace_virtio_request request;
    unsigned int flushes, ends, ends_of_others;
    void (*on_end)(void); // at ends
};
extern struct fake_trace_text fake_trace_text;

// Forgets all, and whether extras are wanted.
void fake_trace_text_reset(bool on);
