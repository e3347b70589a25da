// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// Whom an interrupt goes to: SGIs by their targets, SPIs by their routes and by who is awake, what a CPU that is turned
// off leaves behind, and what wakes a vCPU out of WFI.

#include "vgic_world.h"

#define SPI 40

static void set_line(unsigned int intid, bool level)
{
    assert_int_equal(vgic_set_line(&vm, 0, intid, level), HV_OK);
}

static void sgi_to_self(void **state)
{
    (void)state;
    redist_write(0, SGI_FRAME + ISENABLER, 1 << 5);
    for (unsigned int round = 0; round < 3; round++) {
        vgic_write_sgi1r(&vm.vcpus[0], 5ULL << 24 | 1);
        assert_int_equal(vm.vcpus[0].gic.work, 0); // straight into a list register
        assert_int_equal(guest_acknowledge(), 5);
        vgic_write_sgi1r(&vm.vcpus[0], 5ULL << 24 | 1);
        assert_int_equal(guest_acknowledge(), INTID_SPURIOUS); // pending again, but active
        guest_end(5);
        assert_int_equal(guest_acknowledge(), 5);
        guest_end(5);
        assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    }
}

static void sgi_to_others(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < WORLD_CPUS; i++)
        redist_write(i, SGI_FRAME + ISENABLER, 0xffff);
    settle();
    vgic_write_sgi1r(&vm.vcpus[0], 7ULL << 24 | 6);
    assert_true(cpus[1].kicked && cpus[2].kicked);
    settle();
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        run_on(i);
        assert_int_equal(guest_acknowledge(), i == 0 ? INTID_SPURIOUS : 7);
    }
    run_on(1);
    vgic_write_sgi1r(&vm.vcpus[1], BIT64(40) | 9ULL << 24); // all but self
    settle();
    assert_int_equal(redist_read(1, SGI_FRAME + ISPENDR), 0);
    assert_int_equal(redist_read(0, SGI_FRAME + ISPENDR), 1 << 9);
    assert_int_equal(redist_read(2, SGI_FRAME + ISPENDR), 1 << 9);
    // Nobody there, the wrong group, a group that nothing is in.
    vgic_write_sgi1r(&vm.vcpus[1], 1ULL << 16 | 3ULL << 24 | 7);
    vgic_write_sgi1r(&vm.vcpus[1], 1ULL << 44 | 3ULL << 24 | 7);
    vgic_write_sgi1r(&vm.vcpus[1], 3ULL << 24 | 0xfff8);
    vgic_write_sgi0r(&vm.vcpus[1], 3ULL << 24 | 7);
    for (unsigned int i = 0; i < WORLD_CPUS; i++)
        assert_int_equal(redist_read(i, SGI_FRAME + ISPENDR) & 8, 0);
    redist_write(2, SGI_FRAME + IGROUPR, ~8u);
    vgic_write_sgi0r(&vm.vcpus[1], 3ULL << 24 | 7);
    settle();
    assert_int_equal(redist_read(2, SGI_FRAME + ISPENDR) & 8, 8);
    assert_int_equal(redist_read(1, SGI_FRAME + ISPENDR) & 8, 0);
}

// bank->latched of vCPU 1 when its lock was taken and when it was given back; ~0: that did not happen
static uint32_t latched_at_acquire, latched_at_release;

static void look(enum fake_operation operation)
{
    const struct fake_step *step = &fake_trace[fake_trace_count - 1];

    if (step->argument != (uintptr_t)&vm.vcpus[1].gic.lock)
        return;
    if (operation == FAKE_LOCK_ACQUIRE)
        latched_at_acquire = vm.vcpus[1].gic.bank.latched;
    if (operation == FAKE_LOCK_RELEASE)
        latched_at_release = vm.vcpus[1].gic.bank.latched;
}

static void an_sgi_is_put_down_under_its_targets_lock(void **state)
{
    (void)state;

    latched_at_acquire = latched_at_release = ~0u;
    fake_trace_reset();
    fake_trace_hook = look;
    vgic_write_sgi1r(&vm.vcpus[0], UINT64_C(5) << 24 | 1 << 1);
    fake_trace_hook = NULL;
    assert_int_equal(latched_at_acquire, 0);
    assert_int_equal(latched_at_release, 1 << 5);
    assert_int_equal(vm.vcpus[1].gic.lock.ticket.held, 0);
}

static void routing(void **state)
{
    uint32_t bit = 1u << (SPI - 32);
    (void)state;
    dist_write(ISENABLER + 4, bit);
    distributor(IROUTER + 8 * SPI, 8, true, 7); // nobody
    set_line(SPI, true);
    settle();
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        run_on(i);
        assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    }
    run_on(0);
    distributor(IROUTER + 8 * SPI, 8, true, 1);
    settle();
    distributor(IROUTER + 8 * SPI, 8, true, 2); // moves while listed
    settle();
    run_on(1);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    run_on(2);
    assert_int_equal(guest_acknowledge(), SPI);
    set_line(SPI, false);
    guest_end(SPI);
    // 1 of N: here, or on the first CPU that is on.
    distributor(IROUTER + 8 * SPI, 8, true, BIT64(31));
    vm.vcpus[0].power = VCPU_OFF;
    vm.vcpus[2].power = VCPU_OFF;
    set_line(SPI, true);
    settle();
    run_on(1);
    assert_int_equal(guest_acknowledge(), SPI);
    set_line(SPI, false);
    guest_end(SPI);
    vm.vcpus[1].power = VCPU_OFF;
    set_line(SPI, true);
    settle();
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    assert_int_equal(dist_read(ISPENDR + 4), bit);
}

// GICR_WAKER.ProcessorSleep: no 1-of-N interrupt goes to such a CPU.
static void one_of_n_goes_to_a_cpu_that_is_awake(void **state)
{
    uint32_t bit = 1u << (SPI - 32);
    (void)state;
    dist_write(ISENABLER + 4, bit);
    distributor(IROUTER + 8 * SPI, 8, true, BIT64(31));
    redist_write(0, WAKER, 2);
    redist_write(1, WAKER, 2);
    dist_write(ISPENDR + 4, bit); // by CPU 0, which sleeps
    settle();
    for (unsigned int i = 0; i < 2; i++) {
        run_on(i);
        assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    }
    redist_write(2, WAKER, 2); // with the interrupt listed
    settle();
    run_on(2);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    assert_int_equal(dist_read(ISPENDR + 4), bit);
    run_on(0);
    redist_write(1, WAKER, 0); // by another CPU
    settle();
    run_on(1);
    assert_int_equal(guest_acknowledge(), SPI);
    guest_end(SPI);
    run_on(0);
    redist_write(0, WAKER, 2);
    distributor(IROUTER + 8 * SPI, 8, true, 0); // what is for one CPU alone reaches it
    dist_write(ISPENDR + 4, bit);
    settle();
    assert_int_equal(guest_acknowledge(), SPI);
}

static void a_cpu_turned_off_hands_its_interrupts_on(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, 3u << 8);
    distributor(IROUTER + 8 * 40, 8, true, BIT64(31));
    distributor(IROUTER + 8 * 41, 8, true, 2);
    run_on(2);
    set_line(40, true);
    set_line(41, true);
    settle();
    vm.vcpus[2].power = VCPU_OFF;
    vgic_stop_cpu(&vm.vcpus[2]);
    for (unsigned int k = 0; k < WORLD_LRS; k++)
        assert_int_equal(fake_sysreg_get(lr_names[k]) & ICH_LR_EL2_STATE & ICH_LR_EL2_ACTIVE, 0);
    settle();
    run_on(0);
    assert_int_equal(guest_acknowledge(), 40);
    run_on(2);
    vm.vcpus[2].power = VCPU_ON;
    vgic_init_cpu(&vm.vcpus[2]);
    cpus[2].kicked = true;
    settle();
    assert_int_equal(guest_acknowledge(), 41);
}

// With its list registers empty, "nothing pending" would be a maintenance interrupt that fills them again: a CPU that
// is off would keep interrupts from the others, and its WFI would not wait.
static void a_cpu_turned_off_asks_for_no_maintenance(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, 0xff00);
    run_on(2);
    for (unsigned int intid = 40; intid < 48; intid++) {
        distributor(IROUTER + 8 * intid, 8, true, 2);
        set_line(intid, true);
    }
    settle();
    assert_true(fake_sysreg_get("ICH_HCR_EL2") & ICH_HCR_EL2_NPIE);
    vm.vcpus[2].power = VCPU_OFF;
    vgic_stop_cpu(&vm.vcpus[2]);
    assert_int_equal(fake_sysreg_get("ICH_HCR_EL2") & (ICH_HCR_EL2_NPIE | ICH_HCR_EL2_LRENPIE | ICH_HCR_EL2_UIE), 0);
}

static void wake_up(void **state)
{
    (void)state;
    assert_false(vgic_has_pending(&vm.vcpus[0]));
    redist_write(0, SGI_FRAME + ISENABLER, 1);
    redist_write(0, SGI_FRAME + IPRIORITYR, 0x80);
    vgic_write_sgi1r(&vm.vcpus[0], 1);
    assert_false(vgic_has_pending(&vm.vcpus[0]));
    fake_sysreg_set("ICH_VMCR_EL2", ICH_VMCR_EL2_VENG1 | FIELD_PREP(ICH_VMCR_EL2_VPMR, 0x80));
    assert_false(vgic_has_pending(&vm.vcpus[0]));
    fake_sysreg_set("ICH_VMCR_EL2", ICH_VMCR_EL2_VENG1 | FIELD_PREP(ICH_VMCR_EL2_VPMR, 0xf8));
    assert_true(vgic_has_pending(&vm.vcpus[0]));
    guest_acknowledge();
    assert_false(vgic_has_pending(&vm.vcpus[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sgi_to_self, world_started),
        cmocka_unit_test_setup(sgi_to_others, world_started),
        cmocka_unit_test_setup(an_sgi_is_put_down_under_its_targets_lock, world_started),
        cmocka_unit_test_setup(routing, world_started),
        cmocka_unit_test_setup(one_of_n_goes_to_a_cpu_that_is_awake, world_started),
        cmocka_unit_test_setup(a_cpu_turned_off_hands_its_interrupts_on, world_started),
        cmocka_unit_test_setup(a_cpu_turned_off_asks_for_no_maintenance, world_started),
        cmocka_unit_test_setup(wake_up, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
