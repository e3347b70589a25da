// SPDX-License-Identifier: Apache-2.0
// Recorder in place of include/hv/arch/cache.h. A step's argument is the address of the first byte.
#pragma once

#include <fake_trace.h>
#include <hv/types.h>

static inline void cache_clean_poc(const void *start, size_t size)
{
    (void)size;
    fake_trace_add(FAKE_CACHE_CLEAN, NULL, (uintptr_t)start);
}

static inline void cache_invalidate_poc(const void *start, size_t size)
{
    (void)size;
    fake_trace_add(FAKE_CACHE_INVALIDATE, NULL, (uintptr_t)start);
}

static inline void cache_sync_instructions(const void *start, size_t size)
{
    (void)size;
    fake_trace_add(FAKE_CACHE_SYNC, NULL, (uintptr_t)start);
}
