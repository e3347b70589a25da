// SPDX-License-Identifier: Apache-2.0
// The life of a VM. Its data: machine.h.
#pragma once

#include <hv/machine.h>
#include <hv/memory_map.h>
#include <hv/notify.h>
#include <hv/space.h>
#include <hv/status.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vpl011.h>

struct vm_plan;

// Makes vm of its plan, with vcpu_count vCPUs (1 .. plan->vcpu_max): stage 2 with guest RAM and what the policy maps
// directly, the devices' reset state. vm is all zero before. Once, on the boot CPU; errors are stage2_map's, and
// HV_ERR_INVALID when the policy maps a device that no guest may have (device_may_pass).
enum hv_status vm_build(struct vm *vm, const struct vm_plan *plan, unsigned int vcpu_count);

// CNTVOFF_EL2 of vm's vCPUs, from its lead and the pauses so far.
uint64_t vm_virtual_offset(const struct vm *vm);

// Stops every vCPU at its next exit (other CPUs are kicked by an SGI) and returns when they wait; the one of the
// calling CPU waits when the present exit ends. HV_ERR_STATE when the VM is not running.
enum hv_status vm_pause(struct vm *vm);

// Lets the vCPUs run again; the time spent paused is added to CNTVOFF_EL2. HV_ERR_STATE when not paused.
enum hv_status vm_resume(struct vm *vm);

// Pauses the VM of vcpu and posts event about vcpu, which says why. False, and nothing done, when the VM is not
// running.
bool vm_break(struct vcpu *vcpu, enum notify_event event);

// Stops the VM of vcpu for good, writes the record "vm-stop" with event's name, which is vm->stop_reason from now on,
// and posts event about vcpu. Once a VM: later calls do nothing.
void vm_stop(struct vcpu *vcpu, enum notify_event event);

// Asks for a machine reset (the guest starts again from pristine images). Does not return.
_Noreturn void vm_reset(struct vm *vm);

// Powers the machine off. Does not return.
_Noreturn void vm_power_off(struct vm *vm);
