// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vtimer.c drivers/hyp_timer.c platform/platform.c tests/fake/fake_cpu.c
// Guest time: the offset, the forwarded virtual timer and its lateness, and the emulated physical timer.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake_gicv3.h>
#include <fake_panic.h>
#include <fake_vgic.h>

#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

static struct vm vm;
static struct vcpu *const vcpu = &vm.vcpus[0];

// The virtual timer's interrupt is given back to the hardware when the guest's time is what it shall be.
static void look(uint64_t effect, uint64_t intid)
{
    if (effect == FAKE_GIC && intid == INTID_VIRTUAL_TIMER && fake_gicv3.deactivated != 0)
        assert_int_equal(fake_sysreg_get("CNTVOFF_EL2"), vm.virtual_offset);
}

#define NONE HYP_TIMER_NEVER // CNTHP's deadline when the guest has none

static void now(uint64_t count)
{
    fake_sysreg_set("CNTPCT_EL0", count);
    fake_sysreg_set("CNTVCT_EL0", count - vm.virtual_offset);
}

static int setup(void **state)
{
    (void)state;
    fake_trace_reset();
    fake_sysreg_reset();
    memset(&vm, 0, sizeof(vm));
    vm.vcpu_count = 1;
    vcpu->vm = &vm;
    vm.virtual_offset = (uint64_t)-1000;
    fake_vgic = (struct fake_vgic){.vm = &vm, .intid = INTID_PHYSICAL_TIMER};
    fake_gicv3 = (struct fake_gicv3){0};
    fake_effect_hook = look;
    fake_sysreg_set("CNTV_CTL_EL0", 5);
    fake_sysreg_set("CNTFRQ_EL0", 1000000);
    now(5000);
    fake_sysreg_set("TPIDR_EL2", (uint64_t)vcpu);
    hyp_timer_init_cpu();
    vtimer_init_cpu(vcpu);
    return 0;
}

static void starts_with_every_timer_off(void **state)
{
    (void)state;
    assert_int_equal(fake_sysreg_get("CNTVOFF_EL2"), (uint64_t)-1000);
    assert_int_equal(fake_sysreg_get("CNTHCTL_EL2"), 0);
    assert_int_equal(fake_sysreg_get("CNTV_CTL_EL0"), 0);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), NONE);
    fake_vgic.level = true; // turned off with its timer due, and on again
    vcpu->timer.physical_ctl = CNTX_CTL_ENABLE;
    vtimer_init_cpu(vcpu);
    assert_false(fake_vgic.level);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), NONE);
}

static void virtual_interrupts_are_forwarded_and_their_lateness_counted(void **state)
{
    struct vtimer_snapshot snapshot;
    (void)state;
    fake_sysreg_set("CNTV_CVAL_EL0", 6000);
    vtimer_interrupt(vcpu);
    assert_int_equal(fake_vgic.forwarded, INTID_VIRTUAL_TIMER);
    fake_sysreg_set("CNTV_CVAL_EL0", 5999);
    vtimer_interrupt(vcpu);
    fake_sysreg_set("CNTV_CVAL_EL0", 6000 - 5);
    vtimer_interrupt(vcpu);
    fake_sysreg_set("CNTV_CVAL_EL0", 0);
    vtimer_interrupt(vcpu);
    now(UINT64_MAX / 2);
    vtimer_interrupt(vcpu);
    vtimer_snapshot(vcpu, &snapshot);
    assert_int_equal(snapshot.late[0], 1);
    assert_int_equal(snapshot.late[1], 1);
    assert_int_equal(snapshot.late[3], 1);
    assert_int_equal(snapshot.late[13], 1);
    assert_int_equal(snapshot.late[VTIMER_LATE_BUCKETS - 1], 1);
}

// Then its time has not come: it is asked again when the guest's goes on.
static void a_virtual_interrupt_that_comes_while_the_vcpu_waits_is_held(void **state)
{
    (void)state;
    vcpu->waiting = true;
    vtimer_interrupt(vcpu);
    assert_int_equal(fake_vgic.forwarded, 0);
    assert_int_equal(vcpu->timer.late[0], 0);
    vcpu->waiting = false;
    vm.virtual_offset += 500;
    vtimer_update_offset(vcpu);
    assert_int_equal(fake_gicv3.deactivated, 1);
    vtimer_update_offset(vcpu);
    assert_int_equal(fake_gicv3.deactivated, 1);
    vtimer_interrupt(vcpu);
    assert_int_equal(fake_vgic.forwarded, INTID_VIRTUAL_TIMER);
}

static void physical_timer_fires_once_its_time_has_come(void **state)
{
    (void)state;
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTPCT), 6000);
    vtimer_physical_write(vcpu, VTIMER_CNTPCT, 1);
    vtimer_physical_write(vcpu, VTIMER_CNTP_TVAL, 100);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_CVAL), 6100);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), NONE);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 0xff);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_CTL), 3);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), NONE); // masked
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 1);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), 5100);
    assert_false(fake_vgic.level);
    now(5099);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_CTL), 1);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_TVAL), 1);
    now(5101);
    hyp_timer_interrupt();
    assert_true(fake_vgic.level);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), NONE);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_CTL), 5);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_TVAL), 0xffffffff);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CVAL, 9000);
    assert_false(fake_vgic.level);
    vtimer_physical_write(vcpu, VTIMER_CNTP_TVAL, 0xffffffff); // one tick ago
    assert_true(fake_vgic.level);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 3);
    assert_false(fake_vgic.level);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_CTL), 7);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 0);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTP_CTL), 0);
}

static void a_pause_does_not_make_it_jump(void **state)
{
    (void)state;
    vtimer_physical_write(vcpu, VTIMER_CNTP_TVAL, 100);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 1);
    now(5500);
    vm.virtual_offset += 500;
    vtimer_update_offset(vcpu);
    assert_int_equal(fake_sysreg_get("CNTVOFF_EL2"), (uint64_t)-500);
    assert_int_equal(vtimer_physical_read(vcpu, VTIMER_CNTPCT), 6000);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), 5600);
    assert_false(fake_vgic.level);
}

// A deadline that lies behind the end of time for the real counter must not come at once, and for ever.
static void a_deadline_at_the_end_of_time_never_comes(void **state)
{
    (void)state;
    vtimer_physical_write(vcpu, VTIMER_CNTP_CVAL, UINT64_MAX - 3);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 1);
    assert_false(fake_vgic.level);
    assert_true(fake_sysreg_get("CNTHP_CVAL_EL2") > UINT64_MAX / 2);
}

// The same where the offset is above 0, and the sum of both wraps.
static void nor_does_it_when_the_guest_is_behind(void **state)
{
    (void)state;
    vm.virtual_offset = 1000;
    vtimer_physical_write(vcpu, VTIMER_CNTP_CVAL, UINT64_MAX - 3);
    vtimer_physical_write(vcpu, VTIMER_CNTP_CTL, 1);
    assert_false(fake_vgic.level);
    assert_true(fake_sysreg_get("CNTHP_CVAL_EL2") == NONE);
    vtimer_physical_write(vcpu, VTIMER_CNTP_TVAL, 100);
    assert_int_equal(fake_sysreg_get("CNTHP_CVAL_EL2"), 5100);
}

// ---- vtimer_may_wrap: a QEMU whose timers come while somebody waits, the one that wraps or not

static bool wraps;
static unsigned int settings, waits;

static void timer_comes(const char *ctl)
{
    if (fake_sysreg_get(ctl) & 1)
        fake_sysreg_set(ctl, fake_sysreg_get(ctl) | 4);
}

static void timers_come(void)
{
    if (++waits < 3)
        return;
    if (wraps)
        timer_comes("CNTV_CTL_EL0");
    timer_comes("CNTHP_CTL_EL2");
}

// The first two times both are late when they are set, and are told so at once.
static void late_at_first(enum fake_operation operation)
{
    if (operation == FAKE_ISB && ++settings <= 2) {
        timer_comes("CNTV_CTL_EL0");
        timer_comes("CNTHP_CTL_EL2");
    }
}

static void a_machine_where_deadlines_may_wrap_is_told_from_one_where_not(void **state)
{
    uint64_t lead = UINT64_C(1) << 50;
    (void)state;
    fake_yield = timers_come;
    fake_trace_hook = late_at_first;
    for (unsigned int i = 0; i < 2; i++) {
        wraps = i == 1;
        settings = waits = 0;
        assert_int_equal(vtimer_may_wrap(lead), wraps);
        assert_int_equal(settings, 3);
        assert_int_equal(fake_sysreg_get("CNTVOFF_EL2"), -lead);
        assert_in_range(fake_sysreg_get("CNTV_CVAL_EL0"), lead + 5001, lead + fake_sysreg_get("CNTHP_CVAL_EL2") - 1);
        assert_int_equal(fake_sysreg_get("CNTV_CTL_EL0"), 0);
        assert_int_equal(fake_sysreg_get("CNTHP_CTL_EL2"), 0);
    }
    fake_yield = NULL;
}

static void what_the_monitor_sees(void **state)
{
    struct vtimer_snapshot snapshot;
    (void)state;
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    fake_sysreg_set("CNTV_CTL_EL0", 1);
    fake_sysreg_set("CNTV_CVAL_EL0", 6010);
    vm.paused_ticks = 77;
    vtimer_snapshot(vcpu, &snapshot);
    assert_int_equal(snapshot.frequency, 62500000);
    assert_int_equal(snapshot.physical_count, 5000);
    assert_int_equal(snapshot.virtual_count, 6000);
    assert_int_equal(snapshot.offset, (uint64_t)-1000);
    assert_int_equal(snapshot.paused_ticks, 77);
    assert_int_equal(snapshot.virtual_due, 10);
    assert_int_equal(snapshot.virtual_ctl, 1);
    vm.state = VM_PAUSED;
    vm.pause_started = 4500;
    vtimer_snapshot(vcpu, &snapshot);
    assert_int_equal(snapshot.virtual_count, 5500);
    assert_int_equal(snapshot.paused_ticks, 77 + 500); // the pause that lasts, too
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_with_every_timer_off, setup),
        cmocka_unit_test_setup(virtual_interrupts_are_forwarded_and_their_lateness_counted, setup),
        cmocka_unit_test_setup(a_virtual_interrupt_that_comes_while_the_vcpu_waits_is_held, setup),
        cmocka_unit_test_setup(physical_timer_fires_once_its_time_has_come, setup),
        cmocka_unit_test_setup(a_pause_does_not_make_it_jump, setup),
        cmocka_unit_test_setup(what_the_monitor_sees, setup),
        cmocka_unit_test_setup(a_deadline_at_the_end_of_time_never_comes, setup),
        cmocka_unit_test_setup(nor_does_it_when_the_guest_is_behind, setup),
        cmocka_unit_test_setup(a_machine_where_deadlines_may_wrap_is_told_from_one_where_not, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
