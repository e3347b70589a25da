// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// How an interrupt lives and ends: edges, levels, and the timer's, which is forwarded from the hardware.

#include "vgic_world.h"

#define SPI 40

static void set_line(unsigned int intid, bool level)
{
    assert_int_equal(vgic_set_line(&vm, 0, intid, level), HV_OK);
}

static void an_edge_waits_until_it_is_enabled(void **state)
{
    (void)state;
    dist_write(ICFGR + 4 * (SPI / 16), 2u << (2 * (SPI % 16)));
    distributor(IROUTER + 8 * SPI, 8, true, 1);
    assert_int_equal(vgic_set_line(&vm, 0, SPI, true), HV_OK);
    assert_int_equal(vgic_set_line(&vm, 0, SPI, false), HV_OK);
    settle();
    assert_int_equal(dist_read(ISPENDR + 4), 1 << (SPI - 32));
    run_on(1);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    dist_write(ISENABLER + 4, 1 << (SPI - 32));
    settle();
    assert_int_equal(guest_acknowledge(), SPI);
    assert_int_equal(dist_read(ISPENDR + 4), 0);
    assert_int_equal(dist_read(ISACTIVER + 4), 1 << (SPI - 32));
    guest_end(SPI);
    settle();
    assert_int_equal(dist_read(ISACTIVER + 4), 0);
}

static void a_level_comes_until_it_falls(void **state)
{
    uint64_t maintenance;
    (void)state;
    dist_write(ISENABLER + 4, 1 << (SPI - 32));
    set_line(SPI, true);
    for (unsigned int round = 0; round < 3; round++) {
        settle();
        assert_int_equal(guest_acknowledge(), SPI);
        assert_int_equal(dist_read(ISPENDR + 4), 1 << (SPI - 32)); // active, and high still
        guest_end(SPI);
    }
    settle();
    assert_int_equal(guest_acknowledge(), SPI);
    maintenance = vm.vcpus[0].gic.maintenance_count;
    set_line(SPI, false); // the handler serves the device
    assert_int_equal(dist_read(ISPENDR + 4), 0);
    guest_end(SPI);
    settle();
    assert_int_equal(vm.vcpus[0].gic.maintenance_count, maintenance); // and no exit tells what is known
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    set_line(SPI, true);
    set_line(SPI, false);
    settle();
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    // Falls on another CPU than the one that has it listed; rises while active.
    set_line(SPI, true);
    run_on(2);
    set_line(SPI, false);
    assert_int_equal(dist_read(ISPENDR + 4), 0);
    settle();
    run_on(0);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    set_line(SPI, true);
    assert_int_equal(guest_acknowledge(), SPI);
    set_line(SPI, false);
    set_line(SPI, true);
    guest_end(SPI);
    settle();
    assert_int_equal(guest_acknowledge(), SPI);
}

static void a_level_made_pending_by_software(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, 1 << (SPI - 32));
    dist_write(ISPENDR + 4, 1 << (SPI - 32));
    set_line(SPI, true);
    set_line(SPI, false);
    settle();
    assert_int_equal(dist_read(ISPENDR + 4), 1 << (SPI - 32));
    assert_int_equal(guest_acknowledge(), SPI);
    assert_int_equal(dist_read(ISPENDR + 4), 0);
    dist_write(ISPENDR + 4, 1 << (SPI - 32)); // again, while active
    assert_int_equal(dist_read(ISPENDR + 4), 1 << (SPI - 32));
    guest_end(SPI);
    settle();
    assert_int_equal(guest_acknowledge(), SPI);
    guest_end(SPI);
    settle();
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
}

#define TIMER_BIT (1u << INTID_VIRTUAL_TIMER)

// The physical timer's interrupt comes, and is active until the guest ends its own.
static void timer_fires(void)
{
    cpus[0].physical_active = TIMER_BIT;
    cpus[0].physical_high = TIMER_BIT;
    forward_timer();
}

// ... and sets the next deadline.
static void guest_takes_timer(void)
{
    assert_int_equal(guest_acknowledge(), INTID_VIRTUAL_TIMER);
    cpus[0].physical_high = 0;
}

static void guest_ends_timer(void)
{
    guest_end(INTID_VIRTUAL_TIMER);
    settle();
}

static void the_timer_is_forwarded(void **state)
{
    (void)state;
    assert_int_equal(cpus[0].physical_enabled & TIMER_BIT, 0);
    redist_write(0, SGI_FRAME + ISENABLER, TIMER_BIT);
    assert_int_equal(cpus[0].physical_enabled & TIMER_BIT, TIMER_BIT);
    assert_int_equal(cpus[1].physical_enabled & TIMER_BIT, 0);
    cpus[0].physical_pending = TIMER_BIT;
    assert_int_equal(redist_read(0, SGI_FRAME + ISPENDR), TIMER_BIT);
    cpus[0].physical_pending = 0;
    for (unsigned int round = 0; round < 3; round++) {
        uint64_t refills = vm.vcpus[0].gic.refill_count;
        timer_fires();
        assert_int_equal(vm.vcpus[0].gic.work, 0);
        assert_int_equal(vm.vcpus[0].gic.refill_count, refills);
        guest_takes_timer();
        assert_int_equal(redist_read(0, SGI_FRAME + ISACTIVER), TIMER_BIT);
        guest_end(INTID_VIRTUAL_TIMER);
        assert_int_equal(cpus[0].physical_active, 0);
    }
    // What is no forwarded interrupt is turned off.
    cpus[0].physical_enabled |= 1 << 20;
    cpus[0].physical_active = 1 << 20;
    vgic_forward(&vm.vcpus[0], 20);
    assert_int_equal(cpus[0].physical_enabled & 1 << 20, 0);
    assert_int_equal(cpus[0].physical_active, 0);
}

static void a_timer_that_is_pending_while_active_comes_again(void **state)
{
    (void)state;
    redist_write(0, SGI_FRAME + ISENABLER, TIMER_BIT);
    // Active for the guest, which has made it pending itself, when the physical one comes: the guest's end of that is
    // the physical one's.
    redist_write(0, SGI_FRAME + ISPENDR, TIMER_BIT);
    settle();
    guest_takes_timer();
    timer_fires();
    settle();
    assert_int_equal(redist_read(0, SGI_FRAME + ISACTIVER), TIMER_BIT);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    guest_ends_timer();
    guest_takes_timer();
    guest_ends_timer();
    assert_int_equal(cpus[0].physical_active, 0);
    // Made pending by the guest while the physical one is active.
    timer_fires();
    guest_takes_timer();
    redist_write(0, SGI_FRAME + ISPENDR, TIMER_BIT);
    settle();
    guest_ends_timer();
    guest_takes_timer();
    guest_ends_timer();
    assert_int_equal(cpus[0].physical_active, 0);
}

static void a_timer_that_the_guest_does_not_take_is_given_back(void **state)
{
    (void)state;
    // Disabled by the guest before it looks: not lost and not stuck.
    redist_write(0, SGI_FRAME + ISENABLER, TIMER_BIT);
    timer_fires();
    redist_write(0, SGI_FRAME + ICENABLER, TIMER_BIT);
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
    assert_int_equal(cpus[0].physical_enabled & TIMER_BIT, 0);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    // By the group's enable, and one that arrives too late, the last one's list register being there.
    redist_write(0, SGI_FRAME + ISENABLER, TIMER_BIT);
    timer_fires();
    guest_takes_timer();
    settle();
    guest_end(INTID_VIRTUAL_TIMER);
    dist_write(0, 1);
    assert_int_equal(cpus[0].physical_enabled & TIMER_BIT, 0);
    timer_fires();
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
    dist_write(0, 3);
    assert_int_equal(cpus[0].physical_enabled & TIMER_BIT, TIMER_BIT);
    // Deactivated by the guest through the register, on another CPU.
    timer_fires();
    settle();
    guest_takes_timer();
    run_on(1);
    redist_write(0, SGI_FRAME + ICACTIVER, TIMER_BIT);
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_edge_waits_until_it_is_enabled, world_started),
        cmocka_unit_test_setup(a_level_comes_until_it_falls, world_started),
        cmocka_unit_test_setup(a_level_made_pending_by_software, world_started),
        cmocka_unit_test_setup(the_timer_is_forwarded, world_started),
        cmocka_unit_test_setup(a_timer_that_is_pending_while_active_comes_again, world_started),
        cmocka_unit_test_setup(a_timer_that_the_guest_does_not_take_is_given_back, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
