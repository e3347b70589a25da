// SPDX-License-Identifier: Apache-2.0
// What the loader's files share. Private to boot/loader*.c.
#pragma once

#include <hv/guest_manifest.h>
#include <hv/loader_error.h>
#include <hv/machine.h>
#include <hv/space.h>

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

// Where EL2 finds the guest's memory at ipa, which lies in a piece of vm's RAM: EL2 maps all RAM where it is, so that
// is the piece's place in the machine, and as far into it. Only before the guest runs (mm/guest_mem.c is the way after
// that).
static inline void *loader_memory(const struct vm *vm, uint64_t ipa)
{
    const struct space_ram *ram = space_find_ram(&vm->space, ipa_make(ipa));

    return (void *)(uintptr_t)(ram->pa.v + (ipa - ram->range.base.v));
}

// Fills *error and returns false, so that a check ends in `return loader_refuse(...)`.
bool loader_refuse(struct loader_error *error, const char *reason, const char *field, uint64_t value, uint64_t bound);

// Whether this CPU can run the Image and it takes no more than limit bytes, counted from where text_offset counts from.
bool loader_check_image(const struct image_header *image, uint64_t limit, struct loader_error *error);

// Whether a device tree is at dtb.
bool loader_check_dtb(const void *dtb, struct loader_error *error);

// Loads what the list of pieces (guest_manifest.h) names: nothing has to be moved, so it only checks. As loader_load.
bool loader_load_listed(struct vm *vm, const struct guest_manifest *list, struct loader_error *error);
