// SPDX-License-Identifier: Apache-2.0
// The machine's addresses: the one place where they stand. C, assembly, both linker scripts, the scripts and the
// documents take them from here (preprocessed, or held to it by a test). Only #define NAME <integer literal>.
#pragma once

// The board: QEMU virt, gic-version=3; its flash, from which it may boot, is at 0
#define FLASH_SIZE 0x08000000
#define PL011_PA   0x09000000
#define PL031_PA   0x09010000
#define GICD_PA    0x08000000
#define GICR_PA    0x080a0000
#define RAM_PA     0x40000000

// The devices that a guest sees, where it sees them and by what interrupt: QEMU virt's own places, whatever the board
#define PL011_IPA   0x09000000
#define PL011_SIZE  0x1000
#define PL011_INTID 33
#define PL031_IPA   0x09010000
#define PL031_SIZE  0x1000
#define PL031_INTID 34
#define GICD_IPA    0x08000000
#define GICD_SIZE   0x10000
#define GICR_IPA    0x080a0000
#define GICR_STRIDE 0x20000

// The hypervisor: linked low, under the guest's backing
#define HV_PA         0x40080000
#define HV_MAX_SIZE   0x00300000
#define LOG_RING_PA   0x41f00000
#define LOG_RING_SIZE 0x00100000

// EL2's memory that no guest reaches: the list of the guest's pieces, which QEMU writes at each reset
// (hv/guest_manifest.h); what the first boot found, which survives a reset (boot/boot_record.h); and a word that the
// run script leaves for EL2 (hv/boot_options.h), which QEMU writes at each reset, too
#define GUEST_MANIFEST_PA   0x41e00000
#define GUEST_MANIFEST_SIZE 0x1000
#define BOOT_RECORD_PA      0x41e01000
#define BOOT_RECORD_SIZE    0x1000
#define BOOT_OPTIONS_PA     0x41e02000
#define BOOT_OPTIONS_SIZE   0x1000

// The guest: IPA 0x40000000 .. 0x70000000 is PA 0x42000000 .. 0x72000000
#define GUEST_RAM_IPA       0x40000000
#define GUEST_RAM_PA        0x42000000
#define GUEST_RAM_SIZE      0x30000000
#define GUEST_ENTRY_IPA     0x40000000
#define GUEST_STACK_TOP_IPA 0x40100000
#define LINUX_IMAGE_PA      0x42000000
#define LINUX_INITRD_PA     0x46000000
#define LINUX_INITRD_IPA    0x44000000
#define LINUX_DTB_PA        0x71e00000
#define LINUX_DTB_IPA       0x6fe00000
#define LINUX_DTB_MAX_SIZE  0x00200000

#define CPU_MAX 8
