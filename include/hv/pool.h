// SPDX-License-Identifier: Apache-2.0
// Pages for translation tables: a fixed number of them, given out and taken back one at a time. A change of tables that
// must not fail half way reserves all the pages it can need before it changes anything, and takes them as it goes.
//
//   pool_reserve(pool, 3)     3 free pages are promised, or nothing happens and the answer is false
//   pool_take(pool)           one of the promised pages, cleared
//   pool_unreserve(pool, 2)   the rest of the promise is given back
//
// Any CPU in EL2; each function takes the pool's lock, and may be called with a view's lock held.
#pragma once

#include <hv/stage2_state.h>

// Makes all count pages (1 .. POOL_PAGES_MAX) free. Before anybody else can know pool.
void pool_init(struct pool *pool, uint8_t (*pages)[4096], unsigned int count);
// Promises the caller count more pages. False, and nothing promised, when fewer are free.
bool pool_reserve(struct pool *pool, unsigned int count);
// Gives back count promises that were not used.
void pool_unreserve(struct pool *pool, unsigned int count);
// Turns one promise of the caller's into a page of zeros.
uint64_t *pool_take(struct pool *pool);
// Frees a page that pool_take has returned. No table walker may be able to find it any more.
void pool_give(struct pool *pool, const uint64_t *page);

// Whether address is that of one of the pool's pages. The number of pages never changes: no lock.
static inline bool pool_has(const struct pool *pool, uint64_t address)
{
    return address - (uintptr_t)pool->pages < (uint64_t)pool->count * 4096;
}
