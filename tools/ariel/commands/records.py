# SPDX-License-Identifier: Apache-2.0
"""The records of a trace as rows of text: all, or those that the options choose. Several options must all hold; one that is
given several times holds if one of its values does. Names may have * and ? (quote them for the shell).

  records boot.trace -n 20
  records boot.trace --key 'ID_AA64*' --function '__cpuinfo_store_cpu' --image Image
  records boot.trace --verdict deny --from 0.5 --to 0.6 -j"""

import difflib
import fnmatch
import sys

import numpy

from ..columns import base_name
from ..errors import TraceError
from ..export.table import Rows
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
    parser.add_argument("-n", dest="count", type=number, metavar="COUNT", help="the first so many rows")
    parser.add_argument("-j", dest="json", action="store_true", help="JSON lines instead of CSV")
    add_boot(parser)
    add_image(parser)
    parser.set_defaults(parser=parser)


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
        only = self.tables or arguments.function or arguments.access
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


def run(arguments):
    if arguments.function and arguments.image is None:
        arguments.parser.error("--function needs --image, from which the names come")
    left = arguments.count
    with Trace(arguments.file) as trace:
        boot = trace.boot(arguments.boot)
        chosen = Filter(arguments, boot)
        symbols = load_symbols(arguments, trace)
        if arguments.function and symbols is None:
            raise TraceError("--function: no exit has a function's name, since it is not known where the kernel ran; leave it out")
        rows = Rows(boot, symbols, "json" if arguments.json else "csv")
        sys.stdout.write(rows.heading())
        for records in trace.batches(arguments.boot, chosen.types):
            made = rows.rows(chosen.choose(records, rows.words), chosen.with_text)[:left]
            sys.stdout.write("".join(f"{row}\n" for row in made))
            if left is not None:
                left -= len(made)
                if not left:
                    return 0
            if arguments.end is not None and boot.nanoseconds(records["entry"][-1]) > arguments.end:
                break
        rest = [rows.line(text) for text in rows.lines.rest()][:left]
        sys.stdout.write("".join(f"{row}\n" for row in rest))
    return 0
