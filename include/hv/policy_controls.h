// SPDX-License-Identifier: Apache-2.0
// What EL2's trap registers hold for a guest beside the bits that ariel sets for every guest. A policy says what its
// rows need (policy.h), and each VM has a copy of its own (vm->controls, machine.h).
#pragma once

#include <hv/types.h>

// What the rows need trapped. The CPU's own limits are applied at boot (el2_setup.c).
struct policy_controls {
    uint64_t hcr_el2;     // bits to set beyond the base value
    uint64_t mdcr_el2;    // bits to set
    uint64_t cptr_el2;    // bits to set (non-VHE layout)
    uint64_t hstr_el2;    // bits to set
    uint64_t cnthctl_el2; // whole value: EL1PCTEN | EL1PCEN where the physical counter and timer are not trapped
    uint64_t ich_hcr_el2; // bits to set (TC, TALL0, TALL1, TDIR)
};
