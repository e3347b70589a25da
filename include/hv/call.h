// SPDX-License-Identifier: Apache-2.0
// Calls by number: ariel's own hypercalls (guest_abi.h), SMCCC and PSCI 1.1, through HVC and SMC alike.
#pragma once

#include <hv/vcpu.h>

// The key of a call: cause is KEY_CAUSE_HVC or KEY_CAUSE_SMC, number is x0.
unsigned int call_key(unsigned int cause, uint32_t syndrome, uint64_t number);
// Answers it: arguments in the guest's x1-x3; the result belongs in x0.
int64_t call_handle(struct vcpu *vcpu, unsigned int key);
// PSCI and SMCCC, keys KEY_SMCCC_FIRST .. KEY_SMCCC_UNKNOWN.
int64_t psci_call(struct vcpu *vcpu, unsigned int key);
