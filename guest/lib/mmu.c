// SPDX-License-Identifier: Apache-2.0
// Builds and switches the guest's stage 1 tables. Table stores are completed before the TLB is cleaned and before the
// register that makes them live (DDI 0487 D8.13).
#include "lib/mmu.h"

#include <stddef.h>

#include "lib/layout.h"
#include "lib/registers.h"

#define DESCRIPTOR_VALID  UINT64_C(1)
#define DESCRIPTOR_TABLE  UINT64_C(3)
#define DESCRIPTOR_PAGE   UINT64_C(3)
#define DESCRIPTOR_AF     (UINT64_C(1) << 10)
#define DESCRIPTOR_INNER  (UINT64_C(3) << 8)
#define DESCRIPTOR_DEVICE (UINT64_C(1) << 2) // MAIR index 1
#define DESCRIPTOR_UXN    (UINT64_C(1) << 54)
#define DESCRIPTOR_PXN    (UINT64_C(1) << 53)
#define GIB_SHIFT         30

// Attr0 = Normal write-back, Attr1 = Device-nGnRE
#define MAIR_VALUE UINT64_C(0x04ff)
// T0SZ = 25, walks inner shareable write-back, 4 KiB, TTBR1 walks disabled, 40-bit IPA
#define TCR_VALUE    (UINT64_C(25) | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | UINT64_C(2) << 32)
#define SCTLR_MMU_ON (GUEST_SCTLR_OFF | 1 << 0 | 1 << 2 | 1 << 12)

static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t window_level2[512] __attribute__((aligned(4096)));
static uint64_t window_level3[512] __attribute__((aligned(4096)));

void mmu_flush(void)
{
    __asm__ volatile("dsb ishst\n tlbi vmalle1\n dsb ish\n isb" ::: "memory");
}

static void fill_tables(void)
{
    root[0] = DESCRIPTOR_VALID | DESCRIPTOR_AF | DESCRIPTOR_DEVICE | DESCRIPTOR_UXN | DESCRIPTOR_PXN;
    root[1] = UINT64_C(1) << GIB_SHIFT | DESCRIPTOR_VALID | DESCRIPTOR_AF | DESCRIPTOR_INNER;
    root[MMU_WINDOW >> GIB_SHIFT] = (uint64_t)window_level2 | DESCRIPTOR_TABLE;
    window_level2[0] = (uint64_t)window_level3 | DESCRIPTOR_TABLE;
    root[MMU_TABLE_DEVICE >> GIB_SHIFT] = MMU_TABLE_DEVICE_IPA | DESCRIPTOR_TABLE;
    root[MMU_TABLE_HOLE >> GIB_SHIFT] = MMU_TABLE_HOLE_IPA | DESCRIPTOR_TABLE;
}

void mmu_enable(void)
{
    fill_tables();
    WRITE_REG(mair_el1, MAIR_VALUE);
    WRITE_REG(tcr_el1, TCR_VALUE);
    WRITE_REG(ttbr0_el1, (uint64_t)root);
    mmu_flush();
    WRITE_REG(sctlr_el1, SCTLR_MMU_ON);
}

void mmu_disable(void)
{
    if (!(READ_REG(sctlr_el1) & 1))
        return;
    __asm__ volatile("dsb sy" ::: "memory");
    WRITE_REG(sctlr_el1, GUEST_SCTLR_OFF);
    for (size_t page = 0; page < 512; page++)
        window_level3[page] = 0;
    mmu_flush();
}

void mmu_map_page(unsigned int page, uint64_t address, bool device)
{
    window_level3[page & 511] =
        address | DESCRIPTOR_PAGE | DESCRIPTOR_AF | (device ? DESCRIPTOR_DEVICE : DESCRIPTOR_INNER);
    mmu_flush();
}

void mmu_unmap_page(unsigned int page)
{
    window_level3[page & 511] = 0;
    mmu_flush();
}
