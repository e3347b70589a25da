// SPDX-License-Identifier: Apache-2.0
// What stands in the guest's physical address space outside its RAM on QEMU virt. Rows, in order of address:
//   DEVICE(ID, "name", base IPA, size, MASTER or SLAVE, "one sentence")
// A MASTER can write memory by itself: a policy may never allow it (IPA is not PA). vgic and vpl011 emulate theirs.
#pragma once

// clang-format off
#define DEVICE_TABLE(DEVICE) \
    DEVICE(FLASH,       "flash",        0x00000000, 0x08000000, SLAVE,  "two banks of NOR flash (CFI)") \
    DEVICE(GICD,        "gicd",         0x08000000, 0x00010000, SLAVE,  "GICv3 distributor") \
    DEVICE(GITS,        "gic-its",      0x08080000, 0x00020000, MASTER, "GICv3 interrupt translation service") \
    DEVICE(GICR,        "gicr",         0x080a0000, 0x00f60000, SLAVE,  "GICv3 redistributors") \
    DEVICE(PL011,       "pl011",        0x09000000, 0x00001000, SLAVE,  "UART") \
    DEVICE(PL031,       "pl031",        0x09010000, 0x00001000, SLAVE,  "real-time clock") \
    DEVICE(FW_CFG,      "fw-cfg",       0x09020000, 0x00000018, MASTER, "QEMU firmware configuration, with DMA") \
    DEVICE(PL061,       "pl061",        0x09030000, 0x00001000, SLAVE,  "GPIO, the power button") \
    DEVICE(SMMU,        "smmuv3",       0x09050000, 0x00020000, MASTER, "system MMU") \
    DEVICE(VIRTIO_MMIO, "virtio-mmio",  0x0a000000, 0x00004000, MASTER, "32 virtio-mmio transports") \
    DEVICE(PLATFORM_BUS,"platform-bus", 0x0c000000, 0x02000000, MASTER, "platform bus") \
    DEVICE(PCIE_MMIO,   "pcie-mmio",    0x10000000, 0x2eff0000, MASTER, "PCIe 32-bit window") \
    DEVICE(PCIE_PIO,    "pcie-pio",     0x3eff0000, 0x00010000, MASTER, "PCIe I/O ports") \
    DEVICE(PCIE_ECAM_LOW,"pcie-ecam-low",0x3f000000, 0x01000000, MASTER, "PCIe configuration space (low)") \
    DEVICE(PCIE_ECAM,   "pcie-ecam",    0x4010000000, 0x10000000, MASTER, "PCIe configuration space (high)")
// clang-format on
