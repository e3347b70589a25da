# SPDX-License-Identifier: Apache-2.0
"""Records as rows of text: CSV for spreadsheets and databases, JSON lines for scripts. A row is an exit, a virtio request or
a line of the console or log.

In CSV a cell that could be taken for a formula (it begins with =, +, - or @) has an apostrophe before it: what the guest
printed is never run by a spreadsheet."""

import functools
import json

import numpy

from ..columns import ACCESSES, Columns
from ..lines import Lines
from ..trace_format import TEXT_CONSOLE, TYPE_TEXT, TYPE_VIRTIO, choose

# name, and what its cells are: d numbers, x numbers in hexadecimal, s words, t nanoseconds that are shown as seconds
COLUMNS = (("time", "t"), ("vm", "d"), ("vcpu", "d"), ("type", "s"), ("sequence", "d"), ("cause", "s"), ("access", "s"),
           ("key", "s"), ("width", "d"), ("address", "x"), ("value", "x"), ("verdict", "s"), ("result", "s"), ("place", "s"),
           ("pc", "x"), ("function", "s"), ("el", "d"), ("ns", "d"), ("syndrome", "x"), ("context", "x"), ("lr", "x"),
           ("x0", "x"), ("x1", "x"), ("x2", "x"), ("x3", "x"))
TEXT_COLUMN = "text"
FORMS = dict(COLUMNS)
NAMES = (*FORMS, TEXT_COLUMN)


@functools.lru_cache(maxsize=1 << 16)
def csv_cell(text):
    """A word as a cell of CSV (RFC 4180)."""
    if text[:1] in ("=", "+", "-", "@"):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if '"' in text or "," in text else text


@functools.lru_cache(maxsize=1 << 16)
def json_cell(text):
    """A word as a string of JSON, quotes included."""
    return json.dumps(text)


CSV_FORMATS = {"d": "%d", "x": "0x%x", "s": "%s", "t": "%d.%09d"}
JSON_FORMATS = {"d": "%d", "x": '"0x%x"', "s": "%s", "t": "%d.%09d"}


class Rows:
    """Makes rows of the records of one trace.Boot. kind: "csv" or "json". names: columns, of NAMES, in their order."""

    def __init__(self, boot, symbols, kind, names=NAMES):
        self.boot, self.words, self.lines = boot, Columns(boot, symbols), Lines()
        self.names, self.numbers = names, [name for name in names if name != TEXT_COLUMN]
        self.is_json = kind == "json"
        self.cell = json_cell if self.is_json else csv_cell
        formats = JSON_FORMATS if self.is_json else CSV_FORMATS
        if self.is_json:
            self.format = "{" + ",".join(f'"{name}":{formats[FORMS[name]]}' for name in self.numbers) + "}"
        else:
            self.format = ",".join("" if name == TEXT_COLUMN else formats[FORMS[name]] for name in names)
        words = self.words
        self.makers = {"time": self.times, "type": self.types, "cause": words.causes, "access": self.accesses,
                       "key": words.keys, "verdict": words.verdicts, "result": words.results, "place": words.places,
                       "function": words.functions, "el": lambda records: records["pstate"] >> 2 & 3, "ns": self.durations}
        for number in range(4):
            self.makers[f"x{number}"] = lambda records, number=number: records["x"][:, number]

    def heading(self):
        """The first row of CSV; JSON has none."""
        return "" if self.is_json else ",".join(self.names) + "\n"

    def column(self, name, records):
        """The numbers or words of one of COLUMNS for an array of records of which none is text. Times are nanoseconds."""
        make = self.makers.get(name)
        return make(records) if make else records[name]

    def times(self, records):
        """A record before the log began would be negative: a boot without its meta chunk may have such."""
        return numpy.maximum(self.boot.nanoseconds(records["entry"]), 0)

    def durations(self, records):
        ends = numpy.maximum(records["exit"], records["entry"])
        return self.boot.duration_ns(ends - records["entry"])

    @staticmethod
    def types(records):
        return numpy.where(records["type"] == TYPE_VIRTIO, "virtio", "exit").astype(object)

    def accesses(self, records):
        access = numpy.array(ACCESSES, object)[self.words.accesses(records)]
        requests = numpy.flatnonzero(records["type"] == TYPE_VIRTIO)
        if len(requests):
            access[requests] = self.words.requests(records)[requests]
        return access

    def exits(self, records):
        """The rows of records of which none is text; none where no column is theirs."""
        if not len(records) or not self.numbers:
            return []
        cells = []
        for name in self.numbers:
            values = self.column(name, records)
            if FORMS[name] == "t":
                cells += [(values // 1_000_000_000).tolist(), (values % 1_000_000_000).tolist()]
            elif FORMS[name] == "s":
                cells.append(map(self.cell, values.tolist()))
            else:
                cells.append(values.tolist())
        return list(map(self.format.__mod__, zip(*cells)))

    def line(self, text):
        """The row of a line of the console or log."""
        nanoseconds = max(int(self.boot.nanoseconds(text.entry)), 0)
        when = f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"
        kind = "console" if text.kind == TEXT_CONSOLE else "log"
        cells = {"time": when, "vm": str(text.vm), "vcpu": str(text.vcpu), "type": self.cell(kind),
                 TEXT_COLUMN: self.cell(text.text)}
        if self.is_json:
            return "{" + ",".join(f'"{name}":{cells[name]}' for name in self.names if name in cells) + "}"
        return ",".join(cells.get(name, "") for name in self.names)

    def rows(self, records, with_text=True):
        """Rows for all of the records, in order; a line of text stands where it ended."""
        ends = self.lines.feed(records) if with_text else []
        is_text = records["type"] == TYPE_TEXT
        if not is_text.any():
            return self.exits(records)
        made = self.exits(choose(records, ~is_text))
        before = numpy.cumsum(~is_text)  # rows of exits up to each place
        rows, done = [], 0
        for place, text in ends:
            rows += made[done:before[place]]
            rows.append(self.line(text))
            done = before[place]
        return rows + made[done:]


def write(trace, symbols, output, boot=-1, kind="csv"):
    """Writes a boot's records as CSV, or as JSON lines. output: a binary file. symbols: of the guest, or None."""
    rows = Rows(trace.boot(boot), symbols, kind)
    output.write(rows.heading().encode())
    for records in trace.batches(boot):
        output.write("".join(f"{row}\n" for row in rows.rows(records)).encode())
    output.write("".join(f"{rows.line(text)}\n" for text in rows.lines.rest()).encode())
