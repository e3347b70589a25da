// SPDX-License-Identifier: Apache-2.0
// What EL2 asks of the firmware below it: PSCI 1.0 or later by SMC (DEN 0022 5.1). On QEMU virt QEMU itself answers it.
#pragma once

#include <hv/types.h>

// CPU_ON: starts the CPU with this affinity (MPIDR_EL1.Aff3 to Aff0 in their places) at EL2, at the physical address
// entry, with its MMU off and x0 = context. What this CPU has written before is in memory when the other one starts. 0,
// or the PSCI error, which is negative.
int64_t firmware_cpu_on(uint64_t affinity, uint64_t entry, uint64_t context);

// SYSTEM_OFF and SYSTEM_RESET. The caches are lost: what must survive a reset is cleaned to memory before.
_Noreturn void firmware_power_off(void);
_Noreturn void firmware_reset(void);
