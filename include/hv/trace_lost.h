// SPDX-License-Identifier: Apache-2.0
// A chunk of the trace that a sink has taken (hv/trace.h) and could not write, since its reader has gone.
#pragma once

struct trace_chunk;

// What trace_chunk_done is for a chunk that was written, this is for one that was not: its place is free, and its
// records count as dropped from the next chunk of this CPU on. Any CPU.
void trace_chunk_lost(unsigned int cpu, struct trace_chunk *chunk);
