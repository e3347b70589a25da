// SPDX-License-Identifier: Apache-2.0
// The ground of the virtual GIC: which bank an INTID is in and which lock guards it, how a vCPU is told that there is
// something for it, and which vCPU an SPI is for. It calls none of the other files of vdev/vgic.
//
// A bank is 32 interrupts. INTIDs 0 to 31 (SGIs and PPIs) are in a bank of each vCPU's own, under that vCPU's lock;
// INTID 40, for example, is bit 8 of the first bank of SPIs (32 to 63), which all vCPUs share, under the VM's lock.
//
// A vCPU's number in its VM (id) is what the guest knows: affinities and routes. The physical CPU on which it runs
// (cpu) is what the hardware knows: SGIs of EL2's own, and the redistributor with the PPIs behind the guest's.

#include "vgic_internal.h"

#include <hv/arch/barrier.h>
#include <hv/gicv3.h>
#include <hv/spinlock.h>

struct vgic_view vgic_view_of(struct vm *vm, struct vcpu *owner, unsigned int intid)
{
    if (intid < 32)
        return (struct vgic_view){.vm = vm, .owner = owner, .bank = &owner->gic.bank, .first = 0};
    return (struct vgic_view){.vm = vm, .owner = NULL, .bank = &vm->vgic.spi[intid / 32 - 1], .first = intid & ~31u};
}

void vgic_lock_view(const struct vgic_view *view) NO_THREAD_ANALYSIS
{
    spinlock_acquire(view->owner != NULL ? &view->owner->gic.lock : &view->vm->vgic.lock);
}

void vgic_unlock_view(const struct vgic_view *view) NO_THREAD_ANALYSIS
{
    spinlock_release(view->owner != NULL ? &view->owner->gic.lock : &view->vm->vgic.lock);
}

void vgic_post(struct vcpu *target)
{
    __atomic_store_n(&target->gic.work, 1, __ATOMIC_RELEASE);
    if (target != vcpu_current())
        gicv3_send_sgi(GICV3_SGI_KICK, target->cpu);
}

static struct vcpu *vcpu_of_affinity(struct vm *vm, uint64_t router)
{
    // A vCPU's affinity is its number (VMPIDR_EL2 as QEMU virt's MPIDR_EL1: Aff0 only, up to 16 CPUs).
    uint64_t id = router & 0xff00ffffffULL;

    return id < vm->vcpu_count ? &vm->vcpus[bounded_index(id, CPU_MAX)] : NULL;
}

// Whether an interrupt for any one vCPU may go to this one: it is on, and its redistributor awake (GICR_WAKER).
static bool takes_any(const struct vcpu *vcpu)
{
    return vcpu->power == VCPU_ON && !(vcpu->gic.waker & VGIC_WAKER_SLEEP);
}

bool vgic_targets(const struct vm *vm, unsigned int intid, const struct vcpu *vcpu)
{
    uint64_t router = vm->vgic.router[intid - 32];

    return router & VGIC_IRM ? takes_any(vcpu) : (router & 0xff00ffffffULL) == vcpu->id;
}

// 1-of-N: this vCPU when it may take it, else the first that may.
struct vcpu *vgic_spi_target(struct vm *vm, unsigned int intid)
{
    uint64_t router = vm->vgic.router[intid - 32];
    struct vcpu *current = vcpu_current();

    if (!(router & VGIC_IRM))
        return vcpu_of_affinity(vm, router);
    if (current != NULL && current->vm == vm && takes_any(current))
        return current;
    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        if (takes_any(&vm->vcpus[i]))
            return &vm->vcpus[i];
    return NULL;
}

void vgic_offer_spi(struct vcpu *target, unsigned int intid)
{
    target->gic.spi_hint |= (uint32_t)BIT64(intid / 32 - 1);
    vgic_post(target);
}

COLD uint32_t vgic_physical_pending(const struct vcpu *owner, uint32_t bits)
{
    uint32_t pending = 0;

    for (; bits != 0; bits &= bits - 1)
        if (gicv3_is_pending((unsigned int)__builtin_ctz(bits), owner->cpu))
            pending |= bits & -bits;
    return pending;
}
