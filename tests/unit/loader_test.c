// SPDX-License-Identifier: Apache-2.0
// The loader: what lies at LINUX_IMAGE_PA decides, and each header mistake is named with its field, value and bound.
// Links: core/loader.c

#include <hv/loader.h>

#include <hv/arch/cache.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define IMAGE_MAGIC 0x644d5241u

const char guest_image_start[256] = "the diagnostic guest";
extern const char guest_image_end[];
__asm__(".globl guest_image_end\n.set guest_image_end, guest_image_start + 256");

static struct vm vm;
static struct loader_error error;

// Guest RAM at its true physical addresses: the loader knows no others.
static int map_ram(void **state)
{
    (void)state;
    void *ram = mmap((void *)GUEST_RAM_PA, GUEST_RAM_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return ram == (void *)GUEST_RAM_PA ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    madvise((void *)GUEST_RAM_PA, GUEST_RAM_SIZE, MADV_DONTNEED);
    memset(&vm, 0, sizeof(vm));
    memset(&error, 0, sizeof(error));
    return 0;
}

static void put_image(uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
    uint64_t *header = (uint64_t *)LINUX_IMAGE_PA;
    header[0] = 0x14000000;
    header[1] = text_offset;
    header[2] = image_size;
    header[3] = flags;
    *(uint32_t *)(LINUX_IMAGE_PA + 56) = IMAGE_MAGIC;
}

static void put_dtb(uint32_t magic, uint32_t size)
{
    uint32_t *dtb = (uint32_t *)LINUX_DTB_PA;
    dtb[0] = __builtin_bswap32(magic);
    dtb[1] = __builtin_bswap32(size);
}

static void refused(const char *field, uint64_t value, uint64_t bound)
{
    assert_false(loader_load(&vm, &error));
    assert_string_equal(error.field, field);
    assert_int_equal(error.value, value);
    assert_int_equal(error.bound, bound);
    assert_non_null(error.reason);
}

static void empty_memory_means_the_diagnostic_guest(void **state)
{
    (void)state;
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "diagnostic guest");
    assert_int_equal(vm.entry_ipa, GUEST_ENTRY_IPA);
    assert_memory_equal((void *)GUEST_RAM_PA, guest_image_start, 256);
    // After a warm reset it lies there already, with changed data behind the header.
    ((char *)GUEST_RAM_PA)[200] = 'x';
    assert_true(loader_load(&vm, &error));
    assert_memory_equal((void *)GUEST_RAM_PA, guest_image_start, 256);
}

static void an_image_with_a_device_tree_is_linux(void **state)
{
    (void)state;
    put_image(0, MIB(30), 0xa);
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "Linux Image");
    assert_int_equal(vm.entry_ipa, GUEST_RAM_IPA);
    assert_int_equal(vm.boot_argument, LINUX_DTB_IPA);
}

static void an_old_image_is_moved_to_its_text_offset(void **state)
{
    (void)state;
    put_image(0x80000, MIB(30), 0);
    ((char *)LINUX_IMAGE_PA)[MIB(30) - 1] = 'z';
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error));
    assert_int_equal(vm.entry_ipa, GUEST_RAM_IPA + 0x80000);
    assert_int_equal(*(uint32_t *)(LINUX_IMAGE_PA + 0x80000 + 56), IMAGE_MAGIC);
    assert_int_equal(((char *)LINUX_IMAGE_PA)[0x80000 + MIB(30) - 1], 'z');
}

static void header_mistakes_are_named(void **state)
{
    (void)state;
    put_image(0, MIB(30), 1);
    refused("image_flags", 1, 0);
    put_image(0, 0, 0);
    refused("image_size", 0, 1);
    put_image(MIB(2), MIB(30), 0);
    refused("text_offset", MIB(2), MIB(2));
    put_image(2, MIB(30), 0);
    refused("text_offset", 2, MIB(2));
    uint64_t limit = LINUX_DTB_PA - LINUX_IMAGE_PA;
    put_image(0, limit + 1, 0);
    refused("image_size", limit + 1, limit);
    put_image(0x80000, limit, 0);
    refused("image_size", limit, limit);
    put_image(0, UINT64_MAX, 0);
    refused("image_size", UINT64_MAX, limit);
}

static void an_initrd_lowers_the_bound(void **state)
{
    (void)state;
    *(uint64_t *)LINUX_INITRD_PA = 0x88b1f;
    put_image(0, MIB(65), 0);
    refused("image_size", MIB(65), LINUX_INITRD_PA - LINUX_IMAGE_PA);
}

static void device_tree_mistakes_are_named(void **state)
{
    (void)state;
    put_image(0, MIB(30), 0);
    refused("dtb_magic", 0, 0xd00dfeed);
    put_dtb(0xd00dfeed, LINUX_DTB_MAX_SIZE + 1);
    refused("dtb_totalsize", LINUX_DTB_MAX_SIZE + 1, LINUX_DTB_MAX_SIZE);
    put_dtb(0xd00dfeed, 39);
    refused("dtb_totalsize", 39, 40);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    memcpy((void *)LINUX_IMAGE_PA,
           "\x7f"
           "ELF",
           4);
    refused("image_magic", 0, IMAGE_MAGIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_memory_means_the_diagnostic_guest, setup),
        cmocka_unit_test_setup(an_image_with_a_device_tree_is_linux, setup),
        cmocka_unit_test_setup(an_old_image_is_moved_to_its_text_offset, setup),
        cmocka_unit_test_setup(header_mistakes_are_named, setup),
        cmocka_unit_test_setup(an_initrd_lowers_the_bound, setup),
        cmocka_unit_test_setup(device_tree_mistakes_are_named, setup),
        cmocka_unit_test_setup(anything_else_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, map_ram, NULL);
}
