// SPDX-License-Identifier: Apache-2.0
// WFI and WFE end: by an interrupt that is pending, by one that comes later, by an event; with interrupts masked and
// not. Each wait has the virtual timer as its alarm.
#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/test.h"

static volatile unsigned int taken_count, taken_intid;

static void take(unsigned int intid)
{
    taken_count++;
    taken_intid = intid;
    if (intid == GIC_INTID_VTIMER)
        WRITE_REG(cntv_ctl_el0, 0);
}

// The virtual timer fires after milliseconds; false when there is no interrupt controller.
static bool set_alarm(unsigned int milliseconds)
{
    if (!gic_init()) {
        test_skip("no interrupt controller");
        return false;
    }
    taken_count = 0;
    exception_set_irq_handler(take);
    gic_enable(GIC_INTID_VTIMER, 0x80);
    WRITE_REG(cntv_cval_el0, READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) * milliseconds / 1000);
    WRITE_REG(cntv_ctl_el0, 1);
    return true;
}

static void open_window(void)
{
    cpu_irq_unmask();
    __asm__ volatile("isb" ::: "memory");
    cpu_irq_mask();
}

TEST("wfx", "wfi with a pending timer goes on")
{
    CHECK_TRUE(set_alarm(0));
    __asm__ volatile("dsb sy\n wfi" ::: "memory");
    CHECK(READ_REG(cntv_ctl_el0) & 4);
    open_window();
    CHECK_EQ(taken_count, 1);
    CHECK_EQ(taken_intid, GIC_INTID_VTIMER);
}

TEST("wfx", "wfi waits until the timer fires")
{
    CHECK_TRUE(set_alarm(20));
    uint64_t deadline = READ_REG(cntv_cval_el0);
    // WFI may end early: a few times are no fault, never reaching the deadline is
    for (unsigned int n = 0; n < 1000 && !(READ_REG(cntv_ctl_el0) & 4); n++)
        __asm__ volatile("dsb sy\n wfi" ::: "memory");
    CHECK(READ_REG(cntvct_el0) >= deadline);
    open_window();
    CHECK_EQ(taken_count, 1);
}

TEST("wfx", "wfi with interrupts unmasked ends in the handler")
{
    CHECK_TRUE(set_alarm(5));
    for (unsigned int n = 0; n < 1000 && !taken_count; n++) {
        cpu_irq_mask();
        if (!taken_count)
            __asm__ volatile("dsb sy\n wfi" ::: "memory");
        cpu_irq_unmask();
        __asm__ volatile("isb" ::: "memory");
    }
    cpu_irq_mask();
    CHECK_EQ(taken_count, 1);
}

TEST("wfx", "wfi with a pending SGI goes on")
{
    CHECK_TRUE(set_alarm(30000)); // not before the SGI, however slow the host is
    gic_enable(3, 0x80);
    gic_send_sgi(3, 1);
    __asm__ volatile("dsb sy\n wfi" ::: "memory");
    CHECK_EQ(READ_REG(cntv_ctl_el0) & 4, 0);
    WRITE_REG(cntv_ctl_el0, 0);
    open_window();
    CHECK_EQ(taken_count, 1);
    CHECK_EQ(taken_intid, 3);
}

TEST("wfx", "wfe with the event register set goes on")
{
    __asm__ volatile("sevl\n wfe" ::: "memory");
}

TEST("wfx", "wfe ends, sooner or later")
{
    CHECK_TRUE(set_alarm(5));
    __asm__ volatile("sevl\n wfe\n wfe" ::: "memory");
    WRITE_REG(cntv_ctl_el0, 0);
}

TEST("wfx", "many waits in a row")
{
    for (unsigned int n = 0; n < 20; n++) {
        CHECK_TRUE(set_alarm(1));
        while (!(READ_REG(cntv_ctl_el0) & 4))
            __asm__ volatile("dsb sy\n wfi" ::: "memory");
        open_window();
        CHECK_EQ(taken_count, 1);
    }
}
