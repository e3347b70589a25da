// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// The guest's GICv3: reset values, widths, each way an interrupt lives and ends, more pending
// and more active ones than list registers, and random operations on three CPUs against a model that knows nothing of
// list registers.

#include "vgic_world.h"

#define SPI 40

static void set_line(unsigned int intid, bool level)
{
    assert_int_equal(vgic_set_line(&vm, 0, intid, level), HV_OK);
}

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
    assert_int_equal(vm.vcpus[1].gic.lock.held, 0);
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

// ---- Random operations against a model: SGIs 8 .. 15 of each CPU and SPIs 32 .. 39

static struct model {
    bool enabled, latched, line, active, edge;
    unsigned int priority, target;
} model[WORLD_CPUS + 1][40]; // [cpu] private, [WORLD_CPUS] SPIs

static struct {
    unsigned int intid[64];
    unsigned int depth;
} stack[WORLD_CPUS];

static uint64_t seed = 12345;

static unsigned int random_below(unsigned int n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned int)(seed >> 33) % n;
}

static struct model *model_of(unsigned int cpu, unsigned int intid)
{
    return &model[intid < 32 ? cpu : WORLD_CPUS][intid];
}

static bool model_pending(const struct model *m)
{
    return m->latched || (m->line && !m->edge);
}

static void check_acknowledge(unsigned int cpu)
{
    unsigned int best = running(cpu);
    unsigned int got;

    for (unsigned int intid = 8; intid < 40; intid++) {
        const struct model *m = model_of(cpu, intid);
        if (model_pending(m) && m->enabled && !m->active && m->target == cpu && m->priority < best)
            best = m->priority;
    }
    got = guest_acknowledge();
    if (best == running(cpu) && got == INTID_SPURIOUS)
        return;
    assert_int_not_equal(got, INTID_SPURIOUS);
    struct model *m = model_of(cpu, got);
    assert_true(model_pending(m) && m->enabled && !m->active && m->target == cpu);
    assert_int_equal(m->priority, best);
    m->latched = false;
    m->active = true;
    stack[cpu].intid[stack[cpu].depth++] = got;
}

static void check_registers(void)
{
    for (unsigned int cpu = 0; cpu <= WORLD_CPUS; cpu++) {
        unsigned int first = cpu == WORLD_CPUS ? 32 : 8;
        uint32_t enabled = bank_read(cpu, first, ISENABLER);
        uint32_t pending = bank_read(cpu, first, ISPENDR);
        uint32_t active = bank_read(cpu, first, ISACTIVER);
        for (unsigned int intid = first; intid < first + 8; intid++) {
            const struct model *m = &model[cpu][intid];
            assert_int_equal(enabled >> intid % 32 & 1, m->enabled);
            assert_int_equal(pending >> intid % 32 & 1, model_pending(m));
            assert_int_equal(active >> intid % 32 & 1, m->active);
        }
    }
}

static void random_operation(unsigned int cpu)
{
    unsigned int intid = random_below(2) ? 8 + random_below(8) : 32 + random_below(8);
    unsigned int owner = random_below(4) ? cpu : random_below(WORLD_CPUS);
    struct model *m = model_of(owner, intid);
    uint32_t bit = 1u << intid % 32;

    switch (random_below(13)) {
    case 0:
        bank_write(owner, intid, ISENABLER, bit);
        m->enabled = true;
        break;
    case 1:
        if (random_below(3) == 0) {
            bank_write(owner, intid, ICENABLER, bit);
            m->enabled = false;
        }
        break;
    case 2:
        bank_write(owner, intid, ISPENDR, bit);
        m->latched = true;
        break;
    case 3:
        bank_write(owner, intid, ICPENDR, bit);
        m->latched = false;
        break;
    case 4:
    case 5:
        if (intid < 32) {
            vgic_write_sgi1r(&vm.vcpus[cpu], (uint64_t)intid << 24 | 1u << owner);
            m->latched = true;
            break;
        }
        set_line(intid, !m->line);
        m->line = !m->line;
        if (m->line && m->edge)
            m->latched = true;
        break;
    case 6:
        if (m->active)
            break; // the architecture does not say when that takes effect
        m->priority = random_below(31) << 3;
        set_priority(owner, intid, m->priority);
        break;
    case 7:
        if (intid >= 32 && !m->active) {
            m->target = random_below(WORLD_CPUS);
            distributor(IROUTER + 8 * intid, 8, true, m->target);
        }
        break;
    case 8:
    case 9:
    case 10:
        settle();
        if (stack[cpu].depth < 20)
            check_acknowledge(cpu);
        break;
    default:
        if (stack[cpu].depth > 0) {
            unsigned int ended = stack[cpu].intid[--stack[cpu].depth];
            guest_end(ended);
            model_of(cpu, ended)->active = false;
        }
    }
}

static void random_operations_match_the_model(void **state)
{
    (void)state;
    memset(model, 0, sizeof(model));
    memset(stack, 0, sizeof(stack));
    for (unsigned int cpu = 0; cpu < WORLD_CPUS; cpu++)
        for (unsigned int intid = 8; intid < 16; intid++) {
            model[cpu][intid].edge = true;
            model[cpu][intid].target = cpu;
        }
    for (unsigned int intid = 36; intid < 40; intid++)
        model[WORLD_CPUS][intid].edge = true;
    dist_write(ICFGR + 8, 0xaa00);
    for (unsigned int i = 0; i < 60000; i++) {
        unsigned int cpu = random_below(WORLD_CPUS);
        run_on(cpu);
        random_operation(cpu);
        if (random_below(3) == 0)
            settle();
        else
            settle_cpu(); // at least this CPU returns to its guest
        if (random_below(8) == 0) {
            settle();
            check_registers();
        }
    }
}

// Nothing that a guest writes anywhere leaves a lock held, a storm, or a CPU that does not look.
static void any_write_is_survived(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 60000; i++) {
        static const unsigned int sizes[] = {1, 2, 4, 8};
        unsigned int size = sizes[random_below(4)];
        bool redistributor = random_below(2);
        uint32_t offset = redistributor ? random_below(WORLD_CPUS) * GICR_STRIDE + random_below(2) * SGI_FRAME : 0;
        unsigned int access = size | (random_below(2) ? MMIO_WRITE : 0);
        uint64_t value;

        run_on(random_below(WORLD_CPUS));
        value = (uint64_t)random_below(~0u) << 16 ^ random_below(~0u);
        offset = (offset + (random_below(4) ? random_below(0x1000) : random_below(0x10000))) & ~(size - 1);
        if (redistributor)
            device_gicr.access(vcpu_current(), offset, access, &value);
        else
            device_gicd.access(vcpu_current(), offset, access, &value);
        if (random_below(4) == 0)
            vgic_write_sgi1r(vcpu_current(), (uint64_t)random_below(~0u) << 16 ^ random_below(~0u));
        if (random_below(8) == 0 && cpus[here].depth < 60)
            guest_acknowledge();
        settle();
        assert_int_equal(vm.vgic.lock.held, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, world_reset),
        cmocka_unit_test_setup(widths, world_reset),
        cmocka_unit_test_setup(stored_registers, world_reset),
        cmocka_unit_test_setup(sgi_to_self, world_started),
        cmocka_unit_test_setup(sgi_to_others, world_started),
        cmocka_unit_test_setup(an_sgi_is_put_down_under_its_targets_lock, world_started),
        cmocka_unit_test_setup(an_edge_waits_until_it_is_enabled, world_started),
        cmocka_unit_test_setup(a_level_comes_until_it_falls, world_started),
        cmocka_unit_test_setup(a_level_made_pending_by_software, world_started),
        cmocka_unit_test_setup(the_timer_is_forwarded, world_started),
        cmocka_unit_test_setup(a_timer_that_is_pending_while_active_comes_again, world_started),
        cmocka_unit_test_setup(a_timer_that_the_guest_does_not_take_is_given_back, world_started),
        cmocka_unit_test_setup(more_pending_than_list_registers, world_started),
        cmocka_unit_test_setup(more_active_than_list_registers, world_started),
        cmocka_unit_test_setup(ends_in_two_steps, world_started),
        cmocka_unit_test_setup(a_priority_changed_while_active_counts_from_then_on, world_started),
        cmocka_unit_test_setup(pending_and_active_written_by_the_guest, world_started),
        cmocka_unit_test_setup(routing, world_started),
        cmocka_unit_test_setup(one_of_n_goes_to_a_cpu_that_is_awake, world_started),
        cmocka_unit_test_setup(a_cpu_turned_off_hands_its_interrupts_on, world_started),
        cmocka_unit_test_setup(a_cpu_turned_off_asks_for_no_maintenance, world_started),
        cmocka_unit_test_setup(priorities_and_groups_change_while_listed, world_started),
        cmocka_unit_test_setup(wake_up, world_started),
        cmocka_unit_test_setup(what_the_monitor_sees, world_started),
        cmocka_unit_test_setup(random_operations_match_the_model, world_started),
        cmocka_unit_test_setup(any_write_is_survived, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
