// SPDX-License-Identifier: Apache-2.0
// Token buckets, in whole numbers of 64 bits. The problem: an amount (up to 2^40 and beyond) times a counter's
// frequency (up to 2^32) does not fit 64 bits. The rule: whole seconds are computed apart from the rest of a second,
// and whole multiples of the frequency apart from the rest of the rate, so that each product has factors of at most
// 2^32, or is at most what is owed. What a division leaves over is kept: many small steps add up to what one large step
// would give. An example: 3 a second and a counter of 10 ticks a second. After 4 ticks 12 tenths have flowed back; that
// is 1, and 2 tenths are kept. After 3 ticks more it is 9 + 2 tenths, again 1, and 1 tenth is kept.
#include <hv/rate.h>

// More is never owed, and so no sum can wrap. At RATE_MAX it is a quarter of an hour's worth.
#define USED_MAX (UINT64_C(1) << 50)

// Brings the bucket up to date: what flowed back since the last time. The counter does not go backwards; if a caller
// says that it did, nothing has flowed.
static void flow_back(struct rate *rate, uint64_t per_second, struct rate_clock clock)
{
    if (clock.now <= rate->last)
        return;
    uint64_t ticks = clock.now - rate->last;
    uint64_t seconds = ticks / clock.frequency;
    uint64_t rest = ticks % clock.frequency;

    rate->last = clock.now;
    if (seconds > rate->used / per_second) {
        rate->used = rate->fraction = 0;
        return;
    }
    // rest * per_second / frequency, in two parts: per_second = whole * frequency + part.
    uint64_t whole = per_second / clock.frequency;
    uint64_t part = rest * (per_second % clock.frequency) + rate->fraction;
    uint64_t flowed = seconds * per_second + rest * whole + part / clock.frequency;

    if (flowed >= rate->used) {
        rate->used = rate->fraction = 0;
        return;
    }
    rate->used -= flowed;
    rate->fraction = part % clock.frequency;
}

// The ticks until missing (1 .. per_second) have flowed back, rounded up: 2 * frequency at most.
static uint64_t ticks_for(uint64_t missing, uint64_t per_second, uint64_t fraction, uint32_t frequency)
{
    if (per_second <= UINT32_MAX) {
        uint64_t parts = missing * frequency - fraction;
        return parts / per_second + (parts % per_second != 0);
    }
    // Both in units of 256, missing rounded up and per_second down, so that the result is never too early.
    return ((missing >> 8) + 1) * frequency / (per_second >> 8) + 1;
}

bool rate_allows(struct rate *rate, uint64_t per_second, uint64_t amount, struct rate_clock clock, uint64_t *when)
{
    uint64_t burst = per_second / RATE_BURST_PART;                  // 0: each goes when all before it is paid for
    uint64_t most_used = burst - (amount < burst ? amount : burst); // when it may go

    flow_back(rate, per_second, clock);
    if (rate->used <= most_used)
        return true;
    uint64_t seconds = (rate->used - most_used - 1) / per_second;
    uint64_t missing = rate->used - most_used - seconds * per_second; // 1 .. per_second
    uint64_t seconds_left = (UINT64_MAX - clock.now) / clock.frequency;

    if (seconds_left < 2 || seconds > seconds_left - 2)
        *when = UINT64_MAX;
    else
        *when = clock.now + seconds * clock.frequency + ticks_for(missing, per_second, rate->fraction, clock.frequency);
    return false;
}

void rate_take(struct rate *rate, uint64_t amount)
{
    rate->used = amount < USED_MAX - rate->used ? rate->used + amount : USED_MAX;
}

void rate_return(struct rate *rate, uint64_t amount)
{
    if (amount < rate->used) {
        rate->used -= amount;
        return;
    }
    rate->used = rate->fraction = 0;
}
