// SPDX-License-Identifier: Apache-2.0
// An access that is held: a policy row says pause for what the guest does, and a person at the monitor decides.
#pragma once

#include <hv/event.h>
#include <hv/machine.h>

// Pauses the VM at event and opens the monitor. The result of the event is then TRAP_RETRY: the instruction is executed
// again when the VM goes on, with whatever registers and PC the person left. On vcpu's own CPU.
void hold_access(struct vcpu *vcpu, const struct event *event);

// Whether event is what was held, so that it may pass now: the same instruction at the same PC, key, direction,
// address, value and general registers. True for all parts of that access and once; when anything differs it is false,
// and the access is to be held as what it is now. On vcpu's own CPU.
bool hold_passed(struct vcpu *vcpu, const struct event *event);

// The monitor changed where vcpu goes on: what it waited for, or was held at, no longer counts. On vcpu's own CPU.
void hold_drop(struct vcpu *vcpu);
