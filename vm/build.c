// SPDX-License-Identifier: Apache-2.0
// Makes a VM of its plan: the vCPUs with their CPUs and counters, the address space with RAM and what the policy maps
// directly, and the virtual devices in their reset state. The VM does not run yet: all its vCPUs are off. A policy
// comes from a file that a person wrote, so this file does not believe it: a device is mapped only when both the list
// of devices that any guest may have (hv/device.h) and the board (hv/platform.h) say so.

#include <hv/vm.h>

#include <hv/device.h>
#include <hv/log_budget.h>
#include <hv/plan.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/pool.h>
#include <hv/space.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vtimer.h>

// Maps a range that the policy does not trap. A shadowed range is a page of EL2's that answers the guest's reads in the
// device's place, while its writes still trap. Any other range is the device itself. The guest may have that only when
// nothing that it does to the device outlives the guest.
static enum hv_status map_device(struct vm *vm, const struct policy_range *row)
{
    struct ipa_range range;
    enum hv_status status = ipa_range_make(ipa_make(row->base), row->size, 4096, &range);

    if (status != HV_OK)
        return status;
    if (row->mapping == POLICY_SHADOW) {
        vm->uart.shadow = true;
        return space_map_shadow(&vm->space, &range, pa_make((uintptr_t)vm->uart.reg));
    }
    if (!device_may_pass(row->key, true))
        return HV_ERR_INVALID;
    if (!platform_may_pass(row->base, row->size))
        return HV_OK; // this board has no such device there: it stays trapped, and trap_mmio refuses the access
    return space_map_device(&vm->space, &range, pa_make(row->base));
}

// The first range that cannot be mapped ends it, and the VM is refused.
static enum hv_status map_devices(struct vm *vm)
{
    enum hv_status status = HV_OK;

    for (unsigned int i = 0; i < vm->policy->range_count && status == HV_OK; i++)
        if (vm->policy->ranges[i].mapping != POLICY_TRAPPED)
            status = map_device(vm, &vm->policy->ranges[i]);
    return status;
}

// vCPU n of the VM runs on CPU first_cpu + n of the machine, and stays there.
static void make_vcpus(struct vm *vm, const struct vm_plan *plan, unsigned int vcpu_count)
{
    vm->vcpu_count = vcpu_count;
    for (unsigned int i = 0; i < vcpu_count; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        vcpu->vm = vm;
        vcpu->id = i;
        vcpu->cpu = plan->first_cpu + i;
        vcpu->power = VCPU_OFF;
        vcpu->telemetry = &plan->memory->telemetry[i];
        telemetry_init(vcpu->telemetry, i);
    }
}

// Guest RAM is mapped by blocks of 2 MiB, the size of a level 2 entry with pages of 4 KiB, so it has to be aligned to
// that. The space is valid after space_init even if the RAM is refused.
static enum hv_status make_space(struct vm *vm, const struct vm_plan *plan)
{
    struct ipa_range ram;
    enum hv_status status = ipa_range_make(plan->ram_ipa, plan->ram->size, MIB(2), &ram);

    pool_init(&plan->memory->pool, plan->memory->table_pages, PLAN_TABLE_PAGES);
    space_init(&vm->space, plan->memory->root, &plan->memory->pool, plan->vmid);
    return status == HV_OK ? space_add_ram(&vm->space, &ram, pa_make(plan->ram->base)) : status;
}

// The order matters in two places: the counter's lead is known before anything reads the guest's time, and the devices
// are in their reset state before the shadow of one is mapped.
enum hv_status vm_build(struct vm *vm, const struct vm_plan *plan, unsigned int vcpu_count)
{
    vm->number = plan->number;
    vm->policy = plan->policy;
    vm->controls = plan->policy->controls;
    vm->virtio = &plan->memory->virtio;
    vm->trace_filter = &plan->memory->trace_filter[0][0];
    memset(vm->trace_filter, 0, sizeof(plan->memory->trace_filter));
    // Before anything reads the guest's counter: vm_virtual_offset (vm/vm.c) says why it may lead the machine's.
    vm->virtual_lead = vtimer_may_wrap(VM_VIRTUAL_LEAD) ? VM_VIRTUAL_LEAD : 0;
    vm->virtual_offset = vm_virtual_offset(vm);
    make_vcpus(vm, plan, vcpu_count);
    vm->log_budget = log_budget_open(vm->policy->log_budget);
    spinlock_init(&vm->power_lock, LOCK_VM_POWER);
    enum hv_status status = make_space(vm, plan);
    device_reset_all(vm);
    return status == HV_OK ? map_devices(vm) : status;
}
