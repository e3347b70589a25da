// SPDX-License-Identifier: Apache-2.0
// The emulation of loads and stores, and the end of every other abort. Owns how registers move, in which order the
// parts of one access happen, and the promise that nothing of a refused access reaches a register (stores of earlier
// parts have happened, as on hardware). What abort_classify wants retried is, RETRY_MAX times in a row and then no
// more.

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

#define RETRY_MAX 16

// The short way: a data abort, by a stage-2 translation fault of the access itself, that the syndrome describes.
#define SHORT_MASK                                                                                                     \
    (ESR_ELX_EC | ISS_ABORT_ISV | ISS_ABORT_FNV | ISS_ABORT_CM | ISS_ABORT_S1PTW | (ISS_ABORT_FSC & ~UINT64_C(3)))
#define SHORT_VALUE (FIELD_PREP(ESR_ELX_EC, ESR_EC_DABT_LOWER) | ISS_ABORT_ISV | FSC_TRANSLATION)
#define WORD_VALUE  FIELD_PREP(ISS_ABORT_SAS, 2) // 4 bytes, not sign-extended

#define PAGE_OFFSET UINT64_C(0xfff)

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
static inline uint64_t extend(uint64_t value, unsigned int size, bool sign, bool sixty_four)
{
    unsigned int shift = 64 - 8 * size;

    value <<= shift;
    if (!sign)
        return value >> shift;
    value = (uint64_t)((int64_t)value >> shift);
    return sixty_four ? value : (uint32_t)value;
}

// ---- Accesses that the short way does not take ----------------------------------------------------------------------

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
// keeps the first part's address and value, or those of the part that was refused.
static enum trap_result perform(struct vcpu *vcpu, struct event *event, const struct abort_plan *plan)
{
    const struct abort_access *access = &plan->access;
    unsigned int part_size = access->size < 8 ? access->size : 8;
    unsigned int parts = access->size / part_size;
    struct simd_value data[2] = {0};

    event->write = access->write;
    if (access->write)
        read_registers(vcpu, access, data);
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

// Whether to execute the instruction again: not when the last RETRY_MAX exits of this vCPU all ended so.
static bool may_retry(struct vcpu *vcpu)
{
    uint64_t sequence = vcpu->telemetry->sequence;

    vcpu->retry_count = sequence == vcpu->retry_next ? vcpu->retry_count + 1 : 1;
    vcpu->retry_next = sequence + 1;
    return vcpu->retry_count <= RETRY_MAX;
}

static __attribute__((noinline)) enum trap_result handle_slowly(struct vcpu *vcpu, struct event *event)
{
    bool fetch = FIELD_GET(ESR_ELX_EC, event->syndrome) == ESR_EC_IABT_LOWER;
    enum trap_result result;
    struct abort_plan plan;

    abort_classify(vcpu, &plan);
    event->address = plan.address.v;
    event->value = 0;
    event->write = !fetch && event->syndrome & ISS_ABORT_WNR;
    event->key = event->cause;
    if (plan.address.v - GUEST_RAM_IPA < GUEST_RAM_SIZE)
        event->key = KEY_GUEST_RAM;
    switch (plan.verdict) {
    case ABORT_DEVICE:
        result = perform(vcpu, event, &plan);
        memset(vcpu->parts, 0, sizeof(vcpu->parts));
        return result;
    case ABORT_SKIP:
        return trap_fault(vcpu, event, TRAP_DONE, plan.reason);
    case ABORT_RETRY:
        return trap_fault(vcpu, event, may_retry(vcpu) ? TRAP_RETRY : TRAP_INJECT_ABORT, plan.reason);
    case ABORT_STOP:
        return trap_fault(vcpu, event, TRAP_STOP, plan.reason);
    case ABORT_INJECT:
    default:
        if (plan.status != 0) // for abort_inject; the event keeps what the hardware said
            vcpu->frame->esr_el2 = (vcpu->frame->esr_el2 & ~ISS_ABORT_FSC) | plan.status;
        return trap_fault(vcpu, event, TRAP_INJECT_ABORT, plan.reason);
    }
}

// One general register of any size, as the syndrome describes it.
static __attribute__((noinline)) enum trap_result move_register(struct vcpu *vcpu, struct event *event)
{
    uint64_t esr = event->syndrome;
    unsigned int size = 1u << FIELD_GET(ISS_ABORT_SAS, esr);
    unsigned int reg = (unsigned int)FIELD_GET(ISS_ABORT_SRT, esr);

    if (event->address & (size - 1))
        return handle_slowly(vcpu, event);
    event->value = esr & ISS_ABORT_WNR ? extend(vcpu_get_reg(vcpu, reg), size, false, true) : 0;
    enum trap_result result = trap_mmio(vcpu, event, size);
    if (result == TRAP_DONE && !event->write)
        vcpu_set_reg(vcpu, reg, extend(event->value, size, esr & ISS_ABORT_SSE, esr & ISS_ABORT_SF));
    return result;
}

// Drivers spend their time in 32-bit registers: these get through in some 40 instructions around trap_mmio.
enum trap_result abort_handle(struct vcpu *vcpu, struct event *event)
{
    const struct trap_frame *frame = vcpu->frame;
    uint32_t esr = event->syndrome;
    uint64_t address = (FIELD_GET(HPFAR_EL2_FIPA, frame->hpfar_el2) << 12) | (frame->far_el2 & PAGE_OFFSET);

    if ((esr & SHORT_MASK) != SHORT_VALUE || address - GUEST_RAM_IPA < GUEST_RAM_SIZE ||
        READ_SYSREG(SCTLR_EL1) & (SCTLR_ELX_EE | SCTLR_EL1_E0E) || frame->spsr_el2 & SPSR_ELX_M4)
        return handle_slowly(vcpu, event);
    event->address = address;
    event->write = (uint8_t)FIELD_GET(ISS_ABORT_WNR, esr);
    if ((esr & (ISS_ABORT_SAS | ISS_ABORT_SSE)) != WORD_VALUE || address & 3)
        return move_register(vcpu, event);
    if (esr & ISS_ABORT_WNR) {
        event->value = (uint32_t)vcpu_get_reg(vcpu, (unsigned int)FIELD_GET(ISS_ABORT_SRT, esr));
        return trap_mmio(vcpu, event, 4);
    }
    event->value = 0;
    enum trap_result result = trap_mmio(vcpu, event, 4);
    if (result == TRAP_DONE)
        vcpu_set_reg(vcpu, (unsigned int)FIELD_GET(ISS_ABORT_SRT, event->syndrome), (uint32_t)event->value);
    return result;
}

void abort_inject(struct vcpu *vcpu)
{
    inject_abort_trapped(vcpu, vcpu->frame->esr_el2 & ISS_ABORT_S1PTW ? abort_walk_level(vcpu) : 0);
}
