// SPDX-License-Identifier: Apache-2.0
// What EL2 asks of the firmware below it: PSCI by SMC (QEMU answers it).
#pragma once

#include <hv/types.h>

// Starts CPU cpu at secondary_start with x0 = context. 0, or the PSCI error.
int64_t firmware_cpu_on(unsigned int cpu, uint64_t context);
_Noreturn void firmware_power_off(void);
_Noreturn void firmware_reset(void);
