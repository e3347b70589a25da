// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: lookup by syndrome, emulation, and the hardware behind them.
#pragma once

#include <hv/trap.h>

// Prepares the values that the guest's ID registers show on this CPU. Once per CPU, before its vCPU runs.
void sysreg_init(void);

// The key of the register in an EC 0x18 syndrome; KEY_SYSREG_UNKNOWN when sysreg_table.h does not have it.
unsigned int sysreg_key(uint32_t syndrome);

// The emulation of POLICY_EMULATE: event->value in or out. TRAP_INJECT_UNDEF when the register does not allow the
// direction.
enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event);

// The access itself on this CPU's hardware, on behalf of the guest (POLICY_ALLOW on a trapped register).
// HV_ERR_UNSUPPORTED when the table says this CPU or EL2 must not do it; HV_ERR_INVALID for the wrong direction or key.
enum hv_status sysreg_read(unsigned int key, uint64_t *value);
enum hv_status sysreg_write(unsigned int key, uint64_t value);

// For 'explain' and unknown registers: S<op0>_<op1>_C<n>_C<m>_<op2>, into buffer of at least 24 bytes.
void sysreg_encoded_name(uint32_t syndrome, char *buffer, size_t size);
