// SPDX-License-Identifier: Apache-2.0
// The fair lock: turns in order of arrival, who tries stands in no queue, tickets that wrap, and threads of the host.
// Links: arch/aarch64/ticket_lock.c
#include <hv/arch/ticket_lock.h>

#include <hv/arch/registers.h>

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  5000

static struct ticket_lock lock;
static unsigned int waits;

static int setup(void **state)
{
    (void)state;
    lock = (struct ticket_lock){0};
    waits = 0;
    fake_yield = NULL;
    return 0;
}

// What the holder does while another one waits: it releases, and wants the lock again at once.
static void release_and_try(void)
{
    waits++;
    ticket_lock_release(&lock);
    assert_false(ticket_lock_try(&lock));
}

static void who_waits_is_next(void **state)
{
    (void)state;
    ticket_lock_acquire(&lock);
    fake_yield = release_and_try;
    ticket_lock_acquire(&lock); // the other one
    assert_int_equal(waits, 1);
    assert_int_equal(lock.held, 1);
    assert_int_equal(lock.waiting, 0);
    assert_false(ticket_lock_try(&lock));
    ticket_lock_release(&lock);
    assert_int_equal(lock.state, 0);
    assert_true(ticket_lock_try(&lock));
}

// Two wait already, with tickets 7 and 8. The lock is released; each takes it and releases it, in three looks.
static void those_before_have_their_turn(void)
{
    assert_int_equal(lock.waiting, 3 - waits);
    if (waits == 0)
        ticket_lock_release(&lock);
    assert_int_equal(lock.held, 0);
    if (waits < 2) {
        assert_int_equal(lock.turn, 7 + waits);
        lock.waiting--;
        lock.turn++;
    }
    waits++;
}

static void turns_are_in_order_of_arrival(void **state)
{
    (void)state;
    lock = (struct ticket_lock){.held = 1, .waiting = 2, .next = 9, .turn = 7};
    fake_yield = those_before_have_their_turn;
    ticket_lock_acquire(&lock);
    assert_int_equal(waits, 2);
    assert_int_equal(lock.held, 1);
    assert_int_equal(lock.waiting, 0);
    assert_int_equal(lock.turn, 10);
    assert_int_equal(lock.next, 10);
}

// A panic's report tries a lock whose holder died. It draws no ticket, so that a holder that lives, and those behind
// it, go on.
static void who_tries_stands_in_no_queue(void **state)
{
    (void)state;
    ticket_lock_acquire(&lock);
    for (unsigned int tries = 0; tries < 100000; tries++)
        assert_false(ticket_lock_try(&lock));
    assert_int_equal(lock.waiting, 0);
    assert_int_equal(lock.next, 0);
    ticket_lock_release(&lock);
    lock.waiting = 1; // nobody has it, and somebody will
    assert_false(ticket_lock_try(&lock));
    assert_int_equal(lock.held, 0);
    lock.waiting = 0;
    assert_true(ticket_lock_try(&lock));
}

static void release(void)
{
    ticket_lock_release(&lock);
}

static void tickets_wrap(void **state)
{
    (void)state;
    lock = (struct ticket_lock){.held = 1, .next = UINT16_MAX, .turn = UINT16_MAX};
    fake_yield = release;
    ticket_lock_acquire(&lock);
    assert_int_equal(lock.next, 0);
    assert_int_equal(lock.turn, 0);
    ticket_lock_acquire(&lock);
    assert_int_equal(lock.turn, 1);
    assert_int_equal(lock.waiting, 0);
}

static unsigned int shared; // guarded by lock

static void yield_to_others(void)
{
    (void)sched_yield();
}

static void *count(void *argument)
{
    (void)argument;
    for (unsigned int n = 0; n < ROUNDS; n++) {
        if (n % 8 != 0)
            ticket_lock_acquire(&lock);
        else
            while (!ticket_lock_try(&lock))
                (void)sched_yield();
        unsigned int seen = shared;
        if (n % 64 == 0)
            (void)sched_yield();
        shared = seen + 1;
        ticket_lock_release(&lock);
    }
    return NULL;
}

static void one_thread_at_a_time(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    shared = 0;
    lock.next = lock.turn = UINT16_MAX - 100;
    fake_yield = yield_to_others;
    (void)alarm(60); // who waits for a turn that nobody calls, waits for ever
    for (unsigned int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (unsigned int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)alarm(0);
    assert_int_equal(shared, THREADS * ROUNDS);
    assert_int_equal(lock.state, 0);
    assert_int_equal(lock.next, lock.turn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_waits_is_next, setup),
        cmocka_unit_test_setup(turns_are_in_order_of_arrival, setup),
        cmocka_unit_test_setup(who_tries_stands_in_no_queue, setup),
        cmocka_unit_test_setup(tickets_wrap, setup),
        cmocka_unit_test_setup(one_thread_at_a_time, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
