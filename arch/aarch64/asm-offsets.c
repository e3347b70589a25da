// SPDX-License-Identifier: Apache-2.0
// Numbers that assembly needs, taken from the C types: compiled to assembly, from which the build makes asm-offsets.h.
#include <hv/arch/frame.h>
#include <hv/machine.h>
#include <hv/trace_chunk.h>
#include <hv/types.h>

#define OFFSET(name, type, member) __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"(offsetof(type, member)))
#define VALUE(name, value)         __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"(value))

// vectors.S loads these as pairs, and x[] from the base of the frame.
_Static_assert(offsetof(struct trap_frame, x) % 16 == 0);
_Static_assert(offsetof(struct trap_frame, sp_el1) == offsetof(struct trap_frame, sp_el0) + 8);
_Static_assert(offsetof(struct trap_frame, spsr_el2) == offsetof(struct trap_frame, elr_el2) + 8);
_Static_assert(sizeof(struct trap_frame) % 16 == 0);

// trace_quick.S loads and stores these as pairs, finds a record by a shift and the end of a chunk by one bit.
_Static_assert(offsetof(struct vcpu, trace_chunk) == offsetof(struct vcpu, trace_filter) + 8);
_Static_assert(offsetof(struct trace_record, caller) == offsetof(struct trace_record, lr) + 8);
_Static_assert(offsetof(struct trace_record, pstate) == offsetof(struct trace_record, context) + 4);
_Static_assert(sizeof(struct trace_record) == 128 && sizeof(struct trace_chunk) == 128);
_Static_assert(TRACE_CHUNK_RECORDS + 1 == 1 << 9);
_Static_assert(offsetof(struct event, address) == 32 && offsetof(struct event, syndrome) == 48);

void asm_offsets(void);
void asm_offsets(void)
{
    OFFSET(FRAME_X, struct trap_frame, x);
    OFFSET(FRAME_SP_EL0, struct trap_frame, sp_el0);
    OFFSET(FRAME_SP_EL1, struct trap_frame, sp_el1);
    OFFSET(FRAME_ELR, struct trap_frame, elr_el2);
    OFFSET(FRAME_SPSR, struct trap_frame, spsr_el2);
    OFFSET(FRAME_ESR, struct trap_frame, esr_el2);
    OFFSET(FRAME_FAR, struct trap_frame, far_el2);
    OFFSET(FRAME_HPFAR, struct trap_frame, hpfar_el2);
    VALUE(FRAME_SIZE, sizeof(struct trap_frame));
    OFFSET(VCPU_CPU, struct vcpu, cpu);
    OFFSET(VCPU_TRACE_FILTER, struct vcpu, trace_filter);
    OFFSET(CHUNK_COUNT, struct trace_chunk, count);
    OFFSET(CHUNK_VM, struct trace_chunk, vm);
    OFFSET(EVENT_KEY, struct event, key);
    OFFSET(EVENT_WRITE, struct event, write);
    OFFSET(EVENT_WIDTH, struct event, width);
    OFFSET(RECORD_X, struct trace_record, x);
    OFFSET(RECORD_LR, struct trace_record, lr);
    OFFSET(RECORD_CONTEXT, struct trace_record, context);
    OFFSET(RECORD_VM, struct trace_record, vm_and_spare);
}
