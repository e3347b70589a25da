// SPDX-License-Identifier: Apache-2.0
// trap_fault: which policy row speaks, what pauses or stops, and how many records a storm of faults gets.
// Links: core/fault.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/arch/registers.h>
#include <hv/log.h>
#include <hv/policy.h>
#include <hv/trap.h>
#include <hv/vm.h>

static const struct policy_range uart = {.base = 0x09000000,
                                         .size = 0x1000,
                                         .key = KEY_DEVICE_PL011,
                                         .verdict = {{POLICY_EMULATE, 0, 3}, {POLICY_STOP, 0, 4}}};
const struct policy_verdict policy_verdicts[][2] = {
    {{POLICY_ALLOW, 0, 0}, {POLICY_ALLOW, 0, 0}},
    {{POLICY_DENY, POLICY_FLAG_LOG, 1}, {POLICY_DENY, POLICY_FLAG_LOG, 1}},
    {{POLICY_PAUSE, 0, 2}, {POLICY_PAUSE, 0, 2}},
    {{POLICY_DENY, 0, 5}, {POLICY_DENY, 0, 5}},
};
const uint8_t policy_verdict_index[KEY_COUNT] = {[KEY_DEVICE_NONE] = 1, [KEY_GUEST_RAM] = 2, [KEY_CAUSE_IABT] = 3};
const struct policy_row policy_rows[] = {[5] = {.file = "policy/test.toml", .line = 5}};
static unsigned int records, breaks;
static const char *stopped;
static struct vm vm;
static struct vcpu vcpu = {.vm = &vm};

const struct policy_range *policy_find_range(ipa_t ipa)
{
    return ipa.v - uart.base < uart.size ? &uart : NULL;
}

const char *event_key_name(unsigned int key)
{
    (void)key;
    return "key";
}

const char *trap_result_name(unsigned int result)
{
    (void)result;
    return "result";
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    (void)level, (void)class, (void)event, (void)format;
    records++;
}

void vm_stop(struct vm *of, const char *reason)
{
    assert_ptr_equal(of, &vm);
    stopped = reason;
}

bool vcpu_break_passed(struct vcpu *of, const struct event *at)
{
    (void)of, (void)at;
    return breaks > 0;
}

void vcpu_break(struct vcpu *of, const struct event *at)
{
    (void)of, (void)at;
    breaks++;
}

static int set_up(void **state)
{
    (void)state;
    records = breaks = 0;
    stopped = NULL;
    fake_sysreg_set("CNTFRQ_EL0", 1000);
    return 0;
}

static struct event fault(unsigned int key, uint64_t address, uint8_t write, enum trap_result outcome,
                          enum trap_result want)
{
    static uint64_t now;
    struct event event = {.entry = now += 1000, .key = (uint16_t)key, .address = address, .write = write};

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
    assert_int_equal(event.verdict, POLICY_EMULATE);
    assert_int_equal(records, 4);
    assert_null(stopped);
}

static void test_stop_and_pause(void **state)
{
    (void)state;
    fault(KEY_CAUSE_DABT, 0x09000010, 1, TRAP_INJECT_ABORT, TRAP_STOP);
    assert_string_equal(stopped, "a policy row says stop");
    fault(KEY_CAUSE_DABT, 0, 0, TRAP_STOP, TRAP_STOP);
    assert_string_equal(stopped, "why");
    records = 0;
    fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_INJECT_ABORT, TRAP_RETRY);
    assert_int_equal(breaks, 1);
    fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_INJECT_ABORT, TRAP_INJECT_ABORT);
    fault(KEY_GUEST_RAM, 0x40000000, 0, TRAP_RETRY, TRAP_RETRY);
    assert_int_equal(breaks, 1);
    assert_int_equal(records, 1);
}

static void test_storm(void **state)
{
    struct event event = {.entry = 10000000, .key = KEY_CAUSE_IABT};

    (void)state;
    for (unsigned int i = 0; i < 500; i++, event.entry++)
        assert_int_equal(trap_fault(&vcpu, &event, TRAP_INJECT_ABORT, "why"), TRAP_INJECT_ABORT);
    assert_int_equal(records, 10);
    event.entry += 1000;
    event.key = KEY_CAUSE_IABT;
    assert_int_equal(trap_fault(&vcpu, &event, TRAP_INJECT_ABORT, "why"), TRAP_INJECT_ABORT);
    assert_int_equal(records, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rows, set_up),
        cmocka_unit_test_setup(test_stop_and_pause, set_up),
        cmocka_unit_test_setup(test_storm, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
