// SPDX-License-Identifier: Apache-2.0
// Links: lib/range.c lib/status.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <hv/range.h>

static enum hv_status make(uint64_t base, uint64_t size, uint64_t align, struct ipa_range *out)
{
    return ipa_range_make(ipa_make(base), size, align, out);
}

static struct ipa_range range(uint64_t base, uint64_t size)
{
    struct ipa_range out;

    assert_int_equal(make(base, size, 1, &out), HV_OK);
    return out;
}

static void make_accepts_what_fits(void **state)
{
    struct ipa_range r;

    (void)state;
    assert_int_equal(make(0x1000, 0x3000, 0x1000, &r), HV_OK);
    assert_int_equal(r.base.v, 0x1000);
    assert_int_equal(r.size, 0x3000);
    assert_int_equal(make(0, UINT64_MAX, 1, &r), HV_OK);
    assert_int_equal(make(UINT64_MAX - 1, 1, 1, &r), HV_OK);
    assert_int_equal(make(7, 1, 1, &r), HV_OK);
}

static void make_refuses_and_touches_nothing(void **state)
{
    static const struct {
        uint64_t base, size, align;
        enum hv_status status;
    } rows[] = {
        {0x1000, 0, 0x1000, HV_ERR_EMPTY},        {0x1001, 0, 0x1000, HV_ERR_EMPTY},
        {0x1001, 0x1000, 0x1000, HV_ERR_ALIGN},   {0x1000, 0x1001, 0x1000, HV_ERR_ALIGN},
        {UINT64_MAX, 1, 1, HV_ERR_WRAP}, // 2^64 itself is not representable
        {UINT64_MAX, UINT64_MAX, 1, HV_ERR_WRAP}, {UINT64_C(0xfffffffffffff000), 0x1000, 0x1000, HV_ERR_WRAP},
        {2, UINT64_MAX - 1, 1, HV_ERR_WRAP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ipa_range r = {.base = {42}, .size = 43};

        assert_int_equal(make(rows[i].base, rows[i].size, rows[i].align, &r), rows[i].status);
        assert_int_equal(r.base.v, 42);
        assert_int_equal(r.size, 43);
    }
}

static void contains_and_overlaps_agree_with_the_bytes(void **state)
{
    (void)state;
    // Every pair of ranges within eight bytes, against the definition.
    for (unsigned int ab = 0; ab < 8 * 8; ab++) {
        for (unsigned int cd = 0; cd < 8 * 8; cd++) {
            unsigned int a = ab / 8, b = a + 1 + ab % 8, c = cd / 8, d = c + 1 + cd % 8;
            struct ipa_range outer = range(a, b - a), inner = range(c, d - c);
            unsigned int shared = 0;

            for (unsigned int byte = c; byte < d; byte++)
                shared += byte >= a && byte < b;
            assert_int_equal(ipa_range_contains(&outer, &inner), shared == d - c);
            assert_int_equal(ipa_range_overlaps(&outer, &inner), shared != 0);
        }
    }
}

static void every_status_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < HV_STATUS_COUNT; i++) {
        const char *name = hv_status_name((enum hv_status)i);

        assert_non_null(name);
        assert_string_not_equal(name, "?");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, hv_status_name((enum hv_status)j));
    }
    assert_string_equal(hv_status_name(HV_OK), "ok");
    assert_string_equal(hv_status_name(HV_STATUS_COUNT), "?");
    assert_string_equal(hv_status_name((enum hv_status)1000), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make_accepts_what_fits),
        cmocka_unit_test(make_refuses_and_touches_nothing),
        cmocka_unit_test(contains_and_overlaps_agree_with_the_bytes),
        cmocka_unit_test(every_status_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
