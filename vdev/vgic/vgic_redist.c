// SPDX-License-Identifier: Apache-2.0
// The redistributors (IHI 0069 12.10, 12.11): one per vCPU, two frames of 64 KiB each. The first one says who it is and
// that it has no LPIs; of the second one, vgic_bank.c has everything. Behind the last vCPU there is nothing: external
// abort. Any vCPU may access any redistributor.

#include "vgic_internal.h"

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/device_ops.h>
#include <hv/gicv3.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/spinlock.h>

#define GICR_CTLR      0x0000
#define GICR_IIDR      0x0004
#define GICR_TYPER     0x0008
#define GICR_WAKER     0x0014
#define GICR_SGI_FRAME 0x10000

#define GICR_TYPER_LAST BIT64(4)

// GICR_TYPER: Affinity_Value in bits 63:32, Processor_Number in bits 23:8, and Last in bit 4, by which a guest that
// walks the redistributors knows where they end. For vCPU 3 of 4 it is 0x0000000300000310. PLPIS, VLPIS and DirectLPI
// are 0: LPIs do not exist.
static inline uint64_t typer(const struct vm *vm, uint64_t id)
{
    return id << 32 | id << 8 | (id + 1 == vm->vcpu_count ? GICR_TYPER_LAST : 0);
}

static uint32_t read_word(const struct vcpu *owner, uint32_t offset)
{
    switch (offset) {
    case GICR_TYPER:
        return (uint32_t)typer(owner->vm, owner->id);
    case GICR_TYPER + 4:
        return (uint32_t)(typer(owner->vm, owner->id) >> 32);
    case GICR_IIDR:
        return VGIC_IIDR;
    case GICR_WAKER:
        return owner->gic.waker;
    default:
        return vgic_identification(offset, 0x93);
    }
}

// GICR_WAKER. A guest clears ProcessorSleep and waits until ChildrenAsleep reads 0; here the answer follows at once.
// 1-of-N interrupts leave a vCPU that falls asleep and
// come to one that wakes: it looks at all SPIs again.
static COLD void write_waker(struct vcpu *owner, uint32_t value)
{
    uint32_t waker = value & VGIC_WAKER_SLEEP ? VGIC_WAKER_SLEEP | VGIC_WAKER_CHILDREN : 0;

    spinlock_acquire(&owner->vm->vgic.lock);
    if (owner->gic.waker != waker) {
        owner->gic.waker = waker;
        owner->gic.spi_hint = (uint32_t)BIT64(VGIC_SPI_BANKS) - 1;
        vgic_post(owner);
    }
    spinlock_release(&owner->vm->vgic.lock);
}

static __attribute__((noinline)) enum mmio_result access_control(struct vcpu *owner, uint32_t offset,
                                                                 unsigned int access, uint64_t *value)
{
    unsigned int size = mmio_size(access);

    // GICR_TYPER, and PROPBASER, PENDBASER and the other 64-bit registers of LPIs, which read as zero.
    if (size < 4 || (size == 8 && offset != GICR_TYPER && (offset < 0x40 || offset >= 0x180)))
        return MMIO_FAULT;
    if (!(access & MMIO_WRITE))
        *value = read_word(owner, offset);
    else if (offset == GICR_WAKER)
        write_waker(owner, (uint32_t)*value);
    return MMIO_DONE;
}

static __attribute__((noinline)) enum mmio_result vgic_redistributor_access(struct vcpu *vcpu, uint32_t offset,
                                                                            unsigned int access, uint64_t *value)
{
    unsigned int id = offset / GICR_STRIDE;

    if (id >= vcpu->vm->vcpu_count)
        return MMIO_FAULT;
    offset %= GICR_STRIDE;
    if (offset == GICR_TYPER && access == 8) {
        *value = typer(vcpu->vm, id);
        return MMIO_DONE;
    }
    struct vcpu *owner = &vcpu->vm->vcpus[bounded_index(id, CPU_MAX)];
    if (offset < GICR_SGI_FRAME)
        return access_control(owner, offset, access, value);
    offset -= GICR_SGI_FRAME;
    if (offset >= VGIC_BANK_FIRST && offset < VGIC_BANK_END)
        return vgic_bank_access(vcpu, owner, offset, access, value);
    if (mmio_size(access) != 4)
        return MMIO_FAULT;
    if (!(access & MMIO_WRITE))
        *value = 0;
    return MMIO_DONE;
}

// Each vCPU's SGIs and PPIs as after a reset (IHI 0069 12.11), its redistributor asleep. The physical interrupts that
// belong to the guest are its virtual timer's and, where the policy gives it the physical timer, that one's.
static COLD void reset(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->vcpu_count; i++) {
        struct vgic_cpu *gic = &vm->vcpus[i].gic;
        memset(gic, 0, sizeof(*gic));
        spinlock_init(&gic->lock, LOCK_VGIC_CPU);
        gic->bank.edge = 0xffff; // SGIs
        gic->bank.hardware = (uint32_t)BIT64(INTID_VIRTUAL_TIMER);
        if (vm->controls.cnthctl_el2 & CNTHCTL_EL2_EL1PCEN)
            gic->bank.hardware |= (uint32_t)BIT64(INTID_PHYSICAL_TIMER);
        gic->waker = VGIC_WAKER_SLEEP | VGIC_WAKER_CHILDREN;
    }
}

const struct device_ops device_gicr = {.access = vgic_redistributor_access, .reset = reset};
