// SPDX-License-Identifier: Apache-2.0
// The virtual GICv3: the life of an interrupt, told once.
//
// Where its state is. Enable, group, priority, configuration and routing are in memory (struct vgic_bank): a vCPU's
// SGIs and PPIs under that vCPU's lock, SPIs under the VM's. Pending and active are in memory until the interrupt is
// listed, that is, occupies a list register (vgic_lr.c); from then on they are there, the guest acknowledges and ends
// it without EL2, and memory learns of it when somebody asks or the register is needed.
//
// How it becomes pending. vgic_set_line (a device of ours), vgic_set_pending (the monitor), vgic_write_sgi1r (another
// vCPU), GICD_ISPENDR (the guest), or vgic_forward (a physical interrupt). vgic_raise then takes it to its vCPU: on
// this CPU straight into a list register; on another one by `work` and a kick, which makes that CPU refill before it
// runs guest code again. What cannot be listed at once (no free register, not simple) is left to the refill as well:
// vgic_flush, before every eret, is one load of `work`.
//
// How it ends. An edge or SGI: its list register falls empty and is taken again when needed. A level: its register
// asks for a maintenance interrupt at deactivation, which refills and so looks at the line again; when the line falls
// first, the register is told so, and no such interrupt comes. A physical one: the HW bit deactivates it; until then
// the physical interrupt is active and cannot come again.
//
// Physical interrupts that belong to the guest (`hardware`) are enabled exactly when the guest has enabled them and
// their group (vgic_mirror), and edge-triggered or level-sensitive as it has configured them. What EL2 has not taken is
// in the physical redistributor alone: a read of ISPENDR asks it, also for an active interrupt whose line is high again
// or still, and a write of ICPENDR clears it there.
//
// GICD_CTLR.DS is 1, as on QEMU virt without Secure state: both groups belong to the guest; Group 0 arrives as FIQ.
// There are no LPIs and no ITS, and every register that could say so says it.

#include "vgic_internal.h"

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/spinlock.h>

// ---- Events

// SPI intid is pending and deliverable. An SPI that is listed stays with the vCPU whose list register holds it,
// wherever GICD_IROUTER points now. The caller holds the VM's lock.
static void raise_spi(const struct vgic_view *view, unsigned int intid)
{
    struct vcpu *target = vgic_spi_target(view->vm, intid);

    if (view->bank->listed & BIT64(intid % 32))
        target = &view->vm->vcpus[view->bank->place[intid % 32] >> 4];
    if (target == NULL)
        return; // pending with nobody to go to, until IROUTER, GICR_WAKER or a CPU_ON says otherwise
    if (target != vcpu_current() || target->power == VCPU_OFF) {
        vgic_offer_spi(target, intid);
        return;
    }
    // Should the list registers be full, the refill finds the interrupt by this hint.
    target->gic.spi_hint |= (uint32_t)BIT64(intid / 32 - 1);
    spinlock_acquire(&target->gic.lock);
    vgic_list(target, view->bank, intid);
    spinlock_release(&target->gic.lock);
}

// A list register can be written on its own CPU only. Another vCPU is told that there is work, and lists the interrupts
// itself at its next refill. In a bank of a vCPU's own the INTID is the bit number, because such a bank begins at 0.
void vgic_raise(const struct vgic_view *view, uint32_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        unsigned int n = (unsigned int)__builtin_ctz(bits);
        if (view->owner == NULL)
            raise_spi(view, view->first + n);
        else if (view->owner == vcpu_current())
            vgic_list(view->owner, view->bank, n);
        else
            vgic_post(view->owner);
    }
}

COLD void vgic_review(const struct vgic_view *view, uint32_t bits)
{
    for (bits &= view->bank->listed; bits != 0; bits &= bits - 1)
        vgic_post(&view->vm->vcpus[view->bank->place[__builtin_ctz(bits)] >> 4]);
}

// The line of intid has fallen. Only a level-sensitive interrupt that is listed needs anything done: an edge stays
// latched when the line falls, and a level that is in memory follows bank->line by itself (vgic_pending).
static void lower(const struct vgic_view *view, unsigned int intid)
{
    uint32_t bit = (uint32_t)BIT64(intid % 32);
    struct vcpu *owner;

    if ((view->bank->edge & bit) || !(view->bank->listed & bit))
        return;
    owner = &view->vm->vcpus[view->bank->place[intid % 32] >> 4];
    if (owner != vcpu_current()) {
        vgic_post(owner);
        return;
    }
    if (view->owner != NULL) {
        vgic_unlist_level(owner, view->bank, intid);
        return;
    }
    spinlock_acquire(&owner->gic.lock);
    vgic_unlist_level(owner, view->bank, intid);
    spinlock_release(&owner->gic.lock);
}

// vcpu_id counts for SGIs and PPIs only: an SPI belongs to the whole VM.
static bool exists(const struct vm *vm, unsigned int vcpu_id, unsigned int intid)
{
    return intid < VGIC_INTIDS && (intid >= 32 || vcpu_id < vm->vcpu_count);
}

enum hv_status vgic_set_line(struct vm *vm, unsigned int vcpu_id, unsigned int intid, bool level)
{
    uint32_t bit = (uint32_t)BIT64(intid % 32);

    if (!exists(vm, vcpu_id, intid))
        return HV_ERR_BOUNDS;
    struct vgic_view view = vgic_view_of(vm, &vm->vcpus[vcpu_id % CPU_MAX], intid);
    struct vgic_bank *bank = view.bank;
    vgic_lock_view(&view);
    // Only a change of the line is an event: a second rise without a fall between is no new edge.
    if (level && !(bank->line & bit)) {
        bank->line |= bit;
        bank->latched |= bank->edge & bit;
        vgic_raise(&view, bit & vgic_deliverable(vm, bank));
    } else if (!level && (bank->line & bit)) {
        bank->line &= ~bit;
        lower(&view, intid);
    }
    vgic_unlock_view(&view);
    return HV_OK;
}

COLD enum hv_status vgic_set_pending(struct vm *vm, unsigned int vcpu_id, unsigned int intid)
{
    uint32_t bit = (uint32_t)BIT64(intid % 32);

    if (!exists(vm, vcpu_id, intid))
        return HV_ERR_BOUNDS;
    struct vgic_view view = vgic_view_of(vm, &vm->vcpus[vcpu_id % CPU_MAX], intid);
    vgic_lock_view(&view);
    view.bank->latched |= bit;
    view.bank->set |= bit & view.bank->hardware; // the physical line does not take this pending state back
    vgic_raise(&view, bit & vgic_deliverable(vm, view.bank));
    vgic_unlock_view(&view);
    return HV_OK;
}

void vgic_maintenance(struct vcpu *vcpu)
{
    vcpu->gic.maintenance_count++;
    vgic_refill(vcpu);
}

// Each physical interrupt is enabled exactly when the guest could take the virtual one. Otherwise an interrupt that the
// guest has disabled would reach EL2 again and again, and could not be handed on.
COLD void vgic_mirror(struct vcpu *owner)
{
    struct vgic_bank *bank = &owner->gic.bank;
    uint32_t wanted = vgic_deliverable(owner->vm, bank) & bank->hardware;

    for (uint32_t changed = wanted ^ bank->physical; changed != 0; changed &= changed - 1) {
        unsigned int intid = (unsigned int)__builtin_ctz(changed);
        if (wanted >> intid & 1)
            gicv3_enable(intid, owner->cpu);
        else
            gicv3_disable(intid, owner->cpu);
    }
    bank->physical = wanted;
}

// WFI wakes for a pending interrupt whose group is enabled in the virtual CPU interface (ICH_VMCR_EL2.VENG0, VENG1) and
// whose priority is higher than the mask VPMR. A lower number is a higher priority: 0x80 passes a mask of 0xf0, and
// 0xf0 does not. PSTATE.I and PSTATE.F have no part in it (DDI 0487, "Wait For Interrupt"). The flush comes first, so
// that what other CPUs have posted is in the list registers when they are read.
COLD bool vgic_has_pending(struct vcpu *vcpu)
{
    uint64_t vmcr = READ_SYSREG(ICH_VMCR_EL2);

    vgic_flush(vcpu);
    vgic_observe(NULL);
    for (uint32_t left = vcpu->gic.lr_used; left != 0; left &= left - 1) {
        uint64_t value = vcpu->gic.lr[__builtin_ctz(left)];
        uint64_t enabled = value & ICH_LR_EL2_GROUP ? ICH_VMCR_EL2_VENG1 : ICH_VMCR_EL2_VENG0;
        if ((value & ICH_LR_EL2_PENDING) && (vmcr & enabled) &&
            FIELD_GET(ICH_LR_EL2_PRIORITY, value) < FIELD_GET(ICH_VMCR_EL2_VPMR, vmcr))
            return true;
    }
    return false;
}

// ---- Reset

// Clears the active priorities, ICH_AP0R<n>_EL2 and ICH_AP1R<n>_EL2. One bit stands for one preemption level, so 5 bits
// of preemption (32 levels) need register 0 only, 6 bits need 0 and 1, and 7 bits need all four. The registers that an
// implementation does not have are undefined instructions: they must not be touched.
static void clear_active_priorities(unsigned int preemption_bits)
{
    WRITE_SYSREG(ICH_AP0R0_EL2, 0);
    WRITE_SYSREG(ICH_AP1R0_EL2, 0);
    if (preemption_bits >= 6) {
        WRITE_SYSREG(ICH_AP0R1_EL2, 0);
        WRITE_SYSREG(ICH_AP1R1_EL2, 0);
    }
    if (preemption_bits >= 7) {
        WRITE_SYSREG(ICH_AP0R2_EL2, 0);
        WRITE_SYSREG(ICH_AP1R2_EL2, 0);
        WRITE_SYSREG(ICH_AP0R3_EL2, 0);
        WRITE_SYSREG(ICH_AP1R3_EL2, 0);
    }
}

// The guest reads for a physical interrupt how the physical redistributor has it configured, edge or level. What can be
// configured is the implementation's choice there (GICR_ICFGR1), so EL2 asks instead of assuming.
static void read_physical_config(struct vcpu *vcpu)
{
    struct vgic_bank *bank = &vcpu->gic.bank;

    spinlock_acquire(&vcpu->gic.lock);
    bank->edge &= ~bank->hardware;
    for (uint32_t left = bank->hardware; left != 0; left &= left - 1)
        if (gicv3_is_edge((unsigned int)__builtin_ctz(left), vcpu->cpu))
            bank->edge |= left & -left;
    spinlock_release(&vcpu->gic.lock);
}

COLD void vgic_init_cpu(struct vcpu *vcpu)
{
    struct vgic_cpu *gic = &vcpu->gic;
    uint64_t vtr = READ_SYSREG(ICH_VTR_EL2);

    gic->lr_count = (uint8_t)(FIELD_GET(ICH_VTR_EL2_LISTREGS, vtr) + 1);
    if (gic->lr_count > VGIC_LR_MAX)
        gic->lr_count = VGIC_LR_MAX;
    gic->hcr_base = ICH_HCR_EL2_EN | ICH_HCR_EL2_TDIR | vcpu->vm->controls.ich_hcr_el2;
    // With 5 priority bits PRIbits is 4, and the mask is 0xff00 >> 5, of which the low byte is 0xf8.
    gic->priority_mask = (uint8_t)(0xff00u >> (FIELD_GET(ICH_VTR_EL2_PRIBITS, vtr) + 1));
    vgic_take_back_all(vcpu); // of a vCPU turned off and on again
    read_physical_config(vcpu);
    clear_active_priorities((unsigned int)FIELD_GET(ICH_VTR_EL2_PREBITS, vtr) + 1);
    WRITE_SYSREG(ICC_SRE_EL1, 7); // SRE, DFB, DIB: system registers only, the guest has no memory-mapped interface
    // Groups off and a priority mask of 0, which lets nothing through: the guest must open both, as after a reset.
    WRITE_SYSREG(ICH_VMCR_EL2, ICH_VMCR_EL2_VFIQEN);
}

// A vCPU that is off takes no interrupt: what it had listed goes back to memory, and each pending SPI is offered again,
// because a 1-of-N SPI may now go to another vCPU. An SPI that is routed to this vCPU alone waits for its CPU_ON.
COLD void vgic_stop_cpu(struct vcpu *vcpu)
{
    vgic_take_back_all(vcpu);
    spinlock_acquire(&vcpu->vm->vgic.lock);
    for (unsigned int b = 0; b < VGIC_SPI_BANKS; b++) {
        struct vgic_view view = vgic_view_of(vcpu->vm, vcpu, 32 * (b + 1));
        vgic_raise(&view, vgic_pending(view.bank) & vgic_deliverable(vcpu->vm, view.bank) & ~view.bank->listed);
    }
    spinlock_release(&vcpu->vm->vgic.lock);
}
