// SPDX-License-Identifier: Apache-2.0
// How interrupts end: by EOIR, by EOIR and DIR (EOImode 1), on another CPU, and after what a guest changed meanwhile.
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/smp.h"
#include "lib/test.h"

#define GICD_ISPENDR1    (GICD_IPA + 0x0204)
#define GICD_ISACTIVER1  (GICD_IPA + 0x0304)
#define GICD_ICACTIVER1  (GICD_IPA + 0x0384)
#define GICD_IPRIORITYR  (GICD_IPA + 0x0400)
#define GICR_ISPENDR0    (GICR_IPA + 0x10200)
#define GICR_ICPENDR0    (GICR_IPA + 0x10280)
#define GICR_ICACTIVER0  (GICR_IPA + 0x10380)
#define GICR_IPRIORITYR  (GICR_IPA + 0x10400)
#define ICC_CTLR_EL1     S3_0_C12_C12_4
#define ICC_DIR_EL1      S3_0_C12_C11_1
#define EOIMODE          2u
#define SPI              48u
#define SPI_BIT          (1u << (SPI - 32))
#define SPI_COUNT        6u // more than there are list registers on QEMU's CPUs
#define TIMER_BIT        (1u << GIC_INTID_VTIMER)
#define TIMER_ON         1u
#define TIMER_WAIT_TICKS 100000

static bool start(void)
{
    if (!gic_init()) {
        test_skip("no interrupt controller");
        return false;
    }
    return true;
}

static void set_eoimode(uint32_t mode)
{
    WRITE_REG(ICC_CTLR_EL1, (uint64_t)mode);
    __asm__ volatile("isb" ::: "memory");
}

// The next interrupt, when it comes within a millisecond or two.
static unsigned int next(void)
{
    uint64_t end = READ_REG(cntvct_el0) + TIMER_WAIT_TICKS;
    unsigned int intid;

    do
        intid = gic_acknowledge();
    while (intid >= GIC_INTID_SPECIAL && READ_REG(cntvct_el0) < end);
    return intid;
}

static void turn_timer_on(void)
{
    gic_enable(GIC_INTID_VTIMER, 0x80);
    WRITE_REG(cntv_cval_el0, 0);
    WRITE_REG(cntv_ctl_el0, TIMER_ON);
}

static void turn_timer_off(void)
{
    WRITE_REG(cntv_ctl_el0, 0);
    mmio_write32(GICR_ICPENDR0, TIMER_BIT);
    mmio_write32(GICR_ICACTIVER0, TIMER_BIT);
    gic_disable(GIC_INTID_VTIMER);
}

static void turn_spis_off(void)
{
    set_eoimode(0);
    for (unsigned int n = 0; n < SPI_COUNT; n++)
        gic_disable(SPI + n);
    mmio_write32(GICD_ICACTIVER1, (SPI_BIT << SPI_COUNT) - SPI_BIT);
}

TEST("ends", "a priority that changes while the interrupt is active does not keep it so")
{
    CHECK_TRUE(start());
    gic_enable(SPI, 0x80);
    mmio_write32(GICD_ISPENDR1, SPI_BIT);
    CHECK_EQ(next(), SPI);
    mmio_write8(GICD_IPRIORITYR + SPI, 0x60);
    gic_end(SPI);
    uint32_t active = mmio_read32(GICD_ISACTIVER1);
    turn_spis_off();
    CHECK_EQ(active & SPI_BIT, 0);
}

TEST("ends", "nor does one that changes while the timer's is")
{
    CHECK_TRUE(start());
    turn_timer_on();
    CHECK_EQ(next(), GIC_INTID_VTIMER);
    mmio_write8(GICR_IPRIORITYR + GIC_INTID_VTIMER, 0x60);
    gic_end(GIC_INTID_VTIMER);
    unsigned int again = next();
    gic_end(again);
    turn_timer_off();
    CHECK_EQ(again, GIC_INTID_VTIMER);
}

TEST("ends", "a timer that the guest makes pending while it is active comes again")
{
    CHECK_TRUE(start());
    turn_timer_on();
    CHECK_EQ(next(), GIC_INTID_VTIMER);
    WRITE_REG(cntv_ctl_el0, 0);
    mmio_write32(GICR_ISPENDR0, TIMER_BIT);
    gic_end(GIC_INTID_VTIMER);
    unsigned int again = next();
    gic_end(again);
    turn_timer_off();
    CHECK_EQ(again, GIC_INTID_VTIMER);
}

TEST("ends", "with EOImode 1, EOIR deactivates none of many, DIR each")
{
    uint32_t all = (SPI_BIT << SPI_COUNT) - SPI_BIT;
    uint32_t taken = 0;

    CHECK_TRUE(start());
    set_eoimode(EOIMODE);
    for (unsigned int n = 0; n < SPI_COUNT; n++) {
        gic_enable(SPI + n, 0x80);
        mmio_write32(GICD_ISPENDR1, SPI_BIT << n);
        unsigned int intid = next();
        taken |= intid == SPI + n ? SPI_BIT << n : 0;
        gic_end(intid);
    }
    uint32_t dropped = mmio_read32(GICD_ISACTIVER1);
    for (unsigned int n = 0; n < SPI_COUNT; n++)
        WRITE_REG(ICC_DIR_EL1, (uint64_t)(SPI + n));
    __asm__ volatile("isb" ::: "memory");
    uint32_t ended = mmio_read32(GICD_ISACTIVER1);
    turn_spis_off();
    CHECK_EQ(taken, all);
    CHECK_EQ(dropped & all, all);
    CHECK_EQ(ended & all, 0);
}

static void deactivate_there(void)
{
    gic_init_cpu();
    set_eoimode(EOIMODE);
    WRITE_REG(ICC_DIR_EL1, (uint64_t)SPI);
    set_eoimode(0);
}

TEST("ends", "with EOImode 1, another CPU's DIR deactivates an SPI")
{
    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    CHECK_TRUE(start());
    set_eoimode(EOIMODE);
    gic_enable(SPI, 0x80);
    mmio_write32(GICD_ISPENDR1, SPI_BIT);
    CHECK_EQ(next(), SPI);
    gic_end(SPI);
    CHECK_EQ(mmio_read32(GICD_ISACTIVER1) & SPI_BIT, SPI_BIT);
    CHECK_EQ(smp_start(1, deactivate_there), 0);
    CHECK_TRUE(smp_wait_off(1));
    uint32_t active = mmio_read32(GICD_ISACTIVER1);
    turn_spis_off();
    CHECK_EQ(active & SPI_BIT, 0);
}
