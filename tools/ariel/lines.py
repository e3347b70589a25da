# SPDX-License-Identifier: Apache-2.0
"""Lines of the console and of the log, joined from the pieces of 64 bytes that text records hold (docs/TRACE.md)."""

import collections

import numpy

from . import trace_format as form
from .printable import printable

# A line: `entry` is the CNTPCT_EL0 of its first piece, `kind` TEXT_CONSOLE or TEXT_LOG, `text` a str without control
# characters (they are escaped: see printable.py), `whole` false when pieces are missing.
Text = collections.namedtuple("Text", "entry vm vcpu kind number text whole")
PIECES_MAX = 1024  # of a line, 64 KiB: a longer one is cut there, and goes on as another
PENDING_MAX = 1024  # lines that may wait for their end at one time: the piece with it may have been dropped


class Lines:
    """Joins the text records of one boot, given in order of time."""

    def __init__(self):
        self.pending = collections.OrderedDict()  # what tells a line from others: its first record, and its pieces

    def feed(self, records):
        """[(place, Text)] for the lines that end in these records; place: of the record with the end. Records of other
        types are passed over."""
        found = []
        data = records.view(form.TEXT)["text"]
        for place in numpy.flatnonzero(records["type"] == form.TYPE_TEXT).tolist():
            record = records[place]
            key = (int(record["row"]), int(record["key"]), int(record["value"]))
            if key not in self.pending:
                self.pending[key] = (record.copy(), [])
            length = min(int(record["syndrome"]), form.TEXT_SIZE)
            last = bool(record["result"])
            self.pending[key][1].append((int(record["address"]), data[place].ljust(length, b"\0")[:length], last))
            if last:
                found.append((place, join(*self.pending.pop(key))))
            elif len(self.pending[key][1]) >= PIECES_MAX:
                found.append((place, join(*self.pending.pop(key))))
            elif len(self.pending) > PENDING_MAX:
                found.append((place, join(*self.pending.popitem(last=False)[1])))
        return found

    def rest(self):
        """The lines that have no end."""
        found = [join(first, pieces) for first, pieces in self.pending.values()]
        self.pending.clear()
        return found


def join(first, pieces):
    """The Text of a line's pieces (offset, bytes, last), with "..." where some are missing."""
    parts, end = [], 0
    pieces = sorted(pieces, key=lambda piece: piece[0])
    whole = pieces[-1][2]
    for offset, piece, _ in pieces:
        if offset != end:
            whole = False
            parts.append(b"...")
        parts.append(piece)
        end = offset + len(piece)
    return Text(int(first["entry"]), int(first["row"]), int(first["vcpu"]), int(first["key"]), int(first["value"]),
                printable(b"".join(parts)) + ("" if pieces[-1][2] else "..."), whole)
