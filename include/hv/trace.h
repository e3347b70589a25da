// SPDX-License-Identifier: Apache-2.0
// The trace: one record of 128 bytes for each exit, in a ring of memory for each CPU (docs/TRACE.md). A ring is an
// array of chunks. Only the CPU itself writes its ring, so there is no lock; a full chunk is handed to a sink, if there
// is one, or stays until the ring has come round.
//
// Which exits are wanted is one byte for each key and direction, in a table of each VM's (vm->trace_filter). All of
// them are 0 while the trace is off.
#pragma once

#include <hv/machine.h>
#include <hv/trace_chunk.h>
#include <hv/types.h>

// Who takes chunks out of memory, e.g. to a port of the serial device.
struct trace_sink {
    // Takes a chunk that is closed: its first 128 + 128 * count bytes are to be written out, and stay as they are until
    // trace_chunk_done(cpu, chunk) gives the chunk back, from any CPU, perhaps before this function returns. False: not
    // now; the chunk is offered again later, before any newer one of this CPU. It runs on the CPU whose chunk it is,
    // also on the shorter way of an exit, which has saved few of the guest's registers: it neither waits for what
    // another CPU is asked to do (cpu_call) nor makes accesses that may fail (guarded.h), nor writes a trace record.
    bool (*hand_over)(unsigned int cpu, struct trace_chunk *chunk);
    // The same in the report of a panic, for a chunk of any CPU, which may still be writing it: it is not closed, and
    // not changed. May wait for no lock. NULL: nothing is done with them.
    void (*panic)(const struct trace_chunk *chunk);
};

// Makes all rings empty; the trace is off. at: TRACE_SIZE bytes for them. boot: the number of this boot. Once, on the
// boot CPU, before trace_init_vcpu.
void trace_init(void *at, uint64_t boot);

// Makes the vCPU ready to be traced, on its CPU or before that runs. Once for each, when vcpu->cpu and vcpu->vm stand.
void trace_init_vcpu(struct vcpu *vcpu);

// From now on closed chunks go to sink; NULL: they stay in memory, and the oldest is overwritten. A chunk that the old
// sink still has comes back by trace_chunk_done all the same. Chunks that wait in memory are offered by the next
// trace_flush. From one CPU at a time.
void trace_set_sink(const struct trace_sink *sink);

// The sink has written the chunk: its place is free. Any CPU.
void trace_chunk_done(unsigned int cpu, struct trace_chunk *chunk);

// Closes the chunk of the CPU that this runs on, if there are records in it, and offers all closed ones to the sink. A
// tick, a pause and the machine's end do this. Not from within hand_over.
void trace_flush(struct vcpu *vcpu);

// From now on no exit of vcpu is traced. On its CPU.
void trace_stop(struct vcpu *vcpu);

// EL2 is dead: what is in memory of every CPU and no sink has taken goes to the sink. On any CPU, once, whatever the
// others do.
void trace_panic(void);

// Adds a record that is no exit (TRACE_TYPE_TEXT, TRACE_TYPE_VIRTIO) to the ring of the CPU that this runs on, whose
// vCPU is vcpu. It is dropped and counted when there is no room. The caller has asked whether it is wanted.
void trace_write(struct vcpu *vcpu, const struct trace_record *record);

// The chunk in CPU 0's ring that is kept for the meta chunk: no record is ever written there. Its header is made and
// count, bytes and the text behind it are the caller's to fill in: at most TRACE_CHUNK_SIZE - 128 bytes.
struct trace_chunk *trace_meta_chunk(void);

// What a CPU's ring has seen since boot.
struct trace_counts {
    uint64_t records; // that have a number, dropped ones included
    uint64_t dropped;
    unsigned int waiting; // closed chunks that the sink has not taken, or not yet given back
};
struct trace_counts trace_counts(const struct vcpu *vcpu);

// Copies record `number` of the ring of vcpu's CPU, as long as it is in memory; false when it is gone, was dropped, or
// is not there yet. The numbers that may still be there: trace_oldest(vcpu) .. trace_counts(vcpu).records - 1. Any CPU.
bool trace_copy(const struct vcpu *vcpu, uint64_t number, struct trace_record *record);
uint64_t trace_oldest(const struct vcpu *vcpu);

// The chunk in which there is room for a record of the CPU that this runs on, or NULL: then the record has been counted
// as dropped. The caller fills in all of trace_next, and then the record counts by trace_publish, so that a reader of
// memory finds none that is not whole.
struct trace_chunk *trace_open(struct vcpu *vcpu);
static inline struct trace_chunk *trace_room(struct vcpu *vcpu)
{
    struct trace_chunk *chunk = vcpu->trace_chunk;

    if (__builtin_expect(chunk->count == TRACE_CHUNK_RECORDS, 0))
        return trace_open(vcpu);
    return chunk;
}

static inline struct trace_record *trace_next(struct trace_chunk *chunk, uint32_t count)
{
    return (struct trace_record *)chunk + 1 + count;
}

static inline void trace_publish(struct trace_chunk *chunk, uint32_t count)
{
    __atomic_store_n(&chunk->count, count + 1, __ATOMIC_RELEASE);
}
