// SPDX-License-Identifier: Apache-2.0
// Bring-up and use of the guest's GICv3 (IHI 0069). The ICC_ registers are named by encoding, because not every
// assembler knows them without an extension.
#include "lib/gic.h"

#include <hv/memory_map.h>

#include "lib/mmio.h"
#include "lib/registers.h"

#define ICC_SRE_EL1     S3_0_C12_C12_5
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_SGI1R_EL1   S3_0_C12_C11_5

#define GICD_CTLR                  0x0000
#define GICD_IGROUPR               0x0080
#define GICD_ISENABLER             0x0100
#define GICD_ICENABLER             0x0180
#define GICD_IPRIORITYR            0x0400
#define GICD_IROUTER               0x6000
#define GICD_CTLR_ENABLE_GRP1      0x2
#define GICD_CTLR_ARE              0x10
#define GICD_CTLR_RWP              0x80000000u
#define GICR_WAKER                 0x0014
#define GICR_WAKER_PROCESSOR_SLEEP 0x2
#define GICR_WAKER_CHILDREN_ASLEEP 0x4
#define GICR_SGI_BASE              0x10000
#define WAIT_LIMIT                 100000

static uint64_t redistributor(void)
{
    return GICR_IPA + (uint64_t)cpu_index() * GICR_STRIDE;
}

// The frame that holds the enable, group and priority registers of intid.
static uint64_t frame_of(unsigned int intid)
{
    return intid < 32 ? redistributor() + GICR_SGI_BASE : GICD_IPA;
}

void gic_init_distributor(void)
{
    mmio_write32(GICD_IPA + GICD_CTLR, GICD_CTLR_ARE);
    mmio_write32(GICD_IPA + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
    for (unsigned int n = 0; n < WAIT_LIMIT && mmio_read32(GICD_IPA + GICD_CTLR) & GICD_CTLR_RWP; n++)
        ;
}

void gic_init_cpu(void)
{
    uint64_t base = redistributor();

    mmio_write32(base + GICR_WAKER, mmio_read32(base + GICR_WAKER) & ~(uint32_t)GICR_WAKER_PROCESSOR_SLEEP);
    for (unsigned int n = 0; n < WAIT_LIMIT && mmio_read32(base + GICR_WAKER) & GICR_WAKER_CHILDREN_ASLEEP; n++)
        ;
    mmio_write32(base + GICR_SGI_BASE + GICD_ICENABLER, 0xffffffff);
    mmio_write32(base + GICR_SGI_BASE + GICD_IGROUPR, 0xffffffff);
    WRITE_REG(ICC_SRE_EL1, READ_REG(ICC_SRE_EL1) | 1);
    WRITE_REG(ICC_PMR_EL1, 0xf0);
    WRITE_REG(ICC_BPR1_EL1, 0);
    WRITE_REG(ICC_IGRPEN1_EL1, 1);
}

void gic_enable(unsigned int intid, uint8_t priority)
{
    uint64_t frame = frame_of(intid);
    uint64_t word = intid / 32 * 4;
    uint32_t bit = 1u << intid % 32;

    mmio_write32(frame + GICD_IGROUPR + word, mmio_read32(frame + GICD_IGROUPR + word) | bit);
    mmio_write8(frame + GICD_IPRIORITYR + intid, priority);
    if (intid >= 32)
        mmio_write64(GICD_IPA + GICD_IROUTER + 8 * (uint64_t)intid, 0);
    mmio_write32(frame + GICD_ISENABLER + word, bit);
}

void gic_disable(unsigned int intid)
{
    mmio_write32(frame_of(intid) + GICD_ICENABLER + intid / 32 * 4, 1u << intid % 32);
}

void gic_send_sgi(unsigned int intid, uint16_t targets)
{
    __asm__ volatile("dsb ishst" ::: "memory");
    WRITE_REG(ICC_SGI1R_EL1, (uint64_t)intid << 24 | targets);
}

unsigned int gic_acknowledge(void)
{
    unsigned int intid = (unsigned int)READ_REG(ICC_IAR1_EL1) & 0xffffff;

    __asm__ volatile("dsb sy" ::: "memory");
    return intid;
}

void gic_end(unsigned int intid)
{
    WRITE_REG(ICC_EOIR1_EL1, intid);
}
