// SPDX-License-Identifier: Apache-2.0
// What a person names becomes the bytes that an exit looks at: classes, keys, rows, and the rows that say trace = true.
//
// Links: trace/trace_filter.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/policy.h>
#include <hv/trace_filter.h>

// Row 4 decides about writes of the RTC and reads of the UART; row 5 has trace = true.
static const struct policy_range ranges[] = {
    {.key = KEY_DEVICE_PL011, .verdict = {{POLICY_EMULATE, 0, 4}, {POLICY_EMULATE, 0, 2}}},
    {.key = KEY_DEVICE_PL031, .verdict = {{POLICY_DENY, POLICY_FLAG_TRACE, 5}, {POLICY_DENY, 0, 4}}},
};
static struct policy policy = {.ranges = ranges, .range_count = ARRAY_COUNT(ranges), .row_count = 6, .traced = true};
static uint8_t filter[KEY_COUNT][2];
static struct vm vm = {.policy = &policy, .trace_filter = &filter[0][0]};

static int set_up(void **state)
{
    (void)state;
    policy.verdicts[KEY_PSCI_VERSION][1] = (struct policy_verdict){POLICY_EMULATE, POLICY_FLAG_TRACE, 5};
    policy.traced = true;
    trace_filter_clear(&vm);
    trace_filter_apply(&vm, false);
    return 0;
}

static unsigned int count(void)
{
    unsigned int sum = 0;

    for (unsigned int key = 0; key < KEY_COUNT; key++)
        for (unsigned int way = 0; way < 2; way++)
            sum += filter[key][way] & TRACE_FILTER_ON;
    return sum;
}

static void the_classes_are_all_keys(void **state)
{
    static const enum trace_class classes[] = {TRACE_CLASS_CAUSE, TRACE_CLASS_CALL, TRACE_CLASS_DEVICE,
                                               TRACE_CLASS_REGISTER};
    (void)state;

    unsigned int sum = 0;
    for (unsigned int i = 0; i < ARRAY_COUNT(classes); i++) {
        trace_filter_clear(&vm);
        trace_filter_apply(&vm, false);
        trace_filter_add_class(&vm, classes[i]);
        assert_int_equal(count(), 0); // chosen, and off
        trace_filter_apply(&vm, true);
        assert_true(count() > 0);
        sum += count();
    }
    assert_int_equal(sum, 2 * KEY_COUNT);
    trace_filter_clear(&vm);
    trace_filter_add_all(&vm);
    trace_filter_apply(&vm, true);
    assert_int_equal(count(), 2 * KEY_COUNT);
    assert_true(trace_filter_wants_extras(&vm));
}

// A monitor chooses while exits go on: what both choices want is traced throughout.
static void a_choice_in_the_making_changes_nothing(void **state)
{
    (void)state;
    trace_filter_add_key(&vm, KEY_PSCI_VERSION);
    trace_filter_apply(&vm, true);
    trace_filter_clear(&vm);
    assert_true(trace_filter_is_empty(&vm));
    assert_true(filter[KEY_PSCI_VERSION][1] & TRACE_FILTER_ON);
    trace_filter_add_key(&vm, KEY_PSCI_FEATURES);
    assert_int_equal(count(), 2);
    trace_filter_apply(&vm, true);
    assert_false(filter[KEY_PSCI_VERSION][1] & TRACE_FILTER_ON);
    assert_int_equal(count(), 2);
}

static void each_class_has_what_its_name_says(void **state)
{
    (void)state;
    trace_filter_add_class(&vm, TRACE_CLASS_CALL);
    trace_filter_apply(&vm, true);
    assert_true(filter[KEY_SMC_IMMEDIATE][1] & filter[KEY_HVC_GET_HV_ID][1] & TRACE_FILTER_ON);
    assert_int_equal(filter[KEY_CAUSE_IRQ][0] | filter[KEY_DEVICE_PL011][0] | filter[KEY_SYSREG_UNKNOWN][0], 0);
    assert_false(trace_filter_wants_extras(&vm));
    assert_int_equal(trace_class_find("extra"), TRACE_CLASS_EXTRA);
    assert_int_equal(trace_class_find("nonsense"), TRACE_CLASS_COUNT);
    assert_string_equal(trace_class_name(TRACE_CLASS_DEVICE), "device");
}

static void choices_add_up_and_outlive_an_off(void **state)
{
    (void)state;
    assert_true(trace_filter_is_empty(&vm));
    trace_filter_add_key(&vm, KEY_CAUSE_WFI);
    trace_filter_add_class(&vm, TRACE_CLASS_EXTRA);
    trace_filter_apply(&vm, true);
    trace_filter_add_key(&vm, KEY_CAUSE_IRQ);
    assert_int_equal(count(), 2);
    trace_filter_apply(&vm, true);
    assert_int_equal(count(), 4);
    trace_filter_apply(&vm, false);
    assert_int_equal(count(), 0);
    assert_false(trace_filter_wants_extras(&vm));
    assert_false(trace_filter_is_empty(&vm));
    trace_filter_apply(&vm, true);
    assert_int_equal(count(), 4);
    assert_true(trace_filter_wants_extras(&vm));
}

static void a_row_is_what_it_decides_about(void **state)
{
    (void)state;
    trace_filter_add_row(&vm, 4);
    trace_filter_apply(&vm, true);
    assert_int_equal(count(), 2);
    assert_true(filter[KEY_DEVICE_PL011][0] & filter[KEY_DEVICE_PL031][1] & TRACE_FILTER_ON);
}

static void the_policys_rows_are_those_with_the_flag(void **state)
{
    (void)state;
    assert_true(trace_filter_add_policy(&vm));
    trace_filter_apply(&vm, true);
    assert_int_equal(count(), 2);
    assert_true(filter[KEY_PSCI_VERSION][1] & filter[KEY_DEVICE_PL031][0] & TRACE_FILTER_ON);
    trace_filter_clear(&vm);
    policy.traced = false;
    assert_false(trace_filter_add_policy(&vm));
    assert_true(trace_filter_is_empty(&vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_classes_are_all_keys, set_up),
        cmocka_unit_test_setup(a_choice_in_the_making_changes_nothing, set_up),
        cmocka_unit_test_setup(each_class_has_what_its_name_says, set_up),
        cmocka_unit_test_setup(choices_add_up_and_outlive_an_off, set_up),
        cmocka_unit_test_setup(a_row_is_what_it_decides_about, set_up),
        cmocka_unit_test_setup(the_policys_rows_are_those_with_the_flag, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
