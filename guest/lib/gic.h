// SPDX-License-Identifier: Apache-2.0
// The GICv3 as the guest drives it: system register interface, affinity routing, Group 1 interrupts only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GIC_INTID_SPECIAL 1020 // this and above: no interrupt
#define GIC_INTID_VTIMER  27
#define GIC_INTID_PTIMER  30

// Distributor and this CPU's redistributor and interface on; every interrupt of this CPU disabled. False when there is
// no distributor to be had (its identification reads as 0 or aborts).
bool gic_init(void);
// The two halves of it, where the distributor is known to be there.
void gic_init_distributor(void);
void gic_init_cpu(void);
// Enables one interrupt in Group 1 at priority (0 highest); an SPI goes to the boot CPU.
void gic_enable(unsigned int intid, uint8_t priority);
void gic_disable(unsigned int intid);
// SGI intid to the CPUs in targets (bit n = Aff0 n of cluster 0).
void gic_send_sgi(unsigned int intid, uint16_t targets);
unsigned int gic_acknowledge(void);
void gic_end(unsigned int intid);
