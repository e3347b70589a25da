// SPDX-License-Identifier: Apache-2.0
// Stage 2: the order of stores, barriers and TLB recipes in which a change becomes visible.
#include "stage2_world.h"

static void fresh_mappings_need_no_tlbi(void **state)
{
    (void)state;
    fake_trace_watch(&root[1]);
    assert_int_equal(map(IPA, MIB(768) + KIB(4), PA, RWX), HV_OK);
    assert_int_equal(flushes_of_all(), 0);
    assert_int_equal(flushes_of_ipa(), 0);
    // the new table is ordered before the descriptor that shows it
    for (uint64_t i = 0; i < fake_trace_count; i++) {
        if (fake_trace[i].operation != FAKE_DMB_ISHST)
            continue;
        assert_int_equal(fake_trace[i].watched, 0);
        assert_true(s2_pte_is_table(fake_trace[i + 1].watched, 1));
        break;
    }
    // and all of it is complete before the lock goes
    assert_int_equal(fake_trace[fake_trace_count - 2].operation, FAKE_DSB_ISHST);
    assert_int_equal(fake_trace[fake_trace_count - 1].operation, FAKE_LOCK_RELEASE);
}

static void a_live_block_changes_by_break_before_make(void **state)
{
    const uint64_t after = s2_pte_leaf(2, pa_make(PA + MIB(2)), RX);

    (void)state;
    assert_int_equal(map(IPA, MIB(4), PA, RWX), HV_OK);
    fake_trace_reset();
    fake_trace_watch(&table_of(root[1])[1]);
    assert_int_equal(protect(IPA + MIB(2), MIB(2), RX), HV_OK);
    assert_steps(
        (const struct fake_step[]){
            {.operation = FAKE_DSB_ISHST, .watched = 0},
            {.operation = FAKE_TLBI_IPAS2E1IS, .argument = IPA + MIB(2), .watched = 0},
            {.operation = FAKE_DSB_ISHST, .watched = after},
        },
        3);
}

static void a_split_shows_the_table_only_when_the_block_is_gone(void **state)
{
    uint64_t *entry;

    (void)state;
    assert_int_equal(map(IPA, MIB(4), PA, RWX), HV_OK);
    entry = table_of(root[1]);
    fake_trace_reset();
    fake_trace_watch(entry);
    assert_int_equal(protect(IPA + KIB(4), KIB(4), RX), HV_OK);
    assert_steps(
        (const struct fake_step[]){
            {.operation = FAKE_DSB_ISHST, .watched = 0},
            {.operation = FAKE_TLBI_IPAS2E1IS, .argument = IPA + KIB(4), .watched = 0},
            // the page in the new table, in its turn
            {.operation = FAKE_DSB_ISHST, .watched = *entry},
            {.operation = FAKE_TLBI_IPAS2E1IS, .argument = IPA + KIB(4), .watched = *entry},
            {.operation = FAKE_DSB_ISHST, .watched = *entry},
        },
        5);
    assert_true(s2_pte_is_table(*entry, 2));
}

static void a_merge_flushes_everything_before_the_block_appears(void **state)
{
    uint64_t *entry, table;

    (void)state;
    assert_int_equal(map(IPA, MIB(4), PA, RWX), HV_OK);
    assert_int_equal(protect(IPA + KIB(4), KIB(4), RX), HV_OK);
    entry = table_of(root[1]);
    table = *entry;
    fake_trace_reset();
    fake_trace_watch(entry);
    assert_int_equal(protect(IPA + KIB(4), KIB(4), RWX), HV_OK);
    assert_steps(
        (const struct fake_step[]){
            {.operation = FAKE_DSB_ISHST, .watched = table},
            {.operation = FAKE_TLBI_IPAS2E1IS, .argument = IPA + KIB(4), .watched = table},
            {.operation = FAKE_DSB_ISHST, .watched = 0},
            {.operation = FAKE_TLBI_VMALLS12E1IS, .watched = 0},
            {.operation = FAKE_DSB_ISHST, .watched = s2_pte_leaf(2, pa_make(PA), RWX)},
        },
        5);
}

static void a_change_to_the_same_stores_nothing(void **state)
{
    (void)state;
    assert_int_equal(map(IPA, MIB(2), PA, RWX), HV_OK);
    fake_trace_reset();
    assert_int_equal(protect(IPA, MIB(2), RWX), HV_OK);
    assert_steps((const struct fake_step[]){{.operation = FAKE_DSB_ISHST}}, 1);
}

// What EL2 concludes of memory_changed: that all which could be written is where it was.
static void a_change_of_what_can_be_written_is_remembered(void **state)
{
    struct ipa_range page;

    (void)state;
    // Nothing of this takes away what could be written: new entries, and a shadow page that is hidden and shown.
    assert_int_equal(map(MIB(64), MIB(4), MIB(128), RW), HV_OK);
    assert_int_equal(map(KIB(64), KIB(8), KIB(256), RW | STAGE2_DEVICE), HV_OK);
    assert_int_equal(map(KIB(128), KIB(4), KIB(512), STAGE2_READ | STAGE2_SHADOW), HV_OK);
    page = range(KIB(128), KIB(4));
    assert_int_equal(stage2_protect(&view, &page, STAGE2_SHADOW), HV_OK);
    assert_int_equal(stage2_protect(&view, &page, STAGE2_SHADOW | STAGE2_READ), HV_OK);
    page = range(MIB(64), KIB(4));
    assert_int_equal(map(MIB(66), MIB(2), 0, RW), HV_ERR_EXISTS);
    assert_false(view.memory_changed);
    // This does: a part of a block that is protected, all of it unmapped, pages.
    assert_int_equal(stage2_protect(&view, &page, STAGE2_READ), HV_OK);
    assert_true(view.memory_changed);
    view.memory_changed = false;
    assert_int_equal(unmap(MIB(66), MIB(2)), HV_OK);
    assert_true(view.memory_changed);
    view.memory_changed = false;
    assert_int_equal(unmap(MIB(64), MIB(2)), HV_OK);
    assert_true(view.memory_changed);
    view.memory_changed = false;
    assert_int_equal(unmap(KIB(64), KIB(4)), HV_OK);
    assert_true(view.memory_changed);
}

static void hole_is_seen(enum fake_operation operation)
{
    if (operation == FAKE_DSB_ISHST)
        assert_true(view.memory_changed);
}

static void a_change_is_remembered_before_it_can_be_seen(void **state)
{
    (void)state;
    assert_int_equal(map(MIB(64), MIB(4), MIB(128), RW), HV_OK);
    fake_trace_hook = hole_is_seen;
    assert_int_equal(unmap(MIB(66), MIB(2)), HV_OK);
    fake_trace_hook = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fresh_mappings_need_no_tlbi, setup),
        cmocka_unit_test_setup(a_live_block_changes_by_break_before_make, setup),
        cmocka_unit_test_setup(a_split_shows_the_table_only_when_the_block_is_gone, setup),
        cmocka_unit_test_setup(a_merge_flushes_everything_before_the_block_appears, setup),
        cmocka_unit_test_setup(a_change_to_the_same_stores_nothing, setup),
        cmocka_unit_test_setup(a_change_of_what_can_be_written_is_remembered, setup),
        cmocka_unit_test_setup(a_change_is_remembered_before_it_can_be_seen, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
