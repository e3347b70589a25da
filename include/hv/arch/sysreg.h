// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: emulation, and the hardware behind them.
#pragma once

#include <hv/arch/sysreg_key.h>
#include <hv/event.h>
#include <hv/machine.h>
#include <hv/status.h>
#include <hv/trap_result.h>

_Static_assert(SYSREG_COUNT == KEY_SYSREG_UNKNOWN - KEY_SYSREG_FIRST);

// Makes vm's ID registers (vm->id_value) from this CPU's and from what vm->controls let through. Once for each VM, on
// the boot CPU, after vm_build and before the guest runs.
void sysreg_init(struct vm *vm);

// The emulation of POLICY_EMULATE: event->value in or out. TRAP_INJECT_UNDEF when the register does not allow the
// direction, or is no part of the guest's CPU.
enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event);

// The access itself on this CPU's hardware, on behalf of vcpu, which is this CPU's (POLICY_ALLOW on a trapped
// register). HV_ERR_UNSUPPORTED when the table says that EL2 must not do it, or this CPU does not have it;
// HV_ERR_INVALID for the wrong direction or key; HV_ERR_FAULT when the guest's translation of an address fails. Never
// faults.
enum hv_status sysreg_read(struct vcpu *vcpu, unsigned int key, uint64_t *value);
enum hv_status sysreg_write(struct vcpu *vcpu, unsigned int key, uint64_t value);

// Whether the table says that sysreg_read can read the register of key: not TLBI_VMALLE1, which is an instruction
// that can only be written, nor a register that EL2 cannot reach. This CPU may lack the register all the same.
bool sysreg_is_readable(unsigned int key);
