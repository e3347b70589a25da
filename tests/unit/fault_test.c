// SPDX-License-Identifier: Apache-2.0
// trap_fault: which policy row speaks, what pauses or stops, and how many records a storm of faults gets.
// Links: trap/fault.c debug/hold.c trace/log_budget.c trace/log_names.c trace/guest_loop.c trace/event_name.c
// Links: policy/policy.c policy/event_key.c arch/aarch64/esr_fields.c lib/printf.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake_panic.h>

#include <fake_notify.h>
#include <fake_records.h>
#include <fake_vm_state.h>

#include <hv/arch/registers.h>
#include <hv/log_budget.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vm.h>

static const struct policy_range uart = {.base = 0x09000000,
                                         .size = 0x1000,
                                         .key = KEY_DEVICE_PL011,
                                         .verdict = {{POLICY_EMULATE, 0, 3}, {POLICY_STOP, 0, 4}}};
static const struct policy_row rows[] = {[5] = {.place = "policy/test.toml:5"}};
static const struct policy policy = {
    .rows = rows,
    .row_count = ARRAY_COUNT(rows),
    .ranges = &uart,
    .range_count = 1,
    .verdicts =
        {
            [KEY_DEVICE_NONE] = {{POLICY_DENY, POLICY_FLAG_LOG, 1}, {POLICY_DENY, POLICY_FLAG_LOG, 1}},
            [KEY_GUEST_RAM] = {{POLICY_PAUSE, 0, 2}, {POLICY_PAUSE, 0, 2}},
            [KEY_CAUSE_IABT] = {{POLICY_DENY, 0, 5}, {POLICY_DENY, 0, 5}},
        },
};
static uint64_t now;
static struct trap_frame frame;
static struct telemetry telemetry;
static struct vm vm = {.policy = &policy};
static struct vcpu vcpu = {.vm = &vm, .frame = &frame, .telemetry = &telemetry};

static int set_up(void **state)
{
    (void)state;
    fake_records = (struct fake_records){0};
    fake_vm_state = (struct fake_vm_state){0};
    fake_sysreg_set("CNTFRQ_EL0", 1000);
    fake_sysreg_set("CNTPCT_EL0", now += 10000);
    return 0;
}

static struct event fault(unsigned int key, uint64_t address, uint8_t write, enum trap_result outcome,
                          enum trap_result want)
{
    struct event event = {.key = (uint16_t)key, .address = address, .write = write};

    assert_int_equal(trap_fault(&vcpu, &event, outcome, "why"), want);
    return event;
}

static void test_rows(void **state)
{
    (void)state;
    struct event event = fault(KEY_CAUSE_DABT, 0x09000010, 0, TRAP_INJECT_ABORT, TRAP_INJECT_ABORT);
    assert_int_equal(event.key, KEY_DEVICE_PL011);
    assert_int_equal(event.row, 3);
    assert_int_equal(event.verdict, POLICY_DENY);
    event = fault(KEY_CAUSE_DABT, 0x0a000010, 0, TRAP_INJECT_ABORT, TRAP_INJECT_ABORT);
    assert_int_equal(event.key, KEY_DEVICE_NONE);
    event = fault(KEY_CAUSE_IABT, 0x09000010, 0, TRAP_INJECT_ABORT, TRAP_INJECT_ABORT);
    assert_int_equal(event.row, 5);
    event = fault(KEY_CAUSE_DABT, 0x09000010, 0, TRAP_DONE, TRAP_DONE);
    assert_int_equal(event.verdict, POLICY_EMULATE); // what is skipped was not refused
    assert_int_equal(event.row, POLICY_ROW_NONE);
    event = fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_RETRY, TRAP_RETRY);
    assert_int_equal(event.verdict, POLICY_EMULATE); // nor what is tried again
    assert_int_equal(event.row, POLICY_ROW_NONE);
    assert_int_equal(fake_records.count, 4);
    assert_int_equal(fake_vm_state.stops, 0);
}

static void test_stop_and_pause(void **state)
{
    (void)state;
    fault(KEY_CAUSE_DABT, 0x09000010, 1, TRAP_INJECT_ABORT, TRAP_STOP);
    assert_int_equal(fake_vm_state.stopped_by, NOTIFY_POLICY_STOP);
    fault(KEY_CAUSE_DABT, 0, 0, TRAP_STOP, TRAP_STOP);
    assert_int_equal(fake_vm_state.stopped_by, NOTIFY_DESCRIPTOR_UPDATE);
    fake_records.count = 0;
    fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_INJECT_ABORT, TRAP_RETRY);
    assert_int_equal(fake_vm_state.breaks, 1);
    fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_INJECT_ABORT, TRAP_INJECT_ABORT);
    fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_RETRY, TRAP_RETRY);
    assert_int_equal(fake_vm_state.breaks, 1);
    assert_int_equal(fake_records.count, 1);
}

// From whichever vCPU: a key and a direction have one limit.
static void test_storm(void **state)
{
    static struct vcpu vcpus[8];
    struct event event = {.key = KEY_CAUSE_IABT};
    uint64_t before = log_budget_held();

    (void)state;
    for (unsigned int i = 0; i < 500; i++) {
        vcpus[i % 8] = (struct vcpu){.vm = &vm, .id = i % 8, .frame = &frame, .telemetry = &telemetry};
        assert_int_equal(trap_fault(&vcpus[i % 8], &event, TRAP_INJECT_ABORT, "why"), TRAP_INJECT_ABORT);
    }
    assert_int_equal(fake_records.count, 10);
    assert_int_equal(log_budget_held() - before, 490);
    event = (struct event){.key = KEY_CAUSE_DABT, .address = 0x0a000010};
    assert_int_equal(trap_fault(&vcpu, &event, TRAP_INJECT_ABORT, "why"), TRAP_INJECT_ABORT);
    assert_int_equal(fake_records.count, 11); // another key has its own
    fake_records.count = 10;
    fake_sysreg_set("CNTPCT_EL0", now += 1000);
    event.key = KEY_CAUSE_IABT;
    assert_int_equal(trap_fault(&vcpu, &event, TRAP_INJECT_ABORT, "why"), TRAP_INJECT_ABORT);
    assert_int_equal(fake_records.count, 11);
}

static void test_a_loop_that_was_told_is_counted_only(void **state)
{
    uint64_t before = log_budget_held();

    (void)state;
    telemetry.loops[0] = (struct telemetry_loop){.key = KEY_CAUSE_IABT, .active = true};
    for (unsigned int i = 0; i < 100; i++)
        fault(KEY_CAUSE_IABT, 0, 0, TRAP_INJECT_ABORT, TRAP_INJECT_ABORT);
    telemetry.loops[0].active = false;
    assert_int_equal(fake_records.count, 0);
    assert_int_equal(log_budget_held() - before, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rows, set_up),
        cmocka_unit_test_setup(test_stop_and_pause, set_up),
        cmocka_unit_test_setup(test_storm, set_up),
        cmocka_unit_test_setup(test_a_loop_that_was_told_is_counted_only, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
