// SPDX-License-Identifier: Apache-2.0
// The spinlock of EL2. Each lock has a rank, which says what may be taken while it is held: see lock_order.h.
#pragma once

#include <hv/lock.h>

// Makes lock free, with its rank. Before anybody else can know it.
static inline void spinlock_init(struct spinlock *lock, enum lock_rank rank)
{
    *lock = (struct spinlock)SPINLOCK(rank);
}

// Waits, without bound, until this CPU holds the lock: CPUs have it in the order in which they came. Interrupts are
// masked in EL2, so nobody takes it on this CPU meanwhile.
void spinlock_acquire(struct spinlock *lock) ACQUIRES(*lock);
void spinlock_release(struct spinlock *lock) RELEASES(*lock);
// 1 when the lock was free and is now held, 0 when another has it or is in the queue for it. For the panic path only:
// it does not wait, so a holder that has died does not stop it, and it stands in no queue.
int spinlock_try(struct spinlock *lock) THREAD_ANNOTATION(try_acquire_capability(1, *lock));
