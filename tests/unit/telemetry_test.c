// SPDX-License-Identifier: Apache-2.0
// Counting: an exit is counted once, by key and by row, in the bucket of its duration, without the time for which the
// clock stood still; what is read adds up over CPUs and over classes, and bounds what was measured; a reset keeps the
// sequence and the last events; an event is found for as long as its slot is its own.
//
// Links: trace/telemetry.c

#include <hv/telemetry.h>
#include <hv/machine.h>
#include <hv/arch/registers.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct telemetry telemetry_cpu[CPU_MAX];
static struct vm vm;
static struct telemetry *const cpu0 = &telemetry_cpu[0];

static int start(void **state)
{
    (void)state;
    memset(telemetry_cpu, 0, sizeof(telemetry_cpu));
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
        telemetry_init(&telemetry_cpu[cpu], cpu);
    return 0;
}

// What the first CPU counted of key.
static void sum_over(unsigned int vcpus, unsigned int key, struct telemetry_stat *sum)
{
    vm.vcpu_count = vcpus;
    for (unsigned int n = 0; n < vcpus; n++)
        vm.vcpus[n].telemetry = &telemetry_cpu[n];
    telemetry_sum(&vm, key, sum);
}

static struct telemetry_stat counted(unsigned int key)
{
    struct telemetry_stat sum;
    sum_over(1, key, &sum);
    return sum;
}

static uint64_t count(unsigned int key)
{
    struct telemetry_stat sum = counted(key);
    return telemetry_count(&sum);
}

// One exit of `ticks` on cpu.
static void exit_once(unsigned int cpu, uint16_t key, uint16_t row, uint64_t ticks)
{
    struct telemetry *telemetry = &telemetry_cpu[cpu];
    struct event *event = telemetry_begin(telemetry);
    telemetry_enter(event, 1000);
    event->key = key;
    event->row = row;
    telemetry_end(telemetry, event, 1000 + ticks);
}

static void init_names_the_cpu_in_every_slot(void **state)
{
    (void)state;
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
        for (unsigned int i = 0; i < TELEMETRY_LAST; i++)
            assert_int_equal(telemetry_cpu[cpu].last[i].vcpu, cpu);
}

static void bucket_is_the_number_of_bits(void **state)
{
    static const struct {
        uint64_t ticks;
        unsigned int bucket;
    } rows[] = {
        {0, 0},           {1, 1},           {2, 2},           {3, 2},         {4, 3},         {7, 3},
        {8, 4},           {4095, 12},       {4096, 13},       {8191, 13},     {16384, 15},    {62500000, 26},
        {0x0fffffff, 28}, {0x10000000, 29}, {0x1fffffff, 29}, {1u << 29, 30}, {1u << 30, 30}, {UINT64_MAX >> 1, 30},
    };
    (void)state;
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start(NULL);
        exit_once(0, 3, 0, rows[i].ticks);
        for (unsigned int bucket = 0; bucket < TELEMETRY_BUCKETS; bucket++)
            assert_int_equal(counted(3).bucket[bucket], bucket == rows[i].bucket);
        assert_int_equal(counted(3).ticks, rows[i].ticks);
    }
}

static void an_exit_is_counted_once_by_key_and_row(void **state)
{
    (void)state;
    exit_once(0, KEY_COUNT - 1, POLICY_ROW_MAX - 1, 5);
    exit_once(0, KEY_COUNT - 1, 2, 9);
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        assert_int_equal(count(key), key == KEY_COUNT - 1 ? 2 : 0);
    for (unsigned int row = 0; row < POLICY_ROW_MAX; row++)
        assert_int_equal(cpu0->row_count[row], row == 2 || row == POLICY_ROW_MAX - 1);
    assert_int_equal(cpu0->sequence, 2);
    assert_int_equal(telemetry_cpu[1].sequence, 0);
}

static void a_sum_goes_over_the_cpus_asked_for(void **state)
{
    struct telemetry_stat sum;
    (void)state;
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
        for (unsigned int i = 0; i <= cpu; i++)
            exit_once(cpu, 7, 0, 4);
    memset(&sum, 0xff, sizeof(sum));
    sum_over(3, 7, &sum);
    assert_int_equal(telemetry_count(&sum), 1 + 2 + 3);
    assert_int_equal(sum.bucket[3], 6);
    assert_int_equal(sum.ticks, 24);
    sum_over(CPU_MAX, 7, &sum);
    assert_int_equal(telemetry_count(&sum), CPU_MAX * (CPU_MAX + 1) / 2);
    sum_over(0, 7, &sum);
    assert_int_equal(telemetry_count(&sum) + sum.ticks, 0);
    sum_over(CPU_MAX, 8, &sum);
    assert_int_equal(telemetry_count(&sum), 0);
}

static void a_reset_keeps_sequence_and_last_events(void **state)
{
    (void)state;
    exit_once(0, 7, 1, 4);
    exit_once(0, 8, 2, 4);
    exit_once(1, 7, 1, 4);
    telemetry_reset(cpu0);
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        assert_int_equal(count(key) + counted(key).ticks, 0);
    for (unsigned int row = 0; row < POLICY_ROW_MAX; row++)
        assert_int_equal(cpu0->row_count[row], 0);
    assert_int_equal(cpu0->sequence, 2);
    assert_int_equal(cpu0->epoch, 2);
    assert_int_equal(telemetry_find(cpu0, 1)->key, 8);
    struct telemetry_stat both;
    sum_over(2, 7, &both);
    assert_int_equal(telemetry_count(&both), 1); // another CPU's are its own
    exit_once(0, 7, 1, 4);
    assert_int_equal(cpu0->sequence - cpu0->epoch, count(7));
}

// The bounds of each rank hold what was measured, whatever that was, and 0 is said of no long exit.
static void bounds_hold_what_was_measured(void **state)
{
    static const uint64_t rows[][5] = {
        {0, 0, 0, 0, 0},
        {0, 1, 2, 3, 4},
        {1, 1, 1, 1, 1000000},
        {5, 80, 900, 70000, 62500000},
        {0, 0, 0, 0, 1u << 29},
        {1u << 29, 1u << 30, UINT64_C(1) << 40, UINT64_C(1) << 41, UINT64_C(1) << 50},
        {7, 7, 7, 1u << 31, 1u << 31},
    };
    (void)state;
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start(NULL);
        for (unsigned int n = 0; n < 5; n++)
            exit_once(0, 3, 0, rows[i][n]);
        struct telemetry_stat sum = counted(3);
        for (unsigned int n = 0; n < 5; n++) { // the rows are sorted
            assert_true(telemetry_at_least(&sum, n + 1) <= rows[i][n]);
            assert_true(telemetry_at_most(&sum, n + 1) >= rows[i][n]);
            assert_true(rows[i][n] == 0 || telemetry_at_most(&sum, n + 1) != 0);
        }
    }
}

static void a_single_exit_is_known_exactly(void **state)
{
    static const uint64_t rows[] = {0, 1, 5, 1000, 62500000, UINT64_C(1) << 29, UINT64_C(1) << 40};
    (void)state;
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start(NULL);
        exit_once(0, 3, 0, rows[i]);
        struct telemetry_stat sum = counted(3);
        assert_int_equal(telemetry_at_least(&sum, 1), rows[i]);
        assert_int_equal(telemetry_at_most(&sum, 1), rows[i]);
    }
}

static void ranks_of_median_and_p99(void **state)
{
    (void)state;
    assert_int_equal(telemetry_rank_of_median(1), 1);
    assert_int_equal(telemetry_rank_of_median(2), 1);
    assert_int_equal(telemetry_rank_of_median(101), 51);
    assert_int_equal(telemetry_rank_of_p99(99), 99);
    assert_int_equal(telemetry_rank_of_p99(100), 99);
    assert_int_equal(telemetry_rank_of_p99(1000), 990);
}

// What is printed, and sleep, is no time of the exit; its two stamps stay what they were. Stops nest.
static void the_clock_can_stand_still(void **state)
{
    struct telemetry *telemetry = cpu0;
    (void)state;
    vm.vcpus[0].telemetry = telemetry;
    fake_sysreg_set("TPIDR_EL2", (uint64_t)(uintptr_t)&vm.vcpus[0]);
    struct event *event = telemetry_begin(telemetry);
    event->key = 3;
    event->row = 0;
    telemetry_enter(event, 1000);
    fake_sysreg_set("CNTPCT_EL0", 1010);
    uint64_t outer = telemetry_stop_clock();
    fake_sysreg_set("CNTPCT_EL0", 5000);
    uint64_t inner = telemetry_stop_clock();
    fake_sysreg_set("CNTPCT_EL0", 6000);
    telemetry_start_clock(inner);
    fake_sysreg_set("CNTPCT_EL0", 9000);
    telemetry_start_clock(outer);
    telemetry_end(telemetry, event, 9003);
    assert_int_equal(counted(3).ticks, 13);
    assert_int_equal(counted(3).bucket[4], 1);
    assert_int_equal(event->entry, 1000);
    assert_int_equal(event->exit, 9003);
    fake_sysreg_set("TPIDR_EL2", 0); // before there is a vCPU
    assert_int_equal(telemetry_stop_clock(), 0);
    telemetry_start_clock(0);
}

// Without an exit under way the clock changes no event that can be found.
static void a_clock_that_nobody_needs_changes_no_event(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < TELEMETRY_LAST + 5; i++)
        exit_once(0, 1, 0, 9);
    vm.vcpus[0].telemetry = cpu0;
    fake_sysreg_set("TPIDR_EL2", (uint64_t)(uintptr_t)&vm.vcpus[0]);
    telemetry_start_clock(telemetry_stop_clock() + 100);
    fake_sysreg_set("TPIDR_EL2", 0);
    unsigned int found = 0;
    for (uint64_t i = 0; i < cpu0->sequence; i++) {
        const struct event *event = telemetry_find(cpu0, i);
        found += event != NULL;
        assert_true(event == NULL || event->exit - event->entry == 9);
    }
    assert_int_equal(found, TELEMETRY_KEPT);
}

// One exit of a class and a key.
static void exit_of_class(uint8_t cause, uint16_t key)
{
    struct event *event = telemetry_begin(cpu0);
    telemetry_enter(event, 0);
    event->cause = cause;
    event->key = key;
    event->row = 0;
    telemetry_note_class(cpu0, event);
    telemetry_end(cpu0, event, 1);
}

static uint64_t in_class(unsigned int cause)
{
    uint64_t sum = 0;
    vm.vcpu_count = 1;
    vm.vcpus[0].telemetry = cpu0;
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        sum += telemetry_count_in_class(&vm, cause, key);
    return sum;
}

static void each_exit_is_in_its_class(void **state)
{
    static const struct {
        uint8_t cause;
        uint16_t key;
    } rows[] = {
        {KEY_CAUSE_IRQ, KEY_CAUSE_IRQ},       {KEY_CAUSE_WFI, KEY_CAUSE_WFI},
        {KEY_CAUSE_HVC, KEY_PSCI_VERSION},    {KEY_CAUSE_SMC, KEY_PSCI_VERSION},
        {KEY_CAUSE_SMC, KEY_SMC_IMMEDIATE},   {KEY_CAUSE_HVC, KEY_HVC_GET_HV_ID},
        {KEY_CAUSE_DABT, KEY_DEVICE_PL011},   {KEY_CAUSE_DABT, KEY_DEVICE_NONE},
        {KEY_CAUSE_DABT, KEY_GUEST_RAM},      {KEY_CAUSE_IABT, KEY_GUEST_RAM},
        {KEY_CAUSE_IABT, KEY_CAUSE_IABT},     {KEY_CAUSE_DABT, KEY_CAUSE_DABT},
        {KEY_CAUSE_SYSREG, KEY_AIDR_EL1},     {KEY_CAUSE_SYSREG, KEY_SYSREG_UNKNOWN},
        {KEY_CAUSE_SERROR, KEY_CAUSE_SERROR}, {KEY_CAUSE_UNKNOWN, KEY_CAUSE_UNKNOWN},
    };
    uint64_t expected[KEY_HVC_FIRST] = {0};
    (void)state;
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned int n = 0; n <= i; n++) {
            exit_of_class(rows[i].cause, rows[i].key);
            expected[rows[i].cause]++;
        }
    for (unsigned int cause = 0; cause < KEY_HVC_FIRST; cause++)
        assert_int_equal(in_class(cause), expected[cause]);
    telemetry_reset(cpu0);
    for (unsigned int cause = 0; cause < KEY_HVC_FIRST; cause++)
        assert_int_equal(in_class(cause), 0);
}

static void an_event_is_found_until_its_slot_is_used_again(void **state)
{
    (void)state;
    assert_null(telemetry_find(cpu0, 0)); // the empty slot also says sequence 0
    for (uint64_t i = 0; i < TELEMETRY_KEPT; i++)
        exit_once(0, (uint16_t)(i % KEY_COUNT), 0, i);
    assert_non_null(telemetry_find(cpu0, 0));
    exit_once(0, 5, 0, 3);
    assert_null(telemetry_find(cpu0, 0)); // its slot is the next exit's
    assert_null(telemetry_find(cpu0, TELEMETRY_LAST));

    exit_once(0, 5, 0, 77);
    assert_null(telemetry_find(cpu0, 1));
    const struct event *event = telemetry_find(cpu0, TELEMETRY_LAST);
    assert_ptr_equal(event, &cpu0->last[0]);
    assert_int_equal(event->sequence, TELEMETRY_LAST);
    assert_int_equal(event->exit - event->entry, 77);
    assert_int_equal(event->vcpu, 0);
    assert_non_null(telemetry_find(cpu0, 2));
    assert_null(telemetry_find(cpu0, UINT64_MAX));
}

static void an_event_in_progress_is_not_found(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < TELEMETRY_LAST; i++)
        exit_once(0, 1, 0, 0);
    struct event *event = telemetry_begin(cpu0);
    event->entry = 5;
    assert_null(telemetry_find(cpu0, TELEMETRY_LAST));
    telemetry_end(cpu0, event, 6);
    assert_ptr_equal(telemetry_find(cpu0, TELEMETRY_LAST), event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(init_names_the_cpu_in_every_slot, start),
        cmocka_unit_test_setup(bucket_is_the_number_of_bits, start),
        cmocka_unit_test_setup(bounds_hold_what_was_measured, start),
        cmocka_unit_test_setup(a_single_exit_is_known_exactly, start),
        cmocka_unit_test(ranks_of_median_and_p99),
        cmocka_unit_test_setup(the_clock_can_stand_still, start),
        cmocka_unit_test_setup(a_clock_that_nobody_needs_changes_no_event, start),
        cmocka_unit_test_setup(each_exit_is_in_its_class, start),
        cmocka_unit_test_setup(an_exit_is_counted_once_by_key_and_row, start),
        cmocka_unit_test_setup(a_sum_goes_over_the_cpus_asked_for, start),
        cmocka_unit_test_setup(a_reset_keeps_sequence_and_last_events, start),
        cmocka_unit_test_setup(an_event_is_found_until_its_slot_is_used_again, start),
        cmocka_unit_test_setup(an_event_in_progress_is_not_found, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
