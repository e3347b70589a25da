# SPDX-License-Identifier: Apache-2.0
"""Why one exit happened and what became of it, or what a value of ESR_EL2 means: what the monitor's `explain` says.

  explain FILE N          the exit with that number on its vCPU, as `records`, the log (exit=) and `exc last` show it
  explain FILE --at TIME  the exit of each vCPU that had begun last at that time, in seconds
  explain --esr VALUE     a bare value, as a crash report of a kernel has one"""

import numpy

from ..errors import TraceError
from ..explain import explain_esr, explain_record
from ..trace import Trace
from ..trace_format import TYPE_EXIT
from .options import add_boot, add_image, load_symbols, number, seconds


def add_arguments(parser):
    parser.add_argument("file", nargs="?", help="a trace")
    parser.add_argument("number", nargs="?", type=number, help="number of the exit on its vCPU")
    parser.add_argument("--esr", type=number, metavar="VALUE", help="a value of ESR_EL2 (or another ESR_ELx)")
    parser.add_argument("--at", type=seconds, metavar="TIME", help="seconds since the log's beginning")
    parser.add_argument("--vcpu", type=number, help="only this vCPU's exits")
    parser.add_argument("--vm", type=number, help="only this VM's exits")
    add_boot(parser)
    add_image(parser)
    parser.set_defaults(parser=parser)


def matches(trace, arguments, boot):
    """{(vm, vcpu): record} of what was asked for."""
    found = {}
    for records in trace.batches(arguments.boot, {TYPE_EXIT}):
        where = numpy.ones(len(records), bool)
        for name in ("vm", "vcpu"):
            if getattr(arguments, name) is not None:
                where &= records[name] == getattr(arguments, name)
        if arguments.at is None:
            where &= records["sequence"] == arguments.number
        else:
            where &= boot.nanoseconds(records["entry"]) <= arguments.at
        last = {}
        chosen = numpy.flatnonzero(where)
        owner = records["vm"][chosen].astype("u4") << 8 | records["vcpu"][chosen]
        for value in numpy.unique(owner).tolist():
            last[value >> 8, value & 0xff] = records[chosen[owner == value][-1]].copy()
        found.update(last)
        if arguments.at is not None and len(records) and boot.nanoseconds(records["entry"][-1]) > arguments.at:
            break
    return found


def explain_file(arguments):
    with Trace(arguments.file) as trace:
        boot = trace.boot(arguments.boot)
        found = matches(trace, arguments, boot)
        if not found:
            raise TraceError(f"{arguments.file}: no exit {arguments.number} is in it (info shows what is there)" if
                             arguments.at is None else f"{arguments.file}: no exit had begun at {arguments.at / 1e9:.9f} s")
        if len(found) > 1 and arguments.at is None:
            owners = ", ".join(f"vCPU {vcpu} of VM {vm}" for vm, vcpu in sorted(found))
            raise TraceError(f"{arguments.file}: several vCPUs have an exit {arguments.number} ({owners}): add --vcpu")
        symbols = load_symbols(arguments, trace)
        for place, owner in enumerate(sorted(found)):
            print(*([""] if place else []), *explain_record(boot, found[owner], symbols), sep="\n")
    return 0


def run(arguments):
    asked = [arguments.number is not None, arguments.at is not None, arguments.esr is not None]
    if sum(asked) != 1 or (arguments.file is None) != (arguments.esr is not None):
        arguments.parser.error("give a file and the number of an exit, a file and --at TIME, or --esr VALUE")
    if arguments.esr is None:
        return explain_file(arguments)
    print(*explain_esr(arguments.esr), sep="\n")
    return 0
