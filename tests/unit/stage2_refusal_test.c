// SPDX-License-Identifier: Apache-2.0
// Stage 2: what is refused, from whatever the arguments or the pool, changes nothing.
#include "stage2_world.h"

static _Alignas(4096) uint64_t kept_root[512];
static _Alignas(4096) uint8_t kept_pages[POOL_PAGES][4096];
static struct pool kept_pool;

static void keep(void)
{
    memcpy(kept_root, root, sizeof(root));
    memcpy(kept_pages, pages, sizeof(pages));
    kept_pool = pool;
    fake_trace_reset();
}

static void assert_kept(void)
{
    assert_memory_equal(kept_root, root, sizeof(root));
    assert_memory_equal(kept_pages, pages, sizeof(pages));
    assert_memory_equal(&kept_pool, &pool, sizeof(pool));
    assert_int_equal(flushes_of_all() + flushes_of_ipa(), 0);
    assert_int_equal(view.lock.ticket.held, 0);
}

static void bad_ranges_are_refused(void **state)
{
    static const struct {
        uint64_t ipa, size;
        enum hv_status status;
    } rows[] = {
        {IPA, 0, HV_ERR_EMPTY},
        {IPA + 1, KIB(4), HV_ERR_ALIGN},
        {IPA, KIB(4) + 8, HV_ERR_ALIGN},
        {BIT64(39), KIB(4), HV_ERR_BOUNDS},
        {BIT64(39) - KIB(4), KIB(8), HV_ERR_BOUNDS},
        {IPA, BIT64(63), HV_ERR_BOUNDS},
        {UINT64_MAX - KIB(4) + 1, KIB(4), HV_ERR_BOUNDS},
    };

    (void)state;
    keep();
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(map(rows[i].ipa, rows[i].size, PA, RWX), rows[i].status);
        assert_int_equal(unmap(rows[i].ipa, rows[i].size), rows[i].status);
        assert_int_equal(protect(rows[i].ipa, rows[i].size, RWX), rows[i].status);
    }
    assert_kept();
}

static void bad_arguments_are_refused(void **state)
{
    struct stage2_entry entry;
    pa_t pa;

    (void)state;
    keep();
    assert_int_equal(map(IPA, KIB(4), PA + 8, RWX), HV_ERR_ALIGN);
    assert_int_equal(map(IPA, KIB(4), BIT64(48), RWX), HV_ERR_BOUNDS);
    assert_int_equal(map(IPA, KIB(8), BIT64(48) - KIB(4), RWX), HV_ERR_BOUNDS);
    assert_int_equal(map(IPA, KIB(4), PA, 0x100), HV_ERR_INVALID);
    assert_int_equal(map(IPA, KIB(4), PA, STAGE2_SHADOW + 0x10), HV_ERR_INVALID); // a meaning that nobody has given
    assert_int_equal(protect(IPA, KIB(4), 0x80000000), HV_ERR_INVALID);
    assert_int_equal(stage2_query(&view, ipa_make(BIT64(39)), &entry), HV_ERR_BOUNDS);
    assert_int_equal(stage2_translate(&view, ipa_make(UINT64_MAX), &pa), HV_ERR_BOUNDS);
    assert_kept();
}

static void map_refuses_what_is_mapped_anywhere(void **state)
{
    (void)state;
    assert_int_equal(map(IPA + MIB(8), MIB(2), PA, RWX), HV_OK);
    assert_int_equal(map(IPA + MIB(20) + KIB(8), KIB(4), PA, RWX), HV_OK);
    keep();
    assert_int_equal(map(IPA, MIB(10), PA, RWX), HV_ERR_EXISTS);
    assert_int_equal(map(IPA + MIB(9), KIB(4), PA, RWX), HV_ERR_EXISTS);
    assert_int_equal(map(IPA + MIB(20), MIB(2), PA, RWX), HV_ERR_EXISTS);
    assert_int_equal(map(IPA + MIB(20), KIB(12), PA, RWX), HV_ERR_EXISTS);
    assert_kept();
    assert_int_equal(map(IPA + MIB(20), KIB(8), PA, RWX), HV_OK);
}

static void unmap_and_protect_refuse_holes_anywhere(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(4), PA, RWX), HV_OK);
    assert_int_equal(map(IPA + MIB(6), MIB(2), PA, RWX), HV_OK);
    assert_int_equal(unmap(IPA + MIB(2) + KIB(4), KIB(4)), HV_OK);
    keep();
    assert_int_equal(unmap(IPA, MIB(8)), HV_ERR_NOT_FOUND);
    assert_int_equal(protect(IPA, MIB(8), RX), HV_ERR_NOT_FOUND);
    assert_int_equal(unmap(IPA, MIB(4)), HV_ERR_NOT_FOUND);
    assert_int_equal(protect(IPA + MIB(2), KIB(8), RX), HV_ERR_NOT_FOUND);
    assert_int_equal(unmap(GIB(8), KIB(4)), HV_ERR_NOT_FOUND);
    assert_kept();
}

static void an_exhausted_pool_refuses_and_changes_nothing(void **state)
{
    uint64_t at = IPA;

    (void)state;
    assert_int_equal(map(IPA, MIB(2) * POOL_PAGES, PA, RWX), HV_OK);
    for (; tables() < POOL_PAGES - 1; at += MIB(2))
        assert_int_equal(protect(at, KIB(4), RX), HV_OK);
    keep();
    // one table is left: everything that takes two must be refused whole
    assert_int_equal(protect(at + KIB(4), MIB(2), RX), HV_ERR_NO_MEMORY);
    assert_int_equal(unmap(at + KIB(4), MIB(2)), HV_ERR_NO_MEMORY);
    assert_int_equal(map(GIB(8), KIB(4), PA, RWX), HV_ERR_NO_MEMORY);
    assert_int_equal(map(GIB(8) - MIB(2), MIB(4), PA, RWX), HV_ERR_NO_MEMORY);
    assert_kept();
    // and what takes one is done
    assert_int_equal(map(GIB(8), MIB(2), PA, RWX), HV_OK);
    assert_int_equal(tables(), POOL_PAGES);
    keep();
    assert_int_equal(protect(at, KIB(4), RX), HV_ERR_NO_MEMORY);
    assert_kept();
    // changes that need no table go on
    assert_int_equal(protect(at, MIB(2), RX), HV_OK);
    assert_int_equal(unmap(at, MIB(2)), HV_OK);
    assert_int_equal(protect(IPA, MIB(2), RX), HV_OK);
    assert_int_equal(tables(), POOL_PAGES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bad_ranges_are_refused, setup),
        cmocka_unit_test_setup(bad_arguments_are_refused, setup),
        cmocka_unit_test_setup(map_refuses_what_is_mapped_anywhere, setup),
        cmocka_unit_test_setup(unmap_and_protect_refuse_holes_anywhere, setup),
        cmocka_unit_test_setup(an_exhausted_pool_refuses_and_changes_nothing, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
