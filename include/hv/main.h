// SPDX-License-Identifier: Apache-2.0
// Where boot.S enters C.
#pragma once

#include <stdint.h>

// The boot CPU at EL2, MMU off, on its stack, bss cleared. secondary_entry: the address where PSCI CPU_ON is to start
// the other CPUs, with their number in x0.
_Noreturn void main_boot_cpu(uint64_t secondary_entry);
// CPU number cpu at EL2, MMU on, on its stack.
_Noreturn void main_secondary_cpu(unsigned int cpu);
// Entered at EL1 or EL3: says so on the UART; boot.S then stops the CPU.
void main_wrong_exception_level(unsigned int level);
