# SPDX-License-Identifier: Apache-2.0
"""Where the kernel has put its modules, from the text of /proc/modules."""

import re
from typing import NamedTuple

from ..errors import SymbolsError

LINE = re.compile(r"^(\S+) (\d+) \d+ \S+ \S+ 0x([0-9a-fA-F]+)", re.MULTILINE)


class Module(NamedTuple):
    name: str
    start: int
    size: int   # bytes


def parse_modules(text, name):
    """[Module] in order of address, of what /proc/modules said. SymbolsError when it says nothing, or hides the addresses."""
    found = sorted((Module(match[1], int(match[3], 16), int(match[2])) for match in LINE.finditer(text)),
                   key=lambda module: module.start)
    if not found:
        raise SymbolsError(f"{name}: no line of it is one of /proc/modules")
    if not any(module.start for module in found):
        raise SymbolsError(f"{name}: every address is 0: /proc/modules shows them to root only, see kernel.kptr_restrict")
    return found


def find_module(modules, address):
    return next((module for module in modules if module.start <= address < module.start + module.size), None)
