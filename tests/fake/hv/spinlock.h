// SPDX-License-Identifier: Apache-2.0
// Checking lock in place of include/hv/spinlock.h: host tests have one thread, so a lock that is taken while held would
// hang EL2, one that is released while free is a bug, and one that is taken against the order of lock_order.h is a
// deadlock in waiting: each ends the test. Acquire and release are steps of fake_trace.h.
#pragma once

#include <fake_trace.h>
#include <hv/lock.h>
#include <stdbool.h>
#include <stdint.h>

// One bit for each rank that is held.
__attribute__((weak)) uint32_t fake_lock_ranks;

static inline void spinlock_init(struct spinlock *lock, enum lock_rank rank)
{
    *lock = (struct spinlock)SPINLOCK(rank);
}

static inline bool spinlock_is_held(const struct spinlock *lock)
{
    return lock->ticket.state != 0;
}

static inline void spinlock_acquire(struct spinlock *lock) ACQUIRES(*lock) NO_THREAD_ANALYSIS
{
    assert(!spinlock_is_held(lock));
    assert(lock->rank != LOCK_UNRANKED && lock->rank < LOCK_RANK_COUNT);
    assert(fake_lock_ranks >> lock->rank == 0);
    fake_lock_ranks |= 1u << lock->rank;
    lock->ticket.held = 1;
    fake_trace_add(FAKE_LOCK_ACQUIRE, NULL, (uintptr_t)lock);
}

static inline void spinlock_release(struct spinlock *lock) RELEASES(*lock) NO_THREAD_ANALYSIS
{
    assert(spinlock_is_held(lock));
    lock->ticket.held = 0;
    fake_lock_ranks &= ~(1u << lock->rank);
    fake_trace_add(FAKE_LOCK_RELEASE, NULL, (uintptr_t)lock);
}

static inline int spinlock_try(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    if (spinlock_is_held(lock))
        return 0;
    spinlock_acquire(lock);
    return 1;
}
