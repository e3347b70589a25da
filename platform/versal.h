// SPDX-License-Identifier: Apache-2.0
// The board "versal": QEMU xlnx-versal-virt.
// Made by tools/platform_table.py from the board's device tree.
#pragma once

#define PLATFORM_NAME "versal"

// From the beginning of RAM: EL2's image; what EL2 keeps over a reset; what stands behind the guest's RAM, and in it
// what a loader puts there.
#define RAM_PA            0x00000000
#define HV_PA             0x00080000
#define GUEST_MANIFEST_PA 0x01e00000
#define BOOT_RECORD_PA    0x01e01000
#define BOOT_OPTIONS_PA   0x01e02000
#define TRACE_PA          0x01100000
#define SYMBOLS_PA        0x01900000
#define LOG_RING_PA       0x01f00000
#define GUEST_RAM_PA      0x10000000
#define LINUX_IMAGE_PA    0x10000000
#define LINUX_INITRD_PA   0x14000000
#define LINUX_DTB_PA      0x3fe00000

// The GICv3 (IHI 0069): distributor and redistributors
#define GICD_PA        0xf9000000
#define GICD_PA_SIZE   0x10000
#define GICR_PA        0xf9080000
#define GICR_PA_SIZE   0x80000
#define GICR_PA_STRIDE 0x20000

// EL2's console; and UART(base, INTID, clock in Hz) for every PL011, the console first
#define PL011_PA             0xff000000
#define PLATFORM_UARTS(UART) UART(0xff000000, 50, 125000000) UART(0xff010000, 51, 125000000)

// Devices of which a guest may be given the real one, at the same address. Size 0: the board has none.
#define PL031_PA      0x00000000
#define PL031_PA_SIZE 0x0
#define FLASH_PA      0x00000000
#define FLASH_PA_SIZE 0x0
#define PL061_PA      0x00000000
#define PL061_PA_SIZE 0x0

// virtio-mmio transports: each a stride after the one before, and its INTID one higher
#define VIRTIO_PA     0xa0000000
#define VIRTIO_STRIDE 0x200
#define VIRTIO_COUNT  8
#define VIRTIO_INTID  143

// PPIs
#define PPI_MAINTENANCE    25
#define PPI_HYP_TIMER      26
#define PPI_VIRTUAL_TIMER  27
#define PPI_PHYSICAL_TIMER 30

// CPU(MPIDR_EL1 affinity: Aff3 in bits 39:32, Aff2 to Aff0 in bits 23:0), in the order of CPU numbers. The first boots.
// clang-format off
#define PLATFORM_CPUS(CPU) CPU(0x0) CPU(0x1)
// clang-format on
