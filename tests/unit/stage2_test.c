// SPDX-License-Identifier: Apache-2.0
// Stage 2: what the guest sees after each change, and after random ones, which are held to an array.
#include "stage2_world.h"

static void init_makes_an_empty_view(void **state)
{
    (void)state;
    assert_hole(0, 1);
    assert_hole(BIT64(39) - 1, 1);
    assert_int_equal(tables(), 0);
    assert_int_equal(stage2_vttbr(&view), UINT64_C(7) << 48 | (uintptr_t)root);
}

static void guest_ram_takes_blocks_and_one_table(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(768), PA, RWX), HV_OK);
    assert_int_equal(tables(), 1);
    for (uint64_t at = 0; at < MIB(768); at += MIB(1))
        assert_maps(IPA + at + 0x123, PA + at + 0x123, RWX, MIB(2));
    assert_hole(IPA - 1, 1);
    assert_hole(IPA + MIB(768), 2);
}

static void unaligned_ends_take_pages(void **state)
{
    (void)state;
    assert_int_equal(map(IPA + MIB(2) - KIB(4), MIB(4) + KIB(8), PA + MIB(2) - KIB(4), RX), HV_OK);
    assert_int_equal(tables(), 3);
    assert_hole(IPA + MIB(2) - KIB(8), 3);
    assert_maps(IPA + MIB(2) - KIB(4), PA + MIB(2) - KIB(4), RX, KIB(4));
    assert_maps(IPA + MIB(2), PA + MIB(2), RX, MIB(2));
    assert_maps(IPA + MIB(4), PA + MIB(4), RX, MIB(2));
    assert_maps(IPA + MIB(6), PA + MIB(6), RX, KIB(4));
    assert_hole(IPA + MIB(6) + KIB(4), 3);
}

static void a_pa_out_of_step_takes_pages(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(2), PA + KIB(4), RWX), HV_OK);
    assert_maps(IPA + MIB(1), PA + MIB(1) + KIB(4), RWX, KIB(4));
    assert_int_equal(tables(), 2);
}

static void a_mapping_may_cross_gigabytes(void **state)
{
    (void)state;
    assert_int_equal(map(GIB(2) - KIB(4), GIB(1) + KIB(8), GIB(5) - KIB(4), RW), HV_OK);
    assert_int_equal(tables(), 5); // level 2: three; level 3: both ends
    assert_maps(GIB(2) - 1, GIB(5) - 1, RW, KIB(4));
    assert_maps(GIB(2), GIB(5), RW, MIB(2));
    assert_maps(GIB(3) - 1, GIB(6) - 1, RW, MIB(2));
    assert_maps(GIB(3) + 5, GIB(6) + 5, RW, KIB(4));
    assert_int_equal(unmap(GIB(2) - KIB(4), GIB(1) + KIB(8)), HV_OK);
    assert_int_equal(tables(), 0);
}

static void the_last_page_of_the_space_maps(void **state)
{
    (void)state;
    assert_int_equal(map(BIT64(39) - KIB(4), KIB(4), BIT64(48) - KIB(4), STAGE2_READ | STAGE2_DEVICE), HV_OK);
    assert_maps(BIT64(39) - 1, BIT64(48) - 1, STAGE2_READ | STAGE2_DEVICE, KIB(4));
    assert_int_equal(unmap(BIT64(39) - KIB(4), KIB(4)), HV_OK);
    assert_int_equal(tables(), 0);
}

static void pages_mapped_one_by_one_become_a_block(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < MIB(2); at += KIB(4))
        assert_int_equal(map(IPA + at, KIB(4), PA + at, RWX), HV_OK);
    assert_maps(IPA + KIB(4), PA + KIB(4), RWX, MIB(2));
    assert_int_equal(tables(), 1);
}

static void unmap_splits_blocks_and_frees_tables(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(4), PA, RWX), HV_OK);
    assert_int_equal(unmap(IPA + MIB(1), MIB(2)), HV_OK);
    assert_int_equal(tables(), 3);
    assert_maps(IPA + MIB(1) - 1, PA + MIB(1) - 1, RWX, KIB(4));
    assert_hole(IPA + MIB(1), 3);
    assert_hole(IPA + MIB(3) - 1, 3);
    assert_maps(IPA + MIB(3), PA + MIB(3), RWX, KIB(4));
    assert_int_equal(unmap(IPA, MIB(1)), HV_OK);
    assert_hole(IPA, 2); // its table went
    assert_int_equal(tables(), 2);
    assert_int_equal(unmap(IPA + MIB(3), MIB(1)), HV_OK);
    assert_hole(IPA, 1);
    assert_int_equal(tables(), 0);
}

static void unmapping_a_whole_slot_of_pages_takes_one_flush(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(2), PA + KIB(4), RWX), HV_OK);
    assert_int_equal(map(IPA + MIB(2), MIB(2), PA + MIB(4), RWX), HV_OK);
    fake_trace_reset();
    assert_int_equal(unmap(IPA, MIB(2)), HV_OK);
    assert_int_equal(flushes_of_all(), 1);
    assert_int_equal(flushes_of_ipa(), 0);
    assert_int_equal(tables(), 1);
}

static void protect_splits_and_merges(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(4), PA, RWX), HV_OK);
    assert_int_equal(protect(IPA + KIB(16), KIB(8), STAGE2_READ), HV_OK);
    assert_int_equal(tables(), 2);
    assert_maps(IPA + KIB(12), PA + KIB(12), RWX, KIB(4));
    assert_maps(IPA + KIB(16), PA + KIB(16), STAGE2_READ, KIB(4));
    assert_maps(IPA + KIB(20), PA + KIB(20), STAGE2_READ, KIB(4));
    assert_maps(IPA + KIB(24), PA + KIB(24), RWX, KIB(4));
    assert_maps(IPA + MIB(2), PA + MIB(2), RWX, MIB(2));
    assert_int_equal(protect(IPA + KIB(16), KIB(8), RWX), HV_OK);
    assert_maps(IPA, PA, RWX, MIB(2));
    assert_int_equal(tables(), 1);
}

static void a_split_keeps_what_the_block_did_not_allow(void **state)
{
    static const uint32_t some[] = {STAGE2_READ, STAGE2_READ | STAGE2_WRITE, STAGE2_READ | STAGE2_EXECUTE,
                                    STAGE2_READ | STAGE2_WRITE | STAGE2_DEVICE};
    (void)state;

    for (uint64_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        uint64_t ipa = IPA + i * MIB(2), pa = PA + i * MIB(2);
        assert_int_equal(map(ipa, MIB(2), pa, some[i]), HV_OK);
        assert_int_equal(unmap(ipa + KIB(4), KIB(4)), HV_OK);
        assert_maps(ipa, pa, some[i], KIB(4));
        assert_hole(ipa + KIB(4), 3);
        assert_maps(ipa + MIB(2) - KIB(4), pa + MIB(2) - KIB(4), some[i], KIB(4));
    }
}

static void protect_of_a_whole_slot_merges_mixed_pages_at_once(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(2), PA, RWX), HV_OK);
    assert_int_equal(protect(IPA, KIB(4), RX), HV_OK);
    fake_trace_reset();
    assert_int_equal(protect(IPA, MIB(2), RW), HV_OK);
    assert_maps(IPA, PA, RW, MIB(2));
    assert_int_equal(flushes_of_all(), 1);
    assert_int_equal(flushes_of_ipa(), 0);
}

static void pages_not_in_a_row_stay_pages(void **state)
{
    (void)state;
    // Equal permissions, but two pages swapped.
    for (uint64_t at = 0; at < MIB(2); at += KIB(4))
        assert_int_equal(map(IPA + at, KIB(4), PA + (at < KIB(8) ? KIB(4) - at : at), RWX), HV_OK);
    assert_int_equal(protect(IPA, MIB(2), RX), HV_OK);
    assert_maps(IPA, PA + KIB(4), RX, KIB(4));
    assert_maps(IPA + KIB(4), PA, RX, KIB(4));
    assert_maps(IPA + KIB(8), PA + KIB(8), RX, KIB(4));
    assert_int_equal(tables(), 2);
}

static void a_level_1_block_is_understood(void **state)
{
    (void)state;
    root[1] = s2_pte_leaf(1, pa_make(GIB(2)), RWX);
    assert_maps(GIB(1) + 0x12345, GIB(2) + 0x12345, RWX, GIB(1));
    assert_int_equal(map(GIB(1), KIB(4), PA, RWX), HV_ERR_EXISTS);
    assert_int_equal(protect(GIB(1) + MIB(4) + KIB(4), KIB(4), RX), HV_OK);
    assert_int_equal(tables(), 2);
    assert_maps(GIB(1) + MIB(2), GIB(2) + MIB(2), RWX, MIB(2));
    assert_maps(GIB(1) + MIB(4) + KIB(4), GIB(2) + MIB(4) + KIB(4), RX, KIB(4));
    assert_maps(GIB(1) + MIB(4) + KIB(8), GIB(2) + MIB(4) + KIB(8), RWX, KIB(4));
}

static void an_entry_keeps_what_a_fault_on_it_means(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(2), PA, RWX), HV_OK);
    assert_int_equal(map(IPA + MIB(2), KIB(4), PA + MIB(2), STAGE2_READ | STAGE2_SHADOW), HV_OK);
    assert_int_equal(stage2_meaning(&view, ipa_make(IPA)), STAGE2_PLAIN);
    assert_int_equal(stage2_meaning(&view, ipa_make(IPA + MIB(2) + 0x123)), STAGE2_SHADOW);
    assert_maps(IPA + MIB(2), PA + MIB(2), STAGE2_READ | STAGE2_SHADOW, KIB(4));
    // the page is hidden: the meaning stays
    assert_int_equal(protect(IPA + MIB(2), KIB(4), STAGE2_SHADOW), HV_OK);
    assert_int_equal(stage2_meaning(&view, ipa_make(IPA + MIB(2))), STAGE2_SHADOW);
    // of nothing
    assert_int_equal(stage2_meaning(&view, ipa_make(IPA + MIB(2) + KIB(4))), STAGE2_PLAIN);
    assert_int_equal(stage2_meaning(&view, ipa_make(0)), STAGE2_PLAIN);
    assert_int_equal(stage2_meaning(&view, ipa_make(BIT64(39))), STAGE2_PLAIN);
    assert_int_equal(stage2_meaning(&view, ipa_make(UINT64_MAX)), STAGE2_PLAIN);
}

static void a_split_and_a_merge_keep_the_meaning(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(2), PA, RWX | STAGE2_SHADOW), HV_OK);
    assert_int_equal(protect(IPA, KIB(4), RWX), HV_OK);
    assert_int_equal(stage2_meaning(&view, ipa_make(IPA)), STAGE2_PLAIN);
    assert_int_equal(stage2_meaning(&view, ipa_make(IPA + KIB(4))), STAGE2_SHADOW);
    assert_int_equal(protect(IPA, KIB(4), RWX | STAGE2_SHADOW), HV_OK);
    assert_maps(IPA, PA, RWX | STAGE2_SHADOW, MIB(2));
}

// Another CPU makes a table of the pool a leaf's table while this one looks: what it finds there is not followed.
static void a_meaning_is_looked_for_in_tables_of_the_pool_alone(void **state)
{
    static const uint64_t elsewhere[512];

    (void)state;
    root[1] = s2_pte_table(pa_make((uintptr_t)elsewhere));
    assert_int_equal(stage2_meaning(&view, ipa_make(GIB(1))), STAGE2_PLAIN);
    root[1] = s2_pte_table(pa_make(0x42000000)); // would not answer
    assert_int_equal(stage2_meaning(&view, ipa_make(GIB(1))), STAGE2_PLAIN);
}

// Two guests with the same addresses: a change of one is made under its VMID, whichever of them this CPU runs.
static void two_views_do_not_see_each_other(void **state)
{
    static _Alignas(4096) uint64_t other_root[512];
    struct stage2 other;
    struct ipa_range r = range(IPA, MIB(2));
    pa_t pa;

    (void)state;
    stage2_init(&other, other_root, &pool, 8);
    assert_int_equal(map(IPA, MIB(2), PA, RWX), HV_OK);
    assert_int_equal(stage2_map(&other, &r, pa_make(PA + MIB(64)), RWX), HV_OK);
    assert_int_equal(tables(), 2);
    fake_trace_reset();
    assert_int_equal(stage2_protect(&other, &r, RX), HV_OK); // this CPU runs the guest of VMID 7
    assert_int_equal(fake_trace_count_of(FAKE_SYSREG_WRITE), 2);
    assert_int_equal(fake_sysreg_get("VTTBR_EL2"), stage2_vttbr(&view));
    assert_maps(IPA, PA, RWX, MIB(2));
    assert_int_equal(stage2_translate(&other, ipa_make(IPA), &pa), HV_OK);
    assert_int_equal(pa.v, PA + MIB(64));
    assert_int_equal(stage2_unmap(&other, &r), HV_OK);
    assert_int_equal(tables(), 1);
    assert_maps(IPA, PA, RWX, MIB(2));
}

// ---- Random operations against an array -----------------------------------------------------------------------------

#define MODEL_PAGES 2048 // 8 MiB, across a gigabyte boundary
#define MODEL_IPA   (GIB(1) - MIB(4))

static struct {
    bool valid;
    uint64_t pa;
    uint32_t permissions;
} model[MODEL_PAGES];

static bool model_is(size_t first, size_t count, bool valid)
{
    for (size_t i = first; i < first + count; i++)
        if (model[i].valid != valid)
            return false;
    return true;
}

static void model_check(void)
{
    for (size_t i = 0; i < MODEL_PAGES; i++) {
        struct stage2_entry entry = query(MODEL_IPA + i * KIB(4));

        assert_int_equal(entry.valid, model[i].valid);
        if (!entry.valid)
            continue;
        assert_int_equal(entry.permissions, model[i].permissions);
        assert_int_equal(entry.pa.v + i * KIB(4) % entry.size, model[i].pa);
    }
}

static void model_step(size_t first, size_t count)
{
    static const uint32_t choices[] = {
        RWX, RX, RW, STAGE2_READ, STAGE2_EXECUTE, RW | STAGE2_DEVICE, RX | STAGE2_SHADOW};
    uint64_t ipa = MODEL_IPA + first * KIB(4);
    uint64_t pa = PA + (rand() % 4 == 0 ? KIB(4) : 0) + first * KIB(4);
    uint32_t permissions = choices[(size_t)rand() % (rand() % 2 ? 1 : ARRAY_COUNT(choices))];
    int operation = rand() % 3;
    bool want = operation != 0;
    enum hv_status expected = model_is(first, count, want) ? HV_OK : want ? HV_ERR_NOT_FOUND : HV_ERR_EXISTS;
    enum hv_status status = operation == 0   ? map(ipa, count * KIB(4), pa, permissions)
                            : operation == 1 ? unmap(ipa, count * KIB(4))
                                             : protect(ipa, count * KIB(4), permissions);

    assert_int_equal(status, expected);
    for (size_t i = first; status == HV_OK && i < first + count; i++) {
        if (operation == 0)
            model[i].pa = pa + (i - first) * KIB(4);
        if (operation != 1)
            model[i].permissions = permissions;
        model[i].valid = operation != 1;
    }
}

static void random_operations_agree_with_an_array(void **state)
{
    (void)state;
    srand(1);
    memset(model, 0, sizeof(model));
    for (unsigned int step = 0; step < 6000; step++) {
        size_t first = (size_t)rand() % MODEL_PAGES;
        size_t count = 1 + (size_t)rand() % (MODEL_PAGES - first);

        switch (rand() % 4) {
        case 0: // whole slots
            first &= ~(size_t)511;
            count = (size_t)512 * (1 + (size_t)rand() % ((MODEL_PAGES - first) / 512));
            break;
        case 1: // a few pages
            count = 1 + (size_t)rand() % 3;
            count = count > MODEL_PAGES - first ? 1 : count;
            break;
        default:
            break;
        }
        // Follow what is there half of the time, or most steps would be refused.
        if (rand() % 2)
            while (count > 1 && !model_is(first, count, model[first].valid))
                count--;
        model_step(first, count);
        model_check();
    }
    for (size_t i = 0; i < MODEL_PAGES; i++)
        if (model[i].valid)
            assert_int_equal(unmap(MODEL_IPA + i * KIB(4), KIB(4)), HV_OK);
    assert_int_equal(tables(), 0);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(root[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(init_makes_an_empty_view, setup),
        cmocka_unit_test_setup(guest_ram_takes_blocks_and_one_table, setup),
        cmocka_unit_test_setup(unaligned_ends_take_pages, setup),
        cmocka_unit_test_setup(a_pa_out_of_step_takes_pages, setup),
        cmocka_unit_test_setup(a_mapping_may_cross_gigabytes, setup),
        cmocka_unit_test_setup(the_last_page_of_the_space_maps, setup),
        cmocka_unit_test_setup(pages_mapped_one_by_one_become_a_block, setup),
        cmocka_unit_test_setup(unmap_splits_blocks_and_frees_tables, setup),
        cmocka_unit_test_setup(unmapping_a_whole_slot_of_pages_takes_one_flush, setup),
        cmocka_unit_test_setup(protect_splits_and_merges, setup),
        cmocka_unit_test_setup(a_split_keeps_what_the_block_did_not_allow, setup),
        cmocka_unit_test_setup(protect_of_a_whole_slot_merges_mixed_pages_at_once, setup),
        cmocka_unit_test_setup(pages_not_in_a_row_stay_pages, setup),
        cmocka_unit_test_setup(a_level_1_block_is_understood, setup),
        cmocka_unit_test_setup(an_entry_keeps_what_a_fault_on_it_means, setup),
        cmocka_unit_test_setup(a_split_and_a_merge_keep_the_meaning, setup),
        cmocka_unit_test_setup(a_meaning_is_looked_for_in_tables_of_the_pool_alone, setup),
        cmocka_unit_test_setup(two_views_do_not_see_each_other, setup),
        cmocka_unit_test_setup(random_operations_agree_with_an_array, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
