// SPDX-License-Identifier: Apache-2.0
// Which guest this boot runs. A warm reset keeps guest RAM, so a guest could leave an image of its own there and reset
// the machine to have it run. The rule is that what the person loaded decides, never what a guest left. The person's
// choice is looked for in this order:
//   1. the list of pieces that QEMU writes at each reset (guest_manifest.c);
//   2. without a list, for a command line typed by hand, what the first boot found and noted (boot_record.h);
//   3. at the first boot itself, when no guest has run, what lies at LINUX_IMAGE_IPA.

#include <hv/loader.h>

#include <hv/arch/cache.h>
#include <hv/platform.h>
#include <hv/string.h>

#include "boot_record.h"
#include "loader_parts.h"

extern const char guest_image_start[], guest_image_end[];

_Static_assert(GUEST_ENTRY_IPA >= LINUX_IMAGE_IPA && LINUX_INITRD_IPA > LINUX_IMAGE_IPA &&
                   LINUX_DTB_IPA > LINUX_INITRD_IPA,
               "check_places looks at the first place and at the last one");

// A guest without a list stands at places that are fixed: an Image at LINUX_IMAGE_IPA, its initrd and its device tree,
// and the diagnostic guest, which is linked for GUEST_ENTRY_IPA. So this VM's RAM has to reach over all of them, in one
// piece. Everything below relies on that.
static bool check_places(const struct vm *vm, struct loader_error *error)
{
    const struct space_ram *ram = space_find_ram(&vm->space, ipa_make(LINUX_IMAGE_IPA));
    uint64_t end = ram != NULL ? ram->range.base.v + ram->range.size : 0;

    return end >= LINUX_DTB_IPA + LINUX_DTB_MAX_SIZE ||
           loader_refuse(
               error,
               "this VM's RAM does not hold the fixed places of a guest that comes without a list of pieces: load "
               "the guest with such a list (make run-linux writes one)",
               "ram_end", end, LINUX_DTB_IPA + LINUX_DTB_MAX_SIZE);
}

// The person loads an Image at LINUX_IMAGE_IPA, but kernels before 5.8 ask to stand text_offset bytes above a 2 MiB
// boundary (0x80000 as a rule). Such an Image is moved up. The two places overlap, hence memmove. A guest
// starts with its MMU and caches off and reads memory itself, so what EL2 wrote through its caches is cleaned to there.
static void place_image(const struct vm *vm, uint64_t offset, uint64_t size)
{
    uint8_t *image = loader_memory(vm, LINUX_IMAGE_IPA);

    if (offset == 0)
        return;
    memmove(image + offset, image, size);
    cache_clean_poc(image + offset, size);
}

// Whether these eight bytes begin something that Linux unpacks as an initrd (its lib/decompress.c and
// init/initramfs.c): gzip (two magic numbers), bzip2, lzma, xz, lzo, lz4, zstd or a bare cpio archive, in this order.
// Each magic number is the first two bytes as a little-endian CPU loads them: gzip begins with 1f 8b, which is 0x8b1f.
// Other bytes there are no initrd, but the middle of an Image of more than 64 MiB, or nothing.
static bool is_initrd(uint64_t start)
{
    static const uint16_t magics[] = {0x8b1f, 0x9e1f, 0x5a42, 0x005d, 0x37fd, 0x4c89, 0x2102, 0xb528, 0x3730};

    for (unsigned int i = 0; i < ARRAY_COUNT(magics); i++)
        if ((uint16_t)start == magics[i])
            return true;
    return false;
}

// Runs the Image at LINUX_IMAGE_IPA. initrd is what the first boot found in the initrd's place. If it is one, the Image
// must end below it; if not, the Image may go on up to the device tree.
static bool load_image(struct vm *vm, uint64_t initrd, struct loader_error *error)
{
    const struct image_header *image = loader_memory(vm, LINUX_IMAGE_IPA);
    uint64_t limit = (is_initrd(initrd) ? LINUX_INITRD_IPA : LINUX_DTB_IPA) - LINUX_IMAGE_IPA;

    if (!loader_check_image(image, limit, error) || !loader_check_dtb(loader_memory(vm, LINUX_DTB_IPA), error))
        return false;
    vm->guest_name = "Linux Image";
    vm->entry_ipa = LINUX_IMAGE_IPA + image->text_offset;
    vm->boot_argument = LINUX_DTB_IPA;
    place_image(vm, image->text_offset, image->image_size);
    return true;
}

// The guest that is part of ariel's own image. It is copied at every boot, so what an earlier guest wrote does not
// matter.
static void load_diagnostic_guest(struct vm *vm)
{
    size_t size = (size_t)(guest_image_end - guest_image_start);

    memcpy(loader_memory(vm, GUEST_ENTRY_IPA), guest_image_start, size);
    cache_clean_poc(loader_memory(vm, GUEST_ENTRY_IPA), size); // the guest starts with its MMU off
    vm->guest_name = "diagnostic guest";
    vm->entry_ipa = GUEST_ENTRY_IPA;
    vm->boot_argument = 0;
}

// Reads the places that decide: the first bytes of the device tree and of the initrd, and the header of the Image. At
// the first boot this becomes the record; later boots compare with it.
static struct boot_record look(const struct vm *vm)
{
    struct boot_record found = {.dtb = *(const uint64_t *)loader_memory(vm, LINUX_DTB_IPA),
                                .initrd = *(const uint64_t *)loader_memory(vm, LINUX_INITRD_IPA)};

    memcpy(found.image, loader_memory(vm, LINUX_IMAGE_IPA), sizeof(found.image));
    return found;
}

// No guest has run since power came on, so memory is as the person left it. An Image's header is never all zeroes;
// where nothing was loaded it is, and the diagnostic guest runs.
static bool load_first(struct vm *vm, struct loader_error *error)
{
    static const uint64_t zeroes[8];
    struct boot_record found = look(vm);

    found.guest = memcmp(found.image, zeroes, sizeof(zeroes)) == 0 ? BOOT_GUEST_BUNDLED : BOOT_GUEST_IMAGE;
    if (found.guest == BOOT_GUEST_BUNDLED)
        load_diagnostic_guest(vm);
    else if (!load_image(vm, found.initrd, error))
        return false;
    boot_record_keep(&found);
    return true;
}

// A guest has run. QEMU has written once more what its loader devices name. What was loaded in another way (by gdb's
// restore, say) is still where the guest could change it; when a header is not what the first boot saw, it has, and the
// boot is refused. Only the headers are compared. A guest that changed the rest of its Image runs what it changed, as
// it could before the reset.
static bool load_again(struct vm *vm, const struct boot_record *first, struct loader_error *error)
{
    struct boot_record found = look(vm);

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
    if (!check_places(vm, error))
        return false;
    return first != NULL ? load_again(vm, first, error) : load_first(vm, error);
}
