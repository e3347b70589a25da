// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// Interrupts of the guest's behind which a physical one stands: what the real redistributor
// has of them is not said from memory. guest/suites/ppi.c asks the same on the machine.

#include "vgic_world.h"

#define TIMER INTID_VIRTUAL_TIMER
#define BIT   (1u << TIMER)

static uint32_t timer_read(uint64_t offset)
{
    return redist_read(0, SGI_FRAME + offset) & BIT;
}

static void timer_write(uint64_t offset)
{
    redist_write(0, SGI_FRAME + offset, BIT);
}

static void make_edge(bool edge)
{
    redist_write(0, SGI_FRAME + ICFGR + 4, edge ? 2u << 2 * (TIMER - 16) : 0);
}

// EL2 acknowledges the physical interrupt: what an edge has left is gone.
static void timer_comes(void)
{
    cpus[0].physical_active |= BIT;
    cpus[0].physical_pending &= ~BIT;
    forward_timer();
}

static void active_with_the_line_high_is_pending_too(void **state)
{
    (void)state;
    timer_write(ISENABLER);
    cpus[0].physical_high = BIT;
    timer_comes();
    assert_int_equal(guest_acknowledge(), TIMER);
    assert_int_equal(timer_read(ISACTIVER), BIT);
    assert_int_equal(timer_read(ISPENDR), BIT);
    cpus[0].physical_high = 0;
    assert_int_equal(timer_read(ISPENDR), 0);
    assert_int_equal(timer_read(ISACTIVER), BIT);
}

static void the_configuration_is_the_hardwares(void **state)
{
    (void)state;
    timer_write(ISENABLER);
    make_edge(true);
    assert_int_equal(cpus[0].physical_edge, BIT);
    assert_int_equal(cpus[1].physical_edge, 0);
    assert_int_equal(cpus[0].physical_enabled & BIT, BIT);
    assert_int_equal(redist_read(0, SGI_FRAME + ICFGR + 4), 2u << 2 * (TIMER - 16));
    make_edge(false);
    assert_int_equal(cpus[0].physical_edge, 0);
    cpus[0].physical_fixed = BIT;
    make_edge(true);
    assert_int_equal(redist_read(0, SGI_FRAME + ICFGR + 4), 0);
    cpus[0].physical_edge = BIT; // fixed as edge-triggered: so the guest finds it from the start
    vgic_init_cpu(&vm.vcpus[0]);
    assert_int_equal(redist_read(0, SGI_FRAME + ICFGR + 4), 2u << 2 * (TIMER - 16));
    make_edge(false);
    assert_int_equal(redist_read(0, SGI_FRAME + ICFGR + 4), 2u << 2 * (TIMER - 16));
}

static void an_edge_is_not_lost_when_it_is_disabled(void **state)
{
    (void)state;
    make_edge(true);
    timer_write(ISENABLER);
    timer_comes();
    timer_write(ICENABLER);
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
    assert_int_equal(timer_read(ISPENDR), BIT);
    timer_comes(); // on its way when it was disabled
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    timer_write(ISENABLER);
    settle();
    assert_int_equal(guest_acknowledge(), TIMER);
    guest_end(TIMER);
    settle();
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
}

static void what_is_pending_in_hardware_is_cleared_there(void **state)
{
    (void)state;
    make_edge(true);
    cpus[0].physical_pending = BIT;
    assert_int_equal(timer_read(ISPENDR), BIT);
    timer_write(ICPENDR);
    assert_int_equal(timer_read(ISPENDR), 0);
    timer_write(ISENABLER);
    timer_comes();
    timer_write(ICPENDR); // taken by EL2, not by the guest
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
}

// Asked from another CPU: what EL2 took because the line was high, and the guest did not, goes with the line.
static void a_level_that_fell_before_the_guest_looked_is_not_pending(void **state)
{
    (void)state;
    timer_write(ISENABLER);
    cpus[0].physical_high = BIT;
    timer_comes();
    run_on(1);
    assert_int_equal(timer_read(ISPENDR), BIT);
    cpus[0].physical_high = 0;
    assert_int_equal(timer_read(ISPENDR), 0);
    settle();
    run_on(0);
    assert_int_equal(cpus[0].physical_active, 0);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    // The same when its CPU looks at its interrupts for another reason.
    cpus[0].physical_high = BIT;
    timer_comes();
    cpus[0].physical_high = 0;
    redist_write(0, SGI_FRAME + ISENABLER, 1);
    redist_write(0, SGI_FRAME + ICPENDR, BIT | 1);
    vgic_refill(&vm.vcpus[0]);
    assert_int_equal(cpus[0].physical_active, 0);
}

static void one_that_the_guest_made_pending_does_not_go_with_the_line(void **state)
{
    (void)state;
    timer_write(ISENABLER);
    timer_write(ISPENDR);
    cpus[0].physical_high = BIT;
    timer_comes();
    cpus[0].physical_high = 0;
    assert_int_equal(timer_read(ISPENDR), BIT);
    settle();
    assert_int_equal(guest_acknowledge(), TIMER);
    guest_end(TIMER);
    settle();
    assert_int_equal(cpus[0].physical_active, 0);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    assert_int_equal(timer_read(ISPENDR), 0);
    // That was the one time: the next one is the line's again.
    cpus[0].physical_high = BIT;
    timer_comes();
    settle();
    cpus[0].physical_high = 0;
    assert_int_equal(timer_read(ISPENDR), 0);
}

// However many CPUs have interrupts listed, a read asks them once.
static void a_read_asks_the_other_cpus_once(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        assert_int_equal(device_gicd.access(&vm.vcpus[0], IROUTER + 8 * (40 + i), 8 | MMIO_WRITE, &(uint64_t){i}),
                         MMIO_DONE);
        dist_write(ISENABLER + 4, 1u << (8 + i));
        dist_write(ISPENDR + 4, 1u << (8 + i));
    }
    settle();
    for (unsigned int i = 0; i < 2; i++) {
        world_calls = 0;
        (void)dist_read((i ? ISACTIVER : ISPENDR) + 4);
        assert_int_equal(world_calls, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(active_with_the_line_high_is_pending_too, world_started),
        cmocka_unit_test_setup(the_configuration_is_the_hardwares, world_started),
        cmocka_unit_test_setup(an_edge_is_not_lost_when_it_is_disabled, world_started),
        cmocka_unit_test_setup(what_is_pending_in_hardware_is_cleared_there, world_started),
        cmocka_unit_test_setup(a_level_that_fell_before_the_guest_looked_is_not_pending, world_started),
        cmocka_unit_test_setup(one_that_the_guest_made_pending_does_not_go_with_the_line, world_started),
        cmocka_unit_test_setup(a_read_asks_the_other_cpus_once, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
