// SPDX-License-Identifier: Apache-2.0
// The spinlock of EL2: a fair lock, by load-acquire exclusive and store-release, as the compiler emits them for
// Armv8.0.

#include <hv/spinlock.h>

#include <hv/arch/ticket_lock.h>

int spinlock_try(struct spinlock *lock)
{
    return ticket_lock_try(&lock->ticket);
}

void spinlock_acquire(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    ticket_lock_acquire(&lock->ticket);
}

void spinlock_release(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    ticket_lock_release(&lock->ticket);
}
