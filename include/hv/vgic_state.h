// SPDX-License-Identifier: Apache-2.0
// What vdev/vgic/vgic*.c keeps: per VM the SPIs, per vCPU its SGIs and PPIs and a shadow of its list registers. Only
// those files touch the fields; the life of an interrupt is told at the top of vdev/vgic/vgic.c.
#pragma once

#include <hv/memory_map.h>
#include <hv/lock.h>
#include <hv/types.h>

#define VGIC_SPI_BANKS 2                           // INTIDs 32 .. 95: UART, RTC, PCIe and virtio-mmio of QEMU virt
#define VGIC_INTIDS    (32 * (VGIC_SPI_BANKS + 1)) // GICD_TYPER.ITLinesNumber says so
#define VGIC_LR_MAX    16

// 32 interrupts: one bit each, bit n for INTID 32 * bank + n. Bank 0 is a vCPU's own (struct vgic_cpu), bank 1 is
// spi[0] of the VM, and so on: INTID 40 is bit 8 of spi[0].
struct vgic_bank {
    uint32_t group; // 1 = Group 1
    uint32_t enabled;
    uint32_t edge;         // 1 = edge-triggered, 0 = level-sensitive
    uint32_t line;         // the input: high or low
    uint32_t latched;      // pending by an edge, an SGI or a write to ISPENDR, and not yet in a list register
    uint32_t active;       // active, and not in a list register
    uint32_t listed;       // in a list register: pending and active are there
    uint32_t soft;         // listed, and the pending state there came from latched, not from the level
    uint32_t hardware;     // stands for a physical interrupt
    uint32_t set;          // of hardware: pending by a write to ISPENDR, whatever its physical line does
    uint32_t forwarded;    // its physical interrupt is active until the guest deactivates this one
    uint32_t physical;     // its physical interrupt is enabled
    uint32_t drop_active;  // the CPU that has it listed shall deactivate it at its next refill
    uint32_t drop_pending; // ... and forget that it is pending
    uint8_t priority[32];
    uint8_t running[32]; // priority that its list register has: of an active one, that at which it became so
    uint8_t place[32];   // of a listed one: vCPU << 4 | list register
};

// What one vCPU has: its SGIs and PPIs, and what EL2 knows of the list registers of the CPU on which it runs.
struct vgic_cpu {
    uint32_t work; // not 0: vgic_flush has something to do. Set by any CPU, cleared by the owner
    uint8_t lr_count;
    uint8_t spill;         // pending interrupts were left without a list register
    uint8_t priority_mask; // the priority bits that the virtual CPU interface has
    uint16_t lr_used;      // list registers that hold an interrupt, as far as EL2 has looked
    uint32_t spi_hint;     // bit b: SPI bank b may have something for this vCPU. Under the VM's lock
    struct spinlock lock;  // guards bank, lr, lr_used, spill
    struct vgic_bank bank; // INTIDs 0 .. 31
    uint64_t lr[VGIC_LR_MAX];
    uint64_t hcr_base; // ICH_HCR_EL2: En and what policy wants trapped
    uint64_t hcr;      // as written last
    uint32_t waker;    // GICR_WAKER. Under the VM's lock
    uint64_t maintenance_count;
    uint64_t refill_count;
    uint64_t ended_count; // interrupts whose end a refill has seen
};

// What all vCPUs of a VM share: the distributor and the SPIs.
struct vgic {
    struct spinlock lock; // guards all of this, and every vCPU's spi_hint. Taken before a vCPU's lock
    uint32_t ctlr;        // GICD_CTLR: EnableGrp0, EnableGrp1
    struct vgic_bank spi[VGIC_SPI_BANKS];
    uint64_t router[32 * VGIC_SPI_BANKS]; // GICD_IROUTER
};
