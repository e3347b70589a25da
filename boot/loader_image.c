// SPDX-License-Identifier: Apache-2.0
// Whether an arm64 Image (Linux Documentation/arch/arm64/booting.rst) and a device tree can be what their headers say.
// Some mistakes would show only as a guest that never writes a line: a kernel for pages that this CPU does not have
// stops before it has a console. Such mistakes are found and named here, before the guest starts.
#include "loader_parts.h"

#include <hv/arch/registers.h>

// Of the flags in an Image's header: bit 0 says big-endian, bits 2:1 the page size that the kernel is built for.
#define IMAGE_FLAG_BE   BIT64(0)
#define IMAGE_PAGE_SIZE GENMASK64(2, 1)
#define IMAGE_ALIGN     MIB(2)
#define TGRAN_NONE      0xf // of TGran4 and TGran64: the size is not there

// The values of bits 2:1 of the flags; 0 is an older kernel, which does not say.
enum { PAGES_UNSPECIFIED, PAGES_4K, PAGES_16K, PAGES_64K };

bool loader_refuse(struct loader_error *error, const char *reason, const char *field, uint64_t value, uint64_t bound)
{
    *error = (struct loader_error){.reason = reason, .field = field, .value = value, .bound = bound};
    return false;
}

// The pages that the kernel was built for have to be pages that the CPU's stage 1 has. ID_AA64MMFR0_EL1 says so in
// three fields of two kinds (DDI 0487 D19.2.64). TGran4 and TGran64 are signed: 0 means that the size is there, 0xf
// that it is not. TGran16 is unsigned: 0 means that the size is not there, 1 and above that it is.
static bool check_page_size(const struct image_header *image, struct loader_error *error)
{
    uint64_t features = READ_SYSREG(ID_AA64MMFR0_EL1);
    uint64_t tgran4 = FIELD_GET(ID_AA64MMFR0_EL1_TGRAN4, features);
    uint64_t tgran16 = FIELD_GET(ID_AA64MMFR0_EL1_TGRAN16, features);
    uint64_t tgran64 = FIELD_GET(ID_AA64MMFR0_EL1_TGRAN64, features);
    uint64_t pages = FIELD_GET(IMAGE_PAGE_SIZE, image->flags);

    if (pages == PAGES_4K && tgran4 == TGRAN_NONE)
        return loader_refuse(error, "kernel for 4 KiB pages, which this CPU does not have: take another one",
                             "id_aa64mmfr0_tgran4", tgran4, 0);
    if (pages == PAGES_16K && tgran16 == 0)
        return loader_refuse(error,
                             "kernel for 16 KiB pages, which this CPU does not have: take another one (-cpu max)",
                             "id_aa64mmfr0_tgran16", tgran16, 1);
    if (pages == PAGES_64K && tgran64 == TGRAN_NONE)
        return loader_refuse(error,
                             "kernel for 64 KiB pages, which this CPU does not have: take another one (-cpu max)",
                             "id_aa64mmfr0_tgran64", tgran64, 0);
    return true;
}

// limit is the number of bytes from the 2 MiB boundary that text_offset counts from up to what lies above the Image.
// The last check compares text_offset with limit - image_size rather than the sum with limit, because the sum of two
// numbers from a file may wrap around 2^64.
bool loader_check_image(const struct image_header *image, uint64_t limit, struct loader_error *error)
{
    if (image->magic != IMAGE_MAGIC)
        return loader_refuse(error, "what is loaded at LINUX_IMAGE_PA is not an arm64 Image", "image_magic",
                             image->magic, IMAGE_MAGIC);
    if (image->flags & IMAGE_FLAG_BE)
        return loader_refuse(error, "big-endian Image: build a little-endian kernel", "image_flags", image->flags, 0);
    if (!check_page_size(image, error))
        return false;
    if (image->image_size == 0)
        return loader_refuse(error, "Image older than Linux 3.17: it does not say its size", "image_size", 0, 1);
    if (image->text_offset >= IMAGE_ALIGN || image->text_offset % 4 != 0)
        return loader_refuse(error, "Image header: text_offset", "text_offset", image->text_offset, IMAGE_ALIGN);
    if (image->image_size > limit || image->text_offset > limit - image->image_size)
        return loader_refuse(error, "Image reaches into the initrd or the device tree", "image_size", image->image_size,
                             limit);
    return true;
}

// The first two words of a device tree are its magic number and totalsize, both big-endian (Devicetree
// Specification 5.2); EL2 reads them as little-endian words and swaps their bytes. EL2 does not read the tree any
// further: the guest does.
bool loader_check_dtb(const void *dtb, struct loader_error *error)
{
    const uint32_t *words = dtb;
    uint32_t magic = __builtin_bswap32(words[0]);
    uint32_t size = __builtin_bswap32(words[1]);

    if (magic != DTB_MAGIC)
        return loader_refuse(error, "no device tree for the Image: load one at LINUX_DTB_PA", "dtb_magic", magic,
                             DTB_MAGIC);
    if (size < DTB_HEADER_SIZE)
        return loader_refuse(error, "device tree cut short", "dtb_totalsize", size, DTB_HEADER_SIZE);
    if (size > LINUX_DTB_MAX_SIZE)
        return loader_refuse(error, "device tree too large for its place", "dtb_totalsize", size, LINUX_DTB_MAX_SIZE);
    return true;
}
