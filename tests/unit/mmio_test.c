// SPDX-License-Identifier: Apache-2.0
// The parts of a register that an access moves.
// Links: lib/range.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/mmio.h>

static void test_parts(void **state)
{
    (void)state;
    assert_int_equal(mmio_read_part(4, 0x11223344, 0x403, 1), 0x11);
    assert_int_equal(mmio_write_part(4, 0x11223344, 0x403, 1, 0x1ab), 0xab223344);
    assert_true(mmio_read_part(8, 0x0123456789abcdef, 0x6104, 4) == 0x01234567);
    assert_true(mmio_write_part(8, 0x0123456789abcdef, 0x6104, 4, 0xdeadbeef) == 0xdeadbeef89abcdef);
    assert_true(mmio_read_part(8, 0x0123456789abcdef, 0x6108, 8) == 0x0123456789abcdef);
    assert_true(mmio_write_part(8, 0, 0x6108, 8, UINT64_MAX) == UINT64_MAX);
    assert_int_equal(mmio_read_part(4, 0x11223344, 0x402, 2), 0x1122);
    assert_int_equal(mmio_write_part(4, 0, 0x402, 2, 0xffff), 0xffff0000);
    assert_int_equal(mmio_size(4 | MMIO_WRITE), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
