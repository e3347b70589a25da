# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have, and how their values are read."""

import argparse
import decimal
import sys

from ..errors import SymbolsError


def number(text):
    """A number from 0 to 2^64 - 1, decimal or with 0x."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 2^64 - 1, decimal or with 0x")
    return value


def seconds(text):
    """Seconds, such as 0.141, as whole nanoseconds."""
    try:
        value = decimal.Decimal(text)
        if value.is_finite() and 0 <= value < 1 << 32:
            return int(value * 1_000_000_000)
    except decimal.InvalidOperation:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds, such as 0.141 (0 to 2^32)")


def place(text):
    """The place of a boot: 0 is the first, -1 the last."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number: 0 is the first boot, -1 the last") from None


def add_boot(parser):
    parser.add_argument("--boot", type=place, default=-1, metavar="N",
                        help="which boot of the machine, if the file has several: 0 is the first, -1 the last (default)")


def add_image(parser):
    parser.add_argument("--image", metavar="FILE", help="the guest's kernel, for names: Image, System.map, vmlinux or any ELF")


def load_symbols(arguments, trace):
    """The symbols of --image, at the place where the guest of a trace ran in the boot of --boot; None without --image. None,
    too, and a warning on stderr, when the trace does not tell that place (another kernel's file, or too few exits):
    arguments.unplaced is the reason then, else "". SymbolsError when the file has no symbols."""
    arguments.unplaced = ""
    if arguments.image is None:
        return None
    from ..symbols import Symbols
    symbols = Symbols.load(arguments.image)
    try:
        symbols.solve_trace(trace, arguments.boot)
    except SymbolsError as error:
        arguments.unplaced = str(error)
        sys.stderr.write(f"ariel: warning: {arguments.image}: {error}; addresses stay without names\n")
        return None
    return symbols
