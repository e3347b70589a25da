// SPDX-License-Identifier: Apache-2.0
// The distributor's own registers (IHI 0069 12.9): control, identification and routing; the ones that it shares with
// the redistributors are in vgic_bank.c. Reserved offsets read as zero and ignore writes; an access of a size that the
// register does not have is an external abort.

#include "vgic_internal.h"

#define GICD_CTLR    0x0000
#define GICD_TYPER   0x0004
#define GICD_IIDR    0x0008
#define GICD_IROUTER 0x6000
#define GICD_IDS     0xffd0

#define GICD_CTLR_ARE 0x10u // RAO/WI
#define GICD_CTLR_DS  0x40u // RAO/WI
// ITLinesNumber 8, one Security state, 10 bits of INTID; no LPIs, no message-based SPIs, 1-of-N supported.
#define TYPER_VALUE ((9u << 19) | VGIC_SPI_BANKS)
#define ROUTER_MASK 0xff80ffffffULL // Aff3, IRM, Aff2, Aff1, Aff0

// EnableGrp0 and EnableGrp1 decide what is deliverable: every vCPU looks again.
static void write_control(struct vm *vm, uint32_t value)
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
}

static enum trap_result access_control(struct vcpu *vcpu, struct mmio_access *access)
{
    if (access->size != 4)
        return TRAP_INJECT_ABORT;
    if (access->write) {
        if (access->offset == GICD_CTLR)
            write_control(vcpu->vm, (uint32_t)access->value);
        return TRAP_DONE;
    }
    switch (access->offset) {
    case GICD_TYPER:
        access->value = TYPER_VALUE;
        break;
    case GICD_CTLR:
        access->value = vcpu->vm->vgic.ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
        break;
    case GICD_IIDR:
        access->value = VGIC_IIDR;
        break;
    default:
        access->value = 0;
    }
    return TRAP_DONE;
}

static void write_router(struct vm *vm, unsigned int intid, uint64_t value)
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

static enum trap_result access_router(struct vcpu *vcpu, struct mmio_access *access)
{
    unsigned int intid = (unsigned int)(access->offset - GICD_IROUTER) / 8;

    if (access->size < 4)
        return TRAP_INJECT_ABORT;
    if (!access->write)
        access->value = 0;
    if (intid < 32 || intid >= VGIC_INTIDS)
        return TRAP_DONE;
    uint64_t whole = vcpu->vm->vgic.router[intid - 32];
    if (access->write)
        write_router(vcpu->vm, intid, mmio_write_part(8, whole, access) & ROUTER_MASK);
    else
        access->value = mmio_read_part(8, whole, access);
    return TRAP_DONE;
}

enum trap_result vgic_distributor_access(struct vcpu *vcpu, struct mmio_access *access)
{
    if (access->offset < VGIC_BANK_FIRST)
        return access_control(vcpu, access);
    if (access->offset < VGIC_BANK_END)
        return vgic_bank_access(vcpu, NULL, access, (uint32_t)access->offset);
    if (access->offset >= GICD_IROUTER && access->offset < GICD_IROUTER + 8 * 1020)
        return access_router(vcpu, access);
    if (access->size != 4)
        return TRAP_INJECT_ABORT;
    if (!access->write)
        access->value = vgic_identification((uint32_t)access->offset, 0x92);
    return TRAP_DONE;
}
