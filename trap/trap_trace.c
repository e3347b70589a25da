// SPDX-License-Identifier: Apache-2.0
// The record of an exit that goes the whole way, written before the way back to the guest by vectors_traced
// (vectors.S); that of the shorter way is in trace_quick.S. On the whole way anything in the frame may change, so what
// the guest's registers are is noted at entry (trace_enter).
//
// An exit may end long before its vCPU goes back to the guest: the VM is paused, or the guest has turned the vCPU off.
// Its record is written before that wait (trace_finish), so that who looks at the trace meanwhile finds it.

#include <hv/arch/trap.h>

#include <hv/arch/registers.h>
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>
#include <hv/telemetry.h>
#include <hv/trace.h>
#include <hv/trace_exit.h>
#include <hv/trace_filter.h>
#include <hv/trap_result.h>

static inline bool is_wanted(const struct vcpu *vcpu, const struct event *event)
{
    return vcpu->trace_filter[2 * event->key + event->write] & TRACE_FILTER_ON;
}

// Tells address spaces apart, as trace_quick.S does. The table's address is in bits 47:12 of TTBR0_EL1 and the ASID
// above it (DDI 0487 D19.2.152); a kernel may have a process number in CONTEXTIDR_EL1. While tables lie below 4 GiB and
// CONTEXTIDR_EL1 is 0, no two tables have the same hash.
static inline uint32_t context_hash(void)
{
    return (uint32_t)(READ_SYSREG(TTBR0_EL1) ^ READ_SYSREG(CONTEXTIDR_EL1) << 16);
}

void trace_enter(const struct trap_frame *frame)
{
    struct vcpu_traced *traced = &vcpu_current()->traced;

    for (unsigned int n = 0; n < ARRAY_COUNT(traced->x); n++)
        traced->x[n] = frame->x[n];
    traced->lr = frame->x[30];
    traced->pstate = (uint32_t)frame->spsr_el2;
    traced->logged = false;
    traced->pending = true;
}

// Bytes of the access. Where the syndrome does not say it, who has decoded the instruction has (abort.c).
static uint8_t width_of(const struct event *event)
{
    switch (event->cause) {
    case KEY_CAUSE_SYSREG:
        return sizeof(uint64_t);
    case KEY_CAUSE_DABT:
        return event->syndrome & ISS_ABORT_ISV ? (uint8_t)(1u << FIELD_GET(ISS_ABORT_SAS, event->syndrome))
                                               : event->width;
    default:
        return 0;
    }
}

// The return address of the function that made the call's wrapper run: the AAPCS64 frame record at x29 is the caller's
// x29 and, above it, the return address. The wrapper of a PSCI or SMCCC call is one function for all calls, so that
// neither the PC nor x30 says who wanted the call. Memory that is no RAM of the guest's is never read.
static uint64_t caller_of(struct vcpu *vcpu, const struct event *event)
{
    uint64_t place = vcpu->frame->x[29] + 8, address;
    struct guest_walk_registers registers;
    struct guest_walk walk;

    if ((event->cause != KEY_CAUSE_HVC && event->cause != KEY_CAUSE_SMC) || place % 8 != 0)
        return 0;
    guest_walk_registers_read(&registers);
    if ((registers.sctlr_el1 & SCTLR_ELX_EE) || !guest_walk(&vcpu->vm->space, &registers, gva_make(place), &walk) ||
        guest_mem_read(&vcpu->vm->space, walk.ipa, &address, sizeof(address)) != HV_OK)
        return 0;
    return address;
}

// By words, of which the compiler makes pairs: to memcpy it would make a call.
typedef uint64_t __attribute__((may_alias)) word_t;

static inline __attribute__((always_inline)) void copy_words(void *to, const void *from, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        ((word_t *)to)[i] = ((const word_t *)from)[i];
}

static void write_whole(struct vcpu *vcpu, const struct event *event)
{
    const struct vcpu_traced *traced = &vcpu->traced;
    uint64_t caller = caller_of(vcpu, event);
    struct trace_chunk *chunk = trace_room(vcpu);

    if (chunk == NULL)
        return;
    uint32_t count = chunk->count;
    struct trace_record *record = trace_next(chunk, count);
    copy_words(&record->event, event, sizeof(*event) / sizeof(word_t));
    record->event.width = width_of(event);
    record->event.logged |= traced->logged;
    copy_words(record->x, traced->x, ARRAY_COUNT(record->x));
    record->lr = traced->lr;
    record->caller = caller;
    record->context = context_hash();
    record->pstate = traced->pstate;
    record->vm_and_spare = vcpu->vm->number;
    trace_publish(chunk, count);
}

// Once for each exit: whoever comes second finds nothing pending.
static void finish(struct vcpu *vcpu, const struct event *event)
{
    if (!vcpu->traced.pending)
        return;
    vcpu->traced.pending = false;
    if (is_wanted(vcpu, event))
        write_whole(vcpu, event);
}

void trace_finish(struct vcpu *vcpu)
{
    finish(vcpu, telemetry_last(vcpu->telemetry));
}

void trace_exit(const struct trap_frame *frame)
{
    (void)frame;
    trace_finish(vcpu_current());
}

void trace_abandon(struct vcpu *vcpu)
{
    struct event *event = telemetry_begin(vcpu->telemetry);

    event->exit = READ_SYSREG(CNTPCT_EL0);
    event->value = 0; // the guest is given nothing any more
    event->result = TRAP_STOP;
    finish(vcpu, event);
}
