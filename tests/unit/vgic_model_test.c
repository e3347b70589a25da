// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c
// Random operations on three CPUs against a model that knows nothing of list registers, and any write at any offset.

#include "vgic_world.h"

static void set_line(unsigned int intid, bool level)
{
    assert_int_equal(vgic_set_line(&vm, 0, intid, level), HV_OK);
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
        assert_int_equal(vm.vgic.lock.ticket.held, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(random_operations_match_the_model, world_started),
        cmocka_unit_test_setup(any_write_is_survived, world_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
