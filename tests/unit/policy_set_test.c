// SPDX-License-Identifier: Apache-2.0
// Verdicts that a person sets: the built policy stays as it is, the VM has a copy, each CPU forgets the range that it
// knew, and what was set last is as if nothing had been set before.
//
// Links: vm/policy_set.c policy/event_key.c policy/policy.c tests/fake/fake_cpu.c

#include <hv/policy_set.h>

#include <hv/arch/registers.h>
#include <hv/memory_map.h>
#include <hv/plan.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_records.h>

#define SETTABLE (1u << POLICY_ALLOW | 1u << POLICY_EMULATE | 1u << POLICY_DENY | 1u << POLICY_PAUSE)
#define BUILT    (POLICY_FLAG_QUICK | POLICY_FLAG_TRACE)

static const uint8_t settable[KEY_COUNT][2] = {
    [KEY_CTR_EL0] = {SETTABLE, 0},
    [KEY_DEVICE_PL011] = {SETTABLE, SETTABLE},
    [KEY_DEVICE_PL031] = {SETTABLE, SETTABLE},
    [KEY_PSCI_VERSION] = {0, SETTABLE & ~(1u << POLICY_ALLOW)},
};
static const struct policy_range ranges[] = {
    {.base = PL011_IPA, .size = PL011_SIZE, .key = KEY_DEVICE_PL011, .verdict = {{.row = 3}, {.row = 4}}},
    {.base = PL031_IPA, .size = PL031_SIZE, .key = KEY_DEVICE_PL031, .mapping = POLICY_DIRECT},
};
static const struct policy_row rows[8];
static const struct policy built = {
    .rows = rows,
    .ranges = ranges,
    .row_count = ARRAY_COUNT(rows),
    .range_count = ARRAY_COUNT(ranges),
    .settable = settable,
    .verdicts = {[KEY_CTR_EL0] = {{POLICY_EMULATE, BUILT, 5}}, [KEY_PSCI_VERSION] = {{0}, {POLICY_EMULATE, BUILT, 6}}},
};
static struct vm_memory memory;
static const struct vm_plan plan = {.policy = &built, .memory = &memory};
static struct vcpu vcpu;
static struct vm vm;

const struct vm_plan *plan_of(unsigned int n)
{
    assert_int_equal(n, 0);
    return &plan;
}

static int begin(void **state)
{
    (void)state;
    memset(&memory, 0, sizeof(memory));
    memset(&fake_records, 0, sizeof(fake_records));
    vm = (struct vm){.policy = &built};
    vcpu = (struct vcpu){.vm = &vm, .range = &ranges[0]};
    WRITE_SYSREG(TPIDR_EL2, (uintptr_t)&vcpu);
    return 0;
}

static struct policy_verdict verdict_of(unsigned int key, unsigned int way)
{
    return policy_verdicts_of(vm.policy, key)[way];
}

static void a_verdict_is_set_in_a_copy(void **state)
{
    (void)state;
    assert_int_equal(policy_set(&vm, KEY_CTR_EL0, POLICY_SET_READ | POLICY_SET_WRITE, POLICY_DENY), HV_OK);
    assert_ptr_equal(vm.policy, &memory.policy);
    assert_int_equal(verdict_of(KEY_CTR_EL0, 0).action, POLICY_DENY);
    assert_int_equal(verdict_of(KEY_CTR_EL0, 0).flags, POLICY_FLAG_TRACE | POLICY_FLAG_SET | POLICY_FLAG_LOG);
    assert_int_equal(verdict_of(KEY_CTR_EL0, 0).row, 5);
    assert_int_equal(built.verdicts[KEY_CTR_EL0][0].action, POLICY_EMULATE);
    assert_null(vcpu.range);
    assert_int_equal(fake_records.count, 1); // writes of it do not trap, and none was set
    assert_string_equal(fake_records.event, "policy-set");
}

static void the_last_one_counts(void **state)
{
    (void)state;
    assert_int_equal(policy_set(&vm, KEY_CTR_EL0, POLICY_SET_READ, POLICY_PAUSE), HV_OK);
    assert_int_equal(policy_set(&vm, KEY_CTR_EL0, POLICY_SET_READ, POLICY_ALLOW), HV_OK);
    assert_int_equal(verdict_of(KEY_CTR_EL0, 0).action, POLICY_ALLOW);
    assert_int_equal(verdict_of(KEY_CTR_EL0, 0).flags, POLICY_FLAG_TRACE | POLICY_FLAG_SET);
}

static void a_device_is_set_with_its_ranges(void **state)
{
    (void)state;
    assert_int_equal(policy_set(&vm, KEY_DEVICE_PL011, POLICY_SET_WRITE, POLICY_DENY), HV_OK);
    const struct policy_range *range = policy_find_range(vm.policy, ipa_make(PL011_IPA));
    assert_ptr_not_equal(range, &ranges[0]);
    assert_int_equal(range->verdict[1].action, POLICY_DENY);
    assert_int_equal(range->verdict[1].row, 4);
    assert_int_equal(range->verdict[0].flags, 0); // reads are as they were
    assert_int_equal(policy_set(&vm, KEY_DEVICE_PL011, POLICY_SET_WRITE, POLICY_EMULATE), HV_OK);
    assert_int_equal(range->verdict[1].flags, POLICY_FLAG_SET);
}

static void what_cannot_be_set_changes_nothing(void **state)
{
    const struct policy none = {.range_count = 0};
    const struct policy many = {.range_count = POLICY_RANGE_MAX + 1};

    (void)state;
    assert_int_equal(policy_set(&vm, KEY_CTR_EL0, POLICY_SET_WRITE, POLICY_DENY), HV_ERR_STATE);
    assert_int_equal(policy_set(&vm, KEY_DEVICE_PL031, POLICY_SET_READ, POLICY_DENY), HV_ERR_STATE);
    assert_int_equal(policy_set(&vm, KEY_PSCI_VERSION, POLICY_SET_WRITE, POLICY_ALLOW), HV_ERR_UNSUPPORTED);
    assert_ptr_equal(vm.policy, &built);
    vm.policy = &none;
    assert_int_equal(policy_set(&vm, KEY_CTR_EL0, POLICY_SET_READ, POLICY_DENY), HV_ERR_STATE);
    vm.policy = &many;
    assert_int_equal(policy_set(&vm, KEY_CTR_EL0, POLICY_SET_READ, POLICY_DENY), HV_ERR_NO_MEMORY);
    assert_int_equal(fake_records.count, 0);
    assert_ptr_equal(vcpu.range, &ranges[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_verdict_is_set_in_a_copy, begin),
        cmocka_unit_test_setup(the_last_one_counts, begin),
        cmocka_unit_test_setup(a_device_is_set_with_its_ranges, begin),
        cmocka_unit_test_setup(what_cannot_be_set_changes_nothing, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
