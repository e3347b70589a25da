// SPDX-License-Identifier: Apache-2.0
// EL2's own address space: one identity map, built once by the boot CPU and shared by all. Text is read-only and
// executable, rodata read-only, these tables too once the MMU is on, all else read-write and never executable. Guard
// pages under the stacks, page 0 and everything not named here stay unmapped. The flash that the machine may boot from
// is read-only, so that not even an error of EL2's programs it. 4 KiB granule, 39 bits, level 1 root (DDI 0487 D8.3).

#include <hv/stage1.h>

#include <hv/arch/cache.h>
#include <hv/arch/descriptor.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/memory_map.h>

#define PAGE_SIZE  KIB(4)
#define BLOCK_SIZE MIB(2)
#define ENTRIES    512

// Index into MAIR_EL2, as stage1_init sets it
enum { ATTR_DEVICE, ATTR_NORMAL };

#define LEAF   (DESC_VALID | DESC_AF | EL2_DESC_AP_RES1)
#define TEXT   (LEAF | FIELD_PREP(S1_DESC_ATTRINDX, ATTR_NORMAL) | FIELD_PREP(DESC_SH, DESC_SH_INNER) | S1_DESC_AP_RO)
#define RODATA (TEXT | EL2_DESC_XN)
#define DATA   (RODATA & ~S1_DESC_AP_RO)
#define DEVICE (LEAF | FIELD_PREP(S1_DESC_ATTRINDX, ATTR_DEVICE) | EL2_DESC_XN)

extern char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], stacks_start[], bss_start[],
    bss_end[], sealed_start[], sealed_end[], hv_end[];

// Level 3 tables for the two 2 MiB pieces the image may lie in, and for the one that survives a reset.
enum { PIECE_IMAGE_LOW, PIECE_IMAGE_HIGH, PIECE_SURVIVES, PIECE_COUNT };

#define SURVIVES_PA (GUEST_RAM_PA - BLOCK_SIZE)

_Static_assert(HV_PA % PAGE_SIZE == 0 && HV_PA - RAM_PA + HV_MAX_SIZE <= 2 * BLOCK_SIZE);
_Static_assert(LOG_RING_PA >= SURVIVES_PA && GUEST_MANIFEST_PA >= SURVIVES_PA && BOOT_RECORD_PA >= SURVIVES_PA);

static SEALED _Alignas(4096) uint64_t root[ENTRIES];
static SEALED _Alignas(4096) uint64_t devices[ENTRIES]; // 0 .. 1 GiB
static SEALED _Alignas(4096) uint64_t memory[ENTRIES];  // 1 .. 2 GiB
static SEALED _Alignas(4096) uint64_t pieces[PIECE_COUNT][ENTRIES];

// What stage1_enable (boot.S) loads. Cleaned to memory, since other CPUs read it with their MMU off.
SEALED struct stage1_registers stage1_registers;

static uint64_t *piece_of(uint64_t address)
{
    if (address >= SURVIVES_PA)
        return pieces[PIECE_SURVIVES];
    return pieces[(address - RAM_PA) / BLOCK_SIZE == 0 ? PIECE_IMAGE_LOW : PIECE_IMAGE_HIGH];
}

static void map_pages(uint64_t start, uint64_t end, uint64_t attributes)
{
    for (uint64_t page = start; page < end; page += PAGE_SIZE)
        piece_of(page)[page / PAGE_SIZE % ENTRIES] = page | attributes | DESC_TABLE;
}

static void map_blocks(uint64_t *table, uint64_t start, uint64_t end, uint64_t attributes)
{
    for (uint64_t block = start; block < end; block += BLOCK_SIZE)
        table[block / BLOCK_SIZE % ENTRIES] = block | attributes;
}

static uint64_t table_entry(const uint64_t *table)
{
    return (uint64_t)table | DESC_VALID | DESC_TABLE;
}

static void unmap_guard_pages(void)
{
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++) {
        uint64_t guard = (uint64_t)stacks_start + cpu * STACK_STRIDE;
        piece_of(guard)[guard / PAGE_SIZE % ENTRIES] = 0;
    }
}

// All that was written since reset went past the caches, since the MMU was off. Lines that were there before, of
// whoever loaded ariel, would hide it as soon as the MMU is on, from this CPU's walker as well, or be written back over
// it.
static void drop_stale_lines(void)
{
    cache_invalidate_poc(data_start, (size_t)(stacks_start - data_start));
    cache_invalidate_poc(stacks_start, STACK_STRIDE); // this CPU's, in use; no other has run
    cache_invalidate_poc(bss_start, (size_t)(bss_end - bss_start));
}

void stage1_init(void)
{
    root[0] = table_entry(devices);
    root[1] = table_entry(memory);
    map_blocks(devices, BLOCK_SIZE, FLASH_SIZE, DEVICE | S1_DESC_AP_RO);
    map_blocks(devices, FLASH_SIZE, PL011_PA + BLOCK_SIZE, DEVICE);
    map_blocks(memory, GUEST_RAM_PA, GUEST_RAM_PA + GUEST_RAM_SIZE, DATA);
    memory[0] = table_entry(pieces[PIECE_IMAGE_LOW]);
    memory[1] = table_entry(pieces[PIECE_IMAGE_HIGH]);
    memory[(SURVIVES_PA - RAM_PA) / BLOCK_SIZE] = table_entry(pieces[PIECE_SURVIVES]);
    map_pages((uint64_t)text_start, (uint64_t)text_end, TEXT);
    map_pages((uint64_t)rodata_start, (uint64_t)rodata_end, RODATA);
    map_pages((uint64_t)data_start, (uint64_t)hv_end, DATA);
    map_pages((uint64_t)sealed_start, (uint64_t)sealed_end, RODATA);
    map_pages(LOG_RING_PA, LOG_RING_PA + LOG_RING_SIZE, DATA);
    map_pages(GUEST_MANIFEST_PA, GUEST_MANIFEST_PA + GUEST_MANIFEST_SIZE, RODATA);
    map_pages(BOOT_RECORD_PA, BOOT_RECORD_PA + BOOT_RECORD_SIZE, DATA);
    unmap_guard_pages();

    stage1_registers = (struct stage1_registers){
        .mair = MAIR_DEVICE_NGNRE << 8 * ATTR_DEVICE | MAIR_NORMAL_WB << 8 * ATTR_NORMAL,
        .tcr = TCR_EL2_RES1 | FIELD_PREP(TCR_EL2_T0SZ, 64 - 39) | FIELD_PREP(TCR_EL2_IRGN0, 1) |
               FIELD_PREP(TCR_EL2_ORGN0, 1) | FIELD_PREP(TCR_EL2_SH0, 3) | FIELD_PREP(TCR_EL2_PS, 2),
        .ttbr = (uint64_t)root,
        .sctlr = SCTLR_EL2_RES1 | SCTLR_ELX_M | SCTLR_ELX_C | SCTLR_ELX_I | SCTLR_ELX_SA | SCTLR_ELX_WXN,
    };
    drop_stale_lines();
}
