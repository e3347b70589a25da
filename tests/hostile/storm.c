// SPDX-License-Identifier: Apache-2.0
// Interrupt storms: more pending than there are list registers, of every priority, kept active many at a time, ended
// in any order and by others than who acknowledged them; lines that stay high; groups and interfaces turned off under
// way. What is acknowledged is an interrupt that may come.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"

#define ICC_DIR_EL1     S3_0_C12_C11_1
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_RPR_EL1     S3_0_C12_C11_3
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define SGI_BASE        0x10000
#define BANKS           10 // of 32 interrupts
#define INTID_END       (32 * BANKS)
#define SPURIOUS        1023
#define ACTIVE_MAX      20
#define CTLR_EOIMODE    2
#define TIMER_ON        1
#define TIMER_SILENT    2

static uint64_t frame(unsigned int bank)
{
    return bank == 0 ? GICR_IPA + cpu_index() * (uint64_t)GICR_STRIDE + SGI_BASE : GICD_IPA;
}

// Everything in Group 1, enabled, at random priorities, routed to random CPUs.
static void open_all(void)
{
    gic_init_cpu();
    for (unsigned int bank = 0; bank < BANKS; bank++) {
        mmio_write32(frame(bank) + 0x80 + 4 * bank, ~0u);
        mmio_write32(frame(bank) + 0x100 + 4 * bank, bank == 1 ? ~2u : ~0u); // the UART's is the console's
        for (unsigned int i = 0; i < 32; i += 4)
            mmio_write32(frame(bank) + 0x400 + 32 * bank + i, (uint32_t)random_next() & 0x7f7f7f7f);
    }
    for (unsigned int intid = 32; intid < INTID_END; intid++)
        mmio_write64(GICD_IPA + 0x6000 + 8 * intid, random_below(job_cpus()));
}

static void raise(void)
{
    unsigned int bank = (unsigned int)random_below(BANKS);
    uint32_t bits = (uint32_t)random_next() & (bank == 0 ? 0xffffu : ~0u);

    switch (random_below(8)) {
    case 0: // and take some back
        mmio_write32(frame(bank) + (random_below(2) ? 0x280 : 0x380) + 4 * bank, bits);
        break;
    case 1: // active without having been acknowledged
        mmio_write32(frame(bank) + 0x300 + 4 * bank, bits & (uint32_t)random_next());
        break;
    case 2:
        mmio_write32(frame(bank) + (random_below(2) ? 0x180 : 0x80) + 4 * bank, bits);
        mmio_write32(frame(bank) + 0x100 + 4 * bank, bits);
        break;
    case 3: // level or edge
        mmio_write32(frame(bank) + 0xc00 + 8 * bank + 4, (uint32_t)random_next());
        break;
    case 4: // a line that stays high
        WRITE_REG(cntv_cval_el0, 0);
        WRITE_REG(cntv_ctl_el0, random_below(2) ? TIMER_ON : TIMER_SILENT);
        break;
    case 5:
        gic_send_sgi((unsigned int)random_below(16), (uint16_t)random_next());
        break;
    default:
        mmio_write32(frame(bank) + 0x200 + 4 * bank, bits);
        break;
    }
    account(true, "", 0, 0, 0);
}

// Takes as many as come, each preempting the one before or waiting for a lower mask, and ends them in any order.
static void drain(void)
{
    unsigned int active[ACTIVE_MAX], count = 0;
    bool split = random_below(2);

    WRITE_REG(ICC_CTLR_EL1, split ? CTLR_EOIMODE : 0);
    WRITE_REG(ICC_PMR_EL1, random_below(4) ? 0xff : random_next() & 0xff);
    while (count < ACTIVE_MAX) {
        unsigned int intid = gic_acknowledge();
        account(intid < INTID_END || intid == SPURIOUS, "an interrupt that cannot be", intid, count, 0);
        if (intid >= INTID_END)
            break;
        active[count++] = intid;
        if (random_below(2)) // ended at once, or only its priority dropped, so that more can come
            WRITE_REG(ICC_EOIR1_EL1, intid);
    }
    while (count > 0) {
        unsigned int i = (unsigned int)random_below(count);
        WRITE_REG(ICC_EOIR1_EL1, active[i]);
        if (split && random_below(8) != 0)
            WRITE_REG(ICC_DIR_EL1, active[i]);
        active[i] = active[--count];
        account(READ_REG(ICC_RPR_EL1) <= 0xff, "a priority", READ_REG(ICC_RPR_EL1), 0, 0);
    }
    WRITE_REG(ICC_IGRPEN1_EL1, random_below(8) != 0);
}

void attack_storm(uint64_t count)
{
    exception_set_irq_handler(serve_timers);
    for (uint64_t i = 0; i < count; i++) {
        if (i % 4096 == 0)
            open_all();
        raise();
        if (random_below(8) == 0)
            drain();
        if (random_below(16) == 0) {
            cpu_irq_unmask();
            __asm__ volatile("isb");
            cpu_irq_mask();
        }
    }
    WRITE_REG(cntv_ctl_el0, TIMER_SILENT);
}
