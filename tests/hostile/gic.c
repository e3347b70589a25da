// SPDX-License-Identifier: Apache-2.0
// Random programming of distributor, redistributors, CPU interface and timers from every CPU at once, while interrupts
// fly. FIQ stays masked (Group 0 is acknowledged by hand), and the handler silences a timer whose level stays up.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"

#define ICC_IAR0_EL1    S3_0_C12_C8_0
#define ICC_EOIR0_EL1   S3_0_C12_C8_1
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_DIR_EL1     S3_0_C12_C11_1
#define ICC_SGI1R_EL1   S3_0_C12_C11_5
#define ICC_ASGI1R_EL1  S3_0_C12_C11_6
#define ICC_SGI0R_EL1   S3_0_C12_C11_7
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_BPR0_EL1    S3_0_C12_C8_3
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_IGRPEN0_EL1 S3_0_C12_C12_6
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define IROUTER         0x6000
#define SPI_END         320
#define TIMER_SILENT    2

static uint64_t random_register(void)
{
    uint64_t frame = random_below(2) ? GICD_IPA : GICR_IPA + random_below(CPU_MAX + 1) * GICR_STRIDE + 0x10000;
    uint64_t bank = frame == GICD_IPA ? random_below(11) : 0;

    switch (random_below(6)) {
    case 0: // control, types, WAKER
        return frame - random_below(2) * (frame == GICD_IPA ? 0 : 0x10000) + 4 * random_below(8);
    case 1: // priorities
        return frame + 0x400 + 32 * bank + 4 * random_below(8);
    case 2: // configuration
        return frame + 0xc00 + 8 * bank + 4 * random_below(2);
    case 3:
        return frame == GICD_IPA ? frame + IROUTER + 8 * (32 + random_below(SPI_END))
                                 : frame + 4 * random_below(0x4000);
    default: // groups, enables, pending, active
        return frame + 0x80 * (1 + random_below(7)) + 4 * bank;
    }
}

static uint32_t random_bits(void)
{
    uint32_t bits = (uint32_t)random_next();

    return random_below(2) ? bits : bits & (uint32_t)random_next() & (uint32_t)random_next();
}

static void attack_register(void)
{
    uint64_t address = random_register();
    struct exception e;

    exception_expect();
    if (random_below(3) == 0)
        (void)mmio_read32(address);
    else if (random_below(64) == 0)
        mmio_write64(address & ~UINT64_C(7), random_next());
    else if (random_below(16) == 0)
        mmio_write8(address, (uint8_t)random_next());
    else
        mmio_write32(address, random_bits());
    e = exception_end();
    exception_expect();
    account(is_refusal(&e), "a GIC access", address, e.esr, 0);
}

static void attack_interface(void)
{
    uint64_t intid = random_below(8) ? random_below(SPI_END) : random_hostile();

    switch (random_below(12)) {
    case 0:
        (void)READ_REG(ICC_IAR0_EL1);
        break;
    case 1:
        WRITE_REG(ICC_EOIR0_EL1, intid);
        break;
    case 2:
        (void)READ_REG(ICC_IAR1_EL1);
        break;
    case 3:
        WRITE_REG(ICC_EOIR1_EL1, intid);
        break;
    case 4:
        WRITE_REG(ICC_DIR_EL1, intid);
        break;
    case 5:
        WRITE_REG(ICC_PMR_EL1, random_below(2) ? 0xff : random_next());
        break;
    case 6:
        WRITE_REG(ICC_CTLR_EL1, random_below(4));
        break;
    case 7:
        WRITE_REG(ICC_IGRPEN0_EL1, random_below(2));
        WRITE_REG(ICC_IGRPEN1_EL1, random_below(4) != 0);
        break;
    case 8:
        WRITE_REG(ICC_BPR0_EL1, random_below(8)); // more than its three bits ends QEMU 7.2 in an assertion of its own
        WRITE_REG(ICC_BPR1_EL1, random_below(8));
        break;
    case 9:
        WRITE_REG(ICC_SGI0R_EL1, random_next());
        WRITE_REG(ICC_ASGI1R_EL1, random_next());
        break;
    default:
        WRITE_REG(ICC_SGI1R_EL1, random_below(4) ? random_below(16) << 24 | random_below(0x100) : random_next());
        break;
    }
    account(true, "", 0, 0, 0);
}

static void attack_timer(void)
{
    uint64_t deadline = random_below(2) ? READ_REG(cntvct_el0) + random_below(20000) : random_hostile();

    if (random_below(2)) {
        WRITE_REG(cntv_cval_el0, deadline);
        WRITE_REG(cntv_ctl_el0, random_below(4));
    } else {
        WRITE_REG(cntp_cval_el0, deadline);
        WRITE_REG(cntp_ctl_el0, random_below(4));
    }
    account(true, "", 0, 0, 0);
}

void attack_gic(uint64_t count)
{
    exception_set_irq_handler(serve_timers);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t kind = random_below(16);

        if (kind == 0)
            attack_timer();
        else if (kind < 6)
            attack_interface();
        else
            attack_register();
        if (random_below(4) == 0) {
            cpu_irq_unmask();
            __asm__ volatile("isb");
            cpu_irq_mask();
        }
    }
    WRITE_REG(cntv_ctl_el0, TIMER_SILENT);
    WRITE_REG(cntp_ctl_el0, TIMER_SILENT);
    exception_expect();
}
