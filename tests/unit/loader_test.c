// SPDX-License-Identifier: Apache-2.0
// The loader: what the person loaded decides, at the first boot and after each reset; mistakes are named in full.
// Links: boot/loader.c boot/loader_image.c boot/guest_manifest.c boot/boot_record.c
// Links: platform/platform.c vm/symbols_table.c lib/printf.c

#include <platform/virt.h>

#include <hv/guest_manifest.h>
#include <hv/loader.h>

#include <hv/arch/cache.h>
#include <hv/arch/registers.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <guest_ram.h>

#define IMAGE_MAGIC 0x644d5241u

const char guest_image_start[256] = "the diagnostic guest";
extern const char guest_image_end[];
__asm__(".globl guest_image_end\n.set guest_image_end, guest_image_start + 256");

static struct vm vm, other; // other has RAM of its own
static struct loader_error error;

// The first VM's RAM and the 2 MiB of EL2's below it, at the physical addresses of the board.
#define MEMORY_PA   (GUEST_RAM_PA - MIB(2))
#define MEMORY_SIZE (GUEST_RAM_SIZE + MIB(2))
// The RAM of the other VM.
#define OTHER_PA UINT64_C(0x10000000)

static int map(uint64_t pa, uint64_t size)
{
    void *memory = mmap((void *)pa, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return memory == (void *)pa ? 0 : -1;
}

static int map_ram(void **state)
{
    (void)state;
    return map(MEMORY_PA, MEMORY_SIZE) == 0 ? map(OTHER_PA, GUEST_RAM_SIZE) : -1;
}

// Gives the VM the RAM at pa as ipa .. ipa + size - 1, beside what it has.
static void give(struct vm *to, uint64_t ipa, uint64_t size, uint64_t pa)
{
    to->space.ram[to->space.ram_count++] = (struct space_ram){.range = {.base = {ipa}, .size = size}, .pa = {pa}};
}

static int setup(void **state)
{
    (void)state;
    madvise((void *)MEMORY_PA, MEMORY_SIZE, MADV_DONTNEED);
    madvise((void *)OTHER_PA, GUEST_RAM_SIZE, MADV_DONTNEED);
    fake_sysreg_reset();
    memset(&vm, 0, sizeof(vm));
    memset(&other, 0, sizeof(other));
    fake_guest_ram(&vm.space);
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
    *(uint64_t *)LINUX_INITRD_PA = 0x3130373037303730; // "07070701", a bare archive
    refused("image_size", MIB(65), LINUX_INITRD_PA - LINUX_IMAGE_PA);
}

static void the_middle_of_a_large_image_is_no_initrd(void **state)
{
    (void)state;
    *(uint64_t *)LINUX_INITRD_PA = 0xd503201fd503201f; // nop; nop
    put_image(0, MIB(70), 0);
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "Linux Image");
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

// ---- After a reset: guest RAM is as a guest left it, but for what QEMU's loader devices write again

static void the_bundled_guest_stays_whatever_it_leaves(void **state)
{
    (void)state;
    assert_true(loader_load(&vm, &error));
    // The attack: an Image of the guest's own, with a device tree and something in the initrd's place.
    put_image(0, MIB(1), 0xa);
    put_dtb(0xd00dfeed, 4096);
    *(uint64_t *)LINUX_INITRD_PA = 0x88b1f;
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "diagnostic guest");
    assert_int_equal(vm.entry_ipa, GUEST_ENTRY_IPA);
    assert_int_equal(vm.boot_argument, 0);
    assert_memory_equal((void *)GUEST_RAM_PA, guest_image_start, 256);
    for (unsigned int byte = 0; byte < 64; byte++) { // one damaged byte, at each place of a header
        ((uint8_t *)GUEST_RAM_PA)[byte] ^= 1;
        assert_true(loader_load(&vm, &error));
        assert_string_equal(vm.guest_name, "diagnostic guest");
        assert_memory_equal((void *)GUEST_RAM_PA, guest_image_start, 256);
    }
}

static void what_a_guest_leaves_is_no_initrd(void **state)
{
    (void)state;
    put_image(0, MIB(100), 0xa); // larger than what is below the initrd's place
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error));
    *(uint64_t *)LINUX_INITRD_PA = 0x88b1f;
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "Linux Image");
}

static void an_image_that_was_not_loaded_again_is_not_run_when_it_changed(void **state)
{
    (void)state;
    put_image(0, MIB(30), 0xa);
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error));
    for (unsigned int word = 0; word < 8; word++) {
        uint64_t *at = (uint64_t *)LINUX_IMAGE_PA + word, was = *at;
        *at ^= 1;
        refused("image_header", was ^ 1, was);
        *at = was;
    }
    put_dtb(0xd00dfeed, 8192);
    refused("dtb_header", 0x200000edfe0dd0, 0x100000edfe0dd0);
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error)); // and runs again when it is loaded again
}

static void a_boot_without_a_guest_decides_nothing(void **state)
{
    (void)state;
    put_image(0, MIB(30), 0xa);
    refused("dtb_magic", 0, 0xd00dfeed);
    put_dtb(0xd00dfeed, 4096);
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "Linux Image");
}

static void memory_that_lost_its_contents_is_no_record(void **state)
{
    (void)state;
    static const uint8_t fill[] = {0x00, 0xff, 0xaa, 0x55};
    for (unsigned int i = 0; i < sizeof(fill); i++) {
        memset((void *)BOOT_RECORD_PA, fill[i], BOOT_RECORD_SIZE);
        put_image(0, MIB(30), 0xa);
        put_dtb(0xd00dfeed, 4096);
        assert_true(loader_load(&vm, &error));
        assert_string_equal(vm.guest_name, "Linux Image");
    }
    // Each bit of a good record counts.
    setup(state);
    assert_true(loader_load(&vm, &error)); // the bundled guest
    for (unsigned int bit = 0; bit < 13 * 64; bit++) {
        ((uint8_t *)BOOT_RECORD_PA)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        put_image(0, MIB(30), 0xa);
        put_dtb(0xd00dfeed, 4096);
        assert_true(loader_load(&vm, &error));
        assert_string_equal(vm.guest_name, "Linux Image");
        setup(state);
        assert_true(loader_load(&vm, &error));
    }
}

// ---- Pages that the CPU does not have

static void a_kernel_for_pages_that_are_not_there_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t flags, features;
        const char *field; // NULL: it can run
        uint64_t value, bound;
    } rows[] = {
        {0x8, UINT64_C(0xf) << 28, NULL, 0, 0}, // unspecified
        {0xa, 0, NULL, 0, 0},
        {0xa, UINT64_C(1) << 28, NULL, 0, 0}, // with 52 bits
        {0xa, UINT64_C(0xf) << 28, "id_aa64mmfr0_tgran4", 0xf, 0},
        {0xc, 0x1124, "id_aa64mmfr0_tgran16", 0, 1}, // cortex-a57
        {0xc, 1 << 20, NULL, 0, 0},
        {0xc, 2 << 20, NULL, 0, 0},
        {0xe, 0x1124, NULL, 0, 0},
        {0xe, UINT64_C(0xf) << 24, "id_aa64mmfr0_tgran64", 0xf, 0},
    };
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setup(state);
        fake_sysreg_set("ID_AA64MMFR0_EL1", rows[i].features);
        put_image(0, MIB(30), rows[i].flags);
        put_dtb(0xd00dfeed, 4096);
        if (rows[i].field != NULL)
            refused(rows[i].field, rows[i].value, rows[i].bound);
        else
            assert_true(loader_load(&vm, &error));
    }
}

// ---- A list of the guest's pieces

#define LIST   ((struct guest_manifest *)GUEST_MANIFEST_PA)
#define BEHIND (GUEST_RAM_IPA + MIB(64))

// A program, a device tree and a file.
static void put_list(void)
{
    memset(LIST, 0, GUEST_MANIFEST_SIZE);
    *LIST = (struct guest_manifest){
        .magic = GUEST_MANIFEST_MAGIC,
        .version = GUEST_MANIFEST_VERSION,
        .kind = GUEST_KIND_PROGRAM,
        .entry_ipa = GUEST_RAM_IPA + MIB(1) + 4,
        .boot_argument = LINUX_DTB_IPA,
        .piece_count = 3,
        .pieces = {{GUEST_RAM_IPA + MIB(1), MIB(1), GUEST_PIECE_PROGRAM},
                   {LINUX_DTB_IPA, 4096, GUEST_PIECE_DTB},
                   {BEHIND, 1, GUEST_PIECE_FILE}},
    };
    put_dtb(0xd00dfeed, 4096);
}

static void a_list_names_the_guest(void **state)
{
    (void)state;
    put_list();
    put_image(0, MIB(30), 0xa); // left by a guest, who also found a way to be remembered
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "bare-metal program");
    assert_int_equal(vm.entry_ipa, GUEST_RAM_IPA + MIB(1) + 4);
    assert_int_equal(vm.boot_argument, LINUX_DTB_IPA);
    LIST->kind = GUEST_KIND_LINUX;
    LIST->pieces[0] = (struct guest_piece){GUEST_RAM_IPA, MIB(30), GUEST_PIECE_IMAGE};
    assert_true(loader_load(&vm, &error));
    assert_string_equal(vm.guest_name, "Linux Image");
}

// Names are for people: a guest whose table of symbols is no good runs without.
static void a_bad_table_of_symbols_stops_no_guest(void **state)
{
    (void)state;
    put_list();
    LIST->symbols_size = SYMBOLS_SIZE + 8;
    assert_true(loader_load(&vm, &error));
    assert_non_null(vm.symbols.refused);
    LIST->symbols_size = 0;
    assert_true(loader_load(&vm, &error));
    assert_null(vm.symbols.refused);
}

static void mistakes_of_a_list_are_named(void **state)
{
    (void)state;
    uint64_t end = GUEST_RAM_IPA + GUEST_RAM_SIZE;
    struct guest_piece *piece = LIST->pieces;

#define MISTAKE(change, field, value, bound)                                                                           \
    do {                                                                                                               \
        put_list();                                                                                                    \
        change;                                                                                                        \
        refused(field, value, bound);                                                                                  \
    } while (0)
    MISTAKE(LIST->version = GUEST_MANIFEST_VERSION - 1, "manifest_version", GUEST_MANIFEST_VERSION - 1,
            GUEST_MANIFEST_VERSION);
    MISTAKE(LIST->piece_count = 0, "piece_count", 0, GUEST_MANIFEST_PIECES);
    MISTAKE(LIST->piece_count = 65, "piece_count", 65, GUEST_MANIFEST_PIECES);
    MISTAKE(LIST->piece_count = UINT64_MAX, "piece_count", UINT64_MAX, GUEST_MANIFEST_PIECES);
    MISTAKE(LIST->kind = 2, "guest_kind", 2, 2);
    MISTAKE(piece[2].kind = 5, "piece_kind", 5, 5);
    MISTAKE(piece[2].ipa = GUEST_RAM_IPA - 1, "piece_ipa", GUEST_RAM_IPA - 1, end);
    MISTAKE(piece[2].ipa = end, "piece_ipa", end, end);
    MISTAKE(piece[2].size = 0, "piece_size", 0, end - BEHIND);
    MISTAKE(piece[2].size = UINT64_MAX, "piece_size", UINT64_MAX, end - BEHIND);
    MISTAKE(piece[2].ipa = piece[0].ipa + 5, "piece_ipa", piece[0].ipa + 5, piece[0].ipa);
    MISTAKE((piece[2].ipa = piece[0].ipa - 5, piece[2].size = 6), "piece_ipa", piece[0].ipa - 5, piece[0].ipa);
    MISTAKE(LIST->entry_ipa += 1, "entry_ipa", GUEST_RAM_IPA + MIB(1) + 5, end);
    MISTAKE(LIST->entry_ipa = GUEST_RAM_IPA, "entry_ipa", GUEST_RAM_IPA, end);
    MISTAKE(LIST->entry_ipa = LINUX_DTB_IPA, "entry_ipa", LINUX_DTB_IPA, end);
    MISTAKE(LIST->boot_argument = 0, "boot_argument", 0, end);
    MISTAKE(LIST->boot_argument += 8, "boot_argument", LINUX_DTB_IPA + 8, end);
    MISTAKE(LIST->boot_argument = BEHIND, "boot_argument", BEHIND, end);
    MISTAKE(piece[1].size = 4095, "dtb_totalsize", 4096, 4095);
    MISTAKE(piece[1].size = 39, "piece_size", 39, 40);
    MISTAKE(piece[1].ipa += 4, "piece_ipa", LINUX_DTB_IPA + 4, 8);
    MISTAKE(piece[2].kind = GUEST_PIECE_DTB; piece[2].size = 64, "dtb_magic", 0, 0xd00dfeed);
    MISTAKE((piece[0].ipa = GUEST_RAM_IPA, piece[0].kind = GUEST_PIECE_IMAGE), "image_magic", 0, IMAGE_MAGIC);
    MISTAKE((piece[2].ipa = end - 8, piece[2].size = 8, piece[2].kind = GUEST_PIECE_IMAGE), "piece_size", 8, 64);
    put_image(0x80000, MIB(2), 0xa);
    MISTAKE((piece[0].ipa = GUEST_RAM_IPA, piece[0].size = MIB(4), piece[0].kind = GUEST_PIECE_IMAGE), "text_offset",
            0x80000, 0);
    put_image(0, MIB(2), 0xa);
    MISTAKE((piece[0].ipa = GUEST_RAM_IPA, piece[0].kind = GUEST_PIECE_IMAGE), "image_size", MIB(2), MIB(1));
    put_image(0, MIB(2), 0xc);
    MISTAKE((piece[0].ipa = GUEST_RAM_IPA, piece[0].kind = GUEST_PIECE_IMAGE), "id_aa64mmfr0_tgran16", 0, 1);
#undef MISTAKE
}

// ---- Two VMs, each with RAM of its own

static void a_vm_is_loaded_into_its_own_ram(void **state)
{
    static const char nothing[256];

    (void)state;
    give(&other, GUEST_RAM_IPA, GUEST_RAM_SIZE, OTHER_PA);
    assert_true(loader_load(&other, &error));
    assert_memory_equal((void *)OTHER_PA, guest_image_start, 256);
    assert_memory_equal((void *)GUEST_RAM_PA, nothing, 256);
}

static void a_vm_whose_ram_lacks_the_fixed_places_needs_a_list(void **state)
{
    uint64_t end = LINUX_DTB_IPA + LINUX_DTB_MAX_SIZE;

    (void)state;
    vm.space.ram[0].range.size = GUEST_RAM_SIZE - MIB(2);
    refused("ram_end", end - MIB(2), end);
    vm.space.ram[0].range.base.v = MIB(3 * 1024);
    refused("ram_end", 0, end);
    vm.space.ram_count = 0;
    refused("ram_end", 0, end);
}

// A VM whose RAM begins at 3 GiB, in two blocks.
static void a_list_is_read_in_the_ram_of_its_vm(void **state)
{
    const uint64_t base = MIB(3 * 1024), end = base + MIB(64);

    (void)state;
    give(&other, base, MIB(32), OTHER_PA + MIB(64));
    give(&other, base + MIB(32), MIB(32), OTHER_PA);
    put_list();
    LIST->entry_ipa = base + MIB(1);
    LIST->boot_argument = base + MIB(33);
    LIST->pieces[0] = (struct guest_piece){base + MIB(1), MIB(1), GUEST_PIECE_PROGRAM};
    LIST->pieces[1] = (struct guest_piece){base + MIB(33), 4096, GUEST_PIECE_DTB};
    LIST->pieces[2] = (struct guest_piece){base + MIB(32) - 1, 1, GUEST_PIECE_FILE};
    refused("piece_ipa", base + MIB(1), GUEST_RAM_IPA + GUEST_RAM_SIZE); // vm has no such RAM
    assert_false(loader_load(&other, &error));                           // the tree that is there is vm's
    assert_string_equal(error.field, "dtb_magic");
    memcpy((void *)(OTHER_PA + MIB(1)), (const void *)LINUX_DTB_PA, 8);
    assert_true(loader_load(&other, &error));
    assert_int_equal(other.entry_ipa, base + MIB(1));
    LIST->pieces[2].size = 2; // it goes on into the next block
    assert_false(loader_load(&other, &error));
    assert_string_equal(error.field, "piece_size");
    assert_int_equal(error.bound, 1);
    LIST->pieces[2].ipa = end;
    assert_false(loader_load(&other, &error));
    assert_string_equal(error.field, "piece_ipa");
    assert_int_equal(error.bound, end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_memory_means_the_diagnostic_guest, setup),
        cmocka_unit_test_setup(an_image_with_a_device_tree_is_linux, setup),
        cmocka_unit_test_setup(an_old_image_is_moved_to_its_text_offset, setup),
        cmocka_unit_test_setup(header_mistakes_are_named, setup),
        cmocka_unit_test_setup(an_initrd_lowers_the_bound, setup),
        cmocka_unit_test_setup(the_middle_of_a_large_image_is_no_initrd, setup),
        cmocka_unit_test_setup(device_tree_mistakes_are_named, setup),
        cmocka_unit_test_setup(anything_else_is_refused, setup),
        cmocka_unit_test_setup(the_bundled_guest_stays_whatever_it_leaves, setup),
        cmocka_unit_test_setup(what_a_guest_leaves_is_no_initrd, setup),
        cmocka_unit_test_setup(an_image_that_was_not_loaded_again_is_not_run_when_it_changed, setup),
        cmocka_unit_test_setup(a_boot_without_a_guest_decides_nothing, setup),
        cmocka_unit_test_setup(memory_that_lost_its_contents_is_no_record, setup),
        cmocka_unit_test_setup(a_kernel_for_pages_that_are_not_there_is_refused, setup),
        cmocka_unit_test_setup(a_list_names_the_guest, setup),
        cmocka_unit_test_setup(a_bad_table_of_symbols_stops_no_guest, setup),
        cmocka_unit_test_setup(mistakes_of_a_list_are_named, setup),
        cmocka_unit_test_setup(a_vm_is_loaded_into_its_own_ram, setup),
        cmocka_unit_test_setup(a_vm_whose_ram_lacks_the_fixed_places_needs_a_list, setup),
        cmocka_unit_test_setup(a_list_is_read_in_the_ram_of_its_vm, setup),
    };
    return cmocka_run_group_tests(tests, map_ram, NULL);
}
