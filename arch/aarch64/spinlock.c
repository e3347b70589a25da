// SPDX-License-Identifier: Apache-2.0
// The spinlock of EL2: load-acquire exclusive and store-release, as the compiler emits them for Armv8.0.

#include <hv/spinlock.h>

static inline __attribute__((always_inline)) int take(struct spinlock *lock)
{
    return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

int spinlock_try(struct spinlock *lock)
{
    return take(lock);
}

// While another CPU holds the lock, the inner loop only reads. Its copy of the cache line stays shared then, and the
// holder's release is not slowed down by writes of those that wait.
void spinlock_acquire(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    while (!take(lock))
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0)
            __asm__ volatile("yield");
}

void spinlock_release(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
