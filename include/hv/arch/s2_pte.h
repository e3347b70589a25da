// SPDX-License-Identifier: Apache-2.0
// Stage-2 descriptors of the VMSAv8-64 4 KiB granule (DDI 0487 D8.3): encode and decode, pure.
#pragma once

#include <hv/stage2_state.h>

#define S2_PTE_INVALID UINT64_C(0)

/*@ predicate s2_level(integer level) = 1 <= level <= 3;
    logic integer s2_size(integer level) = level == 1 ? 0x40000000 : level == 2 ? 0x200000 : 0x1000;
*/

// A table descriptor to the next level. table is 4 KiB aligned.
uint64_t s2_pte_table(pa_t table);
// A leaf of level 1, 2 (block) or 3 (page). pa is aligned to the leaf's size; permissions are STAGE2_*, the meaning of
// a fault included.
uint64_t s2_pte_leaf(unsigned int level, pa_t pa, uint32_t permissions);
bool s2_pte_is_valid(uint64_t descriptor);
// At level 1 or 2: whether it points to a table.
bool s2_pte_is_table(uint64_t descriptor, unsigned int level);
// Output address of a table or leaf at level.
pa_t s2_pte_address(uint64_t descriptor, unsigned int level);
// What a leaf says: STAGE2_*.
uint32_t s2_pte_permissions(uint64_t descriptor);
// Of that, what a permission fault on it means: STAGE2_PLAIN, STAGE2_SHADOW.
uint32_t s2_pte_meaning(uint64_t descriptor);
// Bytes a leaf at level covers: 1 GiB, 2 MiB, 4 KiB.
/*@ requires s2_level(level);
    assigns \nothing;
    ensures \result == s2_size(level);
*/
uint64_t s2_pte_size(unsigned int level);
