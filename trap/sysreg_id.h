// SPDX-License-Identifier: Apache-2.0
// What of the CPU's ID registers the guest may see.
#pragma once

#include <hv/types.h>

// The guest's value of the ID register key, from the CPU's. pauth: the policy lets pointer authentication through.
uint64_t sysreg_id_visible(unsigned int key, uint64_t host, bool pauth);
