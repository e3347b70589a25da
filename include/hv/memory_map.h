// SPDX-License-Identifier: Apache-2.0
// The guest's machine: the one place where its addresses stand, and the sizes of what EL2 keeps for itself. They are
// the same on every board. C, assembly, the linker scripts, the scripts and the documents take them from here
// (preprocessed, or held to it by a test). Only #define NAME <integer literal>.
#pragma once

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
// virtio-mmio transport n is at GUEST_VIRTIO_IPA + n * GUEST_VIRTIO_STRIDE, with INTID GUEST_VIRTIO_INTID + n
#define GUEST_VIRTIO_IPA    0x0a000000
#define GUEST_VIRTIO_STRIDE 0x200
#define GUEST_VIRTIO_COUNT  32
#define GUEST_VIRTIO_INTID  48

// What EL2 takes of the board's RAM; where, is a matter of the board (platform/<board>.h): its image; the list of the
// guest's pieces, which QEMU writes at each reset (hv/guest_manifest.h); what the first boot found, which survives a
// reset (boot/boot_record.h); a word that the run script leaves for EL2 (hv/boot_options.h); the log, which survives
// too; the rings of the trace, one of 1 MiB for each CPU (hv/trace.h); the names of the guest's functions
#define HV_MAX_SIZE         0x01000000
#define GUEST_MANIFEST_SIZE 0x1000
#define BOOT_RECORD_SIZE    0x1000
#define BOOT_OPTIONS_SIZE   0x1000
#define LOG_RING_SIZE       0x00100000
#define TRACE_SIZE          0x00800000
#define SYMBOLS_SIZE        0x00500000

// The guest's RAM, and in it what a loader puts there. The board says where it lies in its own RAM (GUEST_RAM_PA).
#define GUEST_RAM_IPA       0x40000000
#define GUEST_RAM_SIZE      0x30000000
#define GUEST_ENTRY_IPA     0x40000000
#define GUEST_STACK_TOP_IPA 0x40100000
#define LINUX_IMAGE_IPA     0x40000000
#define LINUX_INITRD_IPA    0x44000000
#define LINUX_DTB_IPA       0x6fe00000
#define LINUX_DTB_MAX_SIZE  0x00200000

#define CPU_MAX 8
