// SPDX-License-Identifier: Apache-2.0
// What the loader's files share. Private to boot/loader*.c.
#pragma once

#include <hv/guest_manifest.h>
#include <hv/loader_error.h>
#include <hv/machine.h>

#define IMAGE_MAGIC     0x644d5241 // "ARM\x64"
#define DTB_MAGIC       0xd00dfeed
#define DTB_HEADER_SIZE 40

// Linux Documentation/arch/arm64/booting.rst
struct image_header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset;
};

_Static_assert(sizeof(struct image_header) == 64);

// Fills *error and returns false, so that a check ends in `return loader_refuse(...)`.
bool loader_refuse(struct loader_error *error, const char *reason, const char *field, uint64_t value, uint64_t bound);

// Whether this CPU can run the Image and it takes no more than limit bytes, counted from where text_offset counts from.
bool loader_check_image(const struct image_header *image, uint64_t limit, struct loader_error *error);

// Whether a device tree is at dtb.
bool loader_check_dtb(const void *dtb, struct loader_error *error);

// Loads what the list of pieces (guest_manifest.h) names: nothing has to be moved, so it only checks. As loader_load.
bool loader_load_listed(struct vm *vm, const struct guest_manifest *list, struct loader_error *error);
