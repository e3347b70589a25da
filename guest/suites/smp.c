// SPDX-License-Identifier: Apache-2.0
// More CPUs: on, at work, off, and on again.
#include "lib/smp.h"

#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/test.h"

#define ROUNDS  200
#define LIMIT_S 30 // a CPU that does not come

static volatile uint64_t good[CPU_MAX], seen_mpidr[CPU_MAX];
static uint64_t found[4];
static volatile bool release, interrupted;

static void work(void)
{
    unsigned int cpu = cpu_index();
    uint64_t count = 0;

    seen_mpidr[cpu] = READ_REG(mpidr_el1);
    for (unsigned int n = 0; n < ROUNDS; n++)
        count += call_hvc(HVC_GET_HV_ID, 0, 0, 0) == HV_ID && mmio_read32(PL011_IPA + 0xfe0) == 0x11 &&
                 (READ_REG(id_aa64pfr0_el1) & 0xf) != 0;
    good[cpu] = count;
}

// What stands in a few SIMD and FP registers goes to found[], other values take their place.
static void exchange_fp(void)
{
    __asm__ volatile(".arch_extension fp\n.arch_extension simd\n"
                     "msr cpacr_el1, %4\nisb\n"
                     "mov %0, v0.d[0]\nmov %1, v31.d[1]\nmrs %2, fpcr\nmrs %3, fpsr\n"
                     "mov v0.d[0], %4\nmov v31.d[1], %4\nmsr fpcr, %5\nmsr fpsr, %6\n"
                     : "=&r"(found[0]), "=&r"(found[1]), "=&r"(found[2]), "=&r"(found[3])
                     : "r"(UINT64_C(3) << 20), "r"(UINT64_C(0x00c00000)), "r"(UINT64_C(0x08000010)));
}

static void hold(void)
{
    while (!release)
        ;
}

static bool finished(unsigned int line, unsigned int cpu)
{
    if (smp_wait_off(cpu))
        return true;
    test_fail(line, "CPU %u: expected AFFINITY_INFO to become 1 (off), got %ld", cpu,
              call_hvc(PSCI_AFFINITY_INFO, cpu, 0, 0));
    return false;
}

TEST("smp", "every other CPU begins off")
{
    unsigned int count = smp_cpu_count();

    if (count < 2)
        SKIP("one CPU");
    for (unsigned int cpu = 1; cpu < count; cpu++)
        CHECK_EQ(call_hvc(PSCI_AFFINITY_INFO, cpu, 0, 0), 1);
}

TEST("smp", "each CPU goes on, works, and goes off")
{
    unsigned int count = smp_cpu_count();

    if (count < 2)
        SKIP("one CPU");
    for (unsigned int cpu = 1; cpu < count; cpu++) {
        good[cpu] = 0;
        CHECK_EQ(smp_start(cpu, work), 0);
        CHECK_TRUE(finished(__LINE__, cpu));
        CHECK_EQ(good[cpu], ROUNDS);
        CHECK_EQ(seen_mpidr[cpu] & 0xff00ffffff, cpu);
    }
}

TEST("smp", "a CPU turned on has no SIMD or FP values of its former life")
{
    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    for (unsigned int round = 0; round < 3; round++) {
        found[0] = 1;
        CHECK_EQ(smp_start(1, exchange_fp), 0);
        CHECK_TRUE(finished(__LINE__, 1));
        CHECK_EQ(found[0] | found[1] | found[2] | found[3], 0);
    }
}

TEST("smp", "all CPUs at work at once")
{
    unsigned int count = smp_cpu_count();

    if (count < 2)
        SKIP("one CPU");
    for (unsigned int cpu = 1; cpu < count; cpu++) {
        good[cpu] = 0;
        CHECK_EQ(smp_start(cpu, work), 0);
    }
    work();
    for (unsigned int cpu = 1; cpu < count; cpu++) {
        CHECK_TRUE(finished(__LINE__, cpu));
        CHECK_EQ(good[cpu], ROUNDS);
    }
}

TEST("smp", "a CPU that is on cannot be turned on")
{
    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    release = false;
    CHECK_EQ(smp_start(1, hold), 0);
    uint64_t limit = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) * LIMIT_S;
    while (call_hvc(PSCI_AFFINITY_INFO, 1, 0, 0) != 0 && READ_REG(cntvct_el0) < limit)
        ;
    int64_t info = call_hvc(PSCI_AFFINITY_INFO, 1, 0, 0);
    int64_t again = call_hvc(PSCI_CPU_ON, 1, GUEST_ENTRY_IPA, 0);
    release = true;
    CHECK_TRUE(finished(__LINE__, 1));
    CHECK_EQ(info, 0);
    CHECK_EQ(again, PSCI_ALREADY_ON);
}

static void note(unsigned int intid)
{
    if (intid == 2)
        interrupted = true;
}

// Wakes the boot CPU by an SGI, out of WFI.
static void send(void)
{
    gic_init_cpu();
    gic_send_sgi(2, 1);
}

TEST("smp", "an SGI from another CPU ends wfi")
{
    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    if (!gic_init())
        SKIP("no interrupt controller");
    interrupted = false;
    exception_set_irq_handler(note);
    gic_enable(2, 0x80);
    gic_enable(GIC_INTID_VTIMER, 0x90);
    WRITE_REG(cntv_cval_el0, READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) * LIMIT_S);
    WRITE_REG(cntv_ctl_el0, 1);
    CHECK_EQ(smp_start(1, send), 0);
    while (!interrupted && !(READ_REG(cntv_ctl_el0) & 4)) {
        __asm__ volatile("dsb sy\n wfi" ::: "memory");
        WRITE_REG(cntv_ctl_el0, READ_REG(cntv_ctl_el0) & 4 ? 3 : 1);
        cpu_irq_unmask();
        __asm__ volatile("isb" ::: "memory");
        cpu_irq_mask();
    }
    WRITE_REG(cntv_ctl_el0, 0);
    CHECK_TRUE(finished(__LINE__, 1));
    CHECK(interrupted);
}
