// SPDX-License-Identifier: Apache-2.0
// What stands in the guest's physical address space outside its RAM on QEMU virt. Rows, in order of address:
//   DEVICE(ID, "name", base IPA, size, kind, emulation, "one sentence")
// The kind is what a policy may pass on to the real device (device_may_pass, tools/policy_compiler/fold.py):
//   OWNED    nothing: EL2 drives it
//   MASTER   nothing: it can write memory by itself, and would write at PA what the guest means as IPA
//   LASTING  reads: what is written there outlives the guest and a reset of the machine
//   PLAIN    reads and writes
// The emulation is `none`, or names the struct device_ops of a device of the guest's own: `gicd` is device_gicd
// (device_ops.h).
#pragma once

// clang-format off
#define DEVICE_TABLE(DEVICE) \
    DEVICE(FLASH,       "flash",        0x00000000, 0x08000000, LASTING, none,        "two banks of NOR flash (CFI)") \
    DEVICE(GICD,        "gicd",         0x08000000, 0x00010000, OWNED,   gicd,        "GICv3 distributor") \
    DEVICE(GITS,        "gic-its",      0x08080000, 0x00020000, MASTER,  none,        "GICv3 interrupt translation service") \
    DEVICE(GICR,        "gicr",         0x080a0000, 0x00f60000, OWNED,   gicr,        "GICv3 redistributors") \
    DEVICE(PL011,       "pl011",        0x09000000, 0x00001000, OWNED,   pl011,       "UART") \
    DEVICE(PL031,       "pl031",        0x09010000, 0x00001000, LASTING, pl031,       "real-time clock") \
    DEVICE(FW_CFG,      "fw-cfg",       0x09020000, 0x00000018, MASTER,  none,        "QEMU firmware configuration, with DMA") \
    DEVICE(PL061,       "pl061",        0x09030000, 0x00001000, PLAIN,   none,        "GPIO, the power button") \
    DEVICE(SMMU,        "smmuv3",       0x09050000, 0x00020000, MASTER,  none,        "system MMU") \
    DEVICE(VIRTIO_MMIO, "virtio-mmio",  0x0a000000, 0x00004000, MASTER,  virtio_mmio, "32 virtio-mmio transports") \
    DEVICE(PLATFORM_BUS,"platform-bus", 0x0c000000, 0x02000000, MASTER,  none,        "platform bus") \
    DEVICE(PCIE_MMIO,   "pcie-mmio",    0x10000000, 0x2eff0000, MASTER,  none,        "PCIe 32-bit window") \
    DEVICE(PCIE_PIO,    "pcie-pio",     0x3eff0000, 0x00010000, MASTER,  none,        "PCIe I/O ports") \
    DEVICE(PCIE_ECAM_LOW,"pcie-ecam-low",0x3f000000, 0x01000000, MASTER,  none,        "PCIe configuration space (low)") \
    DEVICE(PCIE_ECAM,   "pcie-ecam",    0x4010000000, 0x10000000, MASTER,  none,        "PCIe configuration space (high)")
// clang-format on
