// SPDX-License-Identifier: Apache-2.0
// The guest's own stage 1: 4 KiB granule, 39-bit VA from TTBR0, caches on. Everything the guest uses is mapped flat
// (devices of the first GiB as Device-nGnRE, RAM as Normal write-back), and a window of pages can be pointed anywhere.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// VAs of tests: nothing is mapped there until mmu_map_page says so.
#define MMU_WINDOW       UINT64_C(0x100000000) // 512 pages
#define MMU_UNMAPPED     UINT64_C(0x180000000) // no table
#define MMU_TABLE_DEVICE UINT64_C(0x200000000) // its next-level table lies at MMU_TABLE_DEVICE_IPA
#define MMU_TABLE_HOLE   UINT64_C(0x240000000) // ... at MMU_TABLE_HOLE_IPA

#define MMU_TABLE_DEVICE_IPA UINT64_C(0x09000000)
#define MMU_TABLE_HOLE_IPA   UINT64_C(0x70000000)

void mmu_enable(void);
// MMU and caches off again; harmless when they are. Dirty lines are not lost on QEMU, which models no cache.
void mmu_disable(void);
// VA MMU_WINDOW + page * 4096 -> address.
void mmu_map_page(unsigned int page, uint64_t address, bool device);
void mmu_unmap_page(unsigned int page);
// Makes every later change of the tables visible to this CPU's walks.
void mmu_flush(void);
