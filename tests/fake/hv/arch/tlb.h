// SPDX-License-Identifier: Apache-2.0
// Recorder in place of include/hv/arch/tlb.h: a recipe (TLBI and the barriers that complete it) is one step.
#pragma once

#include <fake_trace.h>
#include <hv/types.h>

static inline void tlb_flush_stage2_ipa(ipa_t ipa)
{
    fake_trace_add(FAKE_TLBI_STAGE2_IPA, NULL, ipa.v);
}

static inline void tlb_flush_stage2_all(void)
{
    fake_trace_add(FAKE_TLBI_STAGE2_ALL, NULL, 0);
}
