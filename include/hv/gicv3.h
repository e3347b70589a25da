// SPDX-License-Identifier: Apache-2.0
// The physical GICv3 (Arm IHI 0069): EL2 owns the distributor, the redistributors and the physical CPU interface.
#pragma once

#include <hv/status.h>
#include <hv/types.h>

#define GICV3_SGI_KICK       0 // EL2's own SGI: look at your requests (pause, cpu_call)
#define INTID_MAINTENANCE    25
#define INTID_HYP_TIMER      26
#define INTID_VIRTUAL_TIMER  27
#define INTID_PHYSICAL_TIMER 30
#define INTID_SPURIOUS       1023
#define INTID_SPECIAL        1020 // this and above: no interrupt to serve

// Redistributor frames present (GICR_TYPER.Last ends the walk): the number of CPUs of the machine.
unsigned int gicv3_cpu_count(void);
// Whether CPU cpu (below platform.cpu_count) has a redistributor: one with its affinity in GICR_TYPER.
bool gicv3_has_cpu(unsigned int cpu);
// Distributor: Group 1, affinity routing; every SPI disabled. Once, on the boot CPU.
void gicv3_init_distributor(void);
// This CPU's redistributor, CPU interface (EOImode 1) and virtual interface. Once per CPU.
void gicv3_init_cpu(unsigned int cpu);
void gicv3_enable(unsigned int intid, unsigned int cpu);
void gicv3_disable(unsigned int intid, unsigned int cpu);
// Acknowledge: the INTID, INTID_SPURIOUS when none is pending.
unsigned int gicv3_acknowledge(void);
// Priority drop; then, when the guest will not do it by its own end of interrupt, deactivate.
void gicv3_drop_priority(unsigned int intid);
void gicv3_deactivate(unsigned int intid);
// Sends EL2's SGI intid to CPU cpu.
void gicv3_send_sgi(unsigned int intid, unsigned int cpu);
// Whether the physical PPI or SGI intid of CPU cpu is pending (GICR_ISPENDR0): of a level-sensitive one, also whether
// its line is high.
bool gicv3_is_pending(unsigned int intid, unsigned int cpu);
// Forgets what made the physical PPI pending, unless its line is high and its level counts (GICR_ICPENDR0).
void gicv3_clear_pending(unsigned int intid, unsigned int cpu);
// Whether the physical PPI is edge-triggered (GICR_ICFGR1). Setting it needs the interrupt disabled (gicv3_disable); it
// is IMPLEMENTATION DEFINED which interrupts can be set, so read it back.
bool gicv3_is_edge(unsigned int intid, unsigned int cpu);
void gicv3_set_edge(unsigned int intid, unsigned int cpu, bool edge);
