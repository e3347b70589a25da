// SPDX-License-Identifier: Apache-2.0
// What a trace begins with: a chunk of kind TRACE_KIND_META, whose text says what the numbers in records mean.
// docs/TRACE.md has its names.
#pragma once

#include <hv/types.h>

struct trace_chunk;
struct vm;

// What the text says about the machine, beside EL2's own tables.
struct trace_machine {
    const char *version; // of ariel
    unsigned int cpus;   // that run ariel
    const struct vm *vms;
    unsigned int vm_count; // 1 or more; the first one's policy is the one that is named
};

// Makes the text in trace_meta_chunk(), and returns that. Once: behind trace_init, when the guests are loaded.
struct trace_chunk *trace_meta_make(const struct trace_machine *machine);
