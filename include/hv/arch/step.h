// SPDX-License-Identifier: Apache-2.0
// Single-stepping a vCPU for the monitor: software step to EL2 (MDCR_EL2.TDE, MDSCR_EL1.SS, SPSR_EL2.SS; DDI 0487
// D2.12). The guest's own MDSCR_EL1 and OS lock are kept meanwhile (vcpu->guest_mdscr, guest_os_lock).
#pragma once

#include <hv/vcpu.h>

// Prepares vcpu to run count instructions and then pause again. On any CPU, while the vCPU waits; takes effect when the
// VM resumes.
void step_start(struct vcpu *vcpu, uint32_t count);
// Before entry to the guest: arms one step; with done (the instruction was emulated, or its exception taken) the step
// is already taken.
void step_arm(struct vcpu *vcpu, bool done);
// A software step exception arrived: true when it was the monitor's. Pauses the VM after the last one.
bool step_take(struct vcpu *vcpu);
// Ends stepping early: something else paused the VM. On vcpu's own CPU.
void step_cancel(struct vcpu *vcpu);
// The same where the VM is paused or vcpu is off, before it waits: whoever resumes the VM, or turns the vCPU on again,
// does not expect the rest of the steps. On vcpu's own CPU.
void step_cancel_if_stopped(struct vcpu *vcpu);
