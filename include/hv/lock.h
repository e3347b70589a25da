// SPDX-License-Identifier: Apache-2.0
// A lock as data: what a structure embeds, and the annotations by which clang checks who holds it. How a lock is taken:
// spinlock.h.
#pragma once

#include <stdint.h>

#include <hv/lock_order.h>

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

// Who has the lock and who waits for it: arch/aarch64/ticket_lock.c. All zero: it is free, and nobody has used it yet.
struct ticket_lock {
    union {
        uint32_t state; // 0: it is free, and nobody waits
        struct {
            uint8_t held; // 1: somebody has it
            uint8_t none;
            uint16_t waiting; // how many CPUs wait
        };
    };
    uint16_t next; // the ticket that the next one draws who must wait
    uint16_t turn; // the ticket whose turn it is
};

struct THREAD_ANNOTATION(capability("spinlock")) spinlock {
    struct ticket_lock ticket;
    uint32_t rank; // enum lock_rank
};

// Says to clang which lock guards a field. In C an attribute of a field cannot name a lock in the same structure, so
// one role stands for the locks of all objects of a kind: the kind's own functions, which take and release the lock,
// acquire and release the role, and a field that is GUARDED_BY it is an error everywhere else. A role is declared and
// never defined.
struct THREAD_ANNOTATION(capability("role")) lock_role {
    char none;
};

// A free lock of that rank, for an object that is initialized where it is defined.
#define SPINLOCK(of_rank) {.rank = (of_rank)}
