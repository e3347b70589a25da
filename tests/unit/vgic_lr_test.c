// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// List registers: more pending and more active interrupts than there are registers, ends in two steps, and a priority
// that changes meanwhile.

#include "vgic_world.h"

#define SPI 40

static void more_pending_than_list_registers(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, ~0u);
    for (unsigned int n = 0; n < 32; n++)
        set_priority(0, 32 + n, (31 - n) << 3);
    dist_write(ISPENDR + 4, ~0u);
    settle();
    assert_true(fake_sysreg_get("ICH_HCR_EL2") & ICH_HCR_EL2_NPIE);
    assert_int_equal(dist_read(ISPENDR + 4), ~0u);
    for (unsigned int n = 0; n < 32; n++) {
        assert_int_equal(guest_acknowledge(), 63 - n);
        guest_end(63 - n);
        settle();
    }
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    assert_int_equal(fake_sysreg_get("ICH_HCR_EL2"), ICH_HCR_EL2_EN | ICH_HCR_EL2_TDIR);
}

// ICC_CTLR_EL1.EOImode of the CPU that runs.
static void split_ends(bool split)
{
    uint64_t vmcr = fake_sysreg_get("ICH_VMCR_EL2");

    fake_sysreg_set("ICH_VMCR_EL2", split ? vmcr | ICH_VMCR_EL2_VEOIM : vmcr & ~ICH_VMCR_EL2_VEOIM);
}

static void more_active_than_list_registers(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, ~0u);
    for (unsigned int n = 0; n < 10; n++) {
        set_priority(0, 32 + n, (20 - n) << 3);
        dist_write(ISPENDR + 4, 1u << n);
        settle();
        assert_int_equal(guest_acknowledge(), 32 + n);
        settle();
    }
    assert_int_equal(dist_read(ISACTIVER + 4), 0x3ff);
    vgic_write_dir(&vm.vcpus[0], 32); // means nothing with EOImode 0
    assert_int_equal(dist_read(ISACTIVER + 4), 0x3ff);
    split_ends(true);
    vgic_write_dir(&vm.vcpus[0], 32); // the lowest of them, which has no list register
    vgic_write_dir(&vm.vcpus[0], 5000);
    split_ends(false);
    assert_int_equal(dist_read(ISACTIVER + 4), 0x3fe);
    for (unsigned int n = 9; n >= 1; n--) {
        guest_end(32 + n);
        settle();
        assert_int_equal(dist_read(ISACTIVER + 4), (1u << n) - 2);
    }
    assert_int_equal(fake_sysreg_get("ICH_HCR_EL2"), ICH_HCR_EL2_EN | ICH_HCR_EL2_TDIR);
}

// With EOImode 1, EOIR drops the priority and no more, whether the interrupt has a list register or not; DIR, on any
// CPU, ends it.
static void ends_in_two_steps(void **state)
{
    (void)state;
    split_ends(true);
    dist_write(ISENABLER + 4, ~0u);
    for (unsigned int n = 0; n < 10; n++) {
        dist_write(ISPENDR + 4, 1u << n);
        settle();
        assert_int_equal(guest_acknowledge(), 32 + n);
        settle();
        guest_end(32 + n);
        settle();
        assert_int_equal(dist_read(ISACTIVER + 4), (2u << n) - 1);
    }
    run_on(1);
    split_ends(true);
    for (unsigned int n = 0; n < 10; n++) {
        vgic_write_dir(&vm.vcpus[1], 32 + n);
        settle();
        assert_int_equal(dist_read(ISACTIVER + 4), 0x3ff & ~((2u << n) - 1));
    }
}

// The CPU interface ends what runs at the priority that it drops: that of its acknowledging.
static void a_priority_changed_while_active_counts_from_then_on(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, 1u << (SPI - 32));
    for (unsigned int priority = 0x80; priority > 0x60; priority -= 8) {
        dist_write(ISPENDR + 4, 1u << (SPI - 32));
        settle();
        assert_int_equal(guest_acknowledge(), SPI);
        set_priority(0, SPI, priority - 8);
        settle();
        assert_int_equal(dist_read(ISACTIVER + 4), 1u << (SPI - 32));
        guest_end(SPI);
        settle();
        assert_int_equal(dist_read(ISACTIVER + 4), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(more_pending_than_list_registers, world_started),
        cmocka_unit_test_setup(more_active_than_list_registers, world_started),
        cmocka_unit_test_setup(ends_in_two_steps, world_started),
        cmocka_unit_test_setup(a_priority_changed_while_active_counts_from_then_on, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
