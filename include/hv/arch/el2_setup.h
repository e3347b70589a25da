// SPDX-License-Identifier: Apache-2.0
// EL2's registers on each CPU, and what the CPU can do.
#pragma once

#include <hv/types.h>

// Writes the table of initial values, with the traps that the policy needs, on this CPU. Before its vCPU first runs.
void el2_setup(void);
// Bits of a physical address (ID_AA64MMFR0_EL1.PARange).
unsigned int el2_physical_address_bits(void);
// Whether the CPU has the system register interface of a GICv3.
bool el2_has_gicv3(void);
// Writes the record "features".
void el2_log_features(void);
