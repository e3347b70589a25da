// SPDX-License-Identifier: Apache-2.0
// Guest time: the virtual counter is the physical one minus vm->virtual_offset, which grows while the VM is paused.
#pragma once

#include <hv/types.h>

struct vcpu;

// CNTVOFF_EL2, CNTHCTL_EL2 and the virtual timer's interrupt for this CPU. Before the vCPU first runs.
void vtimer_init_cpu(struct vcpu *vcpu);
// The physical virtual-timer interrupt was taken: hand it to the guest.
void vtimer_interrupt(struct vcpu *vcpu);
// EL2's own timer (CNTHP), which stands behind the guest's physical timer, was taken.
void vtimer_hyp_interrupt(struct vcpu *vcpu);
// Writes CNTVOFF_EL2 anew after a pause.
void vtimer_update_offset(struct vcpu *vcpu);
