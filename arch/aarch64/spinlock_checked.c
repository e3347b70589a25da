// SPDX-License-Identifier: Apache-2.0
// The spinlock of a build with LOCKS=1, in place of spinlock.c: each CPU keeps a list of the locks that it holds, and
// taking one against the order of lock_order.h, or releasing one that is not held, ends EL2 with both names. A deadlock
// needs two CPUs at the wrong moment; a wrong order is seen here by one CPU the first time.

#include <hv/spinlock.h>

#include <hv/arch/cpu.h>
#include <hv/arch/ticket_lock.h>
#include <hv/fatal.h>
#include <hv/memory_map.h>
#include <hv/printf.h>
#include <hv/types.h>

#define HELD_MAX LOCK_RANK_COUNT // no CPU holds two of one rank

#define LOCK_NAME(id, name) [LOCK_##id] = name,
static const char *const names[LOCK_RANK_COUNT] = {[LOCK_UNRANKED] = "a lock without a rank",
                                                   LOCK_ORDER_TABLE(LOCK_NAME)};

// Each CPU uses its own.
static struct {
    const struct spinlock *lock[HELD_MAX];
    unsigned int count;
} held[CPU_MAX];

static const char *name_of(const struct spinlock *lock)
{
    return lock->rank < LOCK_RANK_COUNT ? names[lock->rank] : "a lock with a broken rank";
}

static COLD _Noreturn void stop(const char *what, const struct spinlock *lock, const struct spinlock *other)
{
    char reason[128];

    format_text(reason, sizeof(reason), "lock order: %s %s%s%s", name_of(lock), what, other != NULL ? " " : "",
                other != NULL ? name_of(other) : "");
    fatal(reason);
}

// A lock may be taken when every lock that this CPU holds has a lower rank.
static void check_order(const struct spinlock *lock)
{
    unsigned int cpu = cpu_id();

    if (lock->rank == LOCK_UNRANKED || lock->rank >= LOCK_RANK_COUNT)
        stop("is taken", lock, NULL);
    for (unsigned int i = 0; i < held[cpu].count; i++)
        if (held[cpu].lock[i]->rank >= lock->rank)
            stop("is taken under", lock, held[cpu].lock[i]);
}

static void note_held(const struct spinlock *lock)
{
    unsigned int cpu = cpu_id();

    if (held[cpu].count == HELD_MAX) // the panic path alone, whose tries are not held to the order
        stop("is one lock too many", lock, NULL);
    held[cpu].lock[held[cpu].count++] = lock;
}

// A try cannot deadlock, since it does not wait. So it is noted but not held to the order.
int spinlock_try(struct spinlock *lock)
{
    bool taken = ticket_lock_try(&lock->ticket);

    if (taken)
        note_held(lock);
    return taken;
}

void spinlock_acquire(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    check_order(lock);
    ticket_lock_acquire(&lock->ticket);
    note_held(lock);
}

// The entry goes before the lock is free: the last one of the list takes its place. Locks may be released in any order.
void spinlock_release(struct spinlock *lock) NO_THREAD_ANALYSIS
{
    unsigned int cpu = cpu_id(), i = 0;

    while (i < held[cpu].count && held[cpu].lock[i] != lock)
        i++;
    if (i == held[cpu].count)
        stop("is released and was not held", lock, NULL);
    held[cpu].lock[i] = held[cpu].lock[--held[cpu].count];
    ticket_lock_release(&lock->ticket);
}
