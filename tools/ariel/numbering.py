# SPDX-License-Identifier: Apache-2.0
"""Small numbers for large values: a trace has a million addresses, and a thousand different ones.

A page that names each value once and cites it by number is a tenth as large, and whoever filters it asks a thousand
values once instead of a million records.
"""

import numpy as np


class Numbering:
    """Numbers the different u64 values of a stream 0, 1, 2 ... in order of their first appearance."""

    def __init__(self):
        self._sorted = np.empty(0, np.uint64)   # the values, for the search
        self._numbers = np.empty(0, np.uint32)  # the number of each of them

    def __len__(self):
        return len(self._sorted)

    def number(self, values):
        """The numbers (uint32) of an array of u64 values. Values that are new get the next ones."""
        values = np.ascontiguousarray(values, np.uint64)
        found, known = self._find(values)
        if not known.all():
            self._learn(values[~known])
            found, known = self._find(values)
        return self._numbers[found]

    def values(self):
        """All values, by number."""
        values = np.empty(len(self._sorted), np.uint64)
        values[self._numbers] = self._sorted
        return values

    def _find(self, values):
        if not len(self._sorted):
            return np.zeros(len(values), np.intp), np.zeros(len(values), bool)
        found = np.searchsorted(self._sorted, values)
        found[found == len(self._sorted)] = 0
        return found, self._sorted[found] == values

    def _learn(self, values):
        new, first = np.unique(values, return_index=True)
        new = new[np.argsort(first, kind="stable")]
        numbers = np.arange(len(self), len(self) + len(new), dtype=np.uint32)
        values = np.concatenate([self._sorted, new])
        order = np.argsort(values, kind="stable")
        self._sorted = values[order]
        self._numbers = np.concatenate([self._numbers, numbers])[order]


class TupleNumbering:
    """Numbers tuples of small integers, such as (key, row, verdict ...): one column of numbers instead of ten."""

    def __init__(self, columns):
        self.columns = columns
        self._parts = [Numbering() for _ in range(columns)]
        self._whole = [Numbering() for _ in range(columns - 1)]

    def __len__(self):
        return len((self._whole or self._parts)[-1])

    def number(self, arrays):
        """The numbers of the tuples (arrays[0][i], arrays[1][i] ...). As many arrays as there are columns."""
        result = self._parts[0].number(arrays[0])
        for part, whole, values in zip(self._parts[1:], self._whole, arrays[1:]):
            result = whole.number(result.astype(np.uint64) << np.uint64(32) | part.number(values))
        return result

    def values(self):
        """The tuples by number, as one array (uint64) for each column."""
        columns = []
        numbers = np.arange(len(self), dtype=np.uint64)
        for part, whole in zip(self._parts[:0:-1], self._whole[::-1]):
            pairs = whole.values()[numbers.astype(np.intp)]
            columns.append(part.values()[(pairs & np.uint64(0xffffffff)).astype(np.intp)])
            numbers = pairs >> np.uint64(32)
        columns.append(self._parts[0].values()[numbers.astype(np.intp)])
        return columns[::-1]
