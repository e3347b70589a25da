// SPDX-License-Identifier: Apache-2.0
// The real-time clock: it identifies itself, it runs, it can be set, and its alarm interrupts.
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/test.h"

#define RTCDR   (PL031_IPA + 0x00)
#define RTCMR   (PL031_IPA + 0x04)
#define RTCLR   (PL031_IPA + 0x08)
#define RTCCR   (PL031_IPA + 0x0c)
#define RTCIMSC (PL031_IPA + 0x10)
#define RTCRIS  (PL031_IPA + 0x14)
#define RTCMIS  (PL031_IPA + 0x18)
#define RTCICR  (PL031_IPA + 0x1c)
#define RTCID   (PL031_IPA + 0xfe0)

static volatile unsigned int taken_count, taken_intid;

static void take(unsigned int intid)
{
    taken_count++;
    taken_intid = intid;
    mmio_write32(RTCICR, 1);
}

static bool is_denied(void)
{
    exception_expect();
    (void)mmio_read32(RTCID);
    return exception_end().taken != 0;
}

// Sets the clock, and the alarm to the same second. False when a second ended in between, every time.
static bool ring_at_once(uint32_t seconds)
{
    for (unsigned int n = 0; n < 10; n++) {
        mmio_write32(RTCLR, seconds);
        mmio_write32(RTCMR, seconds);
        if (mmio_read32(RTCRIS) == 1)
            return true;
    }
    return false;
}

TEST("rtc", "identifies itself as a PL031")
{
    static const uint8_t id[] = {0x31, 0x10, 0, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    if (is_denied())
        SKIP("denied by policy");
    for (unsigned int n = 0; n < 8; n++)
        if (n != 2) // the revision is free
            CHECK_EQ(mmio_read32(RTCID + 4 * (uint64_t)n), id[n]);
    CHECK_EQ(mmio_read32(RTCID + 8) & 0xf, 4);
    CHECK_EQ(mmio_read32(RTCCR), 1);
}

TEST("rtc", "its clock can be set and set back")
{
    if (is_denied())
        SKIP("denied by policy");
    uint32_t before = mmio_read32(RTCDR);
    mmio_write32(RTCLR, 1000);
    uint32_t after = mmio_read32(RTCDR);
    CHECK(after >= 1000 && after < 1100); // a busy host takes its time
    CHECK_EQ(mmio_read32(RTCLR), 1000);
    mmio_write32(RTCLR, before);
    after = mmio_read32(RTCDR);
    CHECK(after - before < 100);
    // What the person's clock shows; on a board without a clock, the seconds since its reset
    CHECK(before > 1600000000 || before < 86400);
}

TEST("rtc", "an alarm is pending, and masked, and cleared")
{
    if (is_denied())
        SKIP("denied by policy");
    uint32_t before = mmio_read32(RTCDR);
    mmio_write32(RTCIMSC, 0);
    bool rang = ring_at_once(5000);
    uint32_t masked = mmio_read32(RTCMIS);
    mmio_write32(RTCIMSC, 1);
    uint32_t open = mmio_read32(RTCMIS);
    mmio_write32(RTCICR, 1);
    uint32_t cleared = mmio_read32(RTCRIS) | mmio_read32(RTCMIS);
    mmio_write32(RTCIMSC, 0);
    mmio_write32(RTCLR, before);
    CHECK(rang);
    CHECK_EQ(masked, 0);
    CHECK_EQ(open, 1);
    CHECK_EQ(cleared, 0);
}

// The vCPU waits in WFI meanwhile.
TEST("rtc", "the alarm interrupts in its second")
{
    if (is_denied() || !gic_init())
        SKIP("denied by policy");
    taken_count = 0;
    exception_set_irq_handler(take);
    gic_enable(PL031_INTID, 0x80);
    uint32_t due = mmio_read32(RTCDR) + 1;
    mmio_write32(RTCIMSC, 1);
    mmio_write32(RTCMR, due);
    while (taken_count == 0 && mmio_read32(RTCDR) < due + 60) {
        __asm__ volatile("wfi");
        cpu_irq_unmask();
        cpu_irq_mask();
    }
    uint32_t now = mmio_read32(RTCDR);
    mmio_write32(RTCIMSC, 0);
    gic_disable(PL031_INTID);
    CHECK_EQ(taken_count, 1);
    CHECK_EQ(taken_intid, PL031_INTID);
    CHECK(now >= due);
    CHECK_EQ(mmio_read32(RTCRIS), 0);
}
