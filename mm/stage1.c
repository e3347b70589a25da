// SPDX-License-Identifier: Apache-2.0
// EL2's own address space: one identity map, built once by the boot CPU and shared by all. It has three duties. EL2's
// text is read-only and executable, and nothing else can be executed. Its constants, and these tables too once the MMU
// is on, are read-only. Guard pages under the stacks, page 0 and whatever is not named here stay unmapped, so that a
// stray pointer faults instead of reaching a device. The flash that the machine may boot from is read-only, so that not
// even an error of EL2's programs it. The translation has a granule of 4 KiB and 39 bits of address: a table at level 1
// whose entries cover 1 GiB each, below it tables whose entries cover 2 MiB, and below those pages (DDI 0487 D8.2.7).

#include <hv/stage1.h>

#include <hv/arch/cache.h>
#include <hv/arch/descriptor.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/memory_map.h>
#include <hv/platform.h>

#define PAGE_SIZE  KIB(4)
#define BLOCK_SIZE MIB(2)
#define ENTRIES    512

// Index into MAIR_EL2, as stage1_init sets it
enum { ATTR_DEVICE, ATTR_NORMAL };

// What the kinds of memory have in common and where they differ. Text may be executed and not written, constants
// neither, data may be written and not executed. No combination allows both.
#define LEAF   (DESC_VALID | DESC_AF | EL2_DESC_AP_RES1)
#define TEXT   (LEAF | FIELD_PREP(S1_DESC_ATTRINDX, ATTR_NORMAL) | FIELD_PREP(DESC_SH, DESC_SH_INNER) | S1_DESC_AP_RO)
#define RODATA (TEXT | EL2_DESC_XN)
#define DATA   (RODATA & ~S1_DESC_AP_RO)
#define DEVICE (LEAF | FIELD_PREP(S1_DESC_ATTRINDX, ATTR_DEVICE) | EL2_DESC_XN)

extern char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], stacks_start[], bss_start[],
    bss_end[], sealed_start[], sealed_end[], hv_end[];

// Tables below the root. One is taken for each GiB in which something is mapped, and one more for each 2 MiB that are
// mapped by pages. A board needs about eight. The last one is never part of the map: it takes the descriptors for which
// there is no table, and stage1_is_complete then says so.
#define TABLES 16

static SEALED _Alignas(4096) uint64_t root[ENTRIES];
static SEALED _Alignas(4096) uint64_t tables[TABLES][ENTRIES];
static SEALED unsigned int tables_taken;

// What stage1_enable (stage1_enable.S) loads. Cleaned to memory, since other CPUs read it with their MMU off.
SEALED struct stage1_registers stage1_registers;

static uint64_t *take_table(void)
{
    return tables[tables_taken < TABLES - 1 ? tables_taken++ : TABLES - 1];
}

// The table that an entry names; one is taken for an entry that is still empty. Tables are pages of EL2's, which lie
// where they are mapped, so that the descriptor without its two low bits is a pointer.
static uint64_t *next_table(uint64_t *entry)
{
    if (*entry == 0)
        *entry = (uint64_t)take_table() | DESC_VALID | DESC_TABLE;
    return (uint64_t *)(*entry & ~(uint64_t)(DESC_VALID | DESC_TABLE));
}

// The descriptor of the 2 MiB in which address lies, and that of its page, with the tables that lead there.
static uint64_t *block_descriptor(uint64_t address)
{
    return &next_table(&root[address / GIB(1) % ENTRIES])[address / BLOCK_SIZE % ENTRIES];
}

static uint64_t *page_descriptor(uint64_t address)
{
    return &next_table(block_descriptor(address))[address / PAGE_SIZE % ENTRIES];
}

// Maps start .. end - 1, both multiples of a page: blocks where a whole one fits, else pages, and in one go what one
// table holds of it. What shares 2 MiB with something else is mapped by pages on both sides, since no two ranges
// overlap (scripts/check_layout.py).
static void map(uint64_t start, uint64_t end, uint64_t attributes)
{
    while (start < end) {
        bool block = start % BLOCK_SIZE == 0 && end - start >= BLOCK_SIZE;
        uint64_t size = block ? BLOCK_SIZE : PAGE_SIZE;
        uint64_t *descriptor = block ? block_descriptor(start) : page_descriptor(start);
        uint64_t in_table = size * ENTRIES - start % (size * ENTRIES);
        uint64_t length = end - start < in_table ? (end - start) / size * size : in_table;

        for (uint64_t offset = 0; offset < length; offset += size)
            *descriptor++ = (start + offset) | attributes | (block ? 0 : DESC_TABLE);
        start += length;
    }
}

static void map_range(const struct platform_range *range, uint64_t attributes)
{
    map(range->base, range->base + range->size, attributes);
}

// Code can be executed and not written, constants can only be read, data can be written and not executed. Sealed data
// was written before the MMU came on, and nothing can write it from then on. The page below each CPU's stack is not
// mapped: a stack that overflows faults there, instead of growing into that of the next CPU.
static void map_image(void)
{
    map((uint64_t)text_start, (uint64_t)text_end, TEXT);
    map((uint64_t)rodata_start, (uint64_t)rodata_end, RODATA);
    map((uint64_t)data_start, (uint64_t)sealed_start, DATA);
    map((uint64_t)sealed_start, (uint64_t)sealed_end, RODATA);
    map((uint64_t)sealed_end, (uint64_t)hv_end, DATA);
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
        *page_descriptor((uint64_t)stacks_start + cpu * STACK_STRIDE) = 0; // the guard page under its stack
}

// Devices that EL2 drives, and those that a policy may let it drive in a guest's place. Flash is read-only for EL2 as
// well.
static void map_devices(void)
{
    struct platform_range flash = platform.flash;
    struct platform_range virtio = {platform.virtio.base, (uint64_t)platform.virtio.count * platform.virtio.stride};

    virtio.size = (virtio.size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE; // a page holds several transports
    if (flash.size != 0 && flash.base == 0) { // page 0 stays unmapped, and the rest of its block with it
        flash.base += BLOCK_SIZE;
        flash.size -= BLOCK_SIZE;
    }
    for (unsigned int i = 0; i < platform.uart_count; i++) // the console first: it can say what is missing
        map(platform.uarts[i].base, platform.uarts[i].base + PAGE_SIZE, DEVICE);
    map_range(&platform.gicd, DEVICE);
    map_range(&platform.gicr, DEVICE);
    map_range(&platform.rtc, DEVICE);
    map_range(&platform.gpio, DEVICE);
    map_range(&virtio, DEVICE);
    map_range(&flash, DEVICE | S1_DESC_AP_RO);
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
    map_image();
    map_devices();
    map_range(&platform.log_ring, DATA);
    map_range(&platform.trace, DATA);
    map_range(&platform.symbols, DATA);
    map_range(&platform.guest_manifest, RODATA);
    map_range(&platform.boot_record, DATA);
    map_range(&platform.guest_ram, DATA);

    stage1_registers = (struct stage1_registers){
        .mair = MAIR_DEVICE_NGNRE << 8 * ATTR_DEVICE | MAIR_NORMAL_WB << 8 * ATTR_NORMAL,
        .tcr = TCR_EL2_RES1 | FIELD_PREP(TCR_EL2_T0SZ, 64 - 39) | FIELD_PREP(TCR_EL2_IRGN0, 1) |
               FIELD_PREP(TCR_EL2_ORGN0, 1) | FIELD_PREP(TCR_EL2_SH0, 3) | FIELD_PREP(TCR_EL2_PS, 2),
        .ttbr = (uint64_t)root,
        .sctlr = SCTLR_EL2_RES1 | SCTLR_ELX_M | SCTLR_ELX_C | SCTLR_ELX_I | SCTLR_ELX_SA | SCTLR_ELX_WXN,
    };
    drop_stale_lines();
}

bool stage1_is_complete(void)
{
    return tables_taken < TABLES - 1;
}
