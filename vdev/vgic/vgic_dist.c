// SPDX-License-Identifier: Apache-2.0
// The distributor's own registers (IHI 0069 12.9): control, identification and routing; the ones that it shares with
// the redistributors are in vgic_bank.c. Reserved offsets read as zero and ignore writes; an access of a size that the
// register does not have is an external abort.

#include "vgic_internal.h"

#include <hv/arch/barrier.h>
#include <hv/device_ops.h>
#include <hv/spinlock.h>
#include <hv/string.h>

#define GICD_CTLR    0x0000
#define GICD_TYPER   0x0004
#define GICD_IIDR    0x0008
#define GICD_IROUTER 0x6000
#define GICD_IDS     0xffd0

#define GICD_CTLR_ARE 0x10u // RAO/WI
#define GICD_CTLR_DS  0x40u // RAO/WI
// ITLinesNumber, one Security state, 10 bits of INTID; no LPIs, no message-based SPIs, 1-of-N and, as in the CPU
// interface, any Aff3 supported.
#define TYPER_VALUE ((1u << 24) | (9u << 19) | VGIC_SPI_BANKS)
// GICD_IROUTER: the bits between are reserved, and read as zero.
#define ROUTER_MASK 0xff80ffffffULL // Aff3, IRM, Aff2, Aff1, Aff0

// EnableGrp0 and EnableGrp1 decide what is deliverable. When one of them has changed, each vCPU looks at its own bank
// again, and the SPIs that may be delivered now are raised.
static COLD enum mmio_result write_control(struct vm *vm, uint32_t value)
{
    spinlock_acquire(&vm->vgic.lock);
    uint32_t changed = vm->vgic.ctlr ^ (value & (VGIC_CTLR_GRP0 | VGIC_CTLR_GRP1));
    vm->vgic.ctlr ^= changed;
    for (unsigned int i = 0; changed != 0 && i < vm->vcpu_count; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        spinlock_acquire(&vcpu->gic.lock);
        vgic_mirror(vcpu);
        spinlock_release(&vcpu->gic.lock);
        vgic_post(vcpu);
    }
    for (unsigned int bank = 0; changed != 0 && bank < VGIC_SPI_BANKS; bank++) {
        struct vgic_view view = vgic_view_of(vm, NULL, 32 * (bank + 1));
        vgic_raise(&view, vgic_pending(view.bank) & vgic_deliverable(vm, view.bank) & ~view.bank->listed);
    }
    spinlock_release(&vm->vgic.lock);
    return MMIO_DONE;
}

static uint32_t read_control(const struct vm *vm, uint32_t offset)
{
    switch (offset) {
    case GICD_TYPER:
        return TYPER_VALUE;
    case GICD_CTLR:
        return vm->vgic.ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
    case GICD_IIDR:
        return VGIC_IIDR;
    default:
        return 0;
    }
}

static enum mmio_result access_control(struct vm *vm, uint32_t offset, unsigned int access, uint64_t *value)
{
    if (access == 4) {
        *value = read_control(vm, offset);
        return MMIO_DONE;
    }
    if (access != (4 | MMIO_WRITE))
        return MMIO_FAULT;
    return offset == GICD_CTLR ? write_control(vm, (uint32_t)*value) : MMIO_DONE;
}

static COLD void write_router(struct vm *vm, unsigned int intid, uint64_t value)
{
    struct vgic_view view = vgic_view_of(vm, NULL, intid);
    uint32_t bit = (uint32_t)BIT64(intid % 32);

    spinlock_acquire(&vm->vgic.lock);
    if (vm->vgic.router[intid - 32] != value) {
        vm->vgic.router[intid - 32] = value;
        // A pending one listed on the old vCPU comes back to memory there, and goes to the new one from there.
        vgic_review(&view, bit);
        vgic_raise(&view, bit & vgic_pending(view.bank) & vgic_deliverable(vm, view.bank) & ~view.bank->listed);
    }
    spinlock_release(&vm->vgic.lock);
}

// GICD_IROUTER<n> has 64 bits and may be accessed whole or in two halves of 32 (IHI 0069 12.9). The first 32, which
// would be those of SGIs and PPIs, are reserved; those of SPIs that do not exist read as zero and ignore writes.
static COLD enum mmio_result access_router(struct vm *vm, uint32_t offset, unsigned int access, uint64_t *value)
{
    unsigned int intid = (offset - GICD_IROUTER) / 8;
    unsigned int size = mmio_size(access);

    if (size < 4)
        return MMIO_FAULT;
    bool exists = intid >= 32 && intid < VGIC_INTIDS;
    if (exists)
        intid = 32 + (unsigned int)bounded_index(intid - 32, ARRAY_COUNT(vm->vgic.router));
    uint64_t whole = exists ? vm->vgic.router[intid - 32] : 0;
    if (!(access & MMIO_WRITE))
        *value = mmio_read_part(8, whole, offset, size);
    else if (exists)
        write_router(vm, intid, mmio_write_part(8, whole, offset, size, *value) & ROUTER_MASK);
    return MMIO_DONE;
}

static COLD enum mmio_result access_identification(uint32_t offset, unsigned int access, uint64_t *value)
{
    if (mmio_size(access) != 4)
        return MMIO_FAULT;
    if (access == 4)
        *value = vgic_identification(offset, 0x92);
    return MMIO_DONE;
}

static __attribute__((noinline)) enum mmio_result vgic_distributor_access(struct vcpu *vcpu, uint32_t offset,
                                                                          unsigned int access, uint64_t *value)
{
    if (offset < VGIC_BANK_FIRST)
        return access_control(vcpu->vm, offset, access, value);
    if (offset < VGIC_BANK_END)
        return vgic_bank_access(vcpu, NULL, offset, access, value);
    // INTIDs 1020 to 1023 are special (IHI 0069 2.2): they have no GICD_IROUTER.
    if (offset >= GICD_IROUTER && offset < GICD_IROUTER + 8 * 1020)
        return access_router(vcpu->vm, offset, access, value);
    return access_identification(offset, access, value);
}

// All SPIs as after a reset (IHI 0069 12.9).
static COLD void reset(struct vm *vm)
{
    memset(&vm->vgic, 0, sizeof(vm->vgic));
    spinlock_init(&vm->vgic.lock, LOCK_VGIC);
}

const struct device_ops device_gicd = {.access = vgic_distributor_access, .reset = reset};
