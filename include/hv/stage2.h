// SPDX-License-Identifier: Apache-2.0
// Stage 2 as an object: one tree of tables (a view). 4 KiB granule, 39-bit IPA, level 1 root (DDI 0487 D8.2.2). Every
// change of a live entry goes through one function, which does break-before-make. Ownership: the table at the top of
// mm/stage2.c.
//
// Any CPU in EL2, whichever guest it runs; each function takes the view's lock, but for stage2_meaning. While a live
// entry is replaced, a guest may fault on it: the fault finds a valid entry again and is retried.
#pragma once

#include <hv/range.h>
#include <hv/stage2_state.h>
#include <hv/status.h>
#include <hv/types.h>

// Makes an empty view over root (512 descriptors, 4 KiB aligned), whatever was in it, which takes its tables from pool.
// vmid >= 1, and no other view of the machine has it.
void stage2_init(struct stage2 *stage2, uint64_t *root, struct pool *pool, uint16_t vmid);

// range: 4 KiB aligned, below 2^39. All or nothing: a refused call changes nothing.
// Maps range to pa.. with 2 MiB blocks where both are aligned. HV_ERR_EXISTS when any of it is mapped;
// HV_ERR_NO_MEMORY.
enum hv_status stage2_map(struct stage2 *stage2, const struct ipa_range *range, pa_t pa, uint32_t permissions);
// HV_ERR_NOT_FOUND when any of it is not mapped. Splits blocks at the ends; frees tables that become empty.
enum hv_status stage2_unmap(struct stage2 *stage2, const struct ipa_range *range);
// Changes the permissions (STAGE2_*, the memory type and the meaning of a fault included) of what is mapped. Splits as
// needed and merges 512 equal pages back into a block.
enum hv_status stage2_protect(struct stage2 *stage2, const struct ipa_range *range, uint32_t permissions);
// The entry that translates ipa; entry->valid false (with the level where the walk ended) when there is none.
// HV_ERR_BOUNDS at 2^39 and above.
enum hv_status stage2_query(struct stage2 *stage2, ipa_t ipa, struct stage2_entry *entry);
// The PA behind ipa. HV_ERR_NOT_FOUND when not mapped, HV_ERR_BOUNDS.
enum hv_status stage2_translate(struct stage2 *stage2, ipa_t ipa, pa_t *pa);
// What a permission fault of the guest at ipa means: STAGE2_PLAIN also when nothing is mapped there, or ipa is 2^39 or
// above. Takes no lock and waits for nobody, so that an exit can afford it; while another CPU changes the tables of ipa
// the answer may be that of an entry nearby: the caller must not rely on it for more than which way an exit goes.
uint32_t stage2_meaning(const struct stage2 *stage2, ipa_t ipa);
// The entry of the page at ipa, to be read again and again without the lock: for a page that stays mapped by itself
// while the guest lives, as a shadow page does (space.h). NULL when no table of pages covers ipa.
const uint64_t *stage2_leaf(struct stage2 *stage2, ipa_t ipa);
// VTTBR_EL2 for this view: its VMID and its root.
uint64_t stage2_vttbr(const struct stage2 *stage2);
