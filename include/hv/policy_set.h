// SPDX-License-Identifier: Apache-2.0
// Verdicts that a person gives at the monitor. They hold until the machine is reset, which begins with the policy that
// was built.
#pragma once

#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/status.h>

#define POLICY_SET_READ  0x1u
#define POLICY_SET_WRITE 0x2u // calls too

// Gives the accesses of a key (below KEY_COUNT) in the directions named the verdict action, and records each as
// "policy-set". Where a key has one of the two directions alone, that one is set. From the first time on vm->policy is
// a copy in the VM's own memory. HV_ERR_STATE: none of them traps in this build, or a range of the device is mapped to
// the guest. HV_ERR_UNSUPPORTED: ariel cannot do that to them. HV_ERR_NO_MEMORY: more than POLICY_RANGE_MAX ranges. In
// these cases nothing has changed. HV_ERR_FAULT: it is set, but a CPU did not answer and may go by the old verdict
// of the device that it accessed last. One caller at a time, on any CPU, no locks held (cpu_call).
enum hv_status policy_set(struct vm *vm, unsigned int key, unsigned int directions, enum policy_action action);
