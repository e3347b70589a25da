// SPDX-License-Identifier: Apache-2.0
// What the monitor shows of the virtual GIC: copies, taken on the CPU that has the registers.

#include "vgic_internal.h"

#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/string.h>

struct request {
    struct vcpu *vcpu;
    struct vgic_snapshot *snapshot;
};

// Runs on the CPU of the vCPU that is asked about (cpu_call), because only that CPU can read its ICH registers.
static void take(void *argument)
{
    struct request *request = argument;
    struct vgic_snapshot *snapshot = request->snapshot;
    struct vgic_cpu *gic = &request->vcpu->gic;

    vgic_observe(NULL);
    memcpy(snapshot->lr, gic->lr, sizeof(snapshot->lr));
    snapshot->hcr = READ_SYSREG(ICH_HCR_EL2);
    snapshot->vmcr = READ_SYSREG(ICH_VMCR_EL2);
}

// Counters and GICD_CTLR are read without a lock: a value that is a moment old is good enough to be shown. 0x50 is ARE
// and DS, which always read as 1. When the CPU does not answer, the registers show as zero.
void vgic_snapshot(struct vcpu *vcpu, struct vgic_snapshot *snapshot)
{
    struct request request = {.vcpu = vcpu, .snapshot = snapshot};

    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->ctlr = vcpu->vm->vgic.ctlr | 0x50;
    snapshot->lr_count = vcpu->gic.lr_count;
    snapshot->maintenance_count = vcpu->gic.maintenance_count;
    snapshot->refill_count = vcpu->gic.refill_count;
    (void)cpu_call(vcpu->cpu, take, &request);
}

// The pending state comes from three places, as for GICD_ISPENDR: memory, the list register, the physical
// redistributor.
bool vgic_query(struct vcpu *vcpu, unsigned int intid, struct vgic_interrupt *interrupt)
{
    struct vm *vm = vcpu->vm;
    unsigned int n = intid % 32;
    uint64_t state = 0;

    if (intid >= VGIC_INTIDS)
        return false;
    struct vgic_view view = vgic_view_of(vm, vcpu, intid);
    const struct vgic_bank *bank = view.bank;
    struct vcpu *target = view.owner != NULL ? vcpu : vgic_spi_target(vm, intid);
    vgic_lock_view(&view);
    uint32_t high = view.owner != NULL ? vgic_physical_pending(vcpu, bank->hardware & (uint32_t)BIT64(n)) : 0;
    if (bank->listed >> n & 1)
        state = vgic_listed_state(bank, n, vm->vcpus[bank->place[n] >> 4].gic.lr[bank->place[n] & 15]);
    *interrupt = (struct vgic_interrupt){
        .intid = (uint16_t)intid,
        .priority = bank->priority[n],
        .target = target != NULL ? (uint8_t)target->id : VGIC_NO_TARGET,
        .enabled = bank->enabled >> n & 1,
        .pending = ((vgic_pending(bank) | high) >> n & 1) || (state & ICH_LR_EL2_PENDING),
        .active = (bank->active >> n & 1) || (state & ICH_LR_EL2_ACTIVE),
        .edge = bank->edge >> n & 1,
        .group1 = bank->group >> n & 1,
        .line = bank->line >> n & 1,
        .listed = bank->listed >> n & 1,
        .hardware = bank->hardware >> n & 1,
    };
    vgic_unlock_view(&view);
    return true;
}
