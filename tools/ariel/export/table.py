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
    """Makes rows of the records of one trace.Boot. kind: "csv" or "json"."""

    def __init__(self, boot, symbols, kind):
        self.boot, self.words, self.lines = boot, Columns(boot, symbols), Lines()
        self.is_json = kind == "json"
        self.cell = json_cell if self.is_json else csv_cell
        formats = JSON_FORMATS if self.is_json else CSV_FORMATS
        if self.is_json:
            self.format = "{" + ",".join(f'"{name}":{formats[form]}' for name, form in COLUMNS) + "}"
        else:
            self.format = ",".join(formats[form] for _, form in COLUMNS) + ","

    def heading(self):
        """The first row of CSV; JSON has none."""
        return "" if self.is_json else ",".join(name for name, _ in COLUMNS) + f",{TEXT_COLUMN}\n"

    def columns(self, records):
        """{name: numbers or words} for an array of records."""
        words = self.words
        types = numpy.where(records["type"] == TYPE_VIRTIO, "virtio", "exit").astype(object)
        access = numpy.array(ACCESSES, object)[words.accesses(records)]
        keys = words.keys(records)
        requests = numpy.flatnonzero(records["type"] == TYPE_VIRTIO)
        if len(requests):
            access[requests] = words.requests(records)[requests]
        ends = numpy.maximum(records["exit"], records["entry"])
        found = {name: records[name] for name in records.dtype.names}
        found.update({f"x{number}": records["x"][:, number] for number in range(4)})
        found.update(type=types, cause=words.causes(records), access=access, key=keys, verdict=words.verdicts(records),
                     result=words.results(records), place=words.places(records), function=words.functions(records),
                     el=records["pstate"] >> 2 & 3, ns=self.boot.duration_ns(ends - records["entry"]))
        return found

    def exits(self, records):
        """The rows of records of which none is text."""
        if not len(records):
            return []
        found = self.columns(records)
        cells = []
        for name, form in COLUMNS:
            if form == "t":
                # A record before the log began would be negative: a boot without its meta chunk may have such.
                nanoseconds = numpy.maximum(self.boot.nanoseconds(records["entry"]), 0)
                cells += [(nanoseconds // 1_000_000_000).tolist(), (nanoseconds % 1_000_000_000).tolist()]
            elif form == "s":
                cells.append(map(self.cell, found[name].tolist()))
            else:
                cells.append(found[name].tolist())
        return list(map(self.format.__mod__, zip(*cells)))

    def line(self, text):
        """The row of a line of the console or log."""
        nanoseconds = max(int(self.boot.nanoseconds(text.entry)), 0)
        when = f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"
        kind = "console" if text.kind == TEXT_CONSOLE else "log"
        if self.is_json:
            return f'{{"time":{when},"vm":{text.vm},"vcpu":{text.vcpu},"type":"{kind}","text":{json_cell(text.text)}}}'
        return f"{when},{text.vm},{text.vcpu},{kind}" + "," * (len(COLUMNS) - 3) + csv_cell(text.text)

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
