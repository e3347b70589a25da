// SPDX-License-Identifier: Apache-2.0
// A lock that is free is taken by one exclusive load and store. Behind one that is held, CPUs draw tickets and wait for
// their turn; the one whose turn it is waits until the holder has released, takes the lock, and calls the next ticket.
//
// The rule that keeps newcomers behind those who wait: the lock's state counts the waiting CPUs beside the holder, and
// a newcomer takes the lock only when all of the state is zero. So while anybody waits there is one CPU alone that may
// take the lock, the one whose turn it is. For example, with CPU 0 as the holder:
//
//     CPU 1 comes: state = held + 1 waiting, ticket 0, and it is the turn of ticket 0
//     CPU 0 releases: state = 1 waiting. CPU 0 wants it again: the state is not zero, so ticket 1, behind CPU 1
//     CPU 1 sees that nobody holds it: state = held + 1 waiting, and it is the turn of ticket 1
//
// Tickets wrap at 65,536, far above how many CPUs can wait.

#include <hv/arch/ticket_lock.h>

#include <hv/arch/registers.h>
#include <hv/types.h>

#define HELD    UINT32_C(1)         // struct ticket_lock.held, in state
#define WAITING (UINT32_C(1) << 16) // one CPU that waits

// The loops only read: this CPU's copy of the cache line stays shared, and the holder's release is not slowed down by
// writes of those that wait.
static COLD void wait(struct ticket_lock *lock)
{
    (void)__atomic_fetch_add(&lock->state, WAITING, __ATOMIC_RELAXED);
    uint16_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

    while (__atomic_load_n(&lock->turn, __ATOMIC_ACQUIRE) != ticket)
        cpu_yield();
    while (__atomic_load_n(&lock->held, __ATOMIC_ACQUIRE) != 0)
        cpu_yield();
    (void)__atomic_fetch_add(&lock->state, HELD - WAITING, __ATOMIC_ACQUIRE);
    __atomic_store_n(&lock->turn, (uint16_t)(ticket + 1), __ATOMIC_RELEASE);
}

bool ticket_lock_try(struct ticket_lock *lock)
{
    uint32_t none = 0;

    return __atomic_compare_exchange_n(&lock->state, &none, HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void ticket_lock_acquire(struct ticket_lock *lock)
{
    if (!ticket_lock_try(lock))
        wait(lock);
}

// A store of a byte, so that whoever counts itself as waiting meanwhile stays counted.
void ticket_lock_release(struct ticket_lock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
