// SPDX-License-Identifier: Apache-2.0
// A fair lock, the mechanism of spinlock.c and spinlock_checked.c. CPUs have it in the order in which they came, so
// that one which takes it again and again, on a guest's behalf, cannot keep the others out.
//
// The price of a queue is that everybody in it must be alive. A CPU that dies while it holds the lock, or waits for it,
// stops all that come later. That is why the report of a panic only tries, a bounded number of times, and then goes on
// without the lock. Who tries never stands in the queue.
#pragma once

#include <stdbool.h>

#include <hv/lock.h>

// Waits, without bound, until the lock is this CPU's. Interrupts are masked, as always in EL2.
void ticket_lock_acquire(struct ticket_lock *lock);
// Takes the lock when nobody has it and nobody waits for it. False, and nothing done: somebody has, or does.
bool ticket_lock_try(struct ticket_lock *lock);
// By the holder. All that it wrote is seen by the next one.
void ticket_lock_release(struct ticket_lock *lock);
