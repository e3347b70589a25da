// SPDX-License-Identifier: Apache-2.0
// The GICv3 of this CPU: identification, SGIs to itself, private and shared interrupts, priority mask and enables.
#include "lib/gic.h"

#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/mmio.h"
#include "lib/test.h"

#define GICD_TYPER      (GICD_IPA + 0x0004)
#define GICD_IIDR       (GICD_IPA + 0x0008)
#define GICD_PIDR2      (GICD_IPA + 0xffe8)
#define GICD_ISPENDR    (GICD_IPA + 0x0200)
#define GICD_ICPENDR    (GICD_IPA + 0x0280)
#define GICR_TYPER      (GICR_IPA + 0x0008)
#define GICR_PIDR2      (GICR_IPA + 0xffe8)
#define GICR_ISENABLER0 (GICR_IPA + 0x10100)
#define GICR_ISPENDR0   (GICR_IPA + 0x10200)
#define GICR_ICPENDR0   (GICR_IPA + 0x10280)
#define GICR_IPRIORITYR (GICR_IPA + 0x10400)
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_RPR_EL1     S3_0_C12_C11_3
#define ICC_HPPIR1_EL1  S3_0_C12_C12_2
#define SGI             5u
#define SPI             48u
#define SPURIOUS        1023u

static volatile unsigned int order[8], order_count;

static void take(unsigned int intid)
{
    if (order_count < 8)
        order[order_count] = intid;
    order_count++;
}

static bool start(void)
{
    if (!gic_init()) {
        test_skip("no interrupt controller");
        return false;
    }
    order_count = 0;
    exception_set_irq_handler(take);
    return true;
}

static void open_window(void)
{
    cpu_irq_unmask();
    __asm__ volatile("isb\n nop\n nop\n isb" ::: "memory");
    cpu_irq_mask();
}

TEST("gic", "the distributor identifies itself")
{
    CHECK_TRUE(start());
    uint32_t type = mmio_read32(GICD_TYPER);
    CHECK((type & 0x1f) >= 1);
    CHECK_EQ(type >> 17 & 1, 0); // no LPIs: there is no ITS, and its tables would name IPAs
    CHECK_EQ(mmio_read32(GICD_PIDR2) >> 4 & 0xf, 3);
    CHECK_EQ(mmio_read32(GICR_PIDR2) >> 4 & 0xf, 3);
}

TEST("gic", "the redistributor knows its CPU and offers no LPIs")
{
    CHECK_TRUE(start());
    uint64_t type = mmio_read64(GICR_TYPER);
    CHECK_EQ(type >> 32, 0);
    CHECK_EQ(type & 3, 0);
    CHECK_EQ(type >> 8 & 0xffff, 0);
}

TEST("gic", "an SGI to itself")
{
    CHECK_TRUE(start());
    gic_enable(SGI, 0x80);
    gic_send_sgi(SGI, 1);
    CHECK_EQ(order_count, 0);
    open_window();
    CHECK_EQ(order_count, 1);
    CHECK_EQ(order[0], SGI);
    open_window();
    CHECK_EQ(order_count, 1);
}

TEST("gic", "acknowledged and ended by hand")
{
    CHECK_TRUE(start());
    gic_enable(SGI, 0x80);
    gic_send_sgi(SGI, 1);
    CHECK_EQ(READ_REG(ICC_HPPIR1_EL1) & 0xffffff, SGI);
    CHECK_EQ(gic_acknowledge(), SGI);
    CHECK_EQ(READ_REG(ICC_RPR_EL1) & 0xff, 0x80);
    CHECK_EQ(gic_acknowledge(), SPURIOUS);
    gic_end(SGI);
    CHECK_EQ(READ_REG(ICC_RPR_EL1) & 0xff, 0xff);
    CHECK_EQ(gic_acknowledge(), SPURIOUS);
}

TEST("gic", "all 16 SGIs")
{
    CHECK_TRUE(start());
    for (unsigned int n = 0; n < 16; n++) {
        gic_enable(n, 0x80);
        gic_send_sgi(n, 1);
    }
    for (unsigned int n = 0; n < 4 && order_count < 16; n++)
        open_window();
    CHECK_EQ(order_count, 16);
}

TEST("gic", "a disabled interrupt stays pending until it is enabled")
{
    CHECK_TRUE(start());
    gic_enable(SGI, 0x80);
    gic_disable(SGI);
    gic_send_sgi(SGI, 1);
    open_window();
    CHECK_EQ(order_count, 0);
    CHECK_EQ(mmio_read32(GICR_ISPENDR0) >> SGI & 1, 1);
    gic_enable(SGI, 0x80);
    open_window();
    CHECK_EQ(order_count, 1);
    CHECK_EQ(mmio_read32(GICR_ISPENDR0) >> SGI & 1, 0);
}

TEST("gic", "a pending interrupt can be taken back")
{
    CHECK_TRUE(start());
    gic_enable(SGI, 0x80);
    gic_send_sgi(SGI, 1);
    mmio_write32(GICR_ICPENDR0, 1u << SGI);
    open_window();
    CHECK_EQ(order_count, 0);
}

TEST("gic", "the priority mask holds interrupts back")
{
    CHECK_TRUE(start());
    gic_enable(SGI, 0xa0);
    WRITE_REG(ICC_PMR_EL1, 0x80);
    gic_send_sgi(SGI, 1);
    open_window();
    CHECK_EQ(order_count, 0);
    WRITE_REG(ICC_PMR_EL1, 0xf0);
    open_window();
    CHECK_EQ(order_count, 1);
}

TEST("gic", "the higher priority comes first")
{
    CHECK_TRUE(start());
    gic_enable(4, 0xa0);
    gic_enable(6, 0x40);
    gic_enable(7, 0x80);
    gic_send_sgi(4, 1);
    gic_send_sgi(6, 1);
    gic_send_sgi(7, 1);
    for (unsigned int n = 0; n < 3; n++)
        open_window();
    CHECK_EQ(order_count, 3);
    CHECK_EQ(order[0], 6);
    CHECK_EQ(order[1], 7);
    CHECK_EQ(order[2], 4);
}

TEST("gic", "a shared interrupt made pending by hand")
{
    CHECK_TRUE(start());
    gic_enable(SPI, 0x80);
    mmio_write32(GICD_ISPENDR + SPI / 32 * 4, 1u << SPI % 32);
    open_window();
    gic_disable(SPI);
    CHECK_EQ(order_count, 1);
    CHECK_EQ(order[0], SPI);
    CHECK_EQ(mmio_read32(GICD_ISPENDR + SPI / 32 * 4) >> SPI % 32 & 1, 0);
}

TEST("gic", "enable and priority registers hold what is written")
{
    CHECK_TRUE(start());
    gic_enable(9, 0x60);
    CHECK_EQ(mmio_read32(GICR_ISENABLER0) >> 9 & 1, 1);
    CHECK_EQ(mmio_read8(GICR_IPRIORITYR + 9), 0x60);
    CHECK_EQ(mmio_read32(GICR_IPRIORITYR + 8) >> 8 & 0xff, 0x60);
    gic_disable(9);
    CHECK_EQ(mmio_read32(GICR_ISENABLER0) >> 9 & 1, 0);
}
