// SPDX-License-Identifier: Apache-2.0
// mmio_find_register against a walk over the rows, and the parts of registers.
// Links: core/mmio.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/mmio.h>

static const struct mmio_register rows[] = {
    {.offset = 0x000, .count = 1, .width = 4, .sizes = 0x4, .name = "CTLR"},
    {.offset = 0x004, .count = 1, .width = 4, .sizes = 0x4, .name = "TYPER"},
    {.offset = 0x080, .count = 32, .width = 4, .sizes = 0x4, .name = "IGROUPR"},
    {.offset = 0x400, .count = 64, .width = 4, .sizes = 0x5, .name = "IPRIORITYR"},
    {.offset = 0x6100, .count = 4, .width = 8, .sizes = 0xc, .name = "IROUTER"},
};

static const struct mmio_register *find(size_t count, uint64_t offset, uint8_t size)
{
    struct mmio_access access = {.offset = offset, .size = size};
    return mmio_find_register(rows, count, &access);
}

static void test_every_offset(void **state)
{
    (void)state;
    for (size_t count = 0; count <= ARRAY_COUNT(rows); count++) {
        for (uint64_t offset = 0; offset < 0x6200; offset++) {
            const struct mmio_register *want = NULL;
            unsigned int n = (unsigned int)(offset % 4);
            uint8_t size = (uint8_t)(1 << n);
            for (size_t i = 0; i < count; i++)
                if (offset >= rows[i].offset && offset + size <= rows[i].offset + rows[i].count * rows[i].width &&
                    rows[i].sizes & size)
                    want = &rows[i];
            assert_ptr_equal(find(count, offset, size), want);
        }
    }
}

static void test_edges(void **state)
{
    (void)state;
    assert_null(find(0, 0, 4));
    assert_null(find(ARRAY_COUNT(rows), UINT64_MAX - 3, 4));
    assert_null(find(ARRAY_COUNT(rows), 0x100000000, 4));
    assert_null(find(ARRAY_COUNT(rows), 0, 0));
    assert_null(find(ARRAY_COUNT(rows), 0x0, 8));
    assert_ptr_equal(find(ARRAY_COUNT(rows), 0x6118, 8), &rows[4]);
    assert_ptr_equal(find(ARRAY_COUNT(rows), 0x611c, 4), &rows[4]);
    assert_null(find(ARRAY_COUNT(rows), 0x6120, 4));
}

static void test_parts(void **state)
{
    struct mmio_access access = {.offset = 0x403, .size = 1, .value = 0x1ab};

    (void)state;
    assert_int_equal(mmio_read_part(4, 0x11223344, &access), 0x11);
    assert_int_equal(mmio_write_part(4, 0x11223344, &access), 0xab223344);
    access = (struct mmio_access){.offset = 0x6104, .size = 4, .value = 0xdeadbeef};
    assert_true(mmio_read_part(8, 0x0123456789abcdef, &access) == 0x01234567);
    assert_true(mmio_write_part(8, 0x0123456789abcdef, &access) == 0xdeadbeef89abcdef);
    access = (struct mmio_access){.offset = 0x6108, .size = 8, .value = UINT64_MAX};
    assert_true(mmio_read_part(8, 0x0123456789abcdef, &access) == 0x0123456789abcdef);
    assert_true(mmio_write_part(8, 0, &access) == UINT64_MAX);
    assert_int_equal(mmio_index(&rows[4], &access), 1);
    access = (struct mmio_access){.offset = 0x402, .size = 2, .value = 0xffff};
    assert_int_equal(mmio_read_part(4, 0x11223344, &access), 0x1122);
    assert_int_equal(mmio_write_part(4, 0, &access), 0xffff0000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_offset),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
