// SPDX-License-Identifier: Apache-2.0
// Every TLB invalidation, each recipe once. Promises: when a function returns, no CPU of the inner shareable domain
// uses a translation that the caller took out of the tables before it made them visible, and this CPU executes in the
// new context.
#include <hv/arch/tlb.h>

#include <hv/arch/barrier.h>

void tlb_flush_stage2_ipa(ipa_t ipa)
{
    // Stage-2 only entries of this IPA go first and completely: until then, a walk could make a combined entry from
    // them. Combined (stage 1 and 2) entries are not found by IPA, so all of stage 1 must follow (DDI 0487 D8.14).
    __asm__ volatile("tlbi ipas2e1is, %0" : : "r"(ipa.v >> 12) : "memory");
    barrier_complete();
    __asm__ volatile("tlbi vmalle1is" : : : "memory");
    barrier_complete();
    barrier_context();
}

void tlb_flush_stage2_all(void)
{
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
    barrier_complete();
    barrier_context();
}
