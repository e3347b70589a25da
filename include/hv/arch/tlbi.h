// SPDX-License-Identifier: Apache-2.0
// The TLB invalidation instructions that EL2 uses, one function each (DDI 0487 C5.5, D8.13). None is complete before a
// barrier says so, and those about one guest mean the VMID that VTTBR_EL2 holds: arch/aarch64/tlb.c makes of them what
// the rest of EL2 calls. The host tests put tests/fake/hv/arch/tlbi.h before this header.
#pragma once

#include <hv/types.h>

// What is cached of stage 2 alone for the page of ipa, on all CPUs.
static inline void tlbi_ipas2e1is(ipa_t ipa)
{
    __asm__ volatile("tlbi ipas2e1is, %0" : : "r"(ipa.v >> 12) : "memory");
}

// What is cached of stage 1, and of both stages together, on all CPUs.
static inline void tlbi_vmalle1is(void)
{
    __asm__ volatile("tlbi vmalle1is" : : : "memory");
}

// What is cached of either stage, on all CPUs.
static inline void tlbi_vmalls12e1is(void)
{
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
}

// What this CPU has cached of either stage, of every VMID.
static inline void tlbi_alle1(void)
{
    __asm__ volatile("tlbi alle1" : : : "memory");
}
