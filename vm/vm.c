// SPDX-License-Identifier: Apache-2.0
// The life of the VM: made, paused, resumed, stopped, reset. While it is paused every vCPU waits in EL2 and virtual
// time stands still: CNTVOFF_EL2 grows by what the pause took, towards 0.

#include <hv/vm.h>

#include <hv/arch/psci_firmware.h>
#include <hv/arch/registers.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/device.h>
#include <hv/gicv3.h>
#include <hv/log_budget.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/pool.h>
#include <hv/spinlock.h>
#include <hv/telemetry.h>
#include <hv/vtimer.h>

#define VMID 1

struct vm vm0;

static _Alignas(4096) uint64_t stage2_root[512];
static _Alignas(4096) UNSET uint8_t stage2_pool[64][4096]; // of the guest's translation tables
static struct pool table_pool;
static UNSET struct telemetry telemetry[CPU_MAX]; // by vCPU; cleared by telemetry_init

// A range that is not trapped: the device itself, when it is one of which any use ends with the guest, or the page that
// answers reads in its place.
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

static enum hv_status map_devices(struct vm *vm)
{
    enum hv_status status = HV_OK;

    for (unsigned int i = 0; i < vm->policy->range_count && status == HV_OK; i++)
        if (vm->policy->ranges[i].mapping != POLICY_TRAPPED)
            status = map_device(vm, &vm->policy->ranges[i]);
    return status;
}

// QEMU sets its timer for CNTV_CVAL_EL0 + CNTVOFF_EL2. When the sum wraps, 7.2 takes what is left: above 0 an offset
// lets a guest that writes CNTV_CVAL_EL0 = ~0 hang QEMU as a whole, so the counter leads (by more than the 208 days of
// any pause; then guest time jumps). 8.2 and newer never fire: they want an offset that is not below 0.
static uint64_t virtual_offset(const struct vm *vm)
{
    uint64_t lead = vm->virtual_lead;

    return lead != 0 && vm->paused_ticks > lead ? 0 : vm->paused_ticks - lead;
}

enum hv_status vm_init(struct vm *vm, unsigned int vcpu_count)
{
    struct ipa_range ram;

    vm->vcpu_count = vcpu_count;
    vm->virtual_lead = vtimer_may_wrap(VM_VIRTUAL_LEAD) ? VM_VIRTUAL_LEAD : 0;
    vm->virtual_offset = virtual_offset(vm);
    for (unsigned int i = 0; i < vcpu_count; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        vcpu->vm = vm;
        vcpu->id = i;
        vcpu->cpu = i;
        vcpu->power = VCPU_OFF;
        vcpu->telemetry = &telemetry[i];
        telemetry_init(vcpu->telemetry, i);
    }
    log_budget_set_limit(vm->policy->log_budget);
    spinlock_init(&vm->power_lock, LOCK_VM_POWER);
    pool_init(&table_pool, stage2_pool, ARRAY_COUNT(stage2_pool));
    space_init(&vm->space, stage2_root, &table_pool, VMID);
    device_reset_all(vm);
    enum hv_status status = ipa_range_make(ipa_make(GUEST_RAM_IPA), GUEST_RAM_SIZE, MIB(2), &ram);
    if (status == HV_OK)
        status = space_add_ram(&vm->space, &ram, pa_make(platform.guest_ram.base));
    return status == HV_OK ? map_devices(vm) : status;
}

static bool all_others_wait(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        if (i != cpu_id() && !__atomic_load_n(&vm->vcpus[i].waiting, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

// Asks every vCPU to wait, and waits for the other ones while the VM is in state; late ones are named.
static void gather(struct vm *vm, enum vm_state state)
{
    uint64_t limit = READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0) * CPU_LATE_MS / 1000;

    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        vcpu_request(&vm->vcpus[i], VCPU_REQUEST_WAIT);
    while (vm->state == state && !all_others_wait(vm)) {
        cpu_serve_kick(); // another CPU may itself be waiting for this one
        cpu_yield();
        if (READ_SYSREG(CNTPCT_EL0) >= limit) {
            for (unsigned int i = 0; i < vm->vcpu_count; i++)
                if (i != cpu_id() && !vm->vcpus[i].waiting)
                    log_limited(LOG_LIMIT(LOG_SOURCE_LATE, LOG_ERROR), LOG_VM, "cpu-late", "vcpu=%u limit_ms=%u", i,
                                CPU_LATE_MS);
            return;
        }
    }
}

static bool change_state(struct vm *vm, enum vm_state from, enum vm_state to)
{
    return __atomic_compare_exchange_n(&vm->state, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

enum hv_status vm_pause(struct vm *vm)
{
    uint64_t asked = READ_SYSREG(CNTPCT_EL0);

    if (!change_state(vm, VM_RUNNING, VM_PAUSING))
        return HV_ERR_STATE;
    gather(vm, VM_PAUSING);
    // Taken when all stand still, so that no vCPU sees its counter step back, and before anybody may resume.
    vm->pause_started = READ_SYSREG(CNTPCT_EL0);
    if (!change_state(vm, VM_PAUSING, VM_PAUSED))
        return HV_ERR_STATE; // stopped meanwhile
    log_record(LOG_INFO, LOG_VM, "vm-pause", "vcpus=%u stop_ticks=%lu", vm->vcpu_count, vm->pause_started - asked);
    return HV_OK;
}

enum hv_status vm_resume(struct vm *vm)
{
    if (vm->state != VM_PAUSED)
        return HV_ERR_STATE;
    uint64_t ticks = READ_SYSREG(CNTPCT_EL0) - vm->pause_started;
    vm->paused_ticks += ticks;
    vm->virtual_offset = virtual_offset(vm);
    if (!change_state(vm, VM_PAUSED, VM_RUNNING))
        return HV_ERR_STATE;
    vpl011_time_goes_on(vm);
    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        vcpu_request(&vm->vcpus[i], VCPU_REQUEST_WAIT);
    // Written when the guest runs again: a slow serial line would else be time that it sees.
    log_record(LOG_INFO, LOG_VM, "vm-resume", "paused_ticks=%lu", ticks);
    return HV_OK;
}

bool vm_break(struct vm *vm, enum notify_event event)
{
    if (vm_pause(vm) != HV_OK)
        return false;
    notify_post(event);
    return true;
}

void vm_stop(struct vm *vm, enum notify_event event)
{
    // Of several vCPUs that stop it at once only the first goes on, and the others come to wait for it.
    if (__atomic_exchange_n(&vm->state, VM_STOPPED, __ATOMIC_ACQ_REL) == VM_STOPPED)
        return;
    vm->stop_reason = notify_name(event);
    gather(vm, VM_STOPPED);
    vm->pause_started = READ_SYSREG(CNTPCT_EL0);
    log_write_held();
    log_counters(vm);
    log_record(LOG_ERROR, LOG_VM, "vm-stop", "reason=%pQ", vm->stop_reason);
    notify_post(event);
}

_Noreturn void vm_reset(struct vm *vm)
{
    console_release();
    log_begin_end();
    log_counters(vm);
    log_record(LOG_INFO, LOG_VM, "vm-reset", "vcpus=%u hidden_total=%u", vm->vcpu_count, log_hidden());
    log_end();
    firmware_reset();
}

_Noreturn void vm_power_off(struct vm *vm)
{
    console_release();
    log_begin_end();
    log_counters(vm);
    log_record(LOG_INFO, LOG_VM, "vm-off", "vcpus=%u hidden_total=%u", vm->vcpu_count, log_hidden());
    log_end();
    firmware_power_off();
}
