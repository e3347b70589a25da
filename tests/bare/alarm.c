// SPDX-License-Identifier: Apache-2.0
// Sets the clock's alarm to the next second, asks ariel for a pause (the bare machine has nobody to ask), and waits for
// the interrupt in WFI. Prints how many seconds late it was.

#include "bare.h"

volatile bool aborted;

#define GICD      0x08000000
#define GICR      0x080a0000
#define CLOCK     0x09010000
#define ALARM     34 // INTID
#define HVC_PAUSE 3  // include/hv/guest_abi.h

static void prepare_interrupts(void)
{
    store(GICD, 4, 0x12); // ARE, Group 1
    store(GICR + 0x14, 4, 0);
    while (load(GICR + 0x14, 4) & 4) // GICR_WAKER.ChildrenAsleep
        ;
    store(GICD + 0x80 + 4, 4, 1u << (ALARM - 32));                 // GICD_IGROUPR
    store(GICD + 0x400 + ALARM, 1, 0x80);                          // GICD_IPRIORITYR
    store(GICD + 0x6000 + 8 * ALARM, 8, 0);                        // GICD_IROUTER
    store(GICD + 0x100 + 4, 4, 1u << (ALARM - 32));                // GICD_ISENABLER
    __asm__ volatile("msr S3_0_C12_C12_5, %0\n isb" : : "r"(7ul)); // ICC_SRE_EL1
    __asm__ volatile("msr S3_0_C4_C6_0, %0" : : "r"(0xf0ul));      // ICC_PMR_EL1
    __asm__ volatile("msr S3_0_C12_C12_7, %0\n isb" : : "r"(1ul)); // ICC_IGRPEN1_EL1
}

static unsigned int acknowledge(void)
{
    uint64_t intid;

    __asm__ volatile("mrs %0, S3_0_C12_C12_0\n dsb sy" : "=r"(intid)); // ICC_IAR1_EL1
    return (unsigned int)intid;
}

void main(void);
void main(void)
{
    prepare_interrupts();
    uint32_t due = (uint32_t)load(CLOCK, 4) + 1;
    store(CLOCK + 0x10, 4, 1); // RTCIMSC
    store(CLOCK + 0x04, 4, due);
    print("armed\n");
    psci(HVC_PAUSE);
    while (acknowledge() != ALARM)
        __asm__ volatile("wfi");
    uint32_t now = (uint32_t)load(CLOCK, 4);
    store(CLOCK + 0x1c, 4, 1);                                           // RTCICR
    __asm__ volatile("msr S3_0_C12_C12_1, %0" : : "r"((uint64_t)ALARM)); // ICC_EOIR1_EL1
    print("rang ");
    print_hex(now - due);
    print(load(CLOCK + 0x14, 4) == 0 ? " cleared\n" : " pending\n");
    psci(PSCI_SYSTEM_OFF);
}
