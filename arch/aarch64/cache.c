// SPDX-License-Identifier: Apache-2.0
// Cache maintenance by address (DDI 0487 D7.5). Each function completes: when it returns, every observer that its
// contract names sees the bytes.
#include <hv/arch/cache.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>

// Bytes of the smallest data cache line of this machine. CTR_EL0.DminLine is the logarithm to base 2 of its number of
// words of 4 bytes. For example DminLine = 4 means 16 words: 64 bytes.
static uintptr_t line_size(void)
{
    return (uintptr_t)4 << FIELD_GET(CTR_EL0_DMINLINE, READ_SYSREG(CTR_EL0));
}

// The loops below begin at the line that start lies in. It may begin before start, so what shares that line is cleaned
// with it.
void cache_clean_poc(const void *start, size_t size)
{
    uintptr_t step = line_size(), end = (uintptr_t)start + size;

    for (uintptr_t line = (uintptr_t)start & ~(step - 1); line < end; line += step)
        __asm__ volatile("dc cvac, %0" : : "r"(line) : "memory");
    barrier_complete_system(); // the bytes are in memory before anything after this
}

// Throws lines away, written or not: for memory that was written past the caches, as EL2 does before its MMU is on.
void cache_invalidate_poc(const void *start, size_t size)
{
    uintptr_t step = line_size(), end = (uintptr_t)start + size;

    barrier_complete_system(); // what was written is in memory before the lines go
    for (uintptr_t line = (uintptr_t)start & ~(step - 1); line < end; line += step)
        __asm__ volatile("dc ivac, %0" : : "r"(line) : "memory");
    barrier_complete_system();
}

// Fetches have caches of their own, which stores do not update (DDI 0487, "Caches and memory hierarchy"): first the
// stored bytes go to where both meet, then what the instruction caches hold is dropped.
void cache_sync_instructions(const void *start, size_t size)
{
    uintptr_t step = line_size(), end = (uintptr_t)start + size;

    for (uintptr_t line = (uintptr_t)start & ~(step - 1); line < end; line += step)
        __asm__ volatile("dc cvau, %0" : : "r"(line) : "memory");
    barrier_complete(); // the bytes are where fetches look before old lines go
    // All of it: guests fetch through other addresses than EL2 writes through, and a VIPT cache may hold either.
    __asm__ volatile("ic ialluis" : : : "memory");
    barrier_complete();
    barrier_context();
}
