# SPDX-License-Identifier: Apache-2.0
"""The records of a trace as rows of text: all, or those that the options choose. Several options must all hold; one that is
given several times holds if one of its values does. Names may have * and ? (quote them for the shell).

--columns chooses columns; lines of the console and log have rows only if `text` is one of them. --by counts exits and virtio
requests that are equal in some columns, the most frequent first; functions are then without offsets.

  records boot.trace -n 20
  records boot.trace --key 'ID_AA64*' --function '__cpuinfo_store_cpu' --image Image
  records boot.trace --verdict deny --from 0.5 --to 0.6 -j
  records boot.trace --columns time,key,value,function --image Image
  records boot.trace --by access,key -n 10"""

import difflib
import fnmatch
import sys

import numpy

from ..columns import base_name
from ..errors import TraceError, UsageError
from ..export.counts import COUNTED, Counts
from ..export.table import NAMES, TEXT_COLUMN, Rows
from ..trace import Trace
from ..trace_format import TYPE_EXIT, TYPE_TEXT, TYPE_VIRTIO, choose
from .options import add_boot, add_image, load_symbols, number, seconds

TYPES = {"exit": TYPE_EXIT, "text": TYPE_TEXT, "virtio": TYPE_VIRTIO}
ACCESSES = ("read", "write")


def add_arguments(parser):
    parser.add_argument("file", help="a trace")
    parser.add_argument("--key", action="append", metavar="NAME", help="register, device, call or cause")
    parser.add_argument("--function", action="append", metavar="NAME", help="function of the guest; needs --image")
    parser.add_argument("--verdict", action="append", metavar="NAME", help="allow, emulate, raz-wi, deny, pause or stop")
    parser.add_argument("--result", action="append", metavar="NAME", help="done, retry, undef, abort, reflect or stop")
    parser.add_argument("--row", action="append", metavar="PLACE", help="row of the policy: 'policy/linux.toml:12'")
    parser.add_argument("--access", choices=ACCESSES, help="direction: a call is a write")
    parser.add_argument("--type", action="append", choices=sorted(TYPES), help="what records: exit, virtio, text")
    parser.add_argument("--vm", type=number, help="number of the VM")
    parser.add_argument("--vcpu", type=number, help="number of the vCPU")
    parser.add_argument("--from", dest="begin", type=seconds, metavar="TIME", help="seconds: none that entered before")
    parser.add_argument("--to", dest="end", type=seconds, metavar="TIME", help="seconds: none that entered later")
    parser.add_argument("--columns", metavar="NAME,...", help=f"columns, in this order, of {', '.join(NAMES)}")
    parser.add_argument("--by", metavar="NAME,...", help="numbers of records by these columns, the largest first")
    parser.add_argument("-n", dest="count", type=number, metavar="COUNT", help="the first so many rows")
    parser.add_argument("-j", dest="json", action="store_true", help="JSON lines instead of CSV")
    add_boot(parser)
    add_image(parser)
    parser.set_defaults(parser=parser)


def column_names(option, text, offered):
    """The columns that an option names: a tuple of some of `offered`. UsageError for what is none, or there twice."""
    names = tuple(name.strip() for name in text.split(","))
    for place, name in enumerate(names):
        if name not in offered:
            raise UsageError(f"{option}: {name!r} is none of the columns {', '.join(offered)}")
        if name in names[:place]:
            raise UsageError(f"{option}: the column {name!r} is there twice")
    return names


def chosen_numbers(patterns, names, what):
    """Of a list of names those that match: an array of bool, with False behind the last. TraceError when nothing does."""
    found = numpy.zeros(len(names) + 1, bool)
    for pattern in patterns:
        matched = [place for place, name in enumerate(names) if fnmatch.fnmatchcase(name.lower(), pattern.lower())]
        if not matched:
            near = difflib.get_close_matches(pattern, names, 3, 0.5)
            hint = f"; there are {', '.join(near)}" if near else ""
            raise TraceError(f"{pattern!r}: no {what} of this trace has that name{hint}")
        found[matched] = True
    return found


class Filter:
    """What the options choose. with_text: lines of text are wanted, too."""

    def __init__(self, arguments, boot):
        self.boot, self.arguments, self.tables = boot, arguments, []
        meta = boot.meta
        places = [str(row.get("place", "")) for row in meta["rows"]]
        for field, patterns, names in (("key", arguments.key, meta["keys"]), ("verdict", arguments.verdict, meta["verdicts"]),
                                       ("result", arguments.result, meta["results"]), ("row", arguments.row, places)):
            if patterns:
                self.tables.append((field, chosen_numbers(patterns, names, field)))
        only = self.tables or arguments.function or arguments.access or arguments.by or (
            arguments.columns and TEXT_COLUMN not in arguments.columns)
        self.types = {TYPES[name] for name in arguments.type or TYPES} - ({TYPE_TEXT} if only else set())
        self.with_text = TYPE_TEXT in self.types

    def choose(self, records, words):
        """Those of the records that are chosen. words: Columns, to name functions."""
        arguments = self.arguments
        where = numpy.ones(len(records), bool)
        for field, table in self.tables:
            where &= table[numpy.minimum(records[field], len(table) - 1)]
        if arguments.vcpu is not None:
            where &= records["vcpu"] == arguments.vcpu
        if arguments.vm is not None:  # a text record has its VM in `row`
            where &= numpy.where(records["type"] == TYPE_TEXT, records["row"], records["vm"]) == arguments.vm
        if arguments.access:
            where &= (records["write"] != 0) == (arguments.access == "write")
        if arguments.begin is not None or arguments.end is not None:
            times = self.boot.nanoseconds(records["entry"])
            where &= times >= (arguments.begin or 0)
            where &= times <= (arguments.end if arguments.end is not None else times)
        records = choose(records, where)
        if arguments.function and len(records):
            names = [base_name(name) for name in words.functions(records)]
            records = choose(records, numpy.array([any(fnmatch.fnmatchcase(name, pattern) for pattern in arguments.function)
                                                   for name in names]))
        return records


    def batches(self, trace, words):
        """Arrays of the chosen records of a trace, in order."""
        arguments = self.arguments
        for records in trace.batches(arguments.boot, self.types):
            yield self.choose(records, words)
            if arguments.end is not None and self.boot.nanoseconds(records["entry"][-1]) > arguments.end:
                break


def check(arguments):
    """Ends the program, or raises UsageError, when options do not fit each other. Columns become tuples of their names."""
    if arguments.by and arguments.columns:
        arguments.parser.error("--by has its columns itself: leave out --columns")
    if arguments.by is not None:
        arguments.by = column_names("--by", arguments.by, COUNTED)
    if arguments.columns is not None:
        arguments.columns = column_names("--columns", arguments.columns, NAMES)
    text_is_row = arguments.by is None and TEXT_COLUMN in (arguments.columns or NAMES)
    if "text" in (arguments.type or ()) and not text_is_row:
        arguments.parser.error("--type text has rows in the column `text` alone: name it in --columns, or leave out --by")
    by_function = "--by function" if "function" in (arguments.by or ()) else None
    named = "--function" if arguments.function else by_function
    if named and arguments.image is None:
        arguments.parser.error(f"{named} needs --image, from which the names come")
    return named


def show(trace, chosen, rows):
    """Writes the rows of all chosen records."""
    left = chosen.arguments.count
    sys.stdout.write(rows.heading())
    for records in chosen.batches(trace, rows.words):
        made = rows.rows(records, chosen.with_text)[:left]
        sys.stdout.write("".join(f"{row}\n" for row in made))
        if left is not None:
            left -= len(made)
            if not left:
                return
    rest = [rows.line(text) for text in rows.lines.rest()][:left]
    sys.stdout.write("".join(f"{row}\n" for row in rest))


def run(arguments):
    named = check(arguments)
    with Trace(arguments.file) as trace:
        boot = trace.boot(arguments.boot)
        chosen = Filter(arguments, boot)
        symbols = load_symbols(arguments, trace)
        if named and symbols is None:
            raise TraceError(f"{named}: no exit has a function's name, since it is not known where the kernel ran; leave it out")
        rows = Rows(boot, symbols, "json" if arguments.json else "csv", arguments.columns or NAMES)
        if not arguments.by:
            show(trace, chosen, rows)
            return 0
        counts = Counts(rows, arguments.by)
        for records in chosen.batches(trace, rows.words):
            counts.add(records)
        sys.stdout.write("".join(f"{row}\n" for row in counts.lines(arguments.count)))
    return 0
