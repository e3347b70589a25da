// SPDX-License-Identifier: Apache-2.0
#include "fake_vm.h"

#include <hv/arch/step.h>
#include <hv/hold.h>
#include <hv/policy_set.h>
#include <hv/selftest.h>

jmp_buf fake_machine_ended;
unsigned int fake_steps;

enum hv_status vm_pause(struct vm *vm)
{
    if (vm->state != VM_RUNNING)
        return HV_ERR_STATE;
    vm->state = VM_PAUSED;
    return HV_OK;
}

enum hv_status vm_resume(struct vm *vm)
{
    if (vm->state != VM_PAUSED)
        return HV_ERR_STATE;
    vm->state = VM_RUNNING;
    return HV_OK;
}

_Noreturn void vm_reset(struct vm *vm)
{
    (void)vm;
    longjmp(fake_machine_ended, 1);
}

_Noreturn void vm_power_off(struct vm *vm)
{
    (void)vm;
    longjmp(fake_machine_ended, 1);
}

void hold_drop(struct vcpu *vcpu)
{
    (void)vcpu;
}

void step_start(struct vcpu *vcpu, uint32_t count)
{
    (void)vcpu;
    fake_steps += count;
}

const char *selftest_memory(struct vm *vm)
{
    (void)vm;
    return NULL;
}

// A world without a plan has no place for a copy of the policy.
enum hv_status policy_set(struct vm *vm, unsigned int key, unsigned int directions, enum policy_action action)
{
    (void)vm;
    (void)key;
    (void)directions;
    (void)action;
    return HV_ERR_NO_MEMORY;
}
