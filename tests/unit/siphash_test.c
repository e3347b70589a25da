// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 against the vectors its authors published (key 00..0f, message 00..07).
// Links: lib/siphash.c
#include <hv/siphash.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_published_vector(void **state)
{
    const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    (void)state;

    assert_true(siphash_word(key, 0x0706050403020100) == 0x93f5f5799a932462);
}

static void test_every_key_bit_matters(void **state)
{
    const uint64_t key[2] = {1, 2};
    (void)state;

    for (unsigned int bit = 0; bit < 128; bit++) {
        uint64_t other[2] = {1, 2};
        other[bit / 64] ^= UINT64_C(1) << bit % 64;
        assert_true(siphash_word(key, 7) != siphash_word(other, 7));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vector),
        cmocka_unit_test(test_every_key_bit_matters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
