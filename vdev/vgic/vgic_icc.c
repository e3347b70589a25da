// SPDX-License-Identifier: Apache-2.0
// The registers of the CPU interface that trap (IHI 0069 12.2): SGIs, which one vCPU sends to others, and the separate
// deactivation. All others are the virtual interface's, in hardware.

#include "vgic_internal.h"

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/spinlock.h>

// Group group's SGI intid to target: dropped when the target has it in the other group (IHI 0069 12.1.10).
static void send_sgi(struct vcpu *target, unsigned int intid, unsigned int group)
{
    struct vgic_bank *bank = &target->gic.bank;
    uint32_t bit = (uint32_t)BIT64(intid);

    spinlock_acquire(&target->gic.lock);
    if ((bank->group >> intid & 1) == group) {
        bank->latched |= bit;
        if (!(vgic_deliverable(target->vm, bank) & bit))
            ; // stays pending
        else if (target == vcpu_current())
            vgic_list(target, bank, intid);
        else
            vgic_post(target);
    }
    spinlock_release(&target->gic.lock);
}

// ICC_SGI1R_EL1: with IRM 1 the SGI goes to all vCPUs but the sender; else Aff3.Aff2.Aff1 and RS name 16 vCPUs, and
// each bit of TargetList one of them. The guest's affinities have Aff0 only, 0 to 15, so just the group at 0 exists.
// Bits for vCPUs that do not exist are ignored. For example, TargetList 0b110 sends to vCPUs 1 and 2.
static void write_sgi(struct vcpu *vcpu, uint64_t value, unsigned int group)
{
    uint32_t all = (uint32_t)(BIT64(vcpu->vm->vcpu_count) - 1);
    uint32_t targets = (uint32_t)(value & ICC_SGIXR_TARGETLIST) & all;

    if (value & ICC_SGIXR_IRM)
        targets = all & ~(uint32_t)BIT64(vcpu->id);
    else if (value & (ICC_SGIXR_AFF1 | ICC_SGIXR_AFF2 | ICC_SGIXR_AFF3 | ICC_SGIXR_RS))
        return; // no vCPU there
    for (; targets != 0; targets &= targets - 1)
        send_sgi(&vcpu->vm->vcpus[__builtin_ctz(targets)], FIELD_GET(ICC_SGIXR_INTID, value), group);
}

void vgic_write_sgi1r(struct vcpu *vcpu, uint64_t value)
{
    write_sgi(vcpu, value, 1);
}

void vgic_write_sgi0r(struct vcpu *vcpu, uint64_t value)
{
    write_sgi(vcpu, value, 0);
}

// With EOImode 0 a write of ICC_EOIR1_EL1 has deactivated the interrupt already. The index is bounded for speculation
// as well (bounded_index), because the guest chooses the INTID.
COLD void vgic_write_dir(struct vcpu *vcpu, uint64_t value)
{
    unsigned int intid = value & 0xffffff;

    if (intid >= VGIC_INTIDS || !(READ_SYSREG(ICH_VMCR_EL2) & ICH_VMCR_EL2_VEOIM))
        return;
    intid = (unsigned int)bounded_index(intid, VGIC_INTIDS);
    struct vgic_view view = vgic_view_of(vcpu->vm, vcpu, intid);
    vgic_clear_active(&view, (uint32_t)BIT64(intid % 32));
}
