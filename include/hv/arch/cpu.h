// SPDX-License-Identifier: Apache-2.0
// The CPU that this code runs on: its number, and its idle instruction. Work on other CPUs is in hv/cpu.h.
#pragma once

// The CPU that the machine starts, which starts the others. It takes the UART's interrupt and runs the monitor.
#define CPU_BOOT 0

// The number of the CPU this runs on, 0 .. CPU_MAX - 1: its row in the board's table (hv/platform.h). Each CPU finds
// its row at boot, by the whole affinity in MPIDR_EL1, and so its vCPU (TPIDR_EL2), in which vm_build has put the
// number. 0 before that, when the boot CPU alone runs.
unsigned int cpu_id(void);
// Stops this CPU until an interrupt is pending, masked or not (WFI, DDI 0487 D1.6).
void cpu_wait_for_interrupt(void);
