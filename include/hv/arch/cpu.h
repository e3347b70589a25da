// SPDX-License-Identifier: Apache-2.0
// The CPU that this code runs on: its number, and its idle instruction. Work on other CPUs is in hv/cpu.h.
#pragma once

// 0 .. CPU_MAX-1, of the CPU this runs on (MPIDR_EL1.Aff0).
unsigned int cpu_id(void);
// Stops this CPU until an interrupt is pending, masked or not (WFI, DDI 0487 D1.6).
void cpu_wait_for_interrupt(void);
