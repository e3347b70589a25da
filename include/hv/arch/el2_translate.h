// SPDX-License-Identifier: Apache-2.0
// What this CPU's EL2 translation says about an address, without touching it (DDI 0487 D8.17: AT S1E2R, AT S1E2W).
#pragma once

#include <stdbool.h>

// Whether EL2 may read (or write) at pointer. Keeps the guest's PAR_EL1.
bool el2_may_access(const void *pointer, bool write);
