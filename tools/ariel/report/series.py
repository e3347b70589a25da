# SPDX-License-Identifier: Apache-2.0
"""How often something happened over time, when nobody knows yet how long the trace is.

The time so far is cut into BINS equal bins. When a record lies behind the last, each two bins become one, which is
then twice as wide.
"""

import numpy as np

BINS = 128
GROUPS_MAX = 65536  # of what comes after this many there is a count, but no line


class Series:
    """Counts by group (a small number) and by time in ticks from the trace's start."""

    def __init__(self):
        self.width = 1024  # ticks of one bin, a power of two
        self._counts = np.zeros((64, BINS), np.uint32)

    def add(self, groups, times):
        """Counts events of these groups at these times (uint64 ticks)."""
        if not len(times):
            return
        while int(times.max()) >= self.width * BINS:
            self._fold()
        if groups.max() >= GROUPS_MAX:
            inside = groups < GROUPS_MAX
            groups, times = groups[inside], times[inside]
        self._grow(int(groups.max(initial=0)) + 1)
        places = groups.astype(np.int64) * BINS + (times // np.uint64(self.width)).astype(np.int64)
        places, counts = np.unique(places, return_counts=True)
        self._counts.reshape(-1)[places] += counts.astype(np.uint32)

    def line(self, groups, bins_used):
        """The sum of these groups by bin: a list of counts, cut to the first bins_used bins."""
        groups = [group for group in groups if group < len(self._counts)]
        return self._counts[groups].sum(axis=0, dtype=np.int64)[:bins_used].tolist()

    def used(self, span):
        """Bins that a trace of `span` ticks fills, 1 to BINS."""
        return min(BINS, int(span) // self.width + 1)

    def _fold(self):
        self._counts[:, :BINS // 2] = self._counts[:, 0::2] + self._counts[:, 1::2]
        self._counts[:, BINS // 2:] = 0
        self.width *= 2

    def _grow(self, groups):
        if groups > len(self._counts):
            more = max(groups, 2 * len(self._counts)) - len(self._counts)
            self._counts = np.concatenate([self._counts, np.zeros((more, BINS), np.uint32)])
