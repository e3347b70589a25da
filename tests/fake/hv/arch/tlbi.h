// SPDX-License-Identifier: Apache-2.0
// Recorder in place of include/hv/arch/tlbi.h.
#pragma once

#include <fake_trace.h>
#include <hv/types.h>

static inline void tlbi_ipas2e1is(ipa_t ipa)
{
    fake_trace_add(FAKE_TLBI_IPAS2E1IS, NULL, ipa.v);
}

static inline void tlbi_vmalle1is(void)
{
    fake_trace_add(FAKE_TLBI_VMALLE1IS, NULL, 0);
}

static inline void tlbi_vmalls12e1is(void)
{
    fake_trace_add(FAKE_TLBI_VMALLS12E1IS, NULL, 0);
}

static inline void tlbi_alle1(void)
{
    fake_trace_add(FAKE_TLBI_ALLE1, NULL, 0);
}
