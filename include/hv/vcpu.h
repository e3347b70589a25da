// SPDX-License-Identifier: Apache-2.0
// A vCPU that is not in the guest, and how another CPU asks something of one. Its data: machine.h.
#pragma once

#include <hv/arch/vcpu_reset.h>
#include <hv/machine.h>

// Waits in EL2, serving interrupts and the monitor, until the VM runs and this vCPU is on; a vCPU just turned on is
// reset to its entry point. On its own CPU.
void vcpu_wait(struct vcpu *vcpu);

// Waits for an interrupt that would wake the guest from WFI, or for a request. On its own CPU.
void vcpu_wait_for_interrupt(struct vcpu *vcpu);

// Sets request bits of vcpu and kicks its CPU when that is another one.
void vcpu_request(struct vcpu *vcpu, uint32_t request);
