// SPDX-License-Identifier: Apache-2.0
// Data and instruction cache maintenance by address (DDI 0487 D7.5).
#pragma once

#include <hv/types.h>

// Cleans the lines of [start, start + size) to the point of coherency, where observers with caches off see them.
void cache_clean_poc(const void *start, size_t size);
// Discards the lines of [start, start + size) down to the point of coherency: what memory holds is what is read from
// then on. For memory that was written past the caches; whole lines go, so that nothing else may lie on the first and
// last one.
void cache_invalidate_poc(const void *start, size_t size);
// Makes what was written to [start, start + size) visible to instruction fetch, on all CPUs.
void cache_sync_instructions(const void *start, size_t size);
