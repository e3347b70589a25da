// SPDX-License-Identifier: Apache-2.0
// Stage 2 as an object: one tree of tables (a view). 4 KiB granule, 39-bit IPA, level 1 root. Every change goes through
// one function, which does break-before-make. Ownership: the table at the top of mm/stage2.c.
//
// A view that guests run on is changed with its VMID in this CPU's VTTBR_EL2, or the TLB recipes miss it. Any CPU in
// EL2; each function takes the view's lock. While a live entry is replaced, a guest may fault on it: the fault finds a
// valid entry again and is retried.
#pragma once

#include <hv/range.h>
#include <hv/spinlock.h>
#include <hv/status.h>
#include <hv/types.h>

#define STAGE2_IPA_BITS   39
#define STAGE2_POOL_PAGES 64

// What the guest may do, and the memory type.
#define STAGE2_READ    0x1u
#define STAGE2_WRITE   0x2u
#define STAGE2_EXECUTE 0x4u
#define STAGE2_DEVICE  0x8u // Device-nGnRE; else Normal write-back

struct stage2_entry {
    bool valid;
    uint8_t level;        // 1, 2, 3: where the walk ended
    uint32_t permissions; // STAGE2_*
    pa_t pa;              // of the first byte of the block or page
    uint64_t size;        // bytes that this entry covers
    uint64_t descriptor;  // as it stands in memory
};

struct stage2 {
    uint64_t *root;        // 512 descriptors, 4 KiB aligned
    uint8_t (*pool)[4096]; // STAGE2_POOL_PAGES tables
    uint64_t pool_used;    // bit n: pool[n] is in use
    uint16_t vmid;
    struct spinlock lock; // guards the tables and pool_used
};

// Makes an empty view over root and pool, whatever was in them. vmid >= 1.
void stage2_init(struct stage2 *stage2, uint64_t *root, uint8_t (*pool)[4096], uint16_t vmid);

// range: 4 KiB aligned, below 2^39. All or nothing: a refused call changes nothing.
// Maps range to pa.. with 2 MiB blocks where both are aligned. HV_ERR_EXISTS when any of it is mapped;
// HV_ERR_NO_MEMORY.
enum hv_status stage2_map(struct stage2 *stage2, const struct ipa_range *range, pa_t pa, uint32_t permissions);
// HV_ERR_NOT_FOUND when any of it is not mapped. Splits blocks at the ends; frees tables that become empty.
enum hv_status stage2_unmap(struct stage2 *stage2, const struct ipa_range *range);
// Changes the permissions of what is mapped. Splits as needed and merges 512 equal pages back into a block.
enum hv_status stage2_protect(struct stage2 *stage2, const struct ipa_range *range, uint32_t permissions);
// The entry that translates ipa; entry->valid false (with the level where the walk ended) when there is none.
// HV_ERR_BOUNDS at 2^39 and above.
enum hv_status stage2_query(struct stage2 *stage2, ipa_t ipa, struct stage2_entry *entry);
// The PA behind ipa. HV_ERR_NOT_FOUND when not mapped, HV_ERR_BOUNDS.
enum hv_status stage2_translate(struct stage2 *stage2, ipa_t ipa, pa_t *pa);
// VTTBR_EL2 for this view.
uint64_t stage2_vttbr(const struct stage2 *stage2);
