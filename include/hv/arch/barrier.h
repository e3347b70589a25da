// SPDX-License-Identifier: Apache-2.0
// The only barriers in the tree. The host tests put tests/fake/hv/arch/barrier.h before this one on the include path.
#pragma once

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
