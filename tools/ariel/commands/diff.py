# SPDX-License-Identifier: Apache-2.0
"""What differs between two traces: A and B. Addresses that KASLR has moved, and times, are no difference.

  diff a.trace b.trace --image Image             the answer, in one screen
  diff a.trace b.trace --image Image --all       every difference, and what is noise

The exit status is 0 when nothing differs, 1 when something does, and 2 when a trace cannot be read."""

import argparse
import json
import sys

from ..diff.compare import Comparison
from ..diff.guest import Guest, best_shift
from ..diff.side import Side
from ..diff.text import lines_of
from ..errors import ArielError
from ..trace import Trace
from .options import load_symbols, place
from .output import check_folder, whole_file


def add_arguments(parser):
    parser.add_argument("a", help="a trace")
    parser.add_argument("b", help="the trace that it is compared with")
    parser.add_argument("--image", metavar="FILE", help="the guest's kernel, for names: Image, System.map, vmlinux or any ELF")
    parser.add_argument("--image-b", metavar="FILE", help="B's kernel, if it is another one")
    parser.add_argument("--boot", type=place, default=-1, metavar="N", help="which boot of A, if it has several (-1: the last)")
    parser.add_argument("--boot-b", type=place, default=-1, metavar="N", help="which boot of B")
    parser.add_argument("--exact", action="store_true",
                        help="nothing is noise: for runs that must be equal (docs/TRACE.md has their command line)")
    parser.add_argument("--all", action="store_true", help="every row, and the noise; else one screen")
    parser.add_argument("--json", "-j", action="store_true", help="all of it as one JSON object")
    parser.add_argument("-o", "--output", metavar="FILE", help="writes the text (or JSON) there")
    parser.set_defaults(parser=parser)


def symbols_of(trace, image, boot):
    return load_symbols(argparse.Namespace(image=image, boot=boot), trace)


def read_sides(arguments, traces):
    """The two Sides. Both have names, or none."""
    boots = arguments.boot, arguments.boot_b
    symbols = [symbols_of(*more) for more in zip(traces, (arguments.image, arguments.image_b or arguments.image), boots)]
    shifts, vectors = (0, 0), [0, 0]
    if None in symbols:
        symbols, shifts = [None, None], (0, best_shift(traces, boots))
        found = sorted(int(header["vbar_el1"]) for header in traces[0].headers(boots[0]) if header["vbar_el1"])
        vectors = [found[len(found) // 2] if found else 0] * 2
        vectors[1] += shifts[1] if found else 0
    return [Side(trace, boot, Guest(trace.boot(boot), *more)) for trace, boot, *more in
            zip(traces, boots, symbols, shifts, vectors)]


def write(path, text):
    """Writes the text to a file, or to stdout when there is no path."""
    if path:
        with whole_file(path) as file:
            file.write(text.encode())
    else:
        sys.stdout.write(text)


def compare(arguments):
    if arguments.output:
        check_folder(arguments.output)
    with Trace(arguments.a) as first, Trace(arguments.b) as second:
        comparison = Comparison(read_sides(arguments, (first, second)), arguments.exact)
        data = comparison.as_dict()
        text = json.dumps(data, indent=1) if arguments.json else "\n".join(lines_of(data, arguments.all))
        write(arguments.output, text + "\n")
    return int(comparison.differ)


def run(arguments):
    if arguments.image_b and not arguments.image:
        arguments.parser.error("--image-b is B's kernel; --image must name A's")
    try:
        return compare(arguments)
    except (ArielError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        words = error if isinstance(error, ArielError) else f"{error.filename or 'output'}: {error.strerror}"
        print(f"ariel: {words}", file=sys.stderr)
        return 2
