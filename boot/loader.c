// SPDX-License-Identifier: Apache-2.0
// Which guest this boot runs. What decides is what the person loaded, never what a guest left in its RAM, which a warm
// reset keeps: the list that QEMU writes at each reset; else, for a command line typed by hand, what the first boot
// found and remembers (boot_record.h); at the first boot itself, when no guest has run, what lies at the
// beginning of guest RAM.

#include <hv/loader.h>

#include <hv/arch/cache.h>
#include <hv/platform.h>
#include <hv/string.h>

#include "boot_record.h"
#include "loader_parts.h"

extern const char guest_image_start[], guest_image_end[];

// Where EL2 finds what a guest will see at ipa.
static void *guest_memory(uint64_t ipa)
{
    return (void *)(platform.guest_ram.base + (ipa - GUEST_RAM_IPA));
}

// Kernels before 5.8 ask to stand text_offset bytes above a 2 MiB boundary.
static void place_image(uint64_t offset, uint64_t size)
{
    uint8_t *image = guest_memory(GUEST_RAM_IPA);

    if (offset == 0)
        return;
    memmove(image + offset, image, size);
    cache_clean_poc(image + offset, size);
}

// Whether these eight bytes begin something that Linux unpacks as an initrd (its lib/decompress.c and
// init/initramfs.c): gzip, bzip2, lzma, xz, lzo, lz4, zstd or a bare cpio archive. Else they are the middle of an Image
// of more than 64 MiB.
static bool is_initrd(uint64_t start)
{
    static const uint16_t magics[] = {0x8b1f, 0x9e1f, 0x5a42, 0x005d, 0x37fd, 0x4c89, 0x2102, 0xb528, 0x3730};

    for (unsigned int i = 0; i < ARRAY_COUNT(magics); i++)
        if ((uint16_t)start == magics[i])
            return true;
    return false;
}

// The Image at the beginning of guest RAM. initrd is what the first boot found in the initrd's place.
static bool load_image(struct vm *vm, uint64_t initrd, struct loader_error *error)
{
    const struct image_header *image = guest_memory(GUEST_RAM_IPA);
    uint64_t limit = (is_initrd(initrd) ? LINUX_INITRD_IPA : LINUX_DTB_IPA) - GUEST_RAM_IPA;

    if (!loader_check_image(image, limit, error) || !loader_check_dtb(guest_memory(LINUX_DTB_IPA), error))
        return false;
    vm->guest_name = "Linux Image";
    vm->entry_ipa = GUEST_RAM_IPA + image->text_offset;
    vm->boot_argument = LINUX_DTB_IPA;
    place_image(image->text_offset, image->image_size);
    return true;
}

static void load_diagnostic_guest(struct vm *vm)
{
    size_t size = (size_t)(guest_image_end - guest_image_start);

    memcpy(guest_memory(GUEST_ENTRY_IPA), guest_image_start, size);
    cache_clean_poc(guest_memory(GUEST_ENTRY_IPA), size); // the guest starts with its MMU off
    vm->guest_name = "diagnostic guest";
    vm->entry_ipa = GUEST_ENTRY_IPA;
    vm->boot_argument = 0;
}

// What lies at each place that the loader looks at.
static struct boot_record look(void)
{
    struct boot_record found = {.dtb = *(const uint64_t *)guest_memory(LINUX_DTB_IPA),
                                .initrd = *(const uint64_t *)guest_memory(LINUX_INITRD_IPA)};

    memcpy(found.image, guest_memory(GUEST_RAM_IPA), sizeof(found.image));
    return found;
}

// No guest has run since power came on: memory is as the person left it.
static bool load_first(struct vm *vm, struct loader_error *error)
{
    static const uint64_t zeroes[8];
    struct boot_record found = look();

    found.guest = memcmp(found.image, zeroes, sizeof(zeroes)) == 0 ? BOOT_GUEST_BUNDLED : BOOT_GUEST_IMAGE;
    if (found.guest == BOOT_GUEST_BUNDLED)
        load_diagnostic_guest(vm);
    else if (!load_image(vm, found.initrd, error))
        return false;
    boot_record_keep(&found);
    return true;
}

// A guest has run. QEMU has written what its loader devices name again; what was loaded otherwise (by gdb's restore,
// say) is where the guest may have changed it, and is not run when it did.
static bool load_again(struct vm *vm, const struct boot_record *first, struct loader_error *error)
{
    struct boot_record found = look();

    if (first->guest == BOOT_GUEST_BUNDLED) {
        load_diagnostic_guest(vm);
        return true;
    }
    for (unsigned int i = 0; i < sizeof(found.image) / sizeof(found.image[0]); i++)
        if (found.image[i] != first->image[i])
            return loader_refuse(error,
                                 "the Image's header changed since the first boot: start QEMU anew, and load the Image "
                                 "by -device loader, which writes it at each reset",
                                 "image_header", found.image[i], first->image[i]);
    if (found.dtb != first->dtb)
        return loader_refuse(
            error,
            "the device tree's header changed since the first boot: start QEMU anew, and load the tree "
            "by -device loader, which writes it at each reset",
            "dtb_header", found.dtb, first->dtb);
    return load_image(vm, first->initrd, error);
}

bool loader_load(struct vm *vm, struct loader_error *error)
{
    const struct guest_manifest *list = (const void *)platform.guest_manifest.base;
    const struct boot_record *first = boot_record_find();

    if (list->magic == GUEST_MANIFEST_MAGIC)
        return loader_load_listed(vm, list, error);
    return first != NULL ? load_again(vm, first, error) : load_first(vm, error);
}
