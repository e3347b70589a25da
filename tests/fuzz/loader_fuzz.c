// SPDX-License-Identifier: Apache-2.0
// The Image header, the device tree's and what lies in the initrd's place, all of it from outside: what the loader
// accepts fits, and what it refuses is named and leaves guest RAM alone.
// Links: core/loader.c

#include <fuzz.h>

#include <hv/arch/cache.h>
#include <hv/loader.h>

#include <ctype.h>
#include <sys/mman.h>

const char guest_image_start[256] = "the diagnostic guest";
extern const char guest_image_end[];
__asm__(".globl guest_image_end\n.set guest_image_end, guest_image_start + 256");

#define HEADER    64
#define IMAGE_MAX MIB(8) // of what an input may ask for: moving gigabytes about finds nothing

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
    uint64_t end = *(uint64_t *)LINUX_INITRD_PA ? LINUX_INITRD_PA : LINUX_DTB_PA;
    unsigned __int128 last = (unsigned __int128)LINUX_IMAGE_PA + header[1] + header[2];

    return !(header[3] & 1) && header[2] != 0 && header[1] < MIB(2) && header[1] % 4 == 0 && last <= end &&
           magic == 0xd00dfeed && bytes >= 40 && bytes <= LINUX_DTB_MAX_SIZE;
}

static void check_refusal(const struct loader_error *error)
{
    fuzz_check(error->reason != NULL && error->field != NULL);
    for (const char *c = error->field; *c; c++)
        fuzz_check(islower(*c) || isdigit(*c) || *c == '_');
}

static void load(const uint64_t *header)
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
        fuzz_check(taken == (memcmp(header, nothing, HEADER) == 0 || memcmp(header, guest_image_start, HEADER) == 0));
        fuzz_check(memcmp(ram, taken ? (const void *)guest_image_start : header, HEADER) == 0);
    }
    if (taken) {
        fuzz_check(vm.entry_ipa == GUEST_RAM_IPA + (image ? header[1] : 0));
        fuzz_check(vm.boot_argument == (image ? LINUX_DTB_IPA : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool once;
    struct fuzz_input input = {data, size};
    uint64_t header[8] = {0};

    if (!once)
        once = mmap((void *)GUEST_RAM_PA, GUEST_RAM_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == (void *)GUEST_RAM_PA;
    fuzz_check(once);
    madvise((void *)GUEST_RAM_PA, GUEST_RAM_SIZE, MADV_DONTNEED);
    memset(&vm, 0, sizeof(vm));
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
    *(uint64_t *)LINUX_INITRD_PA = fuzz_below(&input, 2);
    put_dtb(&input);
    if (header[1] % 4 == 0 && header[1] != 0 && header[2] > IMAGE_MAX && header[2] < GUEST_RAM_SIZE &&
        is_linux(header) && fuzz_below(&input, 64))
        header[2] = IMAGE_MAX; // seldom a large one: it is moved
    memcpy((void *)LINUX_IMAGE_PA, header, HEADER);
    load(header);
    return 0;
}
