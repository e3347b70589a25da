// SPDX-License-Identifier: Apache-2.0
// Every CPU asks for what only the others know, as fast as it can: the pending and active states of interrupts that
// stand in list registers of all CPUs, and, between, whatever else concerns another CPU (its redistributor, an SGI, its
// power state, the distributor's control, a route). Whoever reads must wait for the others, who all do the same.
#include "hostile.h"

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/print.h"

#define SGI_BASE           0x10000
#define ISENABLER          0x100
#define ISPENDR            0x200
#define ICPENDR            0x280
#define ISACTIVER          0x300
#define IGROUPR            0x080
#define IROUTER            0x6000
#define FIRST_OTHER        48 // an SPI that no device of QEMU virt drives: one for each CPU from here
#define BANK               (FIRST_OTHER / 32)
#define ICC_PMR_EL1        S3_0_C4_C6_0
#define PSCI_AFFINITY_INFO UINT64_C(0xc4000004)

// One SPI pending at each CPU, none of which takes interrupts of its priority: it stays in a list register there.
static void place_interrupts(void)
{
    for (unsigned int cpu = 0; cpu < job_cpus(); cpu++) {
        mmio_write64(GICD_IPA + IROUTER + 8 * (FIRST_OTHER + cpu), cpu);
        mmio_write32(GICD_IPA + IGROUPR + 4 * BANK, ~0u);
        mmio_write32(GICD_IPA + ISENABLER + 4 * BANK, 1u << (FIRST_OTHER % 32 + cpu));
        mmio_write32(GICD_IPA + ISPENDR + 4 * BANK, 1u << (FIRST_OTHER % 32 + cpu));
    }
}

static void ask_other(uint64_t kind)
{
    uint64_t other = GICR_IPA + random_below(job_cpus()) * GICR_STRIDE + SGI_BASE;

    switch (kind) {
    case 0:
        (void)mmio_read32(other + ISPENDR);
        break;
    case 1:
        (void)mmio_read32(other + ISACTIVER);
        break;
    case 2:
        mmio_write32(other + ISPENDR, 1u << random_below(16));
        break;
    case 3:
        gic_send_sgi((unsigned int)random_below(16), 0xff);
        break;
    case 4:
        (void)call_hvc(PSCI_AFFINITY_INFO, random_below(job_cpus()), 0, 0);
        break;
    default:
        mmio_write64(GICD_IPA + IROUTER + 8 * (FIRST_OTHER + random_below(job_cpus())), random_below(job_cpus()));
        break;
    }
}

void attack_ask(uint64_t count)
{
    gic_init_cpu();
    WRITE_REG(ICC_PMR_EL1, 0);
    if (cpu_index() == 0) {
        place_interrupts();
        print("# hostile: ask begins\n");
    }
    for (uint64_t i = 0; i < count; i++) {
        if (i % 16 == 0)
            ask_other(random_below(6));
        else
            (void)mmio_read32(GICD_IPA + (i % 2 ? ISPENDR : ISACTIVER) + 4 * BANK);
        account(true, "", 0, 0, 0);
    }
    mmio_write32(GICD_IPA + ICPENDR + 4 * BANK, ~0u);
    mmio_write32(GICR_IPA + cpu_index() * (uint64_t)GICR_STRIDE + SGI_BASE + ICPENDR, ~0u);
    WRITE_REG(ICC_PMR_EL1, 0xff);
}
