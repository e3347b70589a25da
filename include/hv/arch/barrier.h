// SPDX-License-Identifier: Apache-2.0
// The only barriers in the tree. The host tests put tests/fake/hv/arch/barrier.h before this one on the include path.
#pragma once

#include <stdint.h>

// Orders this CPU's memory accesses before it against those after it, as other CPUs of the inner shareable domain see
// them.
static inline void barrier_order(void)
{
    __asm__ volatile("dmb ish" ::: "memory");
}

// Orders stores before it against stores after it.
static inline void barrier_order_stores(void)
{
    __asm__ volatile("dmb ishst" ::: "memory");
}

// Orders loads before it against loads and stores after it.
static inline void barrier_order_loads(void)
{
    __asm__ volatile("dmb ishld" ::: "memory");
}

// The same three towards a device that reads and writes memory (DMA): it need not be in the inner shareable domain with
// the CPUs (DDI 0487 B2.8). barrier_device orders all accesses, also a store against a load after it.
static inline void barrier_device(void)
{
    __asm__ volatile("dmb osh" ::: "memory");
}

static inline void barrier_device_stores(void)
{
    __asm__ volatile("dmb oshst" ::: "memory");
}

static inline void barrier_device_loads(void)
{
    __asm__ volatile("dmb oshld" ::: "memory");
}

// Completes every access before it (tables, list registers, TLB maintenance) before anything after it executes.
static inline void barrier_complete(void)
{
    __asm__ volatile("dsb ish" ::: "memory");
}

// Completes stores before it: descriptors become visible to every table walker.
static inline void barrier_complete_stores(void)
{
    __asm__ volatile("dsb ishst" ::: "memory");
}

// Completes accesses to devices and by non-coherent observers, system wide.
static inline void barrier_complete_system(void)
{
    __asm__ volatile("dsb sy" ::: "memory");
}

// Context synchronization: system register writes before it take effect for instructions after it.
static inline void barrier_context(void)
{
    __asm__ volatile("isb" ::: "memory");
}

// index, which the caller has found to be below count. A CPU that runs ahead of that comparison, with a number of the
// guest's that is not, gets one that is below count all the same: by a mask when count is a constant power of two, else
// 0 by a select whose outcome is not predicted (CSDB, DDI 0487 C6.2.79; older cores take it for a NOP).
// docs/SECURITY.md lists each place. In assembly, since a compiler would leave out what it knows to be so.
static inline uint64_t bounded_index(uint64_t index, uint64_t count)
{
    if (__builtin_constant_p(count) && (count & (count - 1)) == 0)
        __asm__("and %0, %0, %1" : "+r"(index) : "rL"(count - 1));
    else
        __asm__("cmp %0, %1\n csel %0, %0, xzr, lo\n hint #20" : "+r"(index) : "rI"(count) : "cc");
    return index;
}
