// SPDX-License-Identifier: Apache-2.0
// Stage 2: what the guest sees, the order of stores, barriers and TLB recipes, refusals that change nothing, and random
// operations against an array.
// Links: mm/stage2.c mm/pool.c arch/aarch64/s2_pte.c arch/aarch64/tlb.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fake_trace.h>
#include <hv/arch/s2_pte.h>
#include <hv/arch/registers.h>
#include <hv/bits.h>
#include <hv/pool.h>
#include <hv/stage2.h>

#define RWX (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE)
#define RX  (STAGE2_READ | STAGE2_EXECUTE)
#define RW  (STAGE2_READ | STAGE2_WRITE)
#define IPA UINT64_C(0x40000000)
#define PA  UINT64_C(0x42000000)

static _Alignas(4096) uint64_t root[512];
#define POOL_PAGES 64

static _Alignas(4096) uint8_t pages[POOL_PAGES][4096];
static struct pool pool;
static struct stage2 view;

static int setup(void **state)
{
    (void)state;
    memset(root, 0xa5, sizeof(root));
    memset(pages, 0xa5, sizeof(pages));
    pool_init(&pool, pages, POOL_PAGES);
    stage2_init(&view, root, &pool, 7);
    fake_sysreg_reset();
    fake_sysreg_set("VTTBR_EL2", stage2_vttbr(&view));
    fake_trace_reset();
    return 0;
}

static struct ipa_range range(uint64_t base, uint64_t size)
{
    return (struct ipa_range){.base = {base}, .size = size};
}

static enum hv_status map(uint64_t ipa, uint64_t size, uint64_t pa, uint32_t permissions)
{
    struct ipa_range r = range(ipa, size);

    return stage2_map(&view, &r, pa_make(pa), permissions);
}

static enum hv_status unmap(uint64_t ipa, uint64_t size)
{
    struct ipa_range r = range(ipa, size);

    return stage2_unmap(&view, &r);
}

static enum hv_status protect(uint64_t ipa, uint64_t size, uint32_t permissions)
{
    struct ipa_range r = range(ipa, size);

    return stage2_protect(&view, &r, permissions);
}

static struct stage2_entry query(uint64_t ipa)
{
    struct stage2_entry entry;

    assert_int_equal(stage2_query(&view, ipa_make(ipa), &entry), HV_OK);
    return entry;
}

static unsigned int tables(void)
{
    assert_int_equal(pool.reserved, 0); // between operations
    return pool.used;
}

static void assert_maps(uint64_t ipa, uint64_t pa, uint32_t permissions, uint64_t size)
{
    struct stage2_entry entry = query(ipa);
    pa_t out = pa_make(0);

    assert_true(entry.valid);
    assert_int_equal(entry.size, size);
    assert_int_equal(entry.permissions, permissions);
    assert_int_equal(entry.pa.v + ipa % size, pa);
    assert_int_equal(entry.descriptor, s2_pte_leaf(entry.level, entry.pa, permissions));
    assert_int_equal(stage2_translate(&view, ipa_make(ipa), &out), HV_OK);
    assert_int_equal(out.v, pa);
}

static void assert_hole(uint64_t ipa, unsigned int level)
{
    struct stage2_entry entry = query(ipa);
    pa_t out = pa_make(42);

    assert_false(entry.valid);
    assert_int_equal(entry.level, level);
    assert_int_equal(stage2_translate(&view, ipa_make(ipa), &out), HV_ERR_NOT_FOUND);
    assert_int_equal(out.v, 42);
}

static unsigned int flushes_of_ipa(void)
{
    return fake_trace_count_of(FAKE_TLBI_IPAS2E1IS);
}

static unsigned int flushes_of_all(void)
{
    return fake_trace_count_of(FAKE_TLBI_VMALLS12E1IS);
}

// The steps since the last reset, without the locks', and of a TLB recipe its first instruction alone (tlb_test.c).
static void assert_steps(const struct fake_step *steps, size_t count)
{
    size_t at = 0;

    for (uint64_t i = 0; i < fake_trace_count; i++) {
        switch (fake_trace[i].operation) {
        case FAKE_LOCK_ACQUIRE:
        case FAKE_LOCK_RELEASE:
        case FAKE_TLBI_VMALLE1IS:
        case FAKE_DSB_ISH:
        case FAKE_ISB:
            continue;
        default:
            break;
        }
        assert_true(at < count);
        assert_int_equal(fake_trace[i].operation, steps[at].operation);
        assert_int_equal(fake_trace[i].argument, steps[at].argument);
        assert_int_equal(fake_trace[i].watched, steps[at].watched);
        at++;
    }
    assert_int_equal(at, count);
}

static uint64_t *table_of(uint64_t descriptor)
{
    return (uint64_t *)(uintptr_t)s2_pte_address(descriptor, 1).v;
}

// ---- What is mapped -------------------------------------------------------------------------------------------------

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

// ---- Order ----------------------------------------------------------------------------------------------------------

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

// ---- Refusals -------------------------------------------------------------------------------------------------------

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
    assert_int_equal(view.lock.held, 0);
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

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(init_makes_an_empty_view),
        TEST(guest_ram_takes_blocks_and_one_table),
        TEST(unaligned_ends_take_pages),
        TEST(a_pa_out_of_step_takes_pages),
        TEST(a_mapping_may_cross_gigabytes),
        TEST(the_last_page_of_the_space_maps),
        TEST(pages_mapped_one_by_one_become_a_block),
        TEST(unmap_splits_blocks_and_frees_tables),
        TEST(unmapping_a_whole_slot_of_pages_takes_one_flush),
        TEST(protect_splits_and_merges),
        TEST(a_split_keeps_what_the_block_did_not_allow),
        TEST(protect_of_a_whole_slot_merges_mixed_pages_at_once),
        TEST(pages_not_in_a_row_stay_pages),
        TEST(a_level_1_block_is_understood),
        TEST(an_entry_keeps_what_a_fault_on_it_means),
        TEST(a_split_and_a_merge_keep_the_meaning),
        TEST(a_meaning_is_looked_for_in_tables_of_the_pool_alone),
        TEST(two_views_do_not_see_each_other),
        TEST(fresh_mappings_need_no_tlbi),
        TEST(a_live_block_changes_by_break_before_make),
        TEST(a_split_shows_the_table_only_when_the_block_is_gone),
        TEST(a_merge_flushes_everything_before_the_block_appears),
        TEST(a_change_to_the_same_stores_nothing),
        TEST(bad_ranges_are_refused),
        TEST(bad_arguments_are_refused),
        TEST(map_refuses_what_is_mapped_anywhere),
        TEST(unmap_and_protect_refuse_holes_anywhere),
        TEST(an_exhausted_pool_refuses_and_changes_nothing),
        TEST(random_operations_agree_with_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
