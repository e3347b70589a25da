// SPDX-License-Identifier: Apache-2.0
// Pages for translation tables.
//
// The problem: a change of stage 2 may need several tables, and finds out in the middle of its work that there are none
// left. The tables are live, so it cannot leave them half changed. The rule: it counts first, reserves that many pages,
// and only then begins. The pool keeps it: pages that are promised are not promised again, so that used + reserved is
// never above count, and a take that was reserved always finds a page. For example, of 64 pages 60 are used and 3
// promised: pool_reserve(pool, 2) is refused, pool_reserve(pool, 1) is not.
#include <hv/pool.h>

#include <hv/bits.h>
#include <hv/spinlock.h>
#include <hv/string.h>

// in_use has a bit for each page, 64 to a word. For example, page 70 is bit 6 of word 1.
#define WORD_BITS 64

void pool_init(struct pool *pool, uint8_t (*pages)[4096], unsigned int count)
{
    *pool = (struct pool){.pages = pages, .count = count};
    spinlock_init(&pool->lock, LOCK_POOL);
}

// What is neither used nor promised can be promised.
bool pool_reserve(struct pool *pool, unsigned int count)
{
    bool enough;

    spinlock_acquire(&pool->lock);
    enough = count <= pool->count - pool->used - pool->reserved;
    if (enough)
        pool->reserved += count;
    spinlock_release(&pool->lock);
    return enough;
}

void pool_unreserve(struct pool *pool, unsigned int count)
{
    spinlock_acquire(&pool->lock);
    pool->reserved -= count;
    spinlock_release(&pool->lock);
}

// The number of a page that is not used. There is one: the caller holds a promise.
static unsigned int first_free(const struct pool *pool) REQUIRES(pool->lock)
{
    unsigned int word = 0;

    while (pool->in_use[word] == UINT64_MAX)
        word++;
    return word * WORD_BITS + (unsigned int)__builtin_ctzll(~pool->in_use[word]);
}

// Turns one promise into a page, which is cleared: an entry of a new table must not be one of an old table's.
uint64_t *pool_take(struct pool *pool)
{
    unsigned int number;
    void *page;

    spinlock_acquire(&pool->lock);
    number = first_free(pool);
    pool->in_use[number / WORD_BITS] |= BIT64(number % WORD_BITS);
    pool->used++;
    pool->reserved--;
    spinlock_release(&pool->lock);
    // The page is cleared without the lock: it is marked as used, and nobody else knows it yet.
    page = pool->pages[number];
    memset(page, 0, sizeof(pool->pages[number]));
    return page;
}

// The caller has made sure that no walker can reach the page any more: the entry that led to it is gone, and the TLBs
// have been flushed.
void pool_give(struct pool *pool, const uint64_t *page)
{
    size_t number = ((uintptr_t)page - (uintptr_t)pool->pages) / sizeof(pool->pages[0]);

    spinlock_acquire(&pool->lock);
    pool->in_use[number / WORD_BITS] &= ~BIT64(number % WORD_BITS);
    pool->used--;
    spinlock_release(&pool->lock);
}
