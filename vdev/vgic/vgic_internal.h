// SPDX-License-Identifier: Apache-2.0
// What the files of the virtual GIC share. Locks: "VM" is vm->vgic.lock, "vCPU" is the lock of the named vCPU's gic.
#pragma once

#include <hv/machine.h>
#include <hv/mmio.h>
#include <hv/vgic.h>

#define VGIC_CTLR_GRP0 0x1u
#define VGIC_CTLR_GRP1 0x2u
#define VGIC_IRM       BIT64(31) // GICD_IROUTER: 1-of-N

#define VGIC_WAKER_SLEEP    0x2u // ProcessorSleep
#define VGIC_WAKER_CHILDREN 0x4u // ChildrenAsleep

// One bank as an access or an event names it: a vCPU's own (owner) or one of SPIs (owner NULL).
struct vgic_view {
    struct vm *vm;
    struct vcpu *owner;
    struct vgic_bank *bank;
    unsigned int first; // INTID of bit 0
};

// ---- vgic_view.c: the ground of the others.
// The bank of intid (private: owner's). intid < VGIC_INTIDS.
struct vgic_view vgic_view_of(struct vm *vm, struct vcpu *owner, unsigned int intid);
// The lock that guards the view's bank, and the target's: VM for SPIs, then vCPU.
void vgic_lock_view(const struct vgic_view *view);
void vgic_unlock_view(const struct vgic_view *view);

// Those of bits whose physical interrupt is pending, or active and pending, in the redistributor of owner's CPU now.
uint32_t vgic_physical_pending(const struct vcpu *owner, uint32_t bits);

// Has target look at its interrupts before it runs guest code again. Any CPU, any locks.
void vgic_post(struct vcpu *target);
// Whether a pending SPI may go to vcpu.
bool vgic_targets(const struct vm *vm, unsigned int intid, const struct vcpu *vcpu);
// The vCPU an SPI goes to, or NULL.
struct vcpu *vgic_spi_target(struct vm *vm, unsigned int intid);
// SPI intid is pending and target is not on this CPU, or off: has target look at the bank. With the VM's lock.
void vgic_offer_spi(struct vcpu *target, unsigned int intid);

static inline uint32_t vgic_pending(const struct vgic_bank *bank)
{
    return bank->latched | (bank->line & ~bank->edge);
}

// The state (ICH_LR_EL2_PENDING, ICH_LR_EL2_ACTIVE) of interrupt n of bank, whose list register has value. A bit that
// another vCPU has cleared meanwhile, by ICPENDR or ICACTIVER, is left out already: drop_pending and drop_active keep
// it until the vCPU that has the register clears it there. Pending because the line is high is left out too: the line
// is in memory (bank->line), so vgic_pending knows.
uint64_t vgic_listed_state(const struct vgic_bank *bank, unsigned int n, uint64_t value);

// Enabled, and their group is enabled in GICD_CTLR.
static inline uint32_t vgic_deliverable(const struct vm *vm, const struct vgic_bank *bank)
{
    uint32_t group0 = vm->vgic.ctlr & VGIC_CTLR_GRP0 ? ~0u : 0;
    uint32_t group1 = vm->vgic.ctlr & VGIC_CTLR_GRP1 ? ~0u : 0;

    return bank->enabled & ((bank->group & group1) | (~bank->group & group0));
}

// The interrupts of bank that EL2 has taken from the physical redistributor because their line was high, and for no
// other reason: not by an edge, and not by a guest's write to ISPENDR.
static inline uint32_t vgic_by_level(const struct vgic_bank *bank)
{
    return bank->forwarded & ~bank->edge & ~bank->set;
}

// ---- vgic_lr.c: list registers. All on vcpu's own CPU, with its lock (and the VM's for SPIs).
// A pending, deliverable interrupt of vcpu goes to a list register; when that is not simple, to the next refill.
void vgic_list(struct vcpu *vcpu, struct vgic_bank *bank, unsigned int intid);
// The line of a listed level-sensitive interrupt fell.
void vgic_unlist_level(struct vcpu *vcpu, struct vgic_bank *bank, unsigned int intid);
// Reads the list registers in use into gic.lr of this CPU's vCPU, whose lock it takes. For cpu_call_each.
void vgic_observe(void *unused);
// Empties the list registers into memory. Takes the locks.
void vgic_take_back_all(struct vcpu *vcpu);

// ---- vgic.c: with the view's lock.
// Interrupts bits of the view have become pending or deliverable: to list registers, here or on their vCPU.
void vgic_raise(const struct vgic_view *view, uint32_t bits);
// Interrupts bits of the view have changed in what list registers hold: those that have them listed shall refill.
void vgic_review(const struct vgic_view *view, uint32_t bits);
// Enables the physical interrupts behind the owner's bank as the guest has enabled the virtual ones.
void vgic_mirror(struct vcpu *owner);

// ---- vgic_bank.c: the registers that distributor and redistributor have in common, offsets 0x80 .. 0xfff.
#define VGIC_BANK_FIRST 0x80u
#define VGIC_BANK_END   0x1000u
// vcpu makes the access; owner is the vCPU of the redistributor, or NULL for the distributor.
enum mmio_result vgic_bank_access(struct vcpu *vcpu, struct vcpu *owner, uint32_t offset, unsigned int access,
                                  uint64_t *value);
// GICD_ICACTIVER: also what a trapped write of ICC_DIR_EL1 means. Takes the locks.
void vgic_clear_active(const struct vgic_view *view, uint32_t bits);
// What ISPENDR or ISACTIVER reads. Takes the locks; asks other CPUs for their list registers, all at once.
uint32_t vgic_read_pending(const struct vgic_view *view);
uint32_t vgic_read_active(const struct vgic_view *view);
// PIDR and CIDR of a frame, offset 0xffd0 .. 0xfffc; part is PIDR0.
uint32_t vgic_identification(uint32_t offset, uint32_t part);
#define VGIC_IIDR 0x6100043bu // implementer Arm, as QEMU's; product 'a'
