// SPDX-License-Identifier: Apache-2.0
// PSCI 1.1 (DEN 0022) and SMCCC 1.1 (DEN 0028) as the guest sees them. Several vCPUs may turn the same one on at once,
// and exactly one of them must succeed. So a vCPU's power state goes from OFF to ON_PENDING under the VM's power lock,
// by whoever turns it on; from ON_PENDING to ON and from ON to OFF only the vCPU itself takes it, on its own CPU.

#include <hv/call.h>

#include <hv/arch/barrier.h>
#include <hv/event_key.h>
#include <hv/log_budget.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <hv/trace_exit.h>
#include <hv/vm.h>

// Return codes of PSCI (DEN 0022).
#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID            (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INVALID_ADDRESS    (-9)
#define PSCI_MIGRATE_NOT_NEEDED 2

#define VERSION_1_1 0x00010001 // major in bits 30:16, minor in bits 15:0, of SMCCC and PSCI alike

// The original format of power_state: bit 16 asks for a state that loses the registers. Bits 31:26 and 23:17 are
// reserved and must be 0.
#define POWER_STATE_POWERDOWN 0x00010000u
#define POWER_STATE_RESERVED  0xfcfe0000u

// The vCPU with this MPIDR affinity, or NULL. Affinity is the number of the vCPU in Aff0.
static struct vcpu *vcpu_of(struct vm *vm, uint64_t affinity)
{
    return affinity < vm->vcpu_count ? &vm->vcpus[bounded_index(affinity, CPU_MAX)] : NULL;
}

// Whether a vCPU may begin there: A64 instructions stand at multiples of 4, and only RAM has the guest's code.
static bool is_entry(const struct vm *vm, uint64_t entry)
{
    return space_is_ram(&vm->space, ipa_make(entry)) && entry % 4 == 0;
}

// Of several callers, the one that finds the target OFF under the lock turns it on. It writes the entry before the
// state, with release order, so that the target, which reads the state first, sees the entry. All others get the answer
// that fits the state they found.
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

// The vCPU does not leave here: it is asked to wait, and waits at the end of this exit until another one turns it on.
int64_t psci_cpu_off(struct vcpu *vcpu)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_CPU_OFF, LOG_INFO), LOG_PSCI, "cpu-off", "vcpu=%u", vcpu->id);
    __atomic_store_n(&vcpu->power, VCPU_OFF, __ATOMIC_RELEASE);
    vcpu_request(vcpu, VCPU_REQUEST_WAIT);
    return PSCI_SUCCESS;
}

// AFFINITY_INFO. Its answers 0 (ON), 1 (OFF) and 2 (ON_PENDING) are the values of enum vcpu_power. The lowest affinity
// level 0 means the one CPU; levels above it need not be supported from PSCI 1.0 on (DEN 0022).
static int64_t affinity_info(struct vcpu *vcpu, uint64_t affinity, uint64_t level)
{
    struct vcpu *target = vcpu_of(vcpu->vm, affinity);
    return target == NULL || level != 0 ? PSCI_INVALID : (int64_t)target->power;
}

// PSCI_FEATURES: whether a function is there, of PSCI's and SMCCC_VERSION (DEN 0022). The number is looked up as a call
// of it would be. SMCCC_ARCH_FEATURES is not asked for in this way.
static int64_t features(const struct vcpu *vcpu, uint32_t function)
{
    unsigned int key = call_key(KEY_CAUSE_HVC, 0, function);
    bool known = key >= KEY_SMCCC_FIRST && key < KEY_SMCCC_UNKNOWN && key != KEY_SMCCC_ARCH_FEATURES;
    // A function that the policy denies is not offered either.
    return known && policy_verdicts_of(vcpu->vm->policy, key)[1].action != POLICY_DENY ? PSCI_SUCCESS
                                                                                       : PSCI_NOT_SUPPORTED;
}

// SMCCC_ARCH_FEATURES: the same question about SMCCC's own functions (DEN 0028). ariel has the two that must be there,
// and none of the workarounds for speculation, which a guest then does not call.
static int64_t arch_features(uint32_t function)
{
    unsigned int key = call_key(KEY_CAUSE_HVC, 0, function);
    return key == KEY_SMCCC_VERSION || key == KEY_SMCCC_ARCH_FEATURES ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

// CPU_SUSPEND. Whatever depth the guest asks for, the vCPU waits for an interrupt and goes on after the call, as from a
// standby state: DEN 0022 5.4 lets a request for a deeper state end so. power_state has the original format, which
// PSCI_FEATURES tells by bit 1 of its answer being 0.
static int64_t cpu_suspend(struct vcpu *vcpu, uint32_t power_state, uint64_t entry)
{
    if (power_state & POWER_STATE_RESERVED)
        return PSCI_INVALID;
    if ((power_state & POWER_STATE_POWERDOWN) && !is_entry(vcpu->vm, entry))
        return PSCI_INVALID_ADDRESS;
    vcpu_request(vcpu, VCPU_REQUEST_SUSPEND);
    return PSCI_SUCCESS;
}

// The log learns whose reset this is before the machine goes: a guest that resets in a loop must not push out of the
// ring what led to it (trace/log_start.c).
static _Noreturn void system_reset(struct vcpu *vcpu)
{
    trace_abandon(vcpu);
    log_guest_resets();
    vm_reset(vcpu->vm);
}

// The functions of call_table.h. The 32-bit convention passes W1 to W3: the upper halves are not part of the arguments
// (DEN 0028).

static uint64_t argument(const struct vcpu *vcpu, unsigned int n)
{
    return vcpu_get_reg(vcpu, n);
}

static uint32_t argument32(const struct vcpu *vcpu, unsigned int n)
{
    return (uint32_t)vcpu_get_reg(vcpu, n);
}

int64_t smccc_version(struct vcpu *vcpu)
{
    (void)vcpu;
    return VERSION_1_1;
}

int64_t smccc_arch_features(struct vcpu *vcpu)
{
    return arch_features(argument32(vcpu, 1));
}

int64_t psci_version(struct vcpu *vcpu)
{
    (void)vcpu;
    return VERSION_1_1;
}

int64_t psci_features(struct vcpu *vcpu)
{
    return features(vcpu, argument32(vcpu, 1));
}

int64_t psci_cpu_suspend_32(struct vcpu *vcpu)
{
    return cpu_suspend(vcpu, argument32(vcpu, 1), argument32(vcpu, 2));
}

int64_t psci_cpu_suspend_64(struct vcpu *vcpu)
{
    return cpu_suspend(vcpu, argument32(vcpu, 1), argument(vcpu, 2));
}

int64_t psci_cpu_on_32(struct vcpu *vcpu)
{
    return cpu_on(vcpu, argument32(vcpu, 1), argument32(vcpu, 2), argument32(vcpu, 3));
}

int64_t psci_cpu_on_64(struct vcpu *vcpu)
{
    return cpu_on(vcpu, argument(vcpu, 1), argument(vcpu, 2), argument(vcpu, 3));
}

int64_t psci_affinity_info_32(struct vcpu *vcpu)
{
    return affinity_info(vcpu, argument32(vcpu, 1), argument32(vcpu, 2));
}

int64_t psci_affinity_info_64(struct vcpu *vcpu)
{
    return affinity_info(vcpu, argument(vcpu, 1), argument(vcpu, 2));
}

// There is no trusted OS that would have to be moved from CPU to CPU.
int64_t psci_migrate_info_type(struct vcpu *vcpu)
{
    (void)vcpu;
    return PSCI_MIGRATE_NOT_NEEDED;
}

int64_t psci_system_off(struct vcpu *vcpu)
{
    trace_abandon(vcpu);
    vm_power_off(vcpu->vm);
}

int64_t psci_system_reset(struct vcpu *vcpu)
{
    system_reset(vcpu);
}

// Type 0 is a warm reset; anything else is not offered.
int64_t psci_system_reset2(struct vcpu *vcpu)
{
    if (argument32(vcpu, 1) != 0)
        return PSCI_INVALID;
    system_reset(vcpu);
}
