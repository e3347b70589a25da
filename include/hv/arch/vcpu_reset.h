// SPDX-License-Identifier: Apache-2.0
// A vCPU at reset.
#pragma once

#include <hv/types.h>

struct vcpu;

// Makes vcpu start at entry with x0 = context and EL1 as after a reset: MMU off, interrupts masked (PSCI CPU_ON, DEN
// 0022 6.4). On its own CPU.
void vcpu_reset(struct vcpu *vcpu, uint64_t entry, uint64_t context);
