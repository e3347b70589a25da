// SPDX-License-Identifier: Apache-2.0
// Golden list of stage-2 descriptors, worked out by hand from DDI 0487 D8.3.
// Links: arch/aarch64/s2_pte.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/arch/s2_pte.h>
#include <hv/bits.h>

#define R  STAGE2_READ
#define W  STAGE2_WRITE
#define X  STAGE2_EXECUTE
#define DV STAGE2_DEVICE

static const struct {
    unsigned int level;
    uint32_t permissions;
    uint64_t pa;
    uint64_t descriptor;
} golden[] = {
    // AF 0x400, SH inner 0x300, MemAttr normal 0x3c, S2AP R 0x40 and W 0x80, XN[1] bit 54
    {3, R | W | X, 0x42000000, 0x420007ff},
    {2, R | W | X, 0x42000000, 0x420007fd},
    {1, R | W | X, 0x40000000, 0x400007fd},
    {3, R | W, 0x42001000, 0x00400000420017ff},
    {3, R | X, 0x42001000, 0x000000004200177f},
    {3, R, 0x42001000, 0x004000004200177f},
    {3, W, 0x42001000, 0x00400000420017bf},
    {3, X, 0x42001000, 0x000000004200173f},
    {3, 0, 0x42001000, 0x004000004200173f},
    {3, R | W | DV, 0x09000000, 0x00400000090007c7},
    {2, R | DV, 0x08000000, 0x0040000008000745},
    {2, R | W | X, 0xffffffe00000, 0x0000ffffffe007fd},
    {3, R | W | X, 0xfffffffff000, 0x0000fffffffff7ff},
    // software's bits 58:55
    {3, R | STAGE2_SHADOW, 0x42001000, 0x00c000004200177f},
    {3, STAGE2_SHADOW, 0x42001000, 0x00c000004200173f},
    {2, R | W | X | STAGE2_MEANING, 0x42000000, 0x07800000420007fd},
};

static void leaves_match_the_manual_and_decode_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(golden); i++) {
        uint64_t descriptor = s2_pte_leaf(golden[i].level, pa_make(golden[i].pa), golden[i].permissions);

        assert_int_equal(descriptor, golden[i].descriptor);
        assert_true(s2_pte_is_valid(descriptor));
        assert_false(s2_pte_is_table(descriptor, golden[i].level));
        assert_int_equal(s2_pte_permissions(descriptor), golden[i].permissions);
        assert_int_equal(s2_pte_meaning(descriptor), golden[i].permissions & STAGE2_MEANING);
        assert_int_equal(s2_pte_address(descriptor, golden[i].level).v, golden[i].pa);
    }
}

static void tables_match_the_manual_and_decode_back(void **state)
{
    uint64_t descriptor = s2_pte_table(pa_make(0x40123000));

    (void)state;
    assert_int_equal(descriptor, 0x40123003);
    assert_true(s2_pte_is_valid(descriptor));
    assert_true(s2_pte_is_table(descriptor, 1));
    assert_true(s2_pte_is_table(descriptor, 2));
    assert_false(s2_pte_is_table(descriptor, 3));
    assert_int_equal(s2_pte_address(descriptor, 1).v, 0x40123000);
    assert_int_equal(s2_pte_address(descriptor, 2).v, 0x40123000);
}

static void invalid_is_neither(void **state)
{
    (void)state;
    assert_false(s2_pte_is_valid(S2_PTE_INVALID));
    assert_false(s2_pte_is_table(S2_PTE_INVALID, 1));
    assert_false(s2_pte_is_valid(0xfffffffffffffffe)); // software may keep anything in an invalid entry
    assert_false(s2_pte_is_table(0xfffffffffffffffe, 2));
}

static void sizes_are_the_granules(void **state)
{
    (void)state;
    assert_int_equal(s2_pte_size(1), GIB(1));
    assert_int_equal(s2_pte_size(2), MIB(2));
    assert_int_equal(s2_pte_size(3), KIB(4));
}

static void decoding_is_careful_with_what_we_do_not_write(void **state)
{
    (void)state;
    // XN[0] (FEAT_XNX): executable at one exception level only is not executable
    assert_int_equal(s2_pte_permissions(0x420007ff | BIT64(53)), R | W);
    assert_int_equal(s2_pte_permissions(0x420007ff | BIT64(53) | BIT64(54)), R | W);
    // every Device type; Normal non-cacheable is not Device
    for (uint64_t type = 0; type < 4; type++)
        assert_true((s2_pte_permissions(0x420007c3 | type << 2) & DV) != 0);
    assert_true((s2_pte_permissions(0x420007c3 | 5 << 2) & DV) == 0);
    // a block's low address bits are not address, the contiguous bit and software bits neither
    assert_int_equal(s2_pte_address(0x008100004201f7fd, 2).v, 0x42000000);
    assert_int_equal(s2_pte_address(0x0081000052e1f7fd, 1).v, 0x40000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_match_the_manual_and_decode_back),
        cmocka_unit_test(tables_match_the_manual_and_decode_back),
        cmocka_unit_test(invalid_is_neither),
        cmocka_unit_test(sizes_are_the_granules),
        cmocka_unit_test(decoding_is_careful_with_what_we_do_not_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
