// SPDX-License-Identifier: Apache-2.0
// What the first boot found in memory, kept where no guest reaches. A warm reset keeps guest RAM, so whatever the
// loader looks at there may have been left by the guest that ran before; this page is EL2's own, and neither QEMU nor a
// guest writes it. Private to boot/loader.c and boot/boot_record.c.
#pragma once

#include <hv/memory_map.h>
#include <hv/types.h>

enum boot_guest {
    BOOT_GUEST_BUNDLED = 1, // nothing was loaded: the bundled diagnostic guest
    BOOT_GUEST_IMAGE,       // an arm64 Image at LINUX_IMAGE_IPA
};

struct boot_record {
    uint64_t magic;
    uint64_t guest;    // enum boot_guest
    uint64_t image[8]; // the Image's header, 64 bytes
    uint64_t dtb;      // the device tree's first eight bytes: magic and size
    uint64_t initrd;   // the first eight bytes at LINUX_INITRD_IPA
    uint64_t check;    // boot_record_check() of the words before it
};

// The record of an earlier boot, or NULL: power was off since, or no boot has come as far as a guest.
const struct boot_record *boot_record_find(void);

// Keeps what this boot found for those to come. magic and check are filled in here. Cleaned to memory.
void boot_record_keep(const struct boot_record *found);
