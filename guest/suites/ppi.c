// SPDX-License-Identifier: Apache-2.0
// The timers' PPIs as a redistributor has them (IHI 0069 4.1.2, 12.11): level-sensitive ones that are active and
// pending while their line stays high, edge-triggered ones that come once for each rise. The same on the bare machine,
// whatever stands behind them here: the hardware's own interrupt, or an emulated timer.
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/smp.h"
#include "lib/test.h"

#define CNTP_CTL_EL0  SYS_ENCODING(3, 3, 14, 2, 1)
#define CNTP_CVAL_EL0 SYS_ENCODING(3, 3, 14, 2, 2)

#define SGI_BASE   (GICR_IPA + 0x10000)
#define ISENABLER0 (SGI_BASE + 0x100)
#define ICENABLER0 (SGI_BASE + 0x180)
#define ISPENDR0   (SGI_BASE + 0x200)
#define ICPENDR0   (SGI_BASE + 0x280)
#define ISACTIVER0 (SGI_BASE + 0x300)
#define ICACTIVER0 (SGI_BASE + 0x380)
#define ICFGR1     (SGI_BASE + 0xc04)
#define SPURIOUS   1023
#define TRIES      20000 // of what comes at once, or when this CPU has looked at its interrupts again

static unsigned int intid;

// The timer's line: high, its deadline being long past, or low. Nothing happens where policy denies the timer.
static void line(bool high)
{
    if (intid == GIC_INTID_VTIMER) {
        WRITE_REG(cntv_cval_el0, 0);
        WRITE_REG(cntv_ctl_el0, high);
    } else {
        (void)cpu_try_write(CNTP_CVAL_EL0, 0);
        (void)cpu_try_write(CNTP_CTL_EL0, high);
    }
    __asm__ volatile("isb");
}

static bool is_set(uint64_t address)
{
    return mmio_read32(address) >> intid & 1;
}

// What is acknowledged in the end, when it shall be one: the interrupt may take its time from the timer to here.
static unsigned int acknowledge(void)
{
    unsigned int got = SPURIOUS;

    for (unsigned int n = 0; n < TRIES && got == SPURIOUS; n++)
        got = gic_acknowledge();
    return got;
}

// Whether nothing comes.
static bool is_quiet(void)
{
    for (unsigned int n = 0; n < TRIES / 10; n++) {
        unsigned int got = gic_acknowledge();
        if (got != SPURIOUS) {
            gic_end(got);
            return false;
        }
    }
    return true;
}

static bool is_pending_in_the_end(void)
{
    for (unsigned int n = 0; n < TRIES; n++)
        if (is_set(ISPENDR0))
            return true;
    return false;
}

static void forget(void)
{
    line(false);
    mmio_write32(ICENABLER0, 1u << intid);
    mmio_write32(ICPENDR0, 1u << intid);
    mmio_write32(ICACTIVER0, 1u << intid);
}

// Begins anew with which's line low and its interrupt disabled, edge-triggered or not. False: it cannot be had so.
static bool prepare(unsigned int which, bool edge)
{
    uint64_t ctl = 0;
    uint32_t bit;

    intid = which;
    bit = 2u << 2 * (intid - 16);
    if (!gic_init() || (intid == GIC_INTID_PTIMER && cpu_try_read(CNTP_CTL_EL0, &ctl).taken))
        return false;
    forget();
    mmio_write32(ICFGR1, (mmio_read32(ICFGR1) & ~bit) | (edge ? bit : 0));
    return !(mmio_read32(ICFGR1) & bit) == !edge;
}

static const unsigned int timers[] = {GIC_INTID_VTIMER, GIC_INTID_PTIMER};
#define FOR_EACH_TIMER(edge)                                                                                           \
    for (unsigned int t = 0; t < 2; t++)                                                                               \
        if (prepare(timers[t], edge))

TEST("ppi", "a level that is active with its line high is active and pending")
{
    FOR_EACH_TIMER(false)
    {
        gic_enable(intid, 0x80);
        line(true);
        CHECK_EQ(acknowledge(), intid);
        CHECK(is_set(ISACTIVER0));
        CHECK(is_set(ISPENDR0));
        line(false);
        CHECK(is_set(ISACTIVER0));
        CHECK(!is_set(ISPENDR0));
        line(true);
        CHECK(is_pending_in_the_end());
        gic_end(intid);
        CHECK_EQ(acknowledge(), intid); // its line is high
        line(false);
        gic_end(intid);
        CHECK(!is_set(ISACTIVER0));
        CHECK(is_quiet());
        forget();
    }
}

TEST("ppi", "a level that nobody takes is pending while its line is high")
{
    FOR_EACH_TIMER(false)
    {
        line(true);
        CHECK(is_pending_in_the_end());
        CHECK(!is_set(ISACTIVER0));
        mmio_write32(ICPENDR0, 1u << intid);
        CHECK(is_set(ISPENDR0));
        line(false);
        CHECK(!is_set(ISPENDR0));
        gic_enable(intid, 0x80);
        line(true);
        CHECK(is_pending_in_the_end());
        line(false);
        CHECK(!is_set(ISPENDR0)); // also where EL2 had it for the guest already
        CHECK(is_quiet());
        forget();
    }
}

TEST("ppi", "a level that was made pending stays so without its line")
{
    FOR_EACH_TIMER(false)
    {
        mmio_write32(ISPENDR0, 1u << intid);
        CHECK(is_set(ISPENDR0));
        line(true);
        line(false);
        CHECK(is_set(ISPENDR0));
        gic_enable(intid, 0x80);
        CHECK(is_set(ISPENDR0));
        CHECK_EQ(acknowledge(), intid);
        CHECK(!is_set(ISPENDR0));
        gic_end(intid);
        CHECK(is_quiet());
        mmio_write32(ISPENDR0, 1u << intid);
        mmio_write32(ICPENDR0, 1u << intid);
        CHECK(!is_set(ISPENDR0));
        CHECK(is_quiet());
        forget();
    }
}

TEST("ppi", "an edge comes once for each rise")
{
    FOR_EACH_TIMER(true)
    {
        gic_enable(intid, 0x80);
        for (unsigned int round = 0; round < 3; round++) {
            line(true);
            CHECK_EQ(acknowledge(), intid);
            CHECK(is_set(ISACTIVER0));
            CHECK(!is_set(ISPENDR0));
            gic_end(intid);
            CHECK(is_quiet()); // the timer is still due
            line(false);
            CHECK(is_quiet());
        }
        forget();
    }
}

TEST("ppi", "an edge that comes while it is active comes again")
{
    FOR_EACH_TIMER(true)
    {
        gic_enable(intid, 0x80);
        line(true);
        CHECK_EQ(acknowledge(), intid);
        line(false);
        line(true);
        line(false);
        CHECK(is_pending_in_the_end());
        CHECK(is_set(ISACTIVER0));
        gic_end(intid);
        CHECK_EQ(acknowledge(), intid);
        gic_end(intid);
        CHECK(is_quiet());
        forget();
    }
}

TEST("ppi", "an edge is kept while it is disabled, until it is cleared")
{
    FOR_EACH_TIMER(true)
    {
        line(true);
        line(false);
        CHECK(is_pending_in_the_end());
        gic_enable(intid, 0x80);
        CHECK(is_pending_in_the_end());
        mmio_write32(ICENABLER0, 1u << intid); // also where EL2 had it for the guest already
        CHECK(is_set(ISPENDR0));
        CHECK(is_quiet());
        mmio_write32(ISENABLER0, 1u << intid);
        CHECK_EQ(acknowledge(), intid);
        gic_end(intid);
        mmio_write32(ICENABLER0, 1u << intid);
        line(true);
        line(false);
        CHECK(is_pending_in_the_end());
        mmio_write32(ICPENDR0, 1u << intid);
        CHECK(!is_set(ISPENDR0));
        mmio_write32(ISENABLER0, 1u << intid);
        CHECK(is_quiet());
        forget();
    }
}

TEST("ppi", "what is active does not come, until it is made inactive")
{
    FOR_EACH_TIMER(false)
    {
        mmio_write32(ISACTIVER0, 1u << intid);
        CHECK(is_set(ISACTIVER0));
        gic_enable(intid, 0x80);
        line(true);
        CHECK(is_pending_in_the_end());
        CHECK(is_quiet());
        CHECK(is_set(ISACTIVER0));
        mmio_write32(ICACTIVER0, 1u << intid);
        CHECK_EQ(acknowledge(), intid);
        CHECK(is_set(ISACTIVER0));
        mmio_write32(ICACTIVER0, 1u << intid);
        CHECK(!is_set(ISACTIVER0));
        line(false);
        CHECK(!is_set(ISPENDR0));
        gic_end(intid);
        CHECK(is_quiet());
        forget();
    }
}

static volatile uint32_t seen;

static void look(void)
{
    seen = mmio_read32(ICFGR1 + GICR_STRIDE);
}

TEST("ppi", "a CPU's configuration is kept while it is off")
{
    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    for (unsigned int edge = 0; edge < 2; edge++) {
        uint32_t value = edge ? 2u << 2 * (GIC_INTID_VTIMER - 16) : 0;
        mmio_write32(ICFGR1 + GICR_STRIDE, value);
        uint32_t kept = mmio_read32(ICFGR1 + GICR_STRIDE);
        CHECK_EQ(smp_start(1, look), 0);
        CHECK(smp_wait_off(1));
        CHECK_EQ(seen, kept);
    }
    mmio_write32(ICFGR1 + GICR_STRIDE, 0);
}
