// SPDX-License-Identifier: Apache-2.0
// Calls by number: every number finds its key, PSCI answers with the right error codes, the console call is bounded.
// Links: trap/call_key.c trap/hypercall.c trap/psci.c lib/range.c trace/log_budget.c trace/log_names.c
// Links: tests/fake/fake_guest_memory.c

#include <fake_channel.h>
#include <fake_records.h>
#include <fake_trace_exit.h>
#include <fake_vm_state.h>

#include <hv/call.h>
#include <hv/event_key.h>
#include <hv/guest_abi.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_panic.h>

#include <guest_ram.h>

#define PSCI_INVALID         (-2)
#define PSCI_ALREADY_ON      (-4)
#define PSCI_ON_PENDING      (-5)
#define PSCI_INVALID_ADDRESS (-9)

static struct policy policy;

static struct trap_frame frame;
static struct vm vm;
static struct telemetry telemetry;

static int setup(void **state)
{
    (void)state;
    memset(&frame, 0, sizeof(frame));
    memset(&vm, 0, sizeof(vm));
    spinlock_init(&vm.power_lock, LOCK_VM_POWER);
    fake_guest_ram(&vm.space);
    fake_channel_reset();
    fake_records = (struct fake_records){0};
    fake_vm_state = (struct fake_vm_state){0};
    vm.policy = &policy;
    vm.vcpu_count = 4;
    for (unsigned int i = 0; i < 4; i++)
        vm.vcpus[i] = (struct vcpu){
            .frame = &frame, .vm = &vm, .id = i, .telemetry = &telemetry, .power = i == 0 ? VCPU_ON : VCPU_OFF};
    return 0;
}

static int64_t call(uint64_t number, uint64_t x1, uint64_t x2, uint64_t x3)
{
    frame.x[1] = x1;
    frame.x[2] = x2;
    frame.x[3] = x3;
    return call_handle(&vm.vcpus[0], call_key(KEY_CAUSE_HVC, 0, number));
}

static void every_number_of_the_tables_finds_its_key(void **state)
{
    (void)state;
#define CHECK_HVC(id, number, ...)   assert_int_equal(call_key(KEY_CAUSE_HVC, 0, number), KEY_HVC_##id);
#define CHECK_SMCCC(id, number, ...) assert_int_equal(call_key(KEY_CAUSE_SMC, 0, number), KEY_##id);
    HVC_CALL_TABLE(CHECK_HVC)
    SMCCC_CALL_TABLE(CHECK_SMCCC)
    // The function number is W0: bits 63..32 are not part of it (DEN 0028 2.5).
    assert_int_equal(call_key(KEY_CAUSE_HVC, 0, 0xdead000084000000), KEY_PSCI_VERSION);
}

static void other_numbers_are_unknown(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {6,          0x7fffffff, 0x80000002, 0x84000005, 0x84000013,  0xc4000000,
                                       0xc4000008, 0xc4000013, 0xffffffff, 0x83ffffff, 0x100000000, 0xffffffff00000001};
    for (unsigned int i = 0; i < ARRAY_COUNT(numbers); i++) {
        unsigned int key = call_key(KEY_CAUSE_HVC, 0, numbers[i]);
        assert_true(key == KEY_HVC_UNKNOWN || key == KEY_SMCCC_UNKNOWN);
        assert_int_equal(call(numbers[i], 0, 0, 0), HVC_NOT_SUPPORTED);
    }
    assert_int_equal(call_key(KEY_CAUSE_HVC, 1, 0), KEY_HVC_IMMEDIATE);
    assert_int_equal(call_key(KEY_CAUSE_SMC, 1, 0x84000000), KEY_SMC_IMMEDIATE);
    // ariel's own calls are HVC only.
    assert_int_equal(call_key(KEY_CAUSE_SMC, 0, HVC_GET_HV_ID), KEY_SMCCC_UNKNOWN);
}

static void every_psci_number_agrees_with_the_table(void **state)
{
    (void)state;
    for (uint32_t number = 0x84000000; number < 0x84000040; number++) {
        for (unsigned int sixty_four = 0; sixty_four < 2; sixty_four++) {
            uint32_t function = number | sixty_four << 30;
            unsigned int expected = KEY_SMCCC_UNKNOWN;
#define EXPECT_SMCCC(id, table_number, ...)                                                                            \
    if (function == (table_number))                                                                                    \
        expected = KEY_##id;
            SMCCC_CALL_TABLE(EXPECT_SMCCC)
            assert_int_equal(call_key(KEY_CAUSE_HVC, 0, function), expected);
            assert_int_equal(call(0x8400000a, function, 0, 0), expected == KEY_SMCCC_UNKNOWN ? -1 : 0);
        }
    }
    assert_int_equal(call(0x8400000a, 0x80000000, 0, 0), 0);
    assert_int_equal(call(0x8400000a, 0, 0, 0), -1);
    policy.verdicts[KEY_PSCI_CPU_ON_64][1].action = POLICY_DENY;
    assert_int_equal(call(0x8400000a, 0xc4000003, 0, 0), -1); // denied, so not offered
    assert_int_equal(call(0x8400000a, 0x84000003, 0, 0), 0);
    policy.verdicts[KEY_PSCI_CPU_ON_64][1].action = POLICY_ALLOW;
}

static void own_calls_answer(void **state)
{
    (void)state;
    telemetry.sequence = 42;
    assert_int_equal(call(HVC_GET_HV_ID, 0, 0, 0), HV_ID);
    assert_int_equal(call(HVC_GET_STATUS, 0, 0, 0), 42);
    assert_int_equal(call(HVC_REPORT_EXCEPTION, 1, 2, 3), 0);
    fake_sysreg_set("CNTFRQ_EL0", 1000);
    assert_int_equal(call(HVC_DUMP_LOG, 0, 0, 0), 0);
    assert_int_equal(call(HVC_DUMP_LOG, 0, 0, 0), 0); // once a second
    assert_int_equal(fake_records.dumps, 1);
    assert_int_equal(call(HVC_PAUSE, 0, 0, 0), 0);
    assert_int_equal(fake_vm_state.broken_by, NOTIFY_GUEST_PAUSE);
    assert_ptr_equal(fake_vm_state.vcpu, &vm.vcpus[0]);
}

static void console_write_is_all_or_nothing(void **state)
{
    (void)state;
    static const struct {
        uint64_t ipa;
        uint64_t length;
    } bad[] = {
        {GUEST_RAM_IPA, HVC_CONSOLE_WRITE_MAX + 1},
        {GUEST_RAM_IPA - 1, 2},
        {GUEST_RAM_IPA + GUEST_RAM_SIZE - 1, 2},
        {0xffffffffffffffff, 2},
        {PL011_IPA, 4},
        {GUEST_RAM_IPA, 0xffffffffffffffff},
        {0, 1},
    };
    for (unsigned int i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(call(HVC_GUEST_CONSOLE_WRITE, bad[i].ipa, bad[i].length, 0), HVC_INVALID_PARAMETERS);
        assert_int_equal(fake_channel.sent_count, 0);
    }
    assert_int_equal(call(HVC_GUEST_CONSOLE_WRITE, 0, 0, 0), 0);
    assert_int_equal(call(HVC_GUEST_CONSOLE_WRITE, GUEST_RAM_IPA + 3, HVC_CONSOLE_WRITE_MAX, 0), HVC_CONSOLE_WRITE_MAX);
    assert_int_equal(fake_channel.sent_count, HVC_CONSOLE_WRITE_MAX);
}

static void cpu_on_checks_its_arguments(void **state)
{
    (void)state;
    uint64_t entry = GUEST_RAM_IPA + 0x1000;
    assert_int_equal(call(0xc4000003, 4, entry, 0), PSCI_INVALID);
    assert_int_equal(call(0xc4000003, 0x100, entry, 0), PSCI_INVALID);
    assert_int_equal(call(0xc4000003, 1, 0, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(call(0xc4000003, 1, GUEST_RAM_IPA + GUEST_RAM_SIZE, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(call(0xc4000003, 1, entry + 1, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(call(0xc4000003, 0, entry, 0), PSCI_ALREADY_ON);
    assert_int_equal(fake_vm_state.requested[1], 0);
    assert_int_equal(call(0xc4000003, 1, entry, 77), 0);
    assert_int_equal(fake_vm_state.requested[1], VCPU_REQUEST_WAIT);
    assert_int_equal(vm.vcpus[1].on_entry, entry);
    assert_int_equal(vm.vcpus[1].on_context, 77);
    assert_int_equal(call(0xc4000003, 1, entry, 0), PSCI_ON_PENDING);
    assert_int_equal(call(0xc4000004, 1, 0, 0), VCPU_ON_PENDING);
    // 32-bit arguments: the upper halves are ignored.
    assert_int_equal(call(0x84000003, 0xffffffff00000002, 0xffffffff00000000 | entry, 0), 0);
    assert_int_equal(vm.vcpus[2].on_entry, entry);
}

// Two vCPUs that turn on the same one must not both find it off: what is on_entry is decided under the VM's power lock.
static void cpu_on_decides_under_the_power_lock(void **state)
{
    unsigned int acquired = 0, released = 0;
    (void)state;

    fake_trace_reset();
    fake_trace_watch(&vm.vcpus[1].on_entry);
    assert_int_equal(call(0xc4000003, 1, GUEST_RAM_IPA + 0x1000, 0), 0);
    for (uint64_t i = 0; i < fake_trace_count; i++) {
        if (fake_trace[i].argument != (uintptr_t)&vm.power_lock)
            continue;
        if (fake_trace[i].operation == FAKE_LOCK_ACQUIRE && fake_trace[i].watched == 0)
            acquired++;
        if (fake_trace[i].operation == FAKE_LOCK_RELEASE && fake_trace[i].watched == GUEST_RAM_IPA + 0x1000)
            released++;
    }
    assert_int_equal(acquired, 1);
    assert_int_equal(released, 1);
}

static void affinity_info_and_cpu_off(void **state)
{
    (void)state;
    assert_int_equal(call(0xc4000004, 0, 0, 0), VCPU_ON);
    assert_int_equal(call(0xc4000004, 3, 0, 0), VCPU_OFF);
    assert_int_equal(call(0xc4000004, 9, 0, 0), PSCI_INVALID);
    assert_int_equal(call(0xc4000004, 0, 1, 0), PSCI_INVALID);
    assert_int_equal(call(0x84000002, 0, 0, 0), 0);
    assert_int_equal(vm.vcpus[0].power, VCPU_OFF);
    assert_int_equal(fake_vm_state.requested[0], VCPU_REQUEST_WAIT);
}

static void constants_and_suspend(void **state)
{
    (void)state;
    assert_int_equal(call(0x84000000, 0, 0, 0), 0x10001);
    assert_int_equal(call(0x80000000, 0, 0, 0), 0x10001);
    assert_int_equal(call(0x80000001, 0x80000000, 0, 0), 0);
    assert_int_equal(call(0x80000001, 0x80008000, 0, 0), -1);
    assert_int_equal(call(0x84000006, 0, 0, 0), 2);
    assert_int_equal(call(0xc4000001, 0, 0, 0), 0);
    assert_int_equal(fake_vm_state.requested[0], VCPU_REQUEST_SUSPEND); // when the exit has ended
    assert_int_equal(call(0x84000001, 0xffffffff0000ffff, 0, 0), 0);    // a standby state's entry point does not count
    assert_int_equal(call(0xc4000001, 0x03010000, GUEST_RAM_IPA, 0), 0);
    assert_int_equal(call(0xc4000001, 0x00010000, GUEST_RAM_IPA + GUEST_RAM_SIZE - 4, 0), 0);
    assert_int_equal(call(0x84000001, 0x00010000, 0xffffffff00000000 | GUEST_RAM_IPA, 0), 0);
    fake_vm_state.requested[0] = 0;
    for (unsigned int bit = 17; bit < 32; bit++)
        if (bit != 24 && bit != 25)
            assert_int_equal(call(0xc4000001, BIT64(bit), GUEST_RAM_IPA, 0), PSCI_INVALID);
    assert_int_equal(call(0xc4000001, 0x00010000, 0, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(call(0xc4000001, 0x00010000, GUEST_RAM_IPA + 2, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(call(0xc4000001, 0x00010000, GUEST_RAM_IPA + GUEST_RAM_SIZE, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(fake_vm_state.requested[0], 0);
}

static void off_and_reset_do_not_come_back(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        int way;
    } rows[] = {{0x84000008, 2}, {0x84000009, 1}, {0x84000012, 1}, {0xc4000012, 1}};
    for (volatile unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        int way = setjmp(fake_machine_gone);
        if (way == 0)
            fail_msg("came back with %d", (int)call(rows[i].number, 0, 0, 0));
        assert_int_equal(way, rows[i].way);
        assert_int_equal(fake_records.guest_resets, way == 1); // the log is told whose reset it is
        fake_records.guest_resets = 0;
    }
    assert_int_equal(call(0xc4000012, 1, 0, 0), PSCI_INVALID);
}

// Whatever a guest reports or turns on and off in a loop, the log keeps what came before.
static void a_loop_of_calls_does_not_flood_the_log(void **state)
{
    (void)state;
    fake_sysreg_set("CNTFRQ_EL0", 1000);
    fake_sysreg_set("CNTPCT_EL0", 1000000);
    fake_records.count = 0;
    for (unsigned int i = 0; i < 100; i++)
        call(HVC_REPORT_EXCEPTION, i, i, i);
    assert_in_range(fake_records.count, 1, 10);
    fake_records.count = 0;
    for (unsigned int i = 0; i < 100; i++) {
        assert_int_equal(call(0xc4000003, 1, GUEST_RAM_IPA, 0), 0);
        vm.vcpus[1].power = VCPU_OFF;
    }
    assert_in_range(fake_records.count, 1, 10);
    fake_sysreg_set("CNTPCT_EL0", 1001000);
    fake_records.count = 0;
    call(HVC_REPORT_EXCEPTION, 1, 2, 3);
    assert_int_equal(fake_records.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_number_of_the_tables_finds_its_key, setup),
        cmocka_unit_test_setup(other_numbers_are_unknown, setup),
        cmocka_unit_test_setup(every_psci_number_agrees_with_the_table, setup),
        cmocka_unit_test_setup(own_calls_answer, setup),
        cmocka_unit_test_setup(console_write_is_all_or_nothing, setup),
        cmocka_unit_test_setup(cpu_on_checks_its_arguments, setup),
        cmocka_unit_test_setup(cpu_on_decides_under_the_power_lock, setup),
        cmocka_unit_test_setup(affinity_info_and_cpu_off, setup),
        cmocka_unit_test_setup(constants_and_suspend, setup),
        cmocka_unit_test_setup(off_and_reset_do_not_come_back, setup),
        cmocka_unit_test_setup(a_loop_of_calls_does_not_flood_the_log, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
