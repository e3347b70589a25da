// SPDX-License-Identifier: Apache-2.0
// A guest's address space: what is RAM and where, what each mapping means, and that two guests with the same addresses
// do not see each other.
// Links: mm/space.c mm/stage2.c mm/pool.c arch/aarch64/s2_pte.c arch/aarch64/tlb.c lib/range.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <fake_trace.h>
#include <hv/arch/registers.h>
#include <hv/pool.h>
#include <hv/space.h>

#define IPA UINT64_C(0x40000000)
#define PA  UINT64_C(0x42000000)
#define RWX (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE)

static _Alignas(4096) uint64_t roots[2][512];
static _Alignas(4096) uint8_t pages[16][4096];
static struct pool pool;
static struct space space, other;

static int setup(void **state)
{
    (void)state;
    fake_sysreg_reset();
    pool_init(&pool, pages, 16);
    space_init(&space, roots[0], &pool, 1);
    space_init(&other, roots[1], &pool, 2);
    fake_sysreg_set("VTTBR_EL2", stage2_vttbr(&space.stage2));
    fake_trace_reset();
    return 0;
}

static struct ipa_range range(uint64_t base, uint64_t size)
{
    return (struct ipa_range){.base = {base}, .size = size};
}

static enum hv_status add(struct space *to, uint64_t ipa, uint64_t size, uint64_t pa)
{
    struct ipa_range r = range(ipa, size);

    return space_add_ram(to, &r, pa_make(pa));
}

static struct stage2_entry entry_of(struct space *of, uint64_t ipa)
{
    struct stage2_entry entry;

    assert_int_equal(stage2_query(&of->stage2, ipa_make(ipa), &entry), HV_OK);
    return entry;
}

static bool has(uint64_t base, uint64_t size)
{
    struct ipa_range r = range(base, size);

    return space_has_ram(&space, &r);
}

static void ram_is_mapped_and_remembered(void **state)
{
    (void)state;
    assert_int_equal(add(&space, IPA, MIB(4), PA), HV_OK);
    assert_int_equal(entry_of(&space, IPA).permissions, RWX);
    assert_int_equal(entry_of(&space, IPA + MIB(3)).pa.v, PA + MIB(2));
    assert_true(space_is_ram(&space, ipa_make(IPA)));
    assert_true(space_is_ram(&space, ipa_make(IPA + MIB(4) - 1)));
    assert_false(space_is_ram(&space, ipa_make(IPA - 1)));
    assert_false(space_is_ram(&space, ipa_make(IPA + MIB(4))));
    assert_true(space_owns(&space, pa_make(PA)) && space_owns(&space, pa_make(PA + MIB(4) - 1)));
    assert_false(space_owns(&space, pa_make(PA - 1)) || space_owns(&space, pa_make(PA + MIB(4))));
}

static void a_hole_in_ram_is_still_ram(void **state)
{
    struct ipa_range page = range(IPA + KIB(4), KIB(4));

    (void)state;
    assert_int_equal(add(&space, IPA, MIB(2), PA), HV_OK);
    assert_int_equal(stage2_unmap(&space.stage2, &page), HV_OK);
    assert_true(space_is_ram(&space, page.base));
    assert_true(has(IPA, MIB(2)));
}

static void a_range_lies_in_one_piece_whole(void **state)
{
    (void)state;
    assert_int_equal(add(&space, IPA, MIB(2), PA), HV_OK);
    assert_int_equal(add(&space, IPA + MIB(8), MIB(4), PA + MIB(64)), HV_OK);
    assert_true(has(IPA, MIB(2)) && has(IPA + MIB(8) + 1, MIB(4) - 1));
    assert_false(has(IPA - 1, 2) || has(IPA + MIB(2) - 1, 2) || has(IPA, MIB(12)) || has(0, UINT64_MAX));
    assert_ptr_equal(space_find_ram(&space, ipa_make(IPA + MIB(9))), &space.ram[1]);
    assert_null(space_find_ram(&space, ipa_make(IPA + MIB(4))));
}

static void refused_ram_is_not_remembered(void **state)
{
    (void)state;
    assert_int_equal(add(&space, IPA, MIB(2), PA), HV_OK);
    assert_int_equal(add(&space, IPA + MIB(1), MIB(2), PA + MIB(8)), HV_ERR_EXISTS);
    assert_int_equal(add(&space, IPA + 8, MIB(2), PA), HV_ERR_ALIGN);
    assert_int_equal(space.ram_count, 1);
    for (uint64_t i = 1; i < SPACE_RAM_MAX; i++)
        assert_int_equal(add(&space, IPA + MIB(2) * i, MIB(2), PA + MIB(2) * i), HV_OK);
    assert_int_equal(add(&space, IPA + MIB(64), MIB(2), PA + MIB(64)), HV_ERR_NO_MEMORY);
    assert_false(entry_of(&space, IPA + MIB(64)).valid);
}

static void each_mapping_says_what_a_fault_on_it_means(void **state)
{
    struct ipa_range device = range(0x09030000, KIB(4)), uart = range(0x09000000, KIB(4));

    (void)state;
    assert_int_equal(add(&space, IPA, MIB(2), PA), HV_OK);
    assert_int_equal(space_map_device(&space, &device, pa_make(device.base.v)), HV_OK);
    assert_int_equal(space_map_shadow(&space, &uart, pa_make(0x40200000)), HV_OK);
    assert_int_equal(stage2_meaning(&space.stage2, ipa_make(IPA)), STAGE2_PLAIN);
    assert_int_equal(entry_of(&space, device.base.v).permissions, STAGE2_READ | STAGE2_WRITE | STAGE2_DEVICE);
    assert_int_equal(entry_of(&space, uart.base.v).permissions, STAGE2_READ | STAGE2_SHADOW);
    assert_int_equal(space_show_shadow(&space, &uart, false), HV_OK);
    assert_int_equal(entry_of(&space, uart.base.v).permissions, STAGE2_SHADOW);
    assert_int_equal(entry_of(&space, uart.base.v).pa.v, 0x40200000);
    assert_int_equal(stage2_meaning(&space.stage2, uart.base), STAGE2_SHADOW);
    assert_int_equal(space_show_shadow(&space, &uart, true), HV_OK);
    assert_int_equal(entry_of(&space, uart.base.v).permissions, STAGE2_READ | STAGE2_SHADOW);
}

// A CPU that runs the first guest hides a page of the second one's: only the second one's entries go.
static void two_guests_do_not_see_each_other(void **state)
{
    struct ipa_range uart = range(0x09000000, KIB(4));

    (void)state;
    assert_int_equal(add(&space, IPA, MIB(4), PA), HV_OK);
    assert_int_equal(add(&other, IPA, MIB(2), PA + MIB(64)), HV_OK);
    assert_int_equal(space_map_shadow(&other, &uart, pa_make(0x40200000)), HV_OK);
    assert_int_equal(entry_of(&space, IPA).pa.v, PA);
    assert_int_equal(entry_of(&other, IPA).pa.v, PA + MIB(64));
    assert_false(space_is_ram(&other, ipa_make(IPA + MIB(3))));
    assert_false(space_owns(&other, pa_make(PA)) || space_owns(&space, pa_make(PA + MIB(64))));
    assert_false(entry_of(&space, uart.base.v).valid);
    fake_trace_reset();
    assert_int_equal(space_show_shadow(&other, &uart, false), HV_OK);
    for (unsigned int i = 0, seen = 0; i < fake_trace_count; i++) {
        if (fake_trace[i].operation != FAKE_SYSREG_WRITE)
            continue;
        assert_true(fake_trace[i].argument == stage2_vttbr(seen == 0 ? &other.stage2 : &space.stage2));
        seen++;
    }
    assert_int_equal(fake_trace_count_of(FAKE_SYSREG_WRITE), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ram_is_mapped_and_remembered),
        TEST(a_hole_in_ram_is_still_ram),
        TEST(a_range_lies_in_one_piece_whole),
        TEST(refused_ram_is_not_remembered),
        TEST(each_mapping_says_what_a_fault_on_it_means),
        TEST(two_guests_do_not_see_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
