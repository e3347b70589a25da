// SPDX-License-Identifier: Apache-2.0
// A policy is one constant, and exits find their verdict through vm->policy. Before a person changes a verdict, the
// policy is copied into the VM's own memory and vm->policy points there, so that exits do what they did before. A
// verdict is one word and is stored at once: another CPU sees the old one or the new one. A vCPU remembers the range of
// the device that it accessed last (vcpu->range), which may be one of the constant policy, so each CPU forgets its own.

#include <hv/policy_set.h>

#include <hv/cpu.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/plan.h>
#include <hv/string.h>

// On each CPU.
static void forget_range(void *argument)
{
    (void)argument;
    vcpu_current()->range = NULL;
}

static enum hv_status may_set(const struct policy *policy, unsigned int key, unsigned int way,
                              enum policy_action action)
{
    unsigned int fits = policy->settable != NULL ? policy->settable[key][way] : 0;

    for (unsigned int n = 0; n < policy->range_count; n++)
        if (policy->ranges[n].key == key && policy->ranges[n].mapping != POLICY_TRAPPED)
            return HV_ERR_STATE;
    if (fits == 0)
        return HV_ERR_STATE;
    return fits >> action & 1 ? HV_OK : HV_ERR_UNSUPPORTED;
}

// The VM's own copy, which vm->policy is from here on.
static struct vm_memory *own_policy(struct vm *vm)
{
    struct vm_memory *memory = plan_of(vm->number)->memory;

    if (vm->policy != &memory->policy) {
        memcpy(&memory->policy, vm->policy, sizeof(memory->policy));
        memcpy(memory->policy_ranges, vm->policy->ranges, vm->policy->range_count * sizeof(struct policy_range));
        memory->policy.ranges = memory->policy_ranges;
        __atomic_store_n(&vm->policy, &memory->policy, __ATOMIC_RELEASE);
    }
    return memory;
}

// The verdict of the policy that was built, with another action. It goes the whole way, and what is refused or pauses
// has a record.
static void set_one(struct policy_verdict *verdict, struct policy_verdict built, enum policy_action action)
{
    built.action = action;
    built.flags = (built.flags & ~POLICY_FLAG_QUICK) | POLICY_FLAG_SET;
    if (action >= POLICY_DENY)
        built.flags |= POLICY_FLAG_LOG;
    __atomic_store(verdict, &built, __ATOMIC_RELAXED);
}

static void set_way(struct vm *vm, unsigned int key, unsigned int way, enum policy_action action)
{
    struct vm_memory *memory = own_policy(vm);
    const struct policy *built = plan_of(vm->number)->policy;
    struct policy_verdict was = memory->policy.verdicts[key][way];

    set_one(&memory->policy.verdicts[key][way], built->verdicts[key][way], action);
    for (unsigned int n = 0; n < built->range_count; n++)
        if (built->ranges[n].key == key)
            set_one(&memory->policy_ranges[n].verdict[way], built->ranges[n].verdict[way], action);
    log_record(LOG_WARN, LOG_POLICY, "policy-set", "key=%s op=%s verdict=%s was=%s row=%u at=%pQ", event_key_name(key),
               way != 0 ? "write" : "read", policy_action_name(action), policy_action_name(was.action), was.row,
               built->rows[was.row].place);
}

enum hv_status policy_set(struct vm *vm, unsigned int key, unsigned int directions, enum policy_action action)
{
    unsigned int ways = 0;

    if (vm->policy->range_count > POLICY_RANGE_MAX)
        return HV_ERR_NO_MEMORY;
    for (unsigned int way = 0; way < 2; way++) {
        enum hv_status status = directions >> way & 1 ? may_set(vm->policy, key, way, action) : HV_ERR_STATE;
        if (status == HV_ERR_UNSUPPORTED)
            return status;
        ways |= status == HV_OK ? 1u << way : 0;
    }
    if (ways == 0)
        return HV_ERR_STATE;
    for (unsigned int way = 0; way < 2; way++)
        if (ways >> way & 1)
            set_way(vm, key, way, action);
    return cpu_call_all(forget_range, NULL) ? HV_OK : HV_ERR_FAULT;
}
