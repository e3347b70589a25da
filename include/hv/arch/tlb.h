// SPDX-License-Identifier: Apache-2.0
// Every TLB invalidation recipe, once (DDI 0487 D8.13). The caller has made the new descriptors visible
// (barrier_complete_stores).
#pragma once

#include <hv/types.h>

// The stage-2 entry of ipa (page, block and the walk to it) for the current VMID, and the stage-1+2 entries that may be
// derived from it, on all CPUs. Not enough when a whole table goes: then tlb_flush_stage2_all.
void tlb_flush_stage2_ipa(ipa_t ipa);
// All stage-1 and stage-2 entries of the current VMID, on all CPUs.
void tlb_flush_stage2_all(void);
