// SPDX-License-Identifier: Apache-2.0
// Every TLB invalidation recipe, once (DDI 0487 D8.13). The caller has made the new descriptors visible
// (barrier_complete_stores). When a function returns, no CPU of the inner shareable domain uses a translation that the
// caller took out of the tables before.
//
// Which guest is meant is said by vttbr, the value of VTTBR_EL2 with which it runs: its VMID, and the root of the
// tables that belong to this VMID. Usually that guest is the one of this CPU, and nothing is switched.
#pragma once

#include <hv/types.h>

// The stage-2 entry of ipa (page, block and the walk to it), and the entries of both stages that may be derived from
// it, on all CPUs. Not enough when a whole table goes: then tlb_flush_stage2_all.
void tlb_flush_stage2_ipa(uint64_t vttbr, ipa_t ipa);
// All stage-1 and stage-2 entries of that guest, on all CPUs.
void tlb_flush_stage2_all(uint64_t vttbr);
// All stage-1 and stage-2 entries of all guests, on this CPU: what a reset may have left there.
void tlb_flush_all_guests(void);
