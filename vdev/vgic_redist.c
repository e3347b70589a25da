// SPDX-License-Identifier: Apache-2.0
// The redistributors (IHI 0069 12.10, 12.11): one per vCPU, two frames of 64 KiB each. The first one says who it is and
// that it has no LPIs; of the second one, vgic_bank.c has everything. Behind the last vCPU there is nothing: external
// abort. Any vCPU may access any redistributor.

#include "vgic_internal.h"

#define GICR_CTLR      0x0000
#define GICR_IIDR      0x0004
#define GICR_TYPER     0x0008
#define GICR_WAKER     0x0014
#define GICR_SGI_FRAME 0x10000

#define GICR_TYPER_LAST BIT64(4)
#define WAKER_SLEEP     0x2u
#define WAKER_CHILDREN  0x4u

// Affinity, processor number, Last. PLPIS, VLPIS and DirectLPI are 0: LPIs do not exist.
static uint64_t typer(const struct vcpu *owner)
{
    uint64_t value = (uint64_t)owner->id << 32 | (uint64_t)owner->id << 8;

    return owner->id + 1 == owner->vm->vcpu_count ? value | GICR_TYPER_LAST : value;
}

static uint32_t read_word(const struct vcpu *owner, uint32_t offset)
{
    switch (offset) {
    case GICR_IIDR:
        return VGIC_IIDR;
    case GICR_WAKER:
        return owner->gic.waker;
    default:
        return vgic_identification(offset, 0x93);
    }
}

static enum trap_result access_control(struct vcpu *owner, struct mmio_access *access, uint32_t offset)
{
    // GICR_TYPER, and with it PROPBASER, PENDBASER and the other 64-bit registers of LPIs, which read as zero.
    if (access->size < 4 || (access->size == 8 && offset != GICR_TYPER && (offset < 0x40 || offset >= 0x180)))
        return TRAP_INJECT_ABORT;
    if (!access->write) {
        if ((offset & ~4u) == GICR_TYPER)
            access->value = mmio_read_part(8, typer(owner), access);
        else
            access->value = read_word(owner, offset);
    } else if (offset == GICR_WAKER) {
        // Asleep or awake at once: ChildrenAsleep follows ProcessorSleep.
        owner->gic.waker = access->value & WAKER_SLEEP ? WAKER_SLEEP | WAKER_CHILDREN : 0;
    }
    return TRAP_DONE;
}

enum trap_result vgic_redistributor_access(struct vcpu *vcpu, struct mmio_access *access)
{
    uint64_t id = access->offset / GICR_STRIDE;
    uint32_t offset = (uint32_t)(access->offset % GICR_STRIDE);

    if (id >= vcpu->vm->vcpu_count)
        return TRAP_INJECT_ABORT;
    struct vcpu *owner = &vcpu->vm->vcpus[id];
    if (offset < GICR_SGI_FRAME)
        return access_control(owner, access, offset);
    offset -= GICR_SGI_FRAME;
    if (offset >= VGIC_BANK_FIRST && offset < VGIC_BANK_END)
        return vgic_bank_access(vcpu, owner, access, offset);
    if (access->size != 4)
        return TRAP_INJECT_ABORT;
    if (!access->write)
        access->value = 0;
    return TRAP_DONE;
}
