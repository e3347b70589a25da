// SPDX-License-Identifier: Apache-2.0
// PSCI 1.1 (DEN 0022) and SMCCC 1.1 (DEN 0028) as the guest sees them. A vCPU's power state changes by
// compare-and-exchange: OFF to ON_PENDING by whoever turns it on, ON_PENDING to ON and ON to OFF by the vCPU itself.

#include <hv/call.h>

#include <hv/arch/barrier.h>
#include <hv/event_key.h>
#include <hv/log_budget.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <hv/vm.h>

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID            (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INVALID_ADDRESS    (-9)
#define PSCI_MIGRATE_NOT_NEEDED 2

#define POWER_STATE_POWERDOWN 0x00010000u
#define POWER_STATE_RESERVED  0xfcfe0000u

// The vCPU with this MPIDR affinity, or NULL. Affinity is the number of the vCPU in Aff0.
static struct vcpu *vcpu_of(struct vm *vm, uint64_t affinity)
{
    return affinity < vm->vcpu_count ? &vm->vcpus[bounded_index(affinity, CPU_MAX)] : NULL;
}

static bool is_entry(const struct vm *vm, uint64_t entry)
{
    return space_is_ram(&vm->space, ipa_make(entry)) && entry % 4 == 0;
}

static int64_t cpu_on(struct vcpu *vcpu, uint64_t affinity, uint64_t entry, uint64_t context)
{
    struct vcpu *target = vcpu_of(vcpu->vm, affinity);
    enum vcpu_power expected = VCPU_OFF;

    if (target == NULL)
        return PSCI_INVALID;
    if (!is_entry(vcpu->vm, entry))
        return PSCI_INVALID_ADDRESS;
    spinlock_acquire(&vcpu->vm->power_lock);
    if (target->power == VCPU_OFF) {
        target->on_entry = entry;
        target->on_context = context;
        __atomic_store_n(&target->power, VCPU_ON_PENDING, __ATOMIC_RELEASE);
    } else {
        expected = target->power;
    }
    spinlock_release(&vcpu->vm->power_lock);
    if (expected != VCPU_OFF)
        return expected == VCPU_ON ? PSCI_ALREADY_ON : PSCI_ON_PENDING;
    vcpu_request(target, VCPU_REQUEST_WAIT);
    log_limited(LOG_LIMIT(LOG_SOURCE_CPU_ON, LOG_INFO), LOG_PSCI, "cpu-on", "vcpu=%u entry=0x%lx", target->id, entry);
    return PSCI_SUCCESS;
}

static int64_t cpu_off(struct vcpu *vcpu)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_CPU_OFF, LOG_INFO), LOG_PSCI, "cpu-off", "vcpu=%u", vcpu->id);
    __atomic_store_n(&vcpu->power, VCPU_OFF, __ATOMIC_RELEASE);
    vcpu_request(vcpu, VCPU_REQUEST_WAIT);
    return PSCI_SUCCESS;
}

static int64_t affinity_info(struct vcpu *vcpu, uint64_t affinity, uint64_t level)
{
    struct vcpu *target = vcpu_of(vcpu->vm, affinity);
    return target == NULL || level != 0 ? PSCI_INVALID : (int64_t)target->power;
}

static int64_t features(uint32_t function)
{
    unsigned int key = call_key(KEY_CAUSE_HVC, 0, function);
    bool known = key >= KEY_SMCCC_FIRST && key < KEY_SMCCC_UNKNOWN && key != KEY_SMCCC_ARCH_FEATURES;
    // What the policy denies is not there.
    return known && policy_verdicts_of(key)[1].action != POLICY_DENY ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

static int64_t arch_features(uint32_t function)
{
    unsigned int key = call_key(KEY_CAUSE_HVC, 0, function);
    return key == KEY_SMCCC_VERSION || key == KEY_SMCCC_ARCH_FEATURES ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

// Every state is a standby one, whatever depth is asked for (DEN 0022 5.4 lets a deeper one end so): the vCPU waits for
// an interrupt and goes on after the call. power_state is in the original format, as PSCI_FEATURES says.
static int64_t cpu_suspend(struct vcpu *vcpu, uint32_t power_state, uint64_t entry)
{
    if (power_state & POWER_STATE_RESERVED)
        return PSCI_INVALID;
    if ((power_state & POWER_STATE_POWERDOWN) && !is_entry(vcpu->vm, entry))
        return PSCI_INVALID_ADDRESS;
    vcpu_request(vcpu, VCPU_REQUEST_SUSPEND);
    return PSCI_SUCCESS;
}

static _Noreturn void system_reset(struct vcpu *vcpu)
{
    log_guest_resets();
    vm_reset(vcpu->vm);
}

// SYSTEM_RESET2: type 0 is a warm reset; anything else is not offered.
static int64_t system_reset2(struct vcpu *vcpu, uint32_t type)
{
    if (type != 0)
        return PSCI_INVALID;
    system_reset(vcpu);
}

int64_t psci_call(struct vcpu *vcpu, unsigned int key)
{
    uint64_t x1 = vcpu_get_reg(vcpu, 1);
    uint64_t x2 = vcpu_get_reg(vcpu, 2);
    uint64_t x3 = vcpu_get_reg(vcpu, 3);

    switch (key) {
    case KEY_SMCCC_ARCH_FEATURES:
        return arch_features((uint32_t)x1);
    case KEY_PSCI_FEATURES:
        return features((uint32_t)x1);
    case KEY_PSCI_CPU_SUSPEND_32:
        return cpu_suspend(vcpu, (uint32_t)x1, (uint32_t)x2);
    case KEY_PSCI_CPU_SUSPEND_64:
        return cpu_suspend(vcpu, (uint32_t)x1, x2);
    case KEY_PSCI_CPU_OFF:
        return cpu_off(vcpu);
    case KEY_PSCI_CPU_ON_32:
        return cpu_on(vcpu, (uint32_t)x1, (uint32_t)x2, (uint32_t)x3);
    case KEY_PSCI_CPU_ON_64:
        return cpu_on(vcpu, x1, x2, x3);
    case KEY_PSCI_AFFINITY_INFO_32:
        return affinity_info(vcpu, (uint32_t)x1, (uint32_t)x2);
    case KEY_PSCI_AFFINITY_INFO_64:
        return affinity_info(vcpu, x1, x2);
    case KEY_PSCI_MIGRATE_INFO_TYPE:
        return PSCI_MIGRATE_NOT_NEEDED;
    case KEY_PSCI_SYSTEM_OFF:
        vm_power_off(vcpu->vm);
    case KEY_PSCI_SYSTEM_RESET:
        system_reset(vcpu);
    case KEY_PSCI_SYSTEM_RESET2_32:
    case KEY_PSCI_SYSTEM_RESET2_64:
        return system_reset2(vcpu, (uint32_t)x1);
    default:
        return PSCI_NOT_SUPPORTED;
    }
}
