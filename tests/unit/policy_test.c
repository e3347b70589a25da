// SPDX-License-Identifier: Apache-2.0
// The compiled policy: ranges are sorted, disjoint and found; verdicts and rows are in range; names of actions.
// Links: policy/policy.c

#include <hv/memory_map.h>
#include <hv/policy.h>

#include <hv/device.h>

#include <policy_tables.c>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void ranges_are_sorted_and_disjoint(void **state)
{
    (void)state;
    assert_true(policy_built.range_count > 0);
    for (unsigned int i = 0; i < policy_built.range_count; i++) {
        const struct policy_range *range = &policy_built.ranges[i];
        assert_true(range->size > 0 && range->base + range->size > range->base);
        assert_true(range->base + range->size <= GUEST_RAM_IPA || range->base >= GUEST_RAM_IPA + GUEST_RAM_SIZE);
        assert_true(range->widths > 0 && range->widths < 16);
        assert_true(range->key >= KEY_DEVICE_FIRST && range->key <= KEY_DEVICE_NONE);
        if (range->mapping != POLICY_TRAPPED)
            assert_int_equal((range->base | range->size) & 0xfff, 0);
        if (i > 0)
            assert_true(range->base >= range[-1].base + range[-1].size);
    }
}

// The same by the plainest search.
static const struct policy_range *find_slowly(uint64_t ipa)
{
    for (unsigned int i = 0; i < policy_built.range_count; i++)
        if (ipa >= policy_built.ranges[i].base && ipa - policy_built.ranges[i].base < policy_built.ranges[i].size)
            return &policy_built.ranges[i];
    return NULL;
}

static void every_edge_is_found(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < policy_built.range_count; i++) {
        uint64_t base = policy_built.ranges[i].base, end = base + policy_built.ranges[i].size;
        const uint64_t probes[] = {base - 1, base, base + 1, (base + end) / 2, end - 1, end};
        for (size_t n = 0; n < ARRAY_COUNT(probes); n++)
            assert_ptr_equal(policy_find_range(&policy_built, ipa_make(probes[n])), find_slowly(probes[n]));
    }
    for (uint64_t ipa = 0; ipa < GIB(2); ipa += KIB(64))
        assert_ptr_equal(policy_find_range(&policy_built, ipa_make(ipa)), find_slowly(ipa));
    assert_null(policy_find_range(&policy_built, ipa_make(UINT64_MAX)));
    assert_null(policy_find_range(&policy_built, ipa_make(GUEST_RAM_IPA)));
}

static void devices_are_where_they_are(void **state)
{
    (void)state;
    assert_int_equal(policy_find_range(&policy_built, ipa_make(PL011_IPA))->key, KEY_DEVICE_PL011);
    assert_int_equal(policy_find_range(&policy_built, ipa_make(GICD_IPA + 8))->key, KEY_DEVICE_GICD);
    assert_int_equal(policy_find_range(&policy_built, ipa_make(GICR_IPA + GICR_STRIDE))->key, KEY_DEVICE_GICR);
    assert_int_equal(policy_find_range(&policy_built, ipa_make(0x4010000000))->key, KEY_DEVICE_PCIE_ECAM);
}

static void what_no_guest_may_have_is_never_passed_on(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < policy_built.range_count; i++) {
        const struct policy_range *range = &policy_built.ranges[i];
        for (unsigned int write = 0; write < 2; write++)
            if (!device_may_pass(range->key, write)) {
                assert_int_not_equal(range->verdict[write].action, POLICY_ALLOW);
                assert_int_not_equal(range->mapping, POLICY_DIRECT);
            }
    }
}

static void verdicts_point_into_the_tables(void **state)
{
    (void)state;
    assert_true(policy_built.row_count >= 1 && policy_built.row_count <= POLICY_ROW_MAX);
    assert_int_equal(policy_built.row_count, ARRAY_COUNT(built_rows));
    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        for (unsigned int way = 0; way < 2; way++) {
            const struct policy_verdict *verdict = &policy_verdicts_of(&policy_built, key)[way];
            assert_true(verdict->action < POLICY_ACTION_COUNT);
            assert_true(verdict->row < policy_built.row_count);
            assert_int_equal(!!(verdict->flags & POLICY_FLAG_DEFAULT), verdict->row == 0);
        }
    }
    for (unsigned int i = 0; i < policy_built.row_count; i++)
        assert_true(policy_built.rows[i].place[0] && policy_built.rows[i].text[0] && policy_built.rows[i].why);
}

static void actions_have_names(void **state)
{
    (void)state;
    assert_string_equal(policy_action_name(POLICY_ALLOW), "allow");
    assert_string_equal(policy_action_name(POLICY_RAZ_WI), "raz-wi");
    assert_string_equal(policy_action_name(POLICY_STOP), "stop");
    assert_string_equal(policy_action_name(POLICY_ACTION_COUNT), "?");
    assert_string_equal(policy_action_name(UINT32_MAX), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_sorted_and_disjoint), cmocka_unit_test(every_edge_is_found),
        cmocka_unit_test(devices_are_where_they_are),     cmocka_unit_test(what_no_guest_may_have_is_never_passed_on),
        cmocka_unit_test(verdicts_point_into_the_tables), cmocka_unit_test(actions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
