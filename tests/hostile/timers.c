// SPDX-License-Identifier: Apache-2.0
// Both timers with deadlines in the past, at zero, at the end of time and about to come, with their interrupts on and
// off. Registers read back as written, and ISTATUS is what the counter says.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"

#define CTL_ENABLE  1
#define CTL_IMASK   2
#define CTL_ISTATUS 4

static uint64_t random_deadline(uint64_t now)
{
    switch (random_below(8)) {
    case 0:
        return 0;
    case 1:
        return ~UINT64_C(0) - random_below(4);
    case 2:
        return (UINT64_C(1) << 63) + random_below(8) - 4;
    case 3:
        return random_hostile();
    case 4:
        return now - random_below(100000);
    default:
        return now + random_below(2000);
    }
}

static uint32_t expected(uint64_t ctl, uint64_t cval, uint64_t now)
{
    return (uint32_t)(ctl & (CTL_ENABLE | CTL_IMASK)) | ((ctl & CTL_ENABLE) && now >= cval ? CTL_ISTATUS : 0);
}

// name: v or p.
#define ATTACK_TIMER(name)                                                                                             \
    do {                                                                                                               \
        uint64_t before = READ_REG(cnt##name##ct_el0); /* QEMU may notice a deadline late, never one passed already */ \
        uint64_t cval = random_deadline(before), ctl = random_next();                                                  \
                                                                                                                       \
        WRITE_REG(cnt##name##_cval_el0, cval);                                                                         \
        account(READ_REG(cnt##name##_cval_el0) == cval, "CVAL of timer " #name, cval, 0, 0);                           \
        if (random_below(4) == 0) {                                                                                    \
            WRITE_REG(cnt##name##_tval_el0, random_hostile());                                                         \
            cval = READ_REG(cnt##name##_cval_el0);                                                                     \
        }                                                                                                              \
        WRITE_REG(cnt##name##_ctl_el0, ctl);                                                                           \
        uint64_t is = READ_REG(cnt##name##_ctl_el0);                                                                   \
        uint64_t after = READ_REG(cnt##name##ct_el0);                                                                  \
        account(is == expected(ctl, cval, before) || is == expected(ctl, cval, after), "CTL of timer " #name, cval,    \
                ctl, is);                                                                                              \
    } while (0)

void serve_timers(unsigned int intid)
{
    if (intid == GIC_INTID_VTIMER)
        WRITE_REG(cntv_ctl_el0, CTL_IMASK);
    if (intid == GIC_INTID_PTIMER)
        WRITE_REG(cntp_ctl_el0, CTL_IMASK);
}

void attack_timers(uint64_t count)
{
    gic_init_cpu();
    gic_enable(GIC_INTID_VTIMER, 0x40);
    gic_enable(GIC_INTID_PTIMER, 0x40);
    exception_set_irq_handler(serve_timers);
    for (uint64_t i = 0; i < count; i += 4) {
        ATTACK_TIMER(v);
        ATTACK_TIMER(p);
        if (random_below(2)) {
            cpu_irq_unmask();
            __asm__ volatile("isb");
            cpu_irq_mask();
        }
    }
    WRITE_REG(cntv_ctl_el0, CTL_IMASK);
    WRITE_REG(cntp_ctl_el0, CTL_IMASK);
}
