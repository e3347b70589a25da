# SPDX-License-Identifier: Apache-2.0
"""How many records have the same values in some columns of the table (table.py), the most frequent first.

Of each batch the numbers in the records are compared, and only one record of each kind is put into words: a batch has
thousands of records and few functions. Memory grows with the different values, of which there may be MOST."""

import numpy

from ..columns import base_name
from ..errors import TraceError
from ..trace_format import TYPE_VIRTIO, choose
from .table import CSV_FORMATS, FORMS, JSON_FORMATS

COUNTED = tuple(name for name in FORMS if name not in ("time", "sequence"))  # those two differ in all records of a vCPU
MOST = 200_000


def kinds(arrays):
    """Of arrays of one length, not 0: (places, sizes), a place of each different combination of their values and how many
    places have it."""
    codes = numpy.zeros(len(arrays[0]), numpy.int64)
    for array in arrays:
        different, which = numpy.unique(array, return_inverse=True)
        codes = numpy.unique(codes * len(different) + which, return_inverse=True)[1]
    return numpy.unique(codes, return_index=True, return_counts=True)[1:]


class Counts:
    """Counts the records of one trace.Boot. rows: table.Rows, which makes the cells. names: columns, of COUNTED."""

    def __init__(self, rows, names):
        self.rows, self.names, self.found = rows, names, {}

    def sources(self, name, records):
        """Arrays of numbers: records that are equal in all of them have the same cell in a column."""
        words, row = self.rows.words, records
        if name == "key":
            return [row["key"], numpy.where(row["key"] == words.unknown, row["syndrome"], 0)]
        if name == "access":
            return [row["key"], row["write"], row["type"], numpy.where(row["type"] == TYPE_VIRTIO, row["x"][:, 1], 0)]
        if name == "function":
            called = words.calls[numpy.minimum(row["cause"], len(words.calls) - 1)]
            return [row["pc"], row["pstate"] >> 2 & 3, called, numpy.where(called, row["lr"], 0),
                    numpy.where(called, row["caller"], 0)]
        if name == "place":
            return [row["row"]]
        return [row[name]] if name in ("type", "cause", "verdict", "result") else [self.rows.column(name, row)]

    def add(self, records):
        """Counts an array of records of which none is text. TraceError when there are more than MOST kinds."""
        if not len(records):
            return
        places, sizes = kinds([array for name in self.names for array in self.sources(name, records)])
        some = choose(records, places)
        columns = [self.rows.column(name, some).tolist() for name in self.names]
        for n, name in enumerate(self.names):
            if name == "function":  # without its offset
                columns[n] = [base_name(place) for place in columns[n]]
        for cells, size in zip(zip(*columns), sizes.tolist()):
            self.found[cells] = self.found.get(cells, 0) + size
        if len(self.found) > MOST:
            raise TraceError(f"--by {','.join(self.names)}: there are more than {MOST:,} different ones; name fewer columns, or "
                             "choose fewer records, as with --key")

    def lines(self, count=None):
        """Rows of CSV (a heading first) or JSON, the largest number first; the first `count`, if that is not None."""
        rows, forms = self.rows, [FORMS[name] for name in self.names]
        found = sorted(self.found.items(), key=lambda item: (-item[1], item[0]))[:count]
        if rows.is_json:
            form = "{" + ",".join(['"count":%d', *(f'"{name}":{JSON_FORMATS[FORMS[name]]}' for name in self.names)]) + "}"
        else:
            form = ",".join(["%d", *(CSV_FORMATS[form] for form in forms)])
            yield ",".join(("count", *self.names))
        for cells, size in found:
            yield form % (size, *(rows.cell(cell) if kind == "s" else cell for cell, kind in zip(cells, forms)))
