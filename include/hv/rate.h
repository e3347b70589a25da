// SPDX-License-Identifier: Apache-2.0
// So many a second: a token bucket without a clock of its own. It is full when it has not been used for a while, and
// then lets a tenth of a second's worth go at once, but at least one. What is bigger than all of the bucket goes when
// the bucket is full, and those after it wait until all of it has been paid for; so nothing waits for ever.
#pragma once

#include <hv/types.h>

#define RATE_MAX_SHIFT  40
#define RATE_MAX        (UINT64_C(1) << RATE_MAX_SHIFT) // a second
#define RATE_BURST_PART 10                              // of a second: what a full bucket holds

// All zero: a full bucket.
struct rate {
    uint64_t used;     // taken out and not yet flowed back
    uint64_t fraction; // what has flowed back beyond a whole one, in 1/frequency
    uint64_t last;     // the counter, when the two were last brought up to date
};

struct rate_clock {
    uint64_t now;       // the counter
    uint32_t frequency; // its ticks in a second, not 0
};

// Whether amount may go now, at per_second (1 .. RATE_MAX; the same in each call for one bucket). Nothing is taken out
// yet, so that a caller with several buckets can ask all of them first. False: *when is the counter's value from which
// on it may, if nothing else is taken meanwhile (UINT64_MAX: never). It is never too early, is exact below 2^32 a
// second and less than a microsecond late above it.
bool rate_allows(struct rate *rate, uint64_t per_second, uint64_t amount, struct rate_clock clock, uint64_t *when);

// Takes amount out. A caller that does so without having asked only makes the next ones wait longer.
void rate_take(struct rate *rate, uint64_t amount);

// Puts back amount that was taken out and not used. A bucket that has filled up meanwhile is full, and no more: what is
// given back is never a credit beyond it.
void rate_return(struct rate *rate, uint64_t amount);
