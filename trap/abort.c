// SPDX-License-Identifier: Apache-2.0
// The whole way of an abort: the emulation of loads and stores, and the end of every other abort. This file owns how
// registers move, in which order the parts of one access happen, and the promise that nothing of a refused access
// reaches a register; stores of earlier parts have happened then, as on hardware. An instruction that abort_classify
// wants executed again is, RETRY_MAX times in a row and no more. The simple accesses of drivers never come here:
// trap_quick_abort does them, and tests/fuzz/trap_quick_fuzz.c holds the two ways to each other.

#include <hv/arch/abort.h>

#include <hv/arch/abort_classify.h>
#include <hv/arch/frame.h>
#include <hv/arch/inject.h>
#include <hv/arch/registers.h>
#include <hv/arch/simd_access.h>
#include <hv/event_key.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

// A change by another CPU that made an instruction fault is over long before it has been executed this often. A guest
// that makes it fault for ever gets an abort of its own then.
#define RETRY_MAX 16

// Which of the guest's accesses are big-endian: AArch32 has a bit of PSTATE for it, EL1 and EL0 one of SCTLR_EL1 each
// (DDI 0487 B2.6.2).
static bool is_big_endian(const struct vcpu *vcpu)
{
    uint64_t pstate = vcpu->frame->spsr_el2;
    uint64_t sctlr = READ_SYSREG(SCTLR_EL1);

    if (pstate & SPSR_ELX_M4)
        return pstate & SPSR_AARCH32_E;
    return sctlr & (FIELD_GET(SPSR_ELX_M_EL, pstate) == 0 ? SCTLR_EL1_E0E : SCTLR_ELX_EE);
}

// The stack pointers stand in their registers while EL2 runs: the way back does not load them from the frame.
static void set_stack_pointer(struct vcpu *vcpu, uint64_t value)
{
    if (frame_uses_sp_el1(vcpu->frame)) {
        vcpu->frame->sp_el1 = value;
        WRITE_SYSREG(SP_EL1, value);
    } else {
        vcpu->frame->sp_el0 = value;
        WRITE_SYSREG(SP_EL0, value);
    }
}

// value as a register of size (1, 2, 4, 8) bytes gives it to its destination: extended from its top bit or with zeros.
static uint64_t extend(uint64_t value, unsigned int size, bool sign, bool sixty_four)
{
    unsigned int shift = 64 - 8 * size;

    value <<= shift;
    if (!sign)
        return value >> shift;
    value = (uint64_t)((int64_t)value >> shift);
    return sixty_four ? value : (uint32_t)value;
}

// Bytes of one register in memory's order, as the little-endian numbers that devices are given.
static void swap_bytes(struct simd_value *value, unsigned int size)
{
    uint64_t low = __builtin_bswap64(value->part[0]);

    if (size <= 8) {
        value->part[0] = low >> (64 - 8 * size);
    } else {
        value->part[0] = __builtin_bswap64(value->part[1]);
        value->part[1] = low;
    }
}

// Collects what a store writes, before its first part is done. A register gives as many of its low bytes as the access
// has: STRB W3 gives bits 7:0 of X3. data[i] then has the bytes in the order in which they go to memory.
static void read_registers(struct vcpu *vcpu, const struct abort_access *access, struct simd_value data[2])
{
    bool swap = is_big_endian(vcpu);

    for (unsigned int i = 0; i < access->count; i++) {
        if (access->simd)
            simd_read(access->reg[i], &data[i]);
        else
            data[i].part[0] = vcpu_get_reg(vcpu, access->reg[i]);
        if (access->size < 8)
            data[i].part[0] = extend(data[i].part[0], access->size, false, true);
        if (swap)
            swap_bytes(&data[i], access->size);
    }
}

// Gives a load's bytes to its registers, when all of them are there. LDRSB W3 of 0x80 makes X3 0x00000000ffffff80: the
// sign goes up to bit 31, and a write of W3 clears the upper half (DDI 0487, "Registers in AArch64 state").
static void write_registers(struct vcpu *vcpu, const struct abort_access *access, struct simd_value data[2])
{
    bool swap = is_big_endian(vcpu);

    for (unsigned int i = 0; i < access->count; i++) {
        if (swap)
            swap_bytes(&data[i], access->size);
        if (access->size < 8)
            data[i].part[0] = extend(data[i].part[0], access->size, access->sign_extend, access->sixty_four);
        if (access->simd)
            simd_write(access->reg[i], &data[i]);
        else
            vcpu_set_reg(vcpu, access->reg[i], data[i].part[0]);
    }
}

// Pre- and post-indexed forms write the base register as well: LDR W3, [X9], #4 adds 4 to X9. It comes last, so that an
// access that was refused leaves the base as it was and can be executed again. Register 31 is the stack pointer here,
// not XZR.
static void write_back(struct vcpu *vcpu, const struct abort_access *access)
{
    if (!access->writeback)
        return;
    if (access->base == 31)
        set_stack_pointer(vcpu, frame_stack_pointer(vcpu->frame) + (uint64_t)access->base_offset);
    else
        vcpu_set_reg(vcpu, access->base, vcpu_get_reg(vcpu, access->base) + (uint64_t)access->base_offset);
}

// Every part (at most 8 bytes, in order of address) through trap_mmio; the registers when all are done. The event
// keeps the first part's address and value, or those of the part that was refused. For example, a store of a pair of Q
// registers is four parts of 8 bytes.
static enum trap_result perform(struct vcpu *vcpu, struct event *event, const struct abort_plan *plan)
{
    const struct abort_access *access = &plan->access;
    unsigned int part_size = access->size < 8 ? access->size : 8;
    unsigned int parts = access->size / part_size;
    struct simd_value data[2] = {0};

    event->write = access->write;
    if (access->write)
        read_registers(vcpu, access, data);
    if (parts * access->count > 1)
        memcpy(vcpu->parts, data, sizeof(vcpu->parts));
    for (unsigned int i = 0; i < parts * access->count; i++) {
        uint64_t *value = &data[i / parts].part[i % parts];
        event->address = plan->address.v + i * part_size;
        event->value = *value;
        enum trap_result result = trap_mmio(vcpu, event, part_size);
        if (result != TRAP_DONE) {
            vcpu->frame->far_el2 += i * part_size;
            return result;
        }
        *value = event->value;
    }
    event->address = plan->address.v;
    event->value = data[0].part[0];
    if (!access->write)
        write_registers(vcpu, access, data);
    write_back(vcpu, access);
    return TRAP_DONE;
}

// perform, with what the parts of an access in several parts store in vcpu->parts meanwhile (debug/hold.c).
static enum trap_result perform_all(struct vcpu *vcpu, struct event *event, const struct abort_plan *plan)
{
    enum trap_result result = perform(vcpu, event, plan);

    if (plan->access.count > 1 || plan->access.size > 8)
        memset(vcpu->parts, 0, sizeof(vcpu->parts));
    return result;
}

// Whether to execute the instruction again: not when the last RETRY_MAX exits of this vCPU all ended so.
static bool may_retry(struct vcpu *vcpu)
{
    uint64_t sequence = vcpu->telemetry->sequence;

    vcpu->retry_count = sequence == vcpu->retry_next ? vcpu->retry_count + 1 : 1;
    vcpu->retry_next = sequence + 1;
    return vcpu->retry_count <= RETRY_MAX;
}

// A device access is emulated, and the policy judges it by the device's range. Every other abort goes to trap_fault
// with what abort_classify proposes, and the policy may pause or stop instead. The event names guest RAM where the
// address is RAM's, else what the exception was: a fetch or a data access.
enum trap_result abort_handle(struct vcpu *vcpu, struct event *event)
{
    bool fetch = FIELD_GET(ESR_ELX_EC, event->syndrome) == ESR_EC_IABT_LOWER;
    struct abort_plan plan;

    abort_classify(vcpu, &plan);
    event->address = plan.address.v;
    event->value = 0;
    if (!(event->syndrome & ISS_ABORT_ISV)) // for the trace: nobody else knows it
        event->width = plan.verdict == ABORT_DEVICE ? (uint8_t)(plan.access.size * plan.access.count) : 0;
    event->write = !fetch && event->syndrome & ISS_ABORT_WNR;
    if (plan.verdict == ABORT_DEVICE)
        return perform_all(vcpu, event, &plan);
    event->key = space_is_ram(&vcpu->vm->space, plan.address) ? KEY_GUEST_RAM : event->cause;
    switch (plan.verdict) {
    case ABORT_SKIP:
        return trap_fault(vcpu, event, TRAP_DONE, plan.reason);
    case ABORT_RETRY:
        return trap_fault(vcpu, event, may_retry(vcpu) ? TRAP_RETRY : TRAP_INJECT_ABORT, plan.reason);
    case ABORT_STOP:
        return trap_fault(vcpu, event, TRAP_STOP, plan.reason);
    case ABORT_INJECT:
    case ABORT_DEVICE:
    default:
        if (plan.status != 0) // for abort_inject; the event keeps what the hardware said
            vcpu->frame->esr_el2 = (vcpu->frame->esr_el2 & ~ISS_ABORT_FSC) | plan.status;
        return trap_fault(vcpu, event, TRAP_INJECT_ABORT, plan.reason);
    }
}

// The guest's EL1 gets the abort as if its own MMU had found it. A fault on a walk of the guest's tables is told with
// the level of the table that could not be read, which hardware tells as well (ESR_ELx.ISS, external abort on a walk).
void abort_inject(struct vcpu *vcpu)
{
    inject_abort_trapped(vcpu, vcpu->frame->esr_el2 & ISS_ABORT_S1PTW ? abort_walk_level(vcpu) : 0);
}
