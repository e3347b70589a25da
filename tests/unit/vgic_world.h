// SPDX-License-Identifier: Apache-2.0
// The world around the virtual GIC under test: CPUs whose list registers a guest acknowledges and ends interrupts in,
// as IHI 0069 chapter 6 says a CPU interface does; kicks, maintenance interrupts and the physical side.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/arch/registers.h>
#include <hv/bits.h>
#include <hv/device_ops.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/policy.h>
#include <hv/vgic.h>
#include <hv/vm.h>

#define WORLD_CPUS 3
#define WORLD_LRS  4
#define IDLE       0x100u // running priority when nothing is active

static struct vm vm;
static unsigned int here; // the CPU that runs

static struct cpu {
    uint64_t lr[WORLD_LRS];
    uint64_t hcr, vmcr;
    bool kicked;
    unsigned int running[64]; // active priorities, the highest last
    unsigned int depth;
    // physical_high: lines; physical_pending: pending by an edge. physical_fixed: cannot be configured
    uint32_t physical_enabled, physical_active, physical_pending, physical_high, physical_edge, physical_fixed;
} cpus[WORLD_CPUS];

static const char *const lr_names[WORLD_LRS] = {"ICH_LR0_EL2", "ICH_LR1_EL2", "ICH_LR2_EL2", "ICH_LR3_EL2"};

// The policy of the world's VM: one that passes nothing of the timers on, unless who includes this has another one.
#ifndef WORLD_POLICY
static const struct policy world_policy;
#define WORLD_POLICY (&world_policy)
#endif

static void run_on(unsigned int cpu)
{
    for (unsigned int k = 0; k < WORLD_LRS; k++) {
        cpus[here].lr[k] = fake_sysreg_get(lr_names[k]);
        fake_sysreg_set(lr_names[k], cpus[cpu].lr[k]);
    }
    cpus[here].hcr = fake_sysreg_get("ICH_HCR_EL2");
    cpus[here].vmcr = fake_sysreg_get("ICH_VMCR_EL2");
    fake_sysreg_set("ICH_HCR_EL2", cpus[cpu].hcr);
    fake_sysreg_set("ICH_VMCR_EL2", cpus[cpu].vmcr);
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[cpu]);
    here = cpu;
}

static unsigned int world_calls; // how often other CPUs were asked, however many at a time

// vCPU n runs on physical CPU WORLD_CPUS - 1 - n, so that neither number can stand for the other. The world's own
// arrays go by the vCPU's.
#define VCPU_OF(cpu) (WORLD_CPUS - 1 - (cpu))

bool cpu_call_each(uint32_t wanted, void (*function)(void *argument), void *argument)
{
    unsigned int from = here;

    for (unsigned int i = 0; i < vm.vcpu_count; i++)
        assert_int_equal(vm.vcpus[i].gic.lock.ticket.held, 0);
    assert_int_equal(vm.vgic.lock.ticket.held, 0);
    world_calls++;
    for (; wanted != 0; wanted &= wanted - 1) {
        run_on(VCPU_OF((unsigned int)__builtin_ctz(wanted)));
        function(argument);
    }
    run_on(from);
    return true;
}

bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument)
{
    return cpu_call_each((uint32_t)BIT64(cpu), function, argument);
}

void gicv3_send_sgi(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(intid, GICV3_SGI_KICK);
    assert_true(cpu < WORLD_CPUS);
    cpus[VCPU_OF(cpu)].kicked = true;
}

void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    cpus[VCPU_OF(cpu)].physical_enabled |= (uint32_t)BIT64(intid);
}

void gicv3_disable(unsigned int intid, unsigned int cpu)
{
    if (intid < 32)
        cpus[VCPU_OF(cpu)].physical_enabled &= ~(uint32_t)BIT64(intid);
}

void gicv3_deactivate(unsigned int intid)
{
    if (intid < 32)
        cpus[here].physical_active &= ~(uint32_t)BIT64(intid);
}

bool gicv3_is_pending(unsigned int intid, unsigned int cpu)
{
    return (cpus[VCPU_OF(cpu)].physical_pending |
            (cpus[VCPU_OF(cpu)].physical_high & ~cpus[VCPU_OF(cpu)].physical_edge)) >>
               intid &
           1;
}

void gicv3_clear_pending(unsigned int intid, unsigned int cpu)
{
    cpus[VCPU_OF(cpu)].physical_pending &= ~(uint32_t)BIT64(intid);
}

bool gicv3_is_edge(unsigned int intid, unsigned int cpu)
{
    return cpus[VCPU_OF(cpu)].physical_edge >> intid & 1;
}

void gicv3_set_edge(unsigned int intid, unsigned int cpu, bool edge)
{
    uint32_t bit = (uint32_t)BIT64(intid) & ~cpus[VCPU_OF(cpu)].physical_fixed;

    assert_int_equal(cpus[VCPU_OF(cpu)].physical_enabled & bit, 0); // else UNPREDICTABLE
    cpus[VCPU_OF(cpu)].physical_edge =
        edge ? cpus[VCPU_OF(cpu)].physical_edge | bit : cpus[VCPU_OF(cpu)].physical_edge & ~bit;
}

// ---- The guest's CPU interface

static unsigned int running(unsigned int cpu)
{
    return cpus[cpu].depth > 0 ? cpus[cpu].running[cpus[cpu].depth - 1] : IDLE;
}

// The maintenance interrupt's condition (ICH_MISR_EL2).
static bool maintenance_wanted(void)
{
    uint64_t hcr = fake_sysreg_get("ICH_HCR_EL2");
    bool pending = false, end = false;

    for (unsigned int k = 0; k < WORLD_LRS; k++) {
        uint64_t value = fake_sysreg_get(lr_names[k]);
        pending |= (value & ICH_LR_EL2_STATE) == ICH_LR_EL2_PENDING;
        end |= !(value & ICH_LR_EL2_STATE) && !(value & ICH_LR_EL2_HW) && (value & ICH_LR_EL2_EOI);
    }
    return end || ((hcr & ICH_HCR_EL2_NPIE) && !pending) ||
           ((hcr & ICH_HCR_EL2_LRENPIE) && FIELD_GET(ICH_HCR_EL2_EOICOUNT, hcr) > 0);
}

// An exit to EL2 and back, with what interrupts wait for this CPU.
static void settle_cpu(void)
{
    struct vcpu *vcpu = vcpu_current();

    cpus[here].kicked = false;
    vgic_flush(vcpu);
    for (unsigned int n = 0; maintenance_wanted(); n++) {
        assert_true(n < 4); // no storm
        vgic_maintenance(vcpu);
        vgic_flush(vcpu);
    }
}

// Everything posted anywhere is done.
static void settle(void)
{
    unsigned int from = here;
    bool again = true;

    for (unsigned int n = 0; again; n++) {
        assert_true(n < 8);
        again = false;
        for (unsigned int cpu = 0; cpu < vm.vcpu_count; cpu++) {
            if (vm.vcpus[cpu].gic.work != 0 && cpu != from)
                assert_true(cpus[cpu].kicked); // else it would run on without looking
            run_on(cpu);
            again |= vm.vcpus[cpu].gic.work != 0 || maintenance_wanted();
            settle_cpu();
        }
    }
    run_on(from);
}

// The list register the CPU interface would signal: pending, best priority, above the running one. -1: none.
static int signalled(void)
{
    int best = -1;
    uint64_t best_priority = running(here);

    for (int k = 0; k < WORLD_LRS; k++) {
        uint64_t value = fake_sysreg_get(lr_names[k]);
        uint64_t priority = FIELD_GET(ICH_LR_EL2_PRIORITY, value);
        if ((value & ICH_LR_EL2_STATE) == ICH_LR_EL2_PENDING && priority < best_priority) {
            best = k;
            best_priority = priority;
        }
    }
    return best;
}

// ICC_IAR: the INTID, or INTID_SPURIOUS.
static inline unsigned int guest_acknowledge(void)
{
    int k = signalled();

    if (k < 0)
        return INTID_SPURIOUS;
    uint64_t value = fake_sysreg_get(lr_names[k]);
    fake_sysreg_set(lr_names[k], (value & ~ICH_LR_EL2_STATE) | ICH_LR_EL2_ACTIVE);
    cpus[here].running[cpus[here].depth++] = (unsigned int)FIELD_GET(ICH_LR_EL2_PRIORITY, value);
    return (unsigned int)(value & ICH_LR_EL2_VINTID);
}

// ICC_EOIR: priority drop and, with EOImode 0, deactivation of what runs at that priority.
static inline void guest_end(unsigned int intid)
{
    assert_true(cpus[here].depth > 0);
    unsigned int dropped = cpus[here].running[--cpus[here].depth];
    for (unsigned int k = 0; k < WORLD_LRS; k++) {
        uint64_t value = fake_sysreg_get(lr_names[k]);
        if ((value & ICH_LR_EL2_VINTID) != intid || !(value & ICH_LR_EL2_ACTIVE))
            continue;
        if (FIELD_GET(ICH_LR_EL2_PRIORITY, value) != dropped || (fake_sysreg_get("ICH_VMCR_EL2") & ICH_VMCR_EL2_VEOIM))
            return;
        fake_sysreg_set(lr_names[k], value & ~ICH_LR_EL2_ACTIVE);
        if (value & ICH_LR_EL2_HW)
            cpus[here].physical_active &= ~(uint32_t)BIT64(FIELD_GET(ICH_LR_EL2_PINTID, value));
        return;
    }
    uint64_t hcr = fake_sysreg_get("ICH_HCR_EL2");
    fake_sysreg_set("ICH_HCR_EL2", hcr + FIELD_PREP(ICH_HCR_EL2_EOICOUNT, 1));
}

// The physical virtual timer has come.
static inline void forward_timer(void)
{
    uint64_t empty = 0;

    for (unsigned int k = 0; k < WORLD_LRS; k++)
        empty |= fake_sysreg_get(lr_names[k]) & ICH_LR_EL2_STATE ? 0 : BIT64(k);
    fake_sysreg_set("ICH_ELRSR_EL2", empty);
    vgic_forward(vcpu_current(), INTID_VIRTUAL_TIMER);
}

// ---- Registers

static uint64_t distributor(uint64_t offset, unsigned int size, bool write, uint64_t value)
{
    unsigned int access = size | (write ? MMIO_WRITE : 0);
    assert_int_equal(device_gicd.access(vcpu_current(), (uint32_t)offset, access, &value), MMIO_DONE);
    return value;
}

static uint32_t dist_read(uint64_t offset)
{
    return (uint32_t)distributor(offset, 4, false, 0xdead);
}

static void dist_write(uint64_t offset, uint64_t value)
{
    distributor(offset, 4, true, value);
}

static uint32_t redist_read(unsigned int id, uint64_t offset)
{
    uint64_t value = 0xdead;
    uint32_t at = id * GICR_STRIDE + (uint32_t)offset;
    assert_int_equal(device_gicr.access(vcpu_current(), at, 4, &value), MMIO_DONE);
    return (uint32_t)value;
}

static void redist_write(unsigned int id, uint64_t offset, uint64_t value)
{
    uint32_t at = id * GICR_STRIDE + (uint32_t)offset;
    assert_int_equal(device_gicr.access(vcpu_current(), at, 4 | MMIO_WRITE, &value), MMIO_DONE);
}

#define WAKER      0x14
#define SGI_FRAME  0x10000
#define IGROUPR    0x080
#define ISENABLER  0x100
#define ICENABLER  0x180
#define ISPENDR    0x200
#define ICPENDR    0x280
#define ISACTIVER  0x300
#define ICACTIVER  0x380
#define IPRIORITYR 0x400
#define ICFGR      0xc00
#define IROUTER    0x6000

// One of the bank registers at offset, of the bank that has intid (owner's when it is private).
static inline uint32_t bank_read(unsigned int owner, unsigned int intid, uint64_t offset)
{
    return intid < 32 ? redist_read(owner, SGI_FRAME + offset) : dist_read(offset + 4 * (intid / 32));
}

static inline void bank_write(unsigned int owner, unsigned int intid, uint64_t offset, uint32_t bits)
{
    if (intid < 32)
        redist_write(owner, SGI_FRAME + offset, bits);
    else
        dist_write(offset + 4 * (intid / 32), bits);
}

static inline void set_priority(unsigned int owner, unsigned int intid, unsigned int priority)
{
    uint64_t value = priority;
    uint32_t at = IPRIORITYR + intid;
    if (intid >= 32) {
        assert_int_equal(device_gicd.access(vcpu_current(), at, 1 | MMIO_WRITE, &value), MMIO_DONE);
        return;
    }
    at += owner * GICR_STRIDE + SGI_FRAME;
    assert_int_equal(device_gicr.access(vcpu_current(), at, 1 | MMIO_WRITE, &value), MMIO_DONE);
}

static inline int world_reset(void **state)
{
    (void)state;
    fake_trace_reset();
    fake_sysreg_reset();
    memset(&vm, 0, sizeof(vm));
    memset(cpus, 0, sizeof(cpus));
    here = 0;
    vm.policy = WORLD_POLICY;
    vm.vcpu_count = WORLD_CPUS;
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        vm.vcpus[i].vm = &vm;
        vm.vcpus[i].id = i;
        vm.vcpus[i].cpu = WORLD_CPUS - 1 - i;
        vm.vcpus[i].power = VCPU_ON;
    }
    fake_sysreg_set("ICH_VTR_EL2", FIELD_PREP(ICH_VTR_EL2_LISTREGS, WORLD_LRS - 1) |
                                       FIELD_PREP(ICH_VTR_EL2_PREBITS, 4) | FIELD_PREP(ICH_VTR_EL2_PRIBITS, 4));
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[0]);
    device_gicd.reset(&vm);
    device_gicr.reset(&vm);
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        run_on(i);
        vgic_init_cpu(&vm.vcpus[i]);
        cpus[i].kicked = true;
    }
    run_on(0);
    settle();
    return 0;
}

// As kernels do first: both groups on, redistributors awake, everything Group 1.
static inline int world_started(void **state)
{
    world_reset(state);
    dist_write(0, 3);
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        redist_write(i, WAKER, 0);
        redist_write(i, SGI_FRAME + IGROUPR, ~0u);
    }
    for (unsigned int word = 1; word <= VGIC_SPI_BANKS; word++)
        dist_write(IGROUPR + 4 * word, ~0u);
    settle();
    return 0;
}
