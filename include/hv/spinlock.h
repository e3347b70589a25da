// SPDX-License-Identifier: Apache-2.0
// Ticket-free spinlock for EL2. Global order (take in this order, never the other way): vm pause, console
// input, vpl011, vgic, stage2, log, console.
#pragma once

#include <stdint.h>

#ifdef __clang__
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif
#define GUARDED_BY(lock)   THREAD_ANNOTATION(guarded_by(lock))
#define REQUIRES(lock)     THREAD_ANNOTATION(requires_capability(lock))
#define ACQUIRES(lock)     THREAD_ANNOTATION(acquire_capability(lock))
#define RELEASES(lock)     THREAD_ANNOTATION(release_capability(lock))
#define NO_THREAD_ANALYSIS THREAD_ANNOTATION(no_thread_safety_analysis)

struct THREAD_ANNOTATION(capability("spinlock")) spinlock {
    uint32_t held;
};

void spinlock_acquire(struct spinlock *lock) ACQUIRES(*lock);
void spinlock_release(struct spinlock *lock) RELEASES(*lock);
// 1 when the lock was free and is now held, 0 when another has it. For the panic path only.
int spinlock_try(struct spinlock *lock) THREAD_ANNOTATION(try_acquire_capability(1, *lock));
