# SPDX-License-Identifier: Apache-2.0
"""Makes one page (HTML) of a trace that says what the guest did: the machine, first touches, traps by key and function, a
timeline, verdicts by policy row, latencies, what was denied, and what the trace lacks. It needs no network.

--format makes what other programs open instead: perfetto (ui.perfetto.dev), json (chrome://tracing, Perfetto), ftrace (trace.dat
for trace-cmd and KernelShark), csv (spreadsheets, databases)."""

import argparse
import importlib
import io
import os

from ..errors import ArielError
from ..trace import Trace
from .options import add_boot, add_image, load_symbols
from .output import check_folder, whole_file

RECORDS_MAX = 1_000_000  # that the timeline holds, unless --limit says otherwise
# The module of each format but html in export/
EXPORTS = {"perfetto": "perfetto", "json": "chrome", "ftrace": "ftrace", "csv": "table"}
PACKAGES = {"google": "protobuf", "numpy": "numpy"}  # Debian's, of modules that are called otherwise


def add_arguments(parser):
    parser.add_argument("file", help="a trace: what TRACE=FILE wrote, or saved memory")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write")
    parser.add_argument("--format", choices=("html", *EXPORTS), default="html", help="what to write (%(default)s)")
    add_image(parser)
    add_boot(parser)
    parser.add_argument("--limit", type=natural, metavar="N",
                        help=f"records that the page's timeline and list hold; its tables count all ({RECORDS_MAX})")
    parser.set_defaults(parser=parser)


def natural(text):
    """A number of records, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of records; it is 0 or more")
    return int(text)


def load(name):
    """A module of this package; ArielError where Python lacks what it needs."""
    try:
        return importlib.import_module(f"..{name}", __package__)
    except ModuleNotFoundError as error:
        module = (error.name or "?").partition(".")[0]
        raise ArielError(f"report: Python has no module {error.name}; install it (Debian: "
                         f"python3-{PACKAGES.get(module, module)})") from None


def write_page(trace, symbols, output, arguments):
    limit = RECORDS_MAX if arguments.limit is None else arguments.limit
    text = io.TextIOWrapper(output, encoding="utf-8", write_through=True)
    load("report").write(trace, symbols, text, os.path.basename(arguments.file), boot=arguments.boot, limit=limit,
                         unplaced=arguments.unplaced)
    text.detach()


def run(arguments):
    if arguments.limit is not None and arguments.format != "html":
        arguments.parser.error(f"--limit is about the page; --format {arguments.format} has all records")
    module = load("report" if arguments.format == "html" else f"export.{EXPORTS[arguments.format]}")
    check_folder(arguments.output)
    with Trace(arguments.file) as trace, whole_file(arguments.output) as output:
        symbols = load_symbols(arguments, trace)
        if arguments.format == "html":
            write_page(trace, symbols, output, arguments)
        else:
            module.write(trace, symbols, output, boot=arguments.boot)
    return 0
