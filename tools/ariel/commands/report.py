# SPDX-License-Identifier: Apache-2.0
"""Makes one page (HTML) of a trace that says what the guest did: the machine, first touches, traps by key and function, a
timeline, verdicts by policy row, latencies, what was denied, and what the trace lacks. It needs no network."""

import argparse
import contextlib
import os
import tempfile

from ..errors import ArielError
from ..trace import Trace
from .options import add_boot, add_image, load_symbols

RECORDS_MAX = 1_000_000  # that the timeline holds, unless --limit says otherwise


def add_arguments(parser):
    parser.add_argument("file", help="a trace: what TRACE=FILE wrote, or saved memory")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write")
    add_image(parser)
    add_boot(parser)
    parser.add_argument("--limit", type=natural, default=RECORDS_MAX, metavar="N",
                        help="records that the page's timeline and list hold; its tables count all (%(default)s)")


def natural(text):
    """A number of records, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of records; it is 0 or more")
    return int(text)


@contextlib.contextmanager
def whole_file(path):
    """A text file to write, which gets its name only when all is in it: a failure leaves what was there before."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=os.path.dirname(path) or ".", prefix=".ariel-", delete=False) as file:
        try:
            yield file
            file.close()
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def run(arguments):
    try:
        from ..report import write  # needs Jinja2, which the other commands do without
    except ModuleNotFoundError as error:
        raise ArielError(f"report: Python has no module {error.name}; install it (Debian: python3-{error.name})") from None
    folder = os.path.dirname(arguments.output) or "."
    if not os.path.isdir(folder):
        raise ArielError(f"{arguments.output}: there is no folder {folder}; make it first")
    with Trace(arguments.file) as trace, whole_file(arguments.output) as output:
        symbols = load_symbols(arguments, trace)
        write(trace, symbols, output, os.path.basename(arguments.file), boot=arguments.boot, limit=arguments.limit)
    return 0
