// SPDX-License-Identifier: Apache-2.0
// What the watchdog tells, once each, and what it does not take for a hang.
// Links: vm/watchdog.c policy/event_key.c trace/event_name.c arch/aarch64/esr_fields.c lib/printf.c
// Links: trace/telemetry.c platform/platform.c
#include <hv/watchdog.h>

#include <hv/arch/registers.h>
#include <hv/guest_loop.h>
#include <hv/log_budget.h>
#include <hv/kernel_tables.h>
#include <hv/console.h>
#include <hv/telemetry.h>
#include <hv/trap_result.h>
#include <hv/vgic.h>
#include <hv/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_irq.h>
#include <fake_notify.h>
#include <fake_records.h>

#define SECOND 1000

static struct vm vm;
static struct telemetry telemetry_cpu[CPU_MAX];
static struct trap_frame frame;
static struct vcpu *const vcpu = &vm.vcpus[0];
static unsigned int log_ticks, loop_ticks, looks;
static bool pending, monitor;

void log_tick(void)
{
    log_ticks++;
}

void guest_loop_tick(struct vcpu *of)
{
    (void)of;
    loop_ticks++;
}

void kernel_tables_look(struct vcpu *of)
{
    assert_ptr_equal(of, vcpu);
    looks++;
}

void symbols_look(struct vcpu *of)
{
    assert_ptr_equal(of, vcpu);
}

bool vgic_has_pending(struct vcpu *of)
{
    assert_ptr_equal(of, vcpu);
    return pending;
}

bool console_is_held(void)
{
    return monitor;
}

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(&frame, 0, sizeof(frame));
    memset(telemetry_cpu, 0, sizeof(telemetry_cpu));
    vm.vcpu_count = 2;
    for (unsigned int i = 0; i < 2; i++) {
        vm.vcpus[i].vm = &vm;
        vm.vcpus[i].id = i;
        vm.vcpus[i].telemetry = &telemetry_cpu[i];
        telemetry_init(&telemetry_cpu[i], i);
        vm.vcpus[i].telemetry->sequence = 300;
    }
    vcpu->frame = &frame;
    fake_records = (struct fake_records){0};
    fake_notify_reset();
    pending = monitor = false;
    fake_sysreg_set("CNTFRQ_EL0", SECOND);
    fake_sysreg_set("CNTPCT_EL0", 100 * SECOND);
    return 0;
}

static void nothing_is_told_of_a_guest_that_is_well(void **state)
{
    (void)state;
    pending = true;
    for (unsigned int i = 0; i < 20; i++) {
        frame.spsr_el2 = i % 10 == 9 ? 0 : SPSR_ELX_I;
        watchdog_tick(vcpu);
    }
    pending = false; // as in the idle loop: masked, and nothing waits
    for (unsigned int i = 0; i < 20; i++)
        watchdog_tick(vcpu);
    assert_int_equal(fake_records.count, 0);
    assert_int_equal(fake_notify_count, 0);
}

static void a_hang_is_told_once(void **state)
{
    (void)state;
    pending = true;
    frame.spsr_el2 = SPSR_ELX_I;
    for (unsigned int i = 0; i < 9; i++)
        watchdog_tick(vcpu);
    assert_null(fake_records.event);
    for (unsigned int i = 0; i < 20; i++)
        watchdog_tick(vcpu);
    assert_string_equal(fake_records.event, "guest-hang");
    assert_int_equal(fake_records.count, 1);
    assert_int_equal(fake_notified, NOTIFY_VCPU_MASKED);
    assert_ptr_equal(fake_notified_about, vcpu);
}

// Each tick finds it in a handler, and the next interrupt pending: it is at work as long as it ends some.
static void a_guest_that_only_serves_interrupts_is_well(void **state)
{
    (void)state;
    pending = true;
    frame.spsr_el2 = SPSR_ELX_I;
    for (unsigned int i = 0; i < 30; i++) {
        vcpu->gic.ended_count++;
        watchdog_tick(vcpu);
    }
    assert_int_equal(fake_records.count, 0);
    for (unsigned int i = 0; i < 10; i++)
        watchdog_tick(vcpu);
    assert_int_equal(fake_records.count, 1);
}

// What a program without vectors becomes at its first exception.
static void a_loop_of_refused_fetches_is_told_once(void **state)
{
    struct event *event = &telemetry_cpu[0].last[299 % TELEMETRY_LAST];

    (void)state;
    *event = (struct event){.sequence = 299, .cause = KEY_CAUSE_IABT, .result = TRAP_INJECT_ABORT, .pc = 0x200};
    frame.elr_el2 = 0x204;
    for (unsigned int i = 0; i < 20; i++)
        watchdog_tick(vcpu);
    event->result = TRAP_RETRY;
    frame.elr_el2 = 0x200;
    for (unsigned int i = 0; i < 20; i++)
        watchdog_tick(vcpu);
    assert_null(fake_records.event);
    event->result = TRAP_INJECT_ABORT;
    for (unsigned int i = 0; i < 20; i++)
        watchdog_tick(vcpu);
    assert_string_equal(fake_records.event, "guest-hang");
    assert_int_equal(fake_records.count, 1);
    assert_int_equal(fake_notified, NOTIFY_VCPU_NO_VECTORS);
}

static void a_paused_vcpu_does_not_hang(void **state)
{
    (void)state;
    pending = true;
    frame.spsr_el2 = SPSR_ELX_I;
    vcpu->waiting = true;
    for (unsigned int i = 0; i < 20; i++)
        watchdog_tick(vcpu);
    assert_int_equal(fake_records.count, 0);
}

static void a_slow_exit_is_named(void **state)
{
    struct event *event = &telemetry_cpu[0].last[299 % TELEMETRY_LAST];

    (void)state;
    *event = (struct event){.sequence = 299, .entry = 5, .exit = 5 + SECOND};
    watchdog_tick(vcpu);
    assert_null(fake_records.event);
    event->exit++;
    watchdog_tick(vcpu);
    assert_string_equal(fake_records.event, "slow-exit");
    fake_records.event = NULL;
    event->key = KEY_CAUSE_WFI;
    watchdog_tick(vcpu);
    assert_null(fake_records.event);
}

// CPU 1 has been in exit 300 for age ticks.
static void look_at_neighbour(uint64_t age)
{
    struct event *event = &telemetry_cpu[1].last[300 % TELEMETRY_LAST];

    fake_records.event = NULL;
    event->sequence = 300;
    event->entry = 100 * SECOND - age;
    watchdog_tick(vcpu);
}

static void a_stalled_neighbour_is_named_once(void **state)
{
    (void)state;
    look_at_neighbour(SECOND);
    assert_null(fake_records.event);
    look_at_neighbour(SECOND + 1);
    assert_string_equal(fake_records.event, "el2-stall");
    look_at_neighbour(2 * SECOND + 1);
    assert_null(fake_records.event);
    look_at_neighbour((uint64_t)-1); // entered after the time was read
    assert_null(fake_records.event);
    monitor = true;
    look_at_neighbour(SECOND + 1);
    assert_null(fake_records.event);
    monitor = false;
    telemetry_cpu[1].last[300 % TELEMETRY_LAST].cause = KEY_CAUSE_WFI;
    look_at_neighbour(SECOND + 1);
    assert_null(fake_records.event);
    telemetry_cpu[1].last[300 % TELEMETRY_LAST].cause = 0;
    telemetry_cpu[1].sequence++; // left
    look_at_neighbour(SECOND + 1);
    assert_null(fake_records.event);
}

// No slot of its says that an exit 0 began with the counter.
static void a_cpu_without_an_exit_yet_is_not_stalled(void **state)
{
    (void)state;
    telemetry_cpu[1].sequence = 0;
    fake_sysreg_set("CNTPCT_EL0", SECOND + 1);
    watchdog_tick(vcpu);
    assert_null(fake_records.event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_told_of_a_guest_that_is_well, setup),
        cmocka_unit_test_setup(a_hang_is_told_once, setup),
        cmocka_unit_test_setup(a_guest_that_only_serves_interrupts_is_well, setup),
        cmocka_unit_test_setup(a_loop_of_refused_fetches_is_told_once, setup),
        cmocka_unit_test_setup(a_paused_vcpu_does_not_hang, setup),
        cmocka_unit_test_setup(a_slow_exit_is_named, setup),
        cmocka_unit_test_setup(a_stalled_neighbour_is_named_once, setup),
        cmocka_unit_test_setup(a_cpu_without_an_exit_yet_is_not_stalled, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
