// SPDX-License-Identifier: Apache-2.0
// The trace's way to the host: the port ariel.trace of EL2's serial device, when the machine has one. Without it, and
// while nobody is connected to it, the trace stays in memory (hv/trace.h).
#pragma once

#include <hv/types.h>

struct trace_chunk;

#define TRACE_PORT_HZ 10 // how often a CPU hands on what its newest chunk has

// From now on chunks go to the port, which the machine has, while its host side is connected: meta_chunk first whenever
// a connection begins. Once, on the boot CPU, before a guest runs.
void trace_port_start(struct trace_chunk *meta_chunk);
// Whether the machine has the port, and whether its host side is connected.
bool trace_port_exists(void);
bool trace_port_is_open(void);

// From now on this CPU hands on what it has TRACE_PORT_HZ times a second, if there is a port. Once on each CPU, after
// hyp_timer_init_cpu, trace_init_vcpu and trace_port_start.
void trace_port_init_cpu(void);

// Hands on what the ring of this CPU has, if there is somebody to take it.
void trace_port_flush(void);

// The machine is about to be reset or powered off. First every other CPU hands on what it has and traces no exits any
// more: before log_end. Any CPU; as cpu_call_each.
void trace_port_end_others(void);
// Then this one does, and waits, a second at most, until the host has read all: after log_end.
void trace_port_end(void);
