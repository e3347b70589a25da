// SPDX-License-Identifier: Apache-2.0
// Recorder in place of include/hv/arch/barrier.h.
#pragma once

#include <fake_trace.h>

static inline void barrier_order(void)
{
    fake_trace_add(FAKE_DMB_ISH, NULL, 0);
}

static inline void barrier_order_stores(void)
{
    fake_trace_add(FAKE_DMB_ISHST, NULL, 0);
}

static inline void barrier_order_loads(void)
{
    fake_trace_add(FAKE_DMB_ISHLD, NULL, 0);
}

static inline void barrier_device(void)
{
    fake_trace_add(FAKE_DMB_OSH, NULL, 0);
}

static inline void barrier_device_stores(void)
{
    fake_trace_add(FAKE_DMB_OSHST, NULL, 0);
}

static inline void barrier_device_loads(void)
{
    fake_trace_add(FAKE_DMB_OSHLD, NULL, 0);
}

static inline void barrier_complete(void)
{
    fake_trace_add(FAKE_DSB_ISH, NULL, 0);
}

static inline void barrier_complete_stores(void)
{
    fake_trace_add(FAKE_DSB_ISHST, NULL, 0);
}

static inline void barrier_complete_system(void)
{
    fake_trace_add(FAKE_DSB_SY, NULL, 0);
}

static inline void barrier_context(void)
{
    fake_trace_add(FAKE_ISB, NULL, 0);
}

// Whoever asks for a bound against speculation has checked the index against the same bound.
static inline uint64_t bounded_index(uint64_t index, uint64_t count)
{
    assert(index < count);
    return index;
}
