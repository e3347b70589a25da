# SPDX-License-Identifier: Apache-2.0
"""How long exits took: every duration of every key, counted, so that medians and maxima are exact.

Durations are ticks of the counter, and a key's exits share a few hundred values. So the values and how often each came
are kept, not the exits. Only a trace with millions of different values is rounded, and then says so.
"""

import numpy as np

DURATION_BITS = 44    # of a (key, duration) pair; the key is above. 2^44 ticks are 78 hours at 62.5 MHz
PAIRS_MAX = 4_000_000  # different pairs that are kept before durations are rounded
EXACT_BITS = 10       # significant bits that rounding leaves: an error below 0.1 %


class Distribution:
    """Durations in ticks, by key."""

    def __init__(self):
        self._pairs, self._counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._fresh = []
        self.rounded = False

    def add(self, keys, durations):
        """Counts durations (uint64 ticks) of exits with these keys (integers below 2^20)."""
        durations = np.minimum(durations, np.uint64((1 << DURATION_BITS) - 1))
        pairs = keys.astype(np.uint64) << np.uint64(DURATION_BITS) | durations
        self._fresh.append(np.unique(pairs, return_counts=True))
        if sum(len(values) for values, _ in self._fresh) > PAIRS_MAX:
            self._merge()

    def by_key(self):
        """{key: (durations ascending, count of each)}; both arrays, durations in ticks."""
        self._merge()
        keys = (self._pairs >> np.uint64(DURATION_BITS)).astype(np.int64)
        durations = self._pairs & np.uint64((1 << DURATION_BITS) - 1)
        bounds = np.flatnonzero(np.diff(keys, prepend=-1))
        ends = np.append(bounds[1:], len(keys))
        return {int(keys[start]): (durations[start:end], self._counts[start:end]) for start, end in zip(bounds, ends)}

    def _merge(self):
        if not self._fresh:
            return
        self._sum(np.concatenate([self._pairs, *(values for values, _ in self._fresh)]),
                  np.concatenate([self._counts, *(counts for _, counts in self._fresh)]))
        self._fresh = []
        if len(self._pairs) > PAIRS_MAX // 2:
            self.rounded = True
            self._sum(round_durations(self._pairs), self._counts)

    def _sum(self, pairs, counts):
        self._pairs, places = np.unique(pairs, return_inverse=True)
        self._counts = np.bincount(places, weights=counts, minlength=len(self._pairs)).astype(np.int64)


def round_durations(pairs):
    """Pairs with the durations cut to their EXACT_BITS upper significant bits."""
    durations = pairs & np.uint64((1 << DURATION_BITS) - 1)
    _, exponents = np.frexp(durations.astype(np.float64))
    shift = np.maximum(exponents - EXACT_BITS, 0).astype(np.uint64)
    return pairs - durations | durations >> shift << shift


def percentile(durations, counts, share):
    """The smallest duration that at least `share` (0 to 1) of the exits did not exceed. Not for empty arrays."""
    sums = np.cumsum(counts)
    wanted = max(1, int(np.ceil(share * int(sums[-1]))))
    return int(durations[np.searchsorted(sums, wanted)])


def octaves(durations, counts):
    """How many durations lie in [2^n, 2^(n+1)) ticks, by n from 0; a duration of 0 counts as 1 tick."""
    _, exponents = np.frexp(np.maximum(durations, 1).astype(np.float64))
    return np.bincount(exponents - 1, weights=counts).astype(np.int64)
