// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// The registers of the guest's GICv3: reset values, widths, what is kept, and pending and active states that the guest
// writes; what the monitor sees of them.

#include "vgic_world.h"

#define SPI 40

static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(dist_read(0x0), 0x50);
    assert_int_equal(dist_read(0x4), 1 << 24 | 9 << 19 | VGIC_SPI_BANKS); // A3V: IROUTER has Aff3
    assert_int_equal(dist_read(0x8), 0x6100043b);
    assert_int_equal(dist_read(0xc), 0);
    for (uint64_t offset = 0x80; offset < 0x1000; offset += 4)
        assert_int_equal(dist_read(offset), 0);
    for (unsigned int intid = 32; intid < VGIC_INTIDS; intid++)
        assert_int_equal(distributor(IROUTER + 8 * intid, 8, false, 1), 0);
    assert_int_equal(dist_read(0xffe8), 0x3b);
    assert_int_equal(dist_read(0xffe0), 0x92);
    assert_int_equal(dist_read(0xffd0), 0x44);
    assert_int_equal(dist_read(0xffe4), 0xb4);
    assert_int_equal(dist_read(0xfff0) | dist_read(0xfff4) << 8 | dist_read(0xfff8) << 16 | dist_read(0xfffc) << 24,
                     0xb105f00d);
    for (unsigned int id = 0; id < WORLD_CPUS; id++) {
        assert_int_equal(redist_read(id, 0x0), 0);
        assert_int_equal(redist_read(id, 0x4), 0x6100043b);
        assert_int_equal(redist_read(id, 0x8), id << 8 | (id == WORLD_CPUS - 1 ? 0x10 : 0));
        assert_int_equal(redist_read(id, 0xc), id);
        assert_int_equal(redist_read(id, 0x14), 6);
        assert_int_equal(redist_read(id, 0xffe8), 0x3b);
        assert_int_equal(redist_read(id, 0xffe0), 0x93);
        for (uint64_t offset = 0; offset < 0x1000; offset += 4)
            assert_int_equal(redist_read(id, SGI_FRAME + offset), offset == ICFGR ? 0xaaaaaaaa : 0);
        redist_write(id, 0x14, 0);
        assert_int_equal(redist_read(id, 0x14), 0);
        redist_write(id, 0x14, 2);
        assert_int_equal(redist_read(id, 0x14), 6);
    }
    assert_int_equal(fake_sysreg_get("ICH_VMCR_EL2"), 8);
    assert_int_equal(fake_sysreg_get("ICH_HCR_EL2"), ICH_HCR_EL2_EN | ICH_HCR_EL2_TDIR);
}

static enum mmio_result sized(bool redistributor, uint64_t offset, unsigned int size)
{
    uint64_t value = 0;
    return (redistributor ? device_gicr.access : device_gicd.access)(vcpu_current(), (uint32_t)offset, size, &value);
}

static void widths(void **state)
{
    (void)state;
    for (unsigned int size = 1; size <= 8; size *= 2) {
        bool word = size == 4;
        assert_int_equal(sized(false, 0x4, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0x104, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0x424, size), word || size == 1 ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0x824, size), word || size == 1 ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0xc08, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0xf18, size), word || size == 1 ? MMIO_DONE : MMIO_FAULT); // CPENDSGIR
        assert_int_equal(sized(false, 0xf2f & ~(size - 1), size), word || size == 1 ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0xf30, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, IROUTER + 8 * SPI, size), size >= 4 ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(false, 0xffe8, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(true, 0x8, size), size >= 4 ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(true, 0x70, size), size >= 4 ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(true, 0x0, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(true, SGI_FRAME, size), word ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(sized(true, SGI_FRAME + 0x404, size), word || size == 1 ? MMIO_DONE : MMIO_FAULT);
    }
    assert_int_equal(sized(true, WORLD_CPUS * (uint64_t)GICR_STRIDE, 4), MMIO_FAULT);
    assert_int_equal(sized(true, (WORLD_CPUS - 1) * (uint64_t)GICR_STRIDE, 4), MMIO_DONE);
}

static void stored_registers(void **state)
{
    (void)state;
    for (unsigned int word = 0; word <= VGIC_SPI_BANKS + 1; word++) {
        bool there = word >= 1 && word <= VGIC_SPI_BANKS;
        dist_write(IGROUPR + 4 * word, 0x12345678);
        assert_int_equal(dist_read(IGROUPR + 4 * word), there ? 0x12345678 : 0);
        dist_write(ISENABLER + 4 * word, 0xf0f);
        assert_int_equal(dist_read(ISENABLER + 4 * word), there ? 0xf0f : 0);
        dist_write(ICENABLER + 4 * word, 0x00f);
        assert_int_equal(dist_read(ICENABLER + 4 * word), there ? 0xf00 : 0);
        dist_write(ICFGR + 8 * word, ~0u);
        assert_int_equal(dist_read(ICFGR + 8 * word), there ? 0xaaaaaaaa : 0);
        assert_int_equal(dist_read(ICFGR + 8 * word + 4), 0);
        dist_write(IPRIORITYR + 32 * word, 0x817f03ff);
        assert_int_equal(dist_read(IPRIORITYR + 32 * word), there ? 0x807800f8 : 0); // five bits
    }
    set_priority(0, 35, 0xb5);
    assert_int_equal(distributor(IPRIORITYR + 35, 1, false, 0), 0xb0);
    redist_write(1, SGI_FRAME + ICFGR, 0); // SGIs stay as they are
    assert_int_equal(redist_read(1, SGI_FRAME + ICFGR), 0xaaaaaaaa);
    redist_write(1, SGI_FRAME + ICFGR + 4, 0x80000000);
    assert_int_equal(redist_read(1, SGI_FRAME + ICFGR + 4), 0x80000000);
    assert_int_equal(redist_read(0, SGI_FRAME + ICFGR + 4), 0);
    distributor(IROUTER + 8 * SPI, 8, true, ~0ULL);
    assert_int_equal(distributor(IROUTER + 8 * SPI, 8, false, 0), 0xff80ffffffULL);
    distributor(IROUTER + 8 * SPI + 4, 4, true, 0);
    assert_int_equal(distributor(IROUTER + 8 * SPI, 8, false, 0), 0x80ffffffULL);
    distributor(IROUTER, 8, true, 1);
    assert_int_equal(distributor(IROUTER, 8, false, 1), 0);
    dist_write(0, ~0u);
    assert_int_equal(dist_read(0), 0x53);
}

static void pending_and_active_written_by_the_guest(void **state)
{
    uint32_t bit = 1u << (SPI - 32);
    (void)state;
    distributor(IROUTER + 8 * SPI, 8, true, 2);
    dist_write(ISENABLER + 4, bit);
    dist_write(ISPENDR + 4, bit); // listed on CPU 2 from here
    settle();
    dist_write(ICPENDR + 4, bit);
    assert_int_equal(dist_read(ISPENDR + 4), 0); // whether or not CPU 2 has come to it
    settle();
    assert_int_equal(dist_read(ISPENDR + 4), 0);
    run_on(2);
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    run_on(0);
    dist_write(ICPENDR + 4, bit);
    dist_write(ISPENDR + 4, bit); // the later one wins
    settle();
    run_on(2);
    assert_int_equal(guest_acknowledge(), SPI);
    run_on(1);
    dist_write(ICACTIVER + 4, bit);
    assert_int_equal(dist_read(ISACTIVER + 4), 0);
    settle();
    assert_int_equal(dist_read(ISACTIVER + 4), 0);
    dist_write(ISACTIVER + 4, bit);
    dist_write(ISPENDR + 4, bit);
    settle();
    assert_int_equal(dist_read(ISACTIVER + 4), bit);
    run_on(2);
    cpus[2].depth = 0;
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS); // pending, but active
    dist_write(ICACTIVER + 4, bit);
    settle();
    assert_int_equal(guest_acknowledge(), SPI);
    dist_write(ISACTIVER + 4, 0);
    dist_write(ICACTIVER + 4, 0);
    dist_write(ISPENDR + 4, 0);
    dist_write(ICPENDR + 4, 0);
}

static void priorities_and_groups_change_while_listed(void **state)
{
    (void)state;
    dist_write(ISENABLER + 4, 3);
    dist_write(ISPENDR + 4, 3);
    set_priority(0, 32, 0x80);
    set_priority(0, 33, 0x40);
    settle();
    assert_int_equal(guest_acknowledge(), 33);
    set_priority(0, 33, 0x48);
    settle();
    guest_end(33);
    dist_write(IGROUPR + 4, ~1u);
    settle();
    assert_int_equal(fake_sysreg_get(lr_names[0]) & ICH_LR_EL2_GROUP, 0);
    dist_write(0, 2);
    settle();
    assert_int_equal(guest_acknowledge(), INTID_SPURIOUS);
    dist_write(0, 3);
    settle();
    assert_int_equal(guest_acknowledge(), 32);
}

static void what_the_monitor_sees(void **state)
{
    struct vgic_snapshot snapshot;
    struct vgic_interrupt interrupt;
    (void)state;
    assert_int_equal(vgic_set_pending(&vm, 1, 20), HV_OK);
    redist_write(1, SGI_FRAME + ISENABLER, 1 << 20);
    settle();
    vgic_snapshot(&vm.vcpus[1], &snapshot);
    assert_int_equal(snapshot.lr_count, WORLD_LRS);
    assert_int_equal(snapshot.lr[0] & ICH_LR_EL2_VINTID, 20);
    assert_int_equal(snapshot.ctlr, 0x53);
    assert_true(vgic_query(&vm.vcpus[1], 20, &interrupt));
    assert_true(interrupt.pending && interrupt.listed && interrupt.enabled && !interrupt.active);
    assert_int_equal(interrupt.target, 1);
    assert_true(vgic_query(&vm.vcpus[1], 90, &interrupt));
    assert_int_equal(interrupt.target, 0);
    distributor(IROUTER + 8 * 90, 8, true, 9);
    vgic_query(&vm.vcpus[1], 90, &interrupt);
    assert_int_equal(interrupt.target, VGIC_NO_TARGET);
    assert_false(vgic_query(&vm.vcpus[1], VGIC_INTIDS, &interrupt));
    assert_int_equal(vgic_set_line(&vm, 0, VGIC_INTIDS, true), HV_ERR_BOUNDS);
    assert_int_equal(vgic_set_line(&vm, WORLD_CPUS, 3, true), HV_ERR_BOUNDS);
    assert_int_equal(vgic_set_pending(&vm, 99, 3), HV_ERR_BOUNDS);
    assert_int_equal(vgic_set_pending(&vm, 99, 33), HV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, world_reset),
        cmocka_unit_test_setup(widths, world_reset),
        cmocka_unit_test_setup(stored_registers, world_reset),
        cmocka_unit_test_setup(pending_and_active_written_by_the_guest, world_started),
        cmocka_unit_test_setup(priorities_and_groups_change_while_listed, world_started),
        cmocka_unit_test_setup(what_the_monitor_sees, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
