// SPDX-License-Identifier: Apache-2.0
// The PL011's interrupts, in loopback and by hand (Arm DDI 0183G 2.8, 3.3): none at once that comes after bit periods
// on the part, none for ever that UARTICR has cleared. Nothing is printed while the UART is in loopback.
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/test.h"

#define UARTDR    (PL011_IPA + 0x000)
#define UARTRSR   (PL011_IPA + 0x004)
#define UARTIBRD  (PL011_IPA + 0x024)
#define UARTLCR_H (PL011_IPA + 0x02c)
#define UARTCR    (PL011_IPA + 0x030)
#define UARTIFLS  (PL011_IPA + 0x034)
#define UARTIMSC  (PL011_IPA + 0x038)
#define UARTRIS   (PL011_IPA + 0x03c)
#define UARTICR   (PL011_IPA + 0x044)

#define CR_LOOPBACK 0x381
#define FIFO_8_BITS 0x70
#define INT_TX      0x020
#define INT_RT      0x040
#define INT_ALL     0x7ff
#define DIVISOR     625 // 2400 baud: 32 bits are 13 ms
#define UART_INTID  33

static uint32_t old_cr, old_lcr_h, old_ifls, old_imsc, old_ibrd;

// Loopback at 2400 baud, nothing pending. False: policy keeps the UART, or it has no loopback (QEMU before 9.1).
static bool begin(void)
{
    old_cr = mmio_read32(UARTCR);
    old_lcr_h = mmio_read32(UARTLCR_H);
    old_ifls = mmio_read32(UARTIFLS);
    old_imsc = mmio_read32(UARTIMSC);
    old_ibrd = mmio_read32(UARTIBRD);
    mmio_write32(UARTIMSC, 0);
    mmio_write32(UARTIBRD, DIVISOR);
    mmio_write32(UARTLCR_H, FIFO_8_BITS);
    mmio_write32(UARTIFLS, 2 << 3);
    mmio_write32(UARTCR, CR_LOOPBACK);
    mmio_write32(UARTICR, INT_ALL);
    return mmio_read32(UARTCR) == CR_LOOPBACK;
}

// As it was, so that the test can say something.
static void end(void)
{
    while (!(mmio_read32(PL011_IPA + 0x018) & 0x10))
        (void)mmio_read32(UARTDR);
    mmio_write32(UARTICR, INT_ALL);
    mmio_write32(UARTIBRD, old_ibrd);
    mmio_write32(UARTIFLS, old_ifls);
    mmio_write32(UARTLCR_H, old_lcr_h);
    mmio_write32(UARTCR, old_cr);
    mmio_write32(UARTIMSC, old_imsc);
}

// Until raw interrupt bit is raised: the ticks that it took, or 0 when it was not within milliseconds.
static uint64_t wait_for(uint32_t bit, unsigned int milliseconds)
{
    uint64_t start = READ_REG(cntvct_el0);
    uint64_t limit = READ_REG(cntfrq_el0) * milliseconds / 1000;

    while (READ_REG(cntvct_el0) - start < limit)
        if (mmio_read32(UARTRIS) & bit)
            return READ_REG(cntvct_el0) - start + 1;
    return 0;
}

TEST("uart", "the receive timeout comes after 32 bit periods of silence")
{
    bool there = begin();

    uint64_t before = READ_REG(cntvct_el0); // a busy host may let time pass behind the write, too
    mmio_write32(UARTDR, 'a');
    bool came = wait_for(INT_RT, 10000) != 0;
    uint64_t ticks = READ_REG(cntvct_el0) - before;
    end();
    if (!there)
        SKIP("no UART of one's own");
    CHECK(came);
    CHECK(ticks > READ_REG(cntfrq_el0) * 12 / 1000);
}

TEST("uart", "a cleared receive timeout stays so without a character")
{
    bool there = begin();

    mmio_write32(UARTDR, 'a');
    uint64_t first = wait_for(INT_RT, 10000);
    mmio_write32(UARTICR, INT_RT);
    uint64_t again = wait_for(INT_RT, 40);
    mmio_write32(UARTDR, 'b');
    uint64_t last = wait_for(INT_RT, 10000);
    end();
    if (!there)
        SKIP("no UART of one's own");
    CHECK(first != 0);
    CHECK_EQ(again, 0);
    CHECK(last != 0);
}

TEST("uart", "a cleared transmit interrupt comes again when what was sent has left")
{
    bool there = begin();

    mmio_write32(UARTDR, 'a');
    uint64_t before = READ_REG(cntvct_el0);
    mmio_write32(UARTICR, INT_TX);
    bool came = wait_for(INT_TX, 10000) != 0;
    uint64_t first = READ_REG(cntvct_el0) - before;
    mmio_write32(UARTICR, INT_TX);
    uint64_t again = wait_for(INT_TX, 20); // nothing was sent since
    end();
    if (!there)
        SKIP("no UART of one's own");
    CHECK(came);
    CHECK(first > READ_REG(cntfrq_el0) * 3 / 1000);
    CHECK_EQ(again, 0);
}

static volatile unsigned int taken;

static void take(unsigned int intid)
{
    taken = intid;
    mmio_write32(UARTIMSC, 0);
}

TEST("uart", "a receive timeout ends WFI")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    bool there = begin();

    taken = 0;
    exception_set_irq_handler(take);
    gic_enable(UART_INTID, 0x80);
    mmio_write32(UARTIMSC, INT_RT);
    mmio_write32(UARTDR, 'a');
    for (unsigned int n = 0; n < 100 && taken == 0; n++) {
        __asm__ volatile("wfi");
        cpu_irq_unmask();
        __asm__ volatile("isb");
        cpu_irq_mask();
    }
    end();
    if (!there)
        SKIP("no UART of one's own");
    CHECK_EQ(taken, UART_INTID);
}
