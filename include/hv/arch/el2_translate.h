// SPDX-License-Identifier: Apache-2.0
// Questions to the MMU about an address, without touching what lies there (AT instructions, DDI 0487 C5.4 and D8.17).
// All leave PAR_EL1, in which the hardware answers and which is the guest's, as it was.
#pragma once

#include <hv/types.h>

// Whether EL2 may read (or write) at pointer.
bool el2_may_access(const void *pointer, bool write);
// PAR_EL1 after the guest's stage 1 has translated va for a read at EL1: PAR_EL1.F set when it does not, else
// PAR_EL1.PA is the page's IPA. For the guest that this CPU runs, before or after the whole frame is saved: whatever
// happens on the way, ESR_EL2, ELR_EL2 and SPSR_EL2 are kept. FAR_EL2 is kept when va is what it holds.
uint64_t el1_translate(gva_t va);
