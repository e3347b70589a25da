// SPDX-License-Identifier: Apache-2.0
// Data and instruction cache maintenance by address (DDI 0487 D7.5).
#pragma once

#include <hv/types.h>

// Cleans the lines of [start, start + size) to the point of coherency, where observers with caches off see them.
void cache_clean_poc(const void *start, size_t size);
// Makes what was written to [start, start + size) visible to instruction fetch, on all CPUs.
void cache_sync_instructions(const void *start, size_t size);
