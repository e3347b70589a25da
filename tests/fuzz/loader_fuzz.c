// SPDX-License-Identifier: Apache-2.0
// The Image header, the device tree's, what lies in the initrd's place and the list of pieces, all of it from outside:
// what the loader accepts fits, and what it refuses is named and leaves guest RAM alone. After a reset the guest that
// ran runs again, whatever it left.
// Links: boot/loader.c boot/loader_image.c boot/guest_manifest.c boot/boot_record.c
// Links: platform/platform.c vm/symbols_table.c lib/printf.c

#include <fuzz.h>

#include <guest_ram.h>

#include <platform/virt.h>

#include <hv/arch/cache.h>
#include <hv/arch/registers.h>
#include <hv/guest_manifest.h>
#include <hv/loader.h>

#include <ctype.h>
#include <sys/mman.h>

const char guest_image_start[256] = "the diagnostic guest";
extern const char guest_image_end[];
__asm__(".globl guest_image_end\n.set guest_image_end, guest_image_start + 256");

#define HEADER    64
#define MEMORY_PA (GUEST_RAM_PA - MIB(2)) // with EL2's own pages below guest RAM
#define IMAGE_MAX MIB(8)                  // of what an input may ask for: moving gigabytes about finds nothing

static struct vm vm;

static uint64_t draw_size(struct fuzz_input *input, uint64_t around)
{
    switch (fuzz_below(input, 4)) {
    case 0:
        return fuzz_take(input, 3);
    case 1:
        return around + fuzz_take(input, 1) - 128;
    case 2:
        return fuzz_take(input, 8);
    default:
        return ~UINT64_C(0) - fuzz_take(input, 3);
    }
}

static void put_header(struct fuzz_input *input, uint64_t *header)
{
    header[0] = 0x14000000;
    header[1] = fuzz_below(input, 2) ? 4 * fuzz_take(input, 2) : draw_size(input, MIB(2));
    header[2] = draw_size(input, LINUX_INITRD_PA - LINUX_IMAGE_PA - header[1]);
    header[3] = fuzz_take(input, 1) & 0xf;
    header[7] = fuzz_below(input, 8) ? 0x644d5241 : fuzz_take(input, 4);
    if (fuzz_below(input, 16) == 0)
        header[fuzz_below(input, 8)] = fuzz_take(input, 8);
}

static void put_dtb(struct fuzz_input *input)
{
    uint32_t *dtb = (uint32_t *)LINUX_DTB_PA;
    uint64_t bytes = fuzz_below(input, 2) ? fuzz_take(input, 2) : draw_size(input, LINUX_DTB_MAX_SIZE);

    dtb[0] = fuzz_below(input, 8) ? 0xedfe0dd0 : (uint32_t)fuzz_take(input, 4);
    dtb[1] = __builtin_bswap32((uint32_t)bytes);
}

static bool is_linux(const uint64_t *header)
{
    uint32_t magic = __builtin_bswap32(((uint32_t *)LINUX_DTB_PA)[0]);
    uint32_t bytes = __builtin_bswap32(((uint32_t *)LINUX_DTB_PA)[1]);
    uint64_t end = *(uint64_t *)LINUX_INITRD_PA == 0x8b1f ? LINUX_INITRD_PA : LINUX_DTB_PA;
    unsigned __int128 last = (unsigned __int128)LINUX_IMAGE_PA + header[1] + header[2];

    // The fake CPU has 4 and 64 KiB pages, as its ID_AA64MMFR0_EL1 is 0.
    return !(header[3] & 1) && (header[3] >> 1 & 3) != 2 && header[2] != 0 && header[1] < MIB(2) &&
           header[1] % 4 == 0 && last <= end && magic == 0xd00dfeed && bytes >= 40 && bytes <= LINUX_DTB_MAX_SIZE;
}

static void check_refusal(const struct loader_error *error)
{
    fuzz_check(error->reason != NULL && error->field != NULL);
    for (const char *c = error->field; *c; c++)
        fuzz_check(islower(*c) || isdigit(*c) || *c == '_');
}

static bool load(const uint64_t *header)
{
    struct loader_error error = {0};
    bool image = (uint32_t)header[7] == 0x644d5241;
    bool taken = loader_load(&vm, &error);
    uint8_t *ram = (uint8_t *)LINUX_IMAGE_PA;
    static const uint64_t nothing[8];

    if (!taken)
        check_refusal(&error);
    if (image) {
        fuzz_check(taken == is_linux(header));
        fuzz_check(memcmp(ram + (taken ? header[1] : 0), header, header[2] < HEADER && taken ? header[2] : HEADER) ==
                   0);
    } else {
        fuzz_check(taken == (memcmp(header, nothing, HEADER) == 0));
        fuzz_check(memcmp(ram, taken ? (const void *)guest_image_start : header, HEADER) == 0);
    }
    if (taken) {
        fuzz_check(vm.entry_ipa == GUEST_RAM_IPA + (image ? header[1] : 0));
        fuzz_check(vm.boot_argument == (image ? LINUX_DTB_IPA : 0));
    }
    return taken;
}

// A guest ran, left what it liked where the loader looks, and reset the machine.
static void load_after_a_guest(struct fuzz_input *input)
{
    struct vm first = vm;
    struct loader_error error = {0};
    uint64_t header[8] = {0};
    bool bundled = vm.boot_argument == 0;

    put_header(input, header);
    put_dtb(input);
    *(uint64_t *)LINUX_INITRD_PA = fuzz_take(input, 8);
    memcpy((void *)LINUX_IMAGE_PA, header, HEADER);
    bool taken = loader_load(&vm, &error);
    if (!taken)
        check_refusal(&error);
    fuzz_check(taken || !bundled);
    fuzz_check(vm.entry_ipa == first.entry_ipa && vm.boot_argument == first.boot_argument);
    fuzz_check(!bundled || memcmp((void *)GUEST_RAM_PA, guest_image_start, sizeof(guest_image_start)) == 0);
}

static uint64_t draw_address(struct fuzz_input *input)
{
    static const uint64_t near[] = {GUEST_RAM_IPA, LINUX_INITRD_IPA, LINUX_DTB_IPA, GUEST_RAM_IPA + GUEST_RAM_SIZE};

    return fuzz_below(input, 8) ? near[fuzz_below(input, 4)] + fuzz_take(input, 1) * 4 - 256 : fuzz_take(input, 8);
}

static void check_list(const struct guest_manifest *list)
{
    fuzz_check(list->piece_count >= 1 && list->piece_count <= GUEST_MANIFEST_PIECES && vm.entry_ipa % 4 == 0);
    for (unsigned int i = 0; i < list->piece_count; i++) {
        const struct guest_piece *piece = &list->pieces[i];
        unsigned __int128 end = (unsigned __int128)piece->ipa + piece->size;
        fuzz_check(piece->size != 0 && piece->ipa >= GUEST_RAM_IPA && end <= GUEST_RAM_IPA + GUEST_RAM_SIZE);
        for (unsigned int k = 0; k < i; k++)
            fuzz_check(end <= list->pieces[k].ipa || list->pieces[k].ipa + list->pieces[k].size <= piece->ipa);
    }
}

static void load_listed(struct fuzz_input *input)
{
    struct guest_manifest *list = (struct guest_manifest *)GUEST_MANIFEST_PA;
    struct loader_error error = {0};

    list->magic = GUEST_MANIFEST_MAGIC;
    list->version = fuzz_below(input, 16) ? GUEST_MANIFEST_VERSION : fuzz_take(input, 8);
    list->kind = fuzz_below(input, GUEST_KIND_COUNT + 1);
    list->piece_count = fuzz_below(input, 16) ? fuzz_below(input, 5) : fuzz_take(input, 8);
    for (unsigned int i = 0; i < 5; i++)
        list->pieces[i] = (struct guest_piece){.ipa = draw_address(input),
                                               .size = draw_size(input, 4096),
                                               .kind = fuzz_below(input, GUEST_PIECE_KIND_COUNT + 1)};
    list->entry_ipa = fuzz_below(input, 4) ? list->pieces[0].ipa : draw_address(input);
    list->boot_argument = fuzz_below(input, 4) ? list->pieces[1].ipa : draw_address(input);
    if (fuzz_below(input, 2))
        list->pieces[1] = (struct guest_piece){LINUX_DTB_IPA, LINUX_DTB_MAX_SIZE, GUEST_PIECE_DTB};
    if (loader_load(&vm, &error))
        check_list(list);
    else
        check_refusal(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool once;
    struct fuzz_input input = {data, size};
    uint64_t header[8] = {0};

    if (!once)
        once = mmap((void *)MEMORY_PA, GUEST_RAM_SIZE + MIB(2), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == (void *)MEMORY_PA;
    fuzz_check(once);
    madvise((void *)MEMORY_PA, GUEST_RAM_SIZE + MIB(2), MADV_DONTNEED);
    memset(&vm, 0, sizeof(vm));
    fake_guest_ram(&vm.space);
    switch (fuzz_below(&input, 8)) {
    case 0:
        memcpy(header, guest_image_start, HEADER);
        break;
    case 1:
        break;
    default:
        put_header(&input, header);
        break;
    }
    static const uint64_t initrds[] = {0, 0x8b1f, 0xd503201f}; // none, gzip, the middle of an Image
    *(uint64_t *)LINUX_INITRD_PA = initrds[fuzz_below(&input, 3)];
    put_dtb(&input);
    if (header[1] % 4 == 0 && header[1] != 0 && header[2] > IMAGE_MAX && header[2] < GUEST_RAM_SIZE &&
        is_linux(header) && fuzz_below(&input, 64))
        header[2] = IMAGE_MAX; // seldom a large one: it is moved
    memcpy((void *)LINUX_IMAGE_PA, header, HEADER);
    if (fuzz_below(&input, 4) == 0) {
        load_listed(&input);
        return 0;
    }
    if (load(header))
        load_after_a_guest(&input);
    return 0;
}
