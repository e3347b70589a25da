// SPDX-License-Identifier: Apache-2.0
// Guest time: counters that only go forward, the virtual timer and its interrupt, the physical timer as policy has it.
#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/test.h"

#define CNTP_CTL_EL0  SYS_ENCODING(3, 3, 14, 2, 1)
#define CNTP_CVAL_EL0 SYS_ENCODING(3, 3, 14, 2, 2)
#define CNTPCT_EL0    SYS_ENCODING(3, 3, 14, 0, 1)

static volatile unsigned int taken_count, taken_intid;
static volatile uint64_t taken_at;

static void take(unsigned int intid)
{
    taken_count++;
    taken_intid = intid;
    taken_at = READ_REG(cntvct_el0);
    WRITE_REG(cntv_ctl_el0, 3);
    if (intid == GIC_INTID_PTIMER)
        (void)cpu_try_write(CNTP_CTL_EL0, 0);
}

// Up to milliseconds with interrupts open, until one came.
static void wait(unsigned int milliseconds)
{
    uint64_t limit = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) * milliseconds / 1000;

    cpu_irq_unmask();
    while (!taken_count && READ_REG(cntvct_el0) < limit)
        ;
    cpu_irq_mask();
}

TEST("timers", "the frequency is told")
{
    CHECK(READ_REG(cntfrq_el0) >= 1000000);
}

TEST("timers", "the virtual counter only goes forward")
{
    uint64_t last = READ_REG(cntvct_el0), first = last;

    for (unsigned int n = 0; n < 10000; n++) {
        uint64_t now = READ_REG(cntvct_el0);

        if (now < last) {
            test_fail(__LINE__, "expected at least 0x%lx got 0x%lx", last, now);
            return;
        }
        last = now;
    }
    CHECK(last > first);
}

TEST("timers", "the physical counter only goes forward")
{
    uint64_t first = 0, second = 0;
    struct exception e = cpu_try_read(CNTPCT_EL0, &first);

    if (e.taken)
        SKIP("denied by policy");
    (void)cpu_try_read(CNTPCT_EL0, &second);
    CHECK(second >= first);
}

TEST("timers", "the virtual timer interrupts at its deadline")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    taken_count = 0;
    exception_set_irq_handler(take);
    gic_enable(GIC_INTID_VTIMER, 0x80);
    uint64_t deadline = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) / 200;
    WRITE_REG(cntv_cval_el0, deadline);
    WRITE_REG(cntv_ctl_el0, 1);
    wait(30000);
    CHECK_EQ(taken_count, 1);
    CHECK_EQ(taken_intid, GIC_INTID_VTIMER);
    CHECK(taken_at >= deadline);
}

TEST("timers", "the virtual timer interrupts again and again")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    exception_set_irq_handler(take);
    gic_enable(GIC_INTID_VTIMER, 0x80);
    for (unsigned int n = 0; n < 20; n++) {
        taken_count = 0;
        WRITE_REG(cntv_tval_el0, READ_REG(cntfrq_el0) / 2000);
        WRITE_REG(cntv_ctl_el0, 1);
        wait(30000);
        CHECK_EQ(taken_count, 1);
    }
}

TEST("timers", "a masked virtual timer does not interrupt")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    taken_count = 0;
    exception_set_irq_handler(take);
    gic_enable(GIC_INTID_VTIMER, 0x80);
    WRITE_REG(cntv_cval_el0, 0);
    WRITE_REG(cntv_ctl_el0, 3);
    wait(2);
    CHECK_EQ(taken_count, 0);
    CHECK(READ_REG(cntv_ctl_el0) & 4);
}

TEST("timers", "the physical timer counts down, or is denied")
{
    uint64_t value = 0;
    struct exception e = cpu_try_read(CNTP_CTL_EL0, &value);

    if (e.taken)
        SKIP("denied by policy");
    e = cpu_try_write(CNTP_CVAL_EL0, 0);
    CHECK_NO_EXCEPTION(e);
    e = cpu_try_write(CNTP_CTL_EL0, 3); // enabled, masked
    CHECK_NO_EXCEPTION(e);
    (void)cpu_try_read(CNTP_CTL_EL0, &value);
    (void)cpu_try_write(CNTP_CTL_EL0, 0);
    CHECK_EQ(value & 7, 7);
}

TEST("timers", "the physical timer interrupts at its deadline, or is denied")
{
    uint64_t now = 0;

    if (!gic_init())
        SKIP("no interrupt controller");
    if (cpu_try_read(CNTPCT_EL0, &now).taken || cpu_try_write(CNTP_CTL_EL0, 0).taken)
        SKIP("denied by policy");
    exception_set_irq_handler(take);
    gic_enable(GIC_INTID_PTIMER, 0x80);
    for (unsigned int n = 0; n < 10; n++) {
        taken_count = 0;
        (void)cpu_try_read(CNTPCT_EL0, &now);
        uint64_t deadline = now + READ_REG(cntfrq_el0) / 2000;
        (void)cpu_try_write(CNTP_CVAL_EL0, deadline);
        (void)cpu_try_write(CNTP_CTL_EL0, 1);
        wait(2000);
        (void)cpu_try_read(CNTPCT_EL0, &now);
        CHECK_EQ(taken_count, 1);
        CHECK_EQ(taken_intid, GIC_INTID_PTIMER);
        CHECK(now >= deadline);
    }
    gic_disable(GIC_INTID_PTIMER);
}
