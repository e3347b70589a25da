// SPDX-License-Identifier: Apache-2.0
// lib/string.c against the C library, and parse_u64.
// Links: lib/parse.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

static int libc_memcmp(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size);
}

static void libc_memmove(void *to, const void *from, size_t size)
{
    memmove(to, from, size);
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static int libc_strcmp(const char *a, const char *b, size_t max)
{
    return sign(strncmp(a, b, max));
}

static int libc_strcasecmp(const char *a, const char *b)
{
    return sign(strcasecmp(a, b));
}

#include <rename_string.h>

#include "../../lib/string.c"
#include <hv/types.h>

// Every alignment of both pointers, and sizes around one word and one 64-byte turn.
#define SPACE 256

static const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 71, 72, 127, 128, 129, 150};

static void fill(uint8_t *bytes, unsigned int seed)
{
    for (size_t i = 0; i < SPACE; i++)
        bytes[i] = (uint8_t)(i * 7 + seed);
}

static void memcpy_copies_at_every_alignment(void **state)
{
    _Alignas(64) uint8_t from[SPACE], to[SPACE], expected[SPACE];

    (void)state;
    fill(from, 3);
    for (size_t n = 0; n < ARRAY_COUNT(sizes); n++) {
        for (size_t offsets = 0; offsets < 16 * 16; offsets++) {
            size_t to_offset = offsets % 16, from_offset = offsets / 16;

            fill(to, 99);
            fill(expected, 99);
            libc_memmove(expected + to_offset, from + from_offset, sizes[n]);
            assert_ptr_equal(hv_memcpy(to + to_offset, from + from_offset, sizes[n]), to + to_offset);
            assert_int_equal(libc_memcmp(to, expected, SPACE), 0);
        }
    }
}

static void memmove_copies_overlaps_both_ways(void **state)
{
    _Alignas(64) uint8_t bytes[SPACE], expected[SPACE];

    (void)state;
    for (size_t n = 0; n < ARRAY_COUNT(sizes); n++) {
        for (size_t offsets = 0; offsets < 90 * 90; offsets++) {
            size_t to_offset = offsets % 90, from_offset = offsets / 90;

            fill(bytes, 1);
            fill(expected, 1);
            libc_memmove(expected + to_offset, expected + from_offset, sizes[n]);
            assert_ptr_equal(hv_memmove(bytes + to_offset, bytes + from_offset, sizes[n]), bytes + to_offset);
            assert_int_equal(libc_memcmp(bytes, expected, SPACE), 0);
        }
    }
}

static void memset_fills_exactly(void **state)
{
    _Alignas(64) uint8_t bytes[SPACE];

    (void)state;
    for (size_t n = 0; n < ARRAY_COUNT(sizes); n++) {
        for (size_t offset = 0; offset < 16; offset++) {
            fill(bytes, 5);
            assert_ptr_equal(hv_memset(bytes + offset, 0x1a5, sizes[n]), bytes + offset);
            for (size_t i = 0; i < SPACE; i++) {
                bool inside = i >= offset && i < offset + sizes[n];

                assert_int_equal(bytes[i], inside ? 0xa5 : (uint8_t)(i * 7 + 5));
            }
        }
    }
}

static void memcmp_orders_bytes_as_unsigned(void **state)
{
    (void)state;
    assert_int_equal(hv_memcmp("", "", 0), 0);
    assert_int_equal(hv_memcmp("abc", "abd", 2), 0);
    assert_true(hv_memcmp("abc", "abd", 3) < 0);
    assert_true(hv_memcmp("\xff", "\x01", 1) > 0);
}

static void lengths(void **state)
{
    (void)state;
    assert_int_equal(hv_strlen(""), 0);
    assert_int_equal(hv_strlen("ariel"), 5);
    assert_int_equal(hv_strnlen("ariel", 9), 5);
    assert_int_equal(hv_strnlen("ariel", 3), 3);
    assert_int_equal(hv_strnlen("ariel", 0), 0);
}

static void comparisons_agree_with_libc(void **state)
{
    static const char *const words[] = {"", "a", "A", "ab", "aB", "Ab", "abc", "b", "z", "Z", "[", "\xe9", "\xc9", "@"};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(words); j++) {
            assert_int_equal(sign(hv_strcmp(words[i], words[j])), libc_strcmp(words[i], words[j], SIZE_MAX));
            assert_int_equal(sign(hv_strcasecmp(words[i], words[j])), libc_strcasecmp(words[i], words[j]));
            for (size_t max = 0; max < 4; max++)
                assert_int_equal(sign(hv_strncmp(words[i], words[j], max)), libc_strcmp(words[i], words[j], max));
        }
    }
}

static void strchr_finds_the_first_and_the_end(void **state)
{
    const char *text = "hello";

    (void)state;
    assert_ptr_equal(hv_strchr(text, 'l'), text + 2);
    assert_ptr_equal(hv_strchr(text, '\0'), text + 5);
    assert_null(hv_strchr(text, 'x'));
}

static void parse_u64_reads_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } rows[] = {
        {"0", 0},
        {"00", 0},
        {"42", 42},
        {"0x42", 0x42},
        {"0XaBcDeF", 0xabcdef},
        {"4k", 4096},
        {"0x10K", 0x4000},
        {"3M", 3 << 20},
        {"3m", 3 << 20},
        {"1G", 1 << 30},
        {"17179869183g", UINT64_C(17179869183) << 30},
        {"18446744073709551615", UINT64_MAX},
        {"0xffffffffffffffff", UINT64_MAX},
        {"0x0000000000000000000000000001", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t value = 1234;

        assert_true(parse_u64(rows[i].text, &value));
        assert_int_equal(value, rows[i].value);
    }
}

static void parse_u64_refuses_everything_else(void **state)
{
    static const char *const rows[] = {
        "",
        " 1",
        "1 ",
        "-1",
        "+1",
        "x",
        "0x",
        "0xg",
        "12a",
        "K",
        "0xK",
        "1KK",
        "1T",
        "1.5",
        "0x1.",
        "0b1",
        "1Kx",
        "18446744073709551616",
        "0x10000000000000000",
        "17179869184G",
        "18014398509481984K",
        "99999999999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t value = 1234;

        assert_false(parse_u64(rows[i], &value));
        assert_int_equal(value, 1234);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memcpy_copies_at_every_alignment),
        cmocka_unit_test(memmove_copies_overlaps_both_ways),
        cmocka_unit_test(memset_fills_exactly),
        cmocka_unit_test(memcmp_orders_bytes_as_unsigned),
        cmocka_unit_test(lengths),
        cmocka_unit_test(comparisons_agree_with_libc),
        cmocka_unit_test(strchr_finds_the_first_and_the_end),
        cmocka_unit_test(parse_u64_reads_numbers),
        cmocka_unit_test(parse_u64_refuses_everything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
