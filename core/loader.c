// SPDX-License-Identifier: Apache-2.0
// Which guest this boot runs, and whether its pieces fit: the arm64 Image header (Linux
// Documentation/arm64/booting.rst) and the two words of a DTB that its place depends on. EL2's safety depends on none
// of them: they are checked so that a mistake is named before it boots.

#include <hv/loader.h>

#include <hv/arch/cache.h>
#include <hv/string.h>

#define IMAGE_MAGIC     0x644d5241 // "ARM\x64"
#define IMAGE_FLAG_BE   BIT64(0)
#define IMAGE_ALIGN     MIB(2)
#define DTB_MAGIC       0xd00dfeed
#define DTB_HEADER_SIZE 40
#define HEADER_SIZE     64

struct image_header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset;
};

_Static_assert(sizeof(struct image_header) == HEADER_SIZE);

extern const char guest_image_start[], guest_image_end[];

static bool refuse(struct loader_error *error, const char *reason, const char *field, uint64_t value, uint64_t bound)
{
    *error = (struct loader_error){.reason = reason, .field = field, .value = value, .bound = bound};
    return false;
}

// Bytes an image may take from GUEST_RAM_PA before the initrd's place, or 0 when the initrd's place is empty.
static uint64_t initrd_limit(void)
{
    const uint64_t *initrd = (const uint64_t *)LINUX_INITRD_PA;
    return *initrd != 0 ? LINUX_INITRD_PA - LINUX_IMAGE_PA : LINUX_DTB_PA - LINUX_IMAGE_PA;
}

static bool check_dtb(struct vm *vm, struct loader_error *error)
{
    const uint32_t *dtb = (const uint32_t *)LINUX_DTB_PA;
    uint32_t magic = __builtin_bswap32(dtb[0]);
    uint32_t size = __builtin_bswap32(dtb[1]);

    if (magic != DTB_MAGIC)
        return refuse(error, "no device tree for the Image: load one at LINUX_DTB_PA", "dtb_magic", magic, DTB_MAGIC);
    if (size < DTB_HEADER_SIZE)
        return refuse(error, "device tree cut short", "dtb_totalsize", size, DTB_HEADER_SIZE);
    if (size > LINUX_DTB_MAX_SIZE)
        return refuse(error, "device tree too large for its place", "dtb_totalsize", size, LINUX_DTB_MAX_SIZE);
    vm->boot_argument = LINUX_DTB_IPA;
    return true;
}

// Kernels before 5.8 ask to stand text_offset bytes above a 2 MiB boundary.
static void place_image(uint64_t offset, uint64_t size)
{
    uint8_t *image = (uint8_t *)LINUX_IMAGE_PA;

    if (offset == 0)
        return;
    memmove(image + offset, image, size);
    cache_clean_poc(image + offset, size);
}

static bool load_linux(struct vm *vm, const struct image_header *image, struct loader_error *error)
{
    uint64_t limit = initrd_limit();

    if (image->flags & IMAGE_FLAG_BE)
        return refuse(error, "big-endian Image: build a little-endian kernel", "image_flags", image->flags, 0);
    if (image->image_size == 0)
        return refuse(error, "Image older than Linux 3.17: it does not say its size", "image_size", 0, 1);
    if (image->text_offset >= IMAGE_ALIGN || image->text_offset % 4 != 0)
        return refuse(error, "Image header: text_offset", "text_offset", image->text_offset, IMAGE_ALIGN);
    if (image->image_size > limit || image->text_offset > limit - image->image_size)
        return refuse(error, "Image reaches into the initrd or the device tree", "image_size", image->image_size,
                      limit);
    if (!check_dtb(vm, error))
        return false;
    vm->guest_name = "Linux Image";
    vm->entry_ipa = GUEST_RAM_IPA + image->text_offset;
    place_image(image->text_offset, image->image_size);
    return true;
}

static void load_diagnostic_guest(struct vm *vm)
{
    size_t size = (size_t)(guest_image_end - guest_image_start);

    memcpy((void *)GUEST_RAM_PA, guest_image_start, size);
    cache_clean_poc((void *)GUEST_RAM_PA, size); // the guest starts with its MMU off
    vm->guest_name = "diagnostic guest";
    vm->entry_ipa = GUEST_ENTRY_IPA;
    vm->boot_argument = 0;
}

bool loader_load(struct vm *vm, struct loader_error *error)
{
    static const uint8_t zeroes[HEADER_SIZE];
    const struct image_header *image = (const struct image_header *)LINUX_IMAGE_PA;

    if (image->magic == IMAGE_MAGIC)
        return load_linux(vm, image, error);
    if (memcmp(image, zeroes, HEADER_SIZE) != 0 && memcmp(image, guest_image_start, HEADER_SIZE) != 0)
        return refuse(error, "what is loaded at LINUX_IMAGE_PA is not an arm64 Image", "image_magic", image->magic,
                      IMAGE_MAGIC);
    load_diagnostic_guest(vm);
    return true;
}
