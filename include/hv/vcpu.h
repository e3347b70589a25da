// SPDX-License-Identifier: Apache-2.0
// A vCPU that is not in the guest, and how another CPU asks something of one. Its data: machine.h.
#pragma once

#include <hv/arch/vcpu_reset.h>
#include <hv/event.h>
#include <hv/machine.h>

// Waits in EL2, serving interrupts and the monitor, until the VM runs and this vCPU is on; a vCPU just turned on is
// reset to its entry point. On its own CPU.
void vcpu_wait(struct vcpu *vcpu);

// Waits for an interrupt that would wake the guest from WFI, or for a request. On its own CPU.
void vcpu_wait_for_interrupt(struct vcpu *vcpu);

// A policy row says pause for what the guest does, event. vcpu_break pauses the VM and opens the monitor; the result of
// the event is then TRAP_RETRY: the instruction is executed again when the VM goes on, with whatever registers and PC
// the person at the monitor left. If it then does what was held (the same instruction at the same PC, key, direction,
// address, value and general registers), vcpu_break_passed says true, for all parts of that access and once; if
// anything differs, it says false, and the VM pauses for what the access is now. On its own CPU.
bool vcpu_break_passed(struct vcpu *vcpu, const struct event *event);
void vcpu_break(struct vcpu *vcpu, const struct event *event);
// The monitor changed where vcpu goes on: what it waited for, or was held at, no longer counts. On its own CPU.
void vcpu_moved(struct vcpu *vcpu);

// Sets request bits of vcpu and kicks its CPU when that is another one.
void vcpu_request(struct vcpu *vcpu, uint32_t request);
