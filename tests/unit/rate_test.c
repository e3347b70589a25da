// SPDX-License-Identifier: Apache-2.0
// Token buckets: bursts, waits, debts, whole numbers at every clock, and no more than the rate over any stretch of
// time.
// Links: lib/rate.c

#include <hv/rate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HZ 62500000u

static uint64_t when;

static struct rate_clock at(uint64_t now, uint32_t frequency)
{
    return (struct rate_clock){now, frequency};
}

static bool go(struct rate *rate, uint64_t per_second, uint64_t amount, struct rate_clock clock)
{
    bool allowed = rate_allows(rate, per_second, amount, clock, &when);

    if (allowed)
        rate_take(rate, amount);
    return allowed;
}

static void a_full_bucket_is_a_tenth_of_a_second(void **state)
{
    struct rate rate = {0};

    (void)state;
    for (unsigned int i = 0; i < 100; i++)
        assert_true(go(&rate, 1000, 1, at(5000, HZ)));
    assert_false(go(&rate, 1000, 1, at(5000, HZ)));
    assert_int_equal(when, 5000 + HZ / 1000);
    assert_false(go(&rate, 1000, 1, at(when - 1, HZ)));
    assert_true(go(&rate, 1000, 1, at(when, HZ)));
}

static void at_least_one_goes(void **state)
{
    struct rate rate = {0};

    (void)state;
    assert_true(go(&rate, 1, 1, at(0, HZ)));
    assert_false(go(&rate, 1, 1, at(1, HZ)));
    assert_int_equal(when, HZ);
    assert_true(go(&rate, 1, 1, at(when, HZ)));
}

static void what_is_bigger_than_the_bucket_goes_and_is_paid_for(void **state)
{
    struct rate rate = {0};

    (void)state;
    assert_true(go(&rate, 1000, 4000, at(0, 1000)));
    assert_false(go(&rate, 1000, 1, at(0, 1000)));
    assert_int_equal(when, 4000 - 100 + 1); // until one fits the bucket of 100
    assert_false(go(&rate, 1000, 4000, at(3999, 1000)));
    assert_int_equal(when, 4000);
    assert_true(go(&rate, 1000, 4000, at(4000, 1000)));
}

static void nothing_is_taken_by_asking(void **state)
{
    struct rate rate = {0};

    (void)state;
    for (unsigned int i = 0; i < 1000; i++)
        assert_true(rate_allows(&rate, 10, 1, at(7, HZ), &when));
    assert_int_equal(rate.used, 0);
}

static void a_counter_that_goes_back_gives_nothing(void **state)
{
    struct rate rate = {0};

    (void)state;
    assert_true(go(&rate, 10, 1, at(HZ, HZ)));
    assert_false(go(&rate, 10, 1, at(0, HZ)));
    assert_false(go(&rate, 10, 1, at(HZ, HZ)));
    assert_true(go(&rate, 10, 1, at(HZ + HZ / 10, HZ)));
}

static void long_quiet_fills_it_and_no_more(void **state)
{
    struct rate rate = {0};

    (void)state;
    assert_true(go(&rate, 100, 10, at(0, HZ)));
    for (unsigned int i = 0; i < 10; i++)
        assert_true(go(&rate, 100, 1, at(UINT64_MAX, HZ)));
    assert_false(go(&rate, 100, 1, at(UINT64_MAX, HZ)));
    assert_true(when == UINT64_MAX);
    // 2^24 seconds at 2^40 a second would be 2^64.
    rate = (struct rate){0};
    rate_take(&rate, 5 * RATE_MAX);
    assert_true(rate_allows(&rate, RATE_MAX, 1, at(UINT64_C(1) << 24, 1), &when));
    assert_int_equal(rate.used, 0);
}

static void debts_are_bounded(void **state)
{
    struct rate rate = {0};

    (void)state;
    rate_take(&rate, UINT64_MAX);
    rate_take(&rate, UINT64_MAX);
    assert_int_equal(rate.used, UINT64_C(1) << 50);
    assert_false(rate_allows(&rate, RATE_MAX, 1, at(0, UINT32_MAX), &when));
    assert_true(when > 0 && when < (uint64_t)UINT32_MAX * 1025);
    assert_false(rate_allows(&rate, 1, 1, at(0, UINT32_MAX), &when));
    assert_true(when == UINT64_MAX);
}

// Every so few ticks the bucket is asked: what flows back in small steps is all of it, however the division goes.
static void small_steps_lose_nothing(void **state)
{
    static const uint64_t rates[] = {1, 3, 7, 1000, 999983, UINT32_MAX, UINT64_C(1) << 32, RATE_MAX - 1, RATE_MAX};
    static const uint32_t clocks[] = {1, 2, 10, 1000003, HZ, 1000000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rates); i++)
        for (size_t n = 0; n < ARRAY_COUNT(clocks); n++) {
            struct rate rate = {0};
            uint64_t step = clocks[n] / 1000 + 1, end = 10 * (uint64_t)clocks[n];

            rate_take(&rate, 100 * rates[i]);
            for (uint64_t now = step; now <= end; now += step)
                (void)rate_allows(&rate, rates[i], 1, at(now, clocks[n]), &when);
            (void)rate_allows(&rate, rates[i], 1, at(end, clocks[n]), &when);
            assert_int_equal(rate.used, 90 * rates[i]);
        }
}

// The same with numbers of 128 bits, which the code under test does without.
static void waits_are_exact_or_a_microsecond_late(void **state)
{
    (void)state;
    srand(1);
    for (unsigned int i = 0; i < 20000; i++) {
        uint64_t per_second = ((uint64_t)rand() << 31 | (uint64_t)rand()) >> (rand() % 40);
        uint32_t frequency = (uint32_t)((uint64_t)rand() << 1) >> (rand() % 32) | 1;
        uint64_t amount = ((uint64_t)rand() << 31 | (uint64_t)rand()) >> (rand() % 62);
        uint64_t now = ((uint64_t)rand() << 31 | (uint64_t)rand()) >> (rand() % 62);
        struct rate rate = {.last = now};

        per_second = per_second > RATE_MAX ? RATE_MAX : per_second == 0 ? 1 : per_second;
        rate_take(&rate, amount);
        if (rate_allows(&rate, per_second, amount, at(now, frequency), &when))
            continue;
        uint64_t burst = per_second / 10;
        uint64_t room = burst - (amount < burst ? amount : burst);
        unsigned __int128 product = (unsigned __int128)(rate.used - room) * frequency;
        unsigned __int128 ticks = (product + per_second - 1) / per_second;
        uint64_t late = per_second <= UINT32_MAX ? 0 : frequency / 1000000 + 2;
        if (when == UINT64_MAX) {
            assert_true(ticks + now + 2 * (uint64_t)frequency >= UINT64_MAX);
            continue;
        }
        assert_true(when - now >= ticks && when - now <= ticks + late);
        assert_true(rate_allows(&rate, per_second, amount, at(when, frequency), &(uint64_t){0}));
    }
}

// Whatever is asked and whenever: over the whole time no more has gone than a full bucket, the rate, and the last one.
static void no_more_than_the_rate(void **state)
{
    (void)state;
    srand(2);
    for (unsigned int run = 0; run < 300; run++) {
        uint64_t per_second = 1 + (uint64_t)rand() % 1000000, now = (uint64_t)rand(), begin = now, sum = 0, last = 0;
        uint32_t frequency = 1 + (uint32_t)rand() % 100000000;
        struct rate rate = {0};

        for (unsigned int i = 0; i < 500; i++) {
            uint64_t amount = (uint64_t)rand() % (per_second / (1 + (uint64_t)rand() % 100) + 1);

            if (go(&rate, per_second, amount, at(now, frequency))) {
                sum += amount;
                last = amount;
            } else if (rand() % 2) {
                now = when;
                continue;
            }
            now += (uint64_t)rand() % (frequency / 20 + 2);
        }
        assert_true((double)sum <= (double)per_second * (double)(now - begin) / frequency + (double)per_second / 10 +
                                       (double)last + 1);
    }
}

// Whenever it comes back: before time has filled the bucket, and after.
static void what_is_given_back_is_no_credit(void **state)
{
    struct rate rate = {0};

    (void)state;
    assert_true(go(&rate, 1000, 5000, at(0, 1000)));
    rate_return(&rate, 4000);
    assert_int_equal(rate.used, 1000);
    assert_false(go(&rate, 1000, 1, at(900, 1000)));
    assert_true(go(&rate, 1000, 1, at(901, 1000)));
    rate_return(&rate, UINT64_MAX);
    assert_int_equal(rate.used, 0);
    assert_int_equal(rate.fraction, 0);
    assert_true(go(&rate, 1000, 100, at(901, 1000)));
    assert_false(go(&rate, 1000, 1, at(901, 1000)));
    rate = (struct rate){0};
    assert_true(go(&rate, 3, 6, at(0, 10)));
    assert_false(go(&rate, 3, 1, at(5, 10))); // one and a half have flowed back
    rate_return(&rate, 5);
    assert_int_equal(rate.used, 0);
    assert_int_equal(rate.fraction, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_is_a_tenth_of_a_second),
        cmocka_unit_test(at_least_one_goes),
        cmocka_unit_test(what_is_bigger_than_the_bucket_goes_and_is_paid_for),
        cmocka_unit_test(nothing_is_taken_by_asking),
        cmocka_unit_test(a_counter_that_goes_back_gives_nothing),
        cmocka_unit_test(long_quiet_fills_it_and_no_more),
        cmocka_unit_test(debts_are_bounded),
        cmocka_unit_test(what_is_given_back_is_no_credit),
        cmocka_unit_test(small_steps_lose_nothing),
        cmocka_unit_test(waits_are_exact_or_a_microsecond_late),
        cmocka_unit_test(no_more_than_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
