// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vpl031.c drivers/hyp_timer.c platform/platform.c
// The guest's clock: what it reads, that setting it moves its own offset alone, its alarm and interrupt, odd accesses.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake_cpu_id.h>
#include <fake_gicv3.h>
#include <fake_panic.h>
#include <fake_vgic.h>

#include <platform/virt.h>

#include <hv/arch/guarded.h>
#include <hv/arch/registers.h>
#include <hv/device_ops.h>
#include <hv/hyp_timer.h>
#include <hv/vm.h>

#define DR   0x00
#define MR   0x04
#define LR   0x08
#define CR   0x0c
#define IMSC 0x10
#define RIS  0x14
#define MIS  0x18
#define ICR  0x1c
#define ID   0xfe0

#define MACHINE   1700000000u
#define FREQUENCY 16000000u
#define LOOK      (FREQUENCY / 16)

static struct vm vm;
static uint32_t machine; // what the real RTCDR reads
static bool answers;

static bool line(void)
{
    return fake_vgic.level;
}

// When EL2's timer is due.
static uint64_t deadline(void)
{
    return fake_sysreg_get("CNTHP_CVAL_EL2");
}

// The counter reaches the deadline, and EL2's timer comes.
static void alarm_expires(void)
{
    fake_sysreg_set("CNTPCT_EL0", deadline());
    hyp_timer_interrupt();
}

// The real clock: nothing else of it is read, and nothing is ever written.
static bool real_clock(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    assert_int_equal(pa.v, PL031_PA);
    assert_int_equal(size, 4);
    assert_false(write);
    if (answers)
        *value = machine;
    return answers;
}

static uint64_t access_of(uint32_t offset, unsigned int size)
{
    uint64_t value = 0xdeaddeaddeaddead;
    assert_int_equal(device_pl031.access(&vm.vcpus[0], offset, size, &value), MMIO_DONE);
    assert_int_equal(vm.rtc.lock.ticket.held, 0);
    return value;
}

static uint32_t rd(uint32_t offset)
{
    return (uint32_t)access_of(offset, 4);
}

static void wr(uint32_t offset, uint32_t value)
{
    uint64_t written = value;
    assert_int_equal(device_pl031.access(&vm.vcpus[0], offset, 4 | MMIO_WRITE, &written), MMIO_DONE);
    assert_int_equal(vm.rtc.lock.ticket.held, 0);
}

static int setup(void **state)
{
    (void)state;
    fake_sysreg_reset();
    memset(&vm, 0, sizeof(vm));
    vm.vcpus[0].vm = &vm;
    fake_sysreg_set("CNTFRQ_EL0", FREQUENCY);
    fake_sysreg_set("CNTPCT_EL0", 1000);
    fake_sysreg_set("TPIDR_EL2", (uint64_t)(uintptr_t)&vm.vcpus[0]);
    fake_guarded_device = real_clock;
    machine = MACHINE;
    answers = true;
    fake_vgic = (struct fake_vgic){.vm = &vm, .intid = PL031_INTID, .edges_only = true};
    hyp_timer_init_cpu();
    device_pl031.reset(&vm);
    return 0;
}

static void reset_values(void **state)
{
    static const struct {
        uint32_t offset, value;
    } rows[] = {
        {DR, MACHINE},  {MR, 0},      {LR, 0},         {CR, 1},         {IMSC, 0},       {RIS, 0},
        {MIS, 0},       {ICR, 0},     {0x20, 0},       {0xfdc, 0},      {ID, 0x31},      {ID + 4, 0x10},
        {ID + 8, 0x14}, {ID + 12, 0}, {ID + 16, 0x0d}, {ID + 20, 0xf0}, {ID + 24, 0x05}, {ID + 28, 0xb1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        assert_int_equal(rd(rows[i].offset), rows[i].value);
    assert_int_equal(fake_vgic.changes, 0);
    assert_int_equal(deadline(), HYP_TIMER_NEVER);
}

static void the_clock_is_the_machines_until_it_is_set(void **state)
{
    (void)state;
    machine += 5;
    assert_int_equal(rd(DR), MACHINE + 5);
    wr(LR, 1000);
    assert_int_equal(rd(DR), 1000);
    assert_int_equal(rd(LR), 1000);
    machine += 7; // real_clock holds that it is never written
    assert_int_equal(rd(DR), 1007);
    assert_int_equal(rd(LR), 1000);
    wr(LR, 0xffffffff);
    machine += 2;
    assert_int_equal(rd(DR), 1);
}

static void what_cannot_be_written_is_ignored(void **state)
{
    (void)state;
    wr(DR, 5);
    wr(CR, 0);
    wr(RIS, 1);
    wr(MIS, 1);
    wr(ID, 5);
    wr(0x40, 5);
    assert_int_equal(rd(DR), MACHINE);
    assert_int_equal(rd(CR), 1);
    assert_int_equal(rd(RIS), 0);
    assert_int_equal(rd(ID), 0x31);
    wr(IMSC, 0xffffffff);
    assert_int_equal(rd(IMSC), 1);
    assert_int_equal(fake_vgic.changes, 0);
}

static void the_alarm_rings_once_when_the_clock_reaches_it(void **state)
{
    (void)state;
    wr(IMSC, 1);
    wr(MR, MACHINE + 3);
    // looked for in the last second before, and often
    assert_int_equal(deadline(), 1000 + 2 * (uint64_t)FREQUENCY + LOOK);
    fake_cpu_id = 1; // a vCPU there reads the clock
    hyp_timer_init_cpu();
    (void)rd(DR);
    fake_cpu_id = 0;
    machine += 2;
    alarm_expires();
    assert_false(line());
    assert_int_equal(deadline(), fake_sysreg_get("CNTPCT_EL0") + LOOK);
    machine += 1;
    alarm_expires();
    assert_int_equal(vm.rtc.lock.ticket.held, 0);
    assert_true(line());
    assert_int_equal(deadline(), HYP_TIMER_NEVER);
    assert_int_equal(rd(RIS), 1);
    assert_int_equal(rd(MIS), 1);
    wr(ICR, 0);
    assert_true(line());
    wr(ICR, 1);
    assert_false(line());
    assert_int_equal(rd(RIS), 0);
    wr(MR, MACHINE + 3);
    assert_true(line());
    wr(ICR, 0x80000000);
    assert_false(line());
    machine += 100;
    fake_cpu_id = 1; // another CPU's timer, set for the same alarm before it rang
    hyp_timer_interrupt();
    fake_cpu_id = 0;
    assert_int_equal(rd(RIS), 0);
    assert_int_equal(deadline(), HYP_TIMER_NEVER);
}

static void an_alarm_of_this_second_rings_at_once(void **state)
{
    (void)state;
    wr(MR, MACHINE);
    assert_int_equal(rd(RIS), 1);
    assert_int_equal(rd(MIS), 0);
    assert_false(line()); // masked
    wr(IMSC, 1);
    assert_true(line());
    assert_int_equal(rd(MIS), 1);
    wr(IMSC, 0);
    assert_false(line());
    assert_int_equal(rd(RIS), 1);
}

static void a_guest_that_reads_the_second_of_its_alarm_reads_that_it_has_rung(void **state)
{
    (void)state;
    wr(IMSC, 1);
    wr(MR, MACHINE + 1);
    machine += 1; // and no timer yet
    assert_int_equal(rd(DR), MACHINE + 1);
    assert_true(line());
    assert_int_equal(rd(RIS), 1);
}

// Passed while the VM was paused or the machine stood still: rings when somebody looks.
static void an_alarm_that_was_missed_rings_late(void **state)
{
    (void)state;
    wr(IMSC, 1);
    wr(MR, MACHINE + 2);
    machine += 500;
    alarm_expires();
    assert_true(line());
}

static void setting_the_clock_moves_the_alarm(void **state)
{
    (void)state;
    wr(IMSC, 1);
    wr(MR, 1010);
    assert_int_equal(deadline(), HYP_TIMER_NEVER); // behind the machine's clock: decades away
    wr(LR, 1000);
    assert_int_equal(deadline(), 1000 + 9 * (uint64_t)FREQUENCY + LOOK);
    wr(LR, 1009);
    assert_int_equal(deadline(), 1000 + LOOK);
    wr(LR, 2000); // it is behind again
    machine += 20;
    alarm_expires();
    assert_false(line());
    wr(LR, 1010);
    assert_true(line());
}

static void a_clock_of_the_machine_that_steps_back_delays_the_alarm(void **state)
{
    (void)state;
    wr(IMSC, 1);
    wr(MR, MACHINE + 2);
    machine -= 10;
    alarm_expires();
    assert_false(line());
    assert_int_equal(deadline(), fake_sysreg_get("CNTPCT_EL0") + 11 * (uint64_t)FREQUENCY + LOOK);
    machine += 12;
    alarm_expires();
    assert_true(line());
}

static void accesses_of_other_sizes(void **state)
{
    uint64_t value = 0xabcd;
    (void)state;
    assert_int_equal(access_of(ID, 1), 0x31);
    assert_int_equal(access_of(ID + 1, 1), 0);
    assert_int_equal(access_of(ID + 4, 2), 0x10);
    assert_int_equal(access_of(ID, 8), 0x1000000031);
    assert_int_equal(access_of(DR, 8), MACHINE);
    assert_int_equal(device_pl031.access(&vm.vcpus[0], MR, 2 | MMIO_WRITE, &value), MMIO_DONE);
    assert_int_equal(rd(MR), 0xabcd);
    value = 0x12;
    assert_int_equal(device_pl031.access(&vm.vcpus[0], MR + 1, 1 | MMIO_WRITE, &value), MMIO_DONE);
    assert_int_equal(rd(MR), 0x12cd);
    value = UINT64_C(0x500000007); // RTCLR, and RTCCR, which ignores it
    assert_int_equal(device_pl031.access(&vm.vcpus[0], LR, 8 | MMIO_WRITE, &value), MMIO_DONE);
    assert_int_equal(rd(DR), 7);
    assert_int_equal(rd(CR), 1);
    value = 5;
    assert_int_equal(device_pl031.access(&vm.vcpus[0], PL031_SIZE, 4, &value), MMIO_FAULT);
    assert_int_equal(value, 5);
}

static void a_machine_without_a_clock_reads_zero(void **state)
{
    (void)state;
    answers = false;
    assert_int_equal(rd(DR), 0);
    wr(LR, 50);
    assert_int_equal(rd(DR), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(the_clock_is_the_machines_until_it_is_set, setup),
        cmocka_unit_test_setup(what_cannot_be_written_is_ignored, setup),
        cmocka_unit_test_setup(the_alarm_rings_once_when_the_clock_reaches_it, setup),
        cmocka_unit_test_setup(an_alarm_of_this_second_rings_at_once, setup),
        cmocka_unit_test_setup(a_guest_that_reads_the_second_of_its_alarm_reads_that_it_has_rung, setup),
        cmocka_unit_test_setup(an_alarm_that_was_missed_rings_late, setup),
        cmocka_unit_test_setup(setting_the_clock_moves_the_alarm, setup),
        cmocka_unit_test_setup(a_clock_of_the_machine_that_steps_back_delays_the_alarm, setup),
        cmocka_unit_test_setup(accesses_of_other_sizes, setup),
        cmocka_unit_test_setup(a_machine_without_a_clock_reads_zero, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
