// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: emulation, and the hardware behind them.
#pragma once

#include <hv/arch/sysreg_key.h>
#include <hv/event.h>
#include <hv/machine.h>
#include <hv/status.h>
#include <hv/trap_result.h>

// Makes the guest's ID registers from this CPU's. Once, on the boot CPU, before a guest runs.
void sysreg_init(const struct policy *policy);

#define SYSREG_COUNT (KEY_SYSREG_UNKNOWN - KEY_SYSREG_FIRST)

// By key - KEY_SYSREG_FIRST: what the guest reads of the ID registers. Written at boot only. The last is that of
// KEY_SYSREG_UNKNOWN, which nobody is given.
extern uint64_t sysreg_id_value[SYSREG_COUNT + 1];

// The emulation of POLICY_EMULATE: event->value in or out. TRAP_INJECT_UNDEF when the register does not allow the
// direction, or is no part of the guest's CPU.
enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event);

// The access itself on this CPU's hardware, on behalf of the guest (POLICY_ALLOW on a trapped register).
// HV_ERR_UNSUPPORTED when the table says that EL2 must not do it, or this CPU does not have it; HV_ERR_INVALID for the
// wrong direction or key; HV_ERR_FAULT when the guest's translation of an address fails. Never faults.
enum hv_status sysreg_read(unsigned int key, uint64_t *value);
enum hv_status sysreg_write(unsigned int key, uint64_t value);

// Whether the table says that sysreg_read can read the register of key: not TLBI_VMALLE1, which is an instruction
// that can only be written, nor a register that EL2 cannot reach. This CPU may lack the register all the same.
bool sysreg_is_readable(unsigned int key);
