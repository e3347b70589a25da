// SPDX-License-Identifier: Apache-2.0
// Where a decoded event meets the policy (trap/dispatch.c): a handful of functions, one per kind of event. The event
// has cause, key, syndrome, pc, address, value, write and entry filled in; the handler adds verdict, row and result,
// and value for reads.
#pragma once

#include <hv/event.h>
#include <hv/machine.h>
#include <hv/trap_result.h>

// EC 0x18: event->key names the register or is KEY_SYSREG_UNKNOWN; event->value is the register written, or receives
// it.
enum trap_result trap_sysreg(struct vcpu *vcpu, struct event *event);

// hvc / smc: function number in event->address, arguments and result in the guest's x0-x3.
enum trap_result trap_call(struct vcpu *vcpu, struct event *event);

// A decoded data access outside guest RAM: size is 1, 2, 4 or 8 bytes, event->address the IPA.
enum trap_result trap_mmio(struct vcpu *vcpu, struct event *event, unsigned int size);

// An abort that is not the emulation of a data access: outcome is what the architecture would do (TRAP_INJECT_ABORT,
// TRAP_DONE for what has no effect there, TRAP_RETRY, TRAP_STOP), reason says why in constant words for the log (rate
// limited). event->key is set to KEY_GUEST_RAM, a device's key or the cause; a row that says pause or stop is obeyed
// first.
enum trap_result trap_fault(struct vcpu *vcpu, struct event *event, enum trap_result outcome, const char *reason);

// wfi / wfe.
enum trap_result trap_wfx(struct vcpu *vcpu, struct event *event);

// Everything else that has a key of its own and no emulation (fp, sve, brk, iabt ...): the verdict alone decides.
enum trap_result trap_other(struct vcpu *vcpu, struct event *event);

// A debug exception that the monitor's step does not own: the guest's, unless the verdict pauses or stops.
enum trap_result trap_debug(struct vcpu *vcpu, struct event *event);

// An SError interrupt was taken to EL2 while the guest ran: logged, and handed on to the guest (TRAP_RETRY), unless the
// verdict stops the VM (TRAP_STOP). event->write is 0.
enum trap_result trap_serror(struct vcpu *vcpu, struct event *event);
