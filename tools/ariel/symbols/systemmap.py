# SPDX-License-Identifier: Apache-2.0
"""Symbols of System.map, or of anything that nm or /proc/kallsyms has printed: address, letter, name."""

import re

import numpy as np

from ..errors import SymbolsError
from .table import Table

LINE = re.compile(rb"^([0-9a-fA-F]{8,16}) ([A-Za-z?]) (\S+)(?:\s+\[(\S+)\])?\s*$", re.MULTILINE)
ABSOLUTE = b"aA"
BEGIN = re.compile(rb"[0-9a-fA-F]{8,16} [A-Za-z?] \S")


def is_map(data):
    return bool(BEGIN.match(data[:64]))


def load(data, name):
    """The Table of a System.map. SymbolsError when it has no symbols; Debian's package of a kernel has one of one line,
    which says where the real one is."""
    rows = [(int(address, 16), letter, text.decode("utf-8", "replace"))
            for address, letter, text, module in LINE.findall(data) if letter not in ABSOLUTE and not module]
    rows = [row for row in rows if row[2][0] != "$"]
    if len(rows) < 2:
        raise SymbolsError(f"{name}: {len(rows)} symbols: no System.map (Debian has the real one in the package "
                           "linux-image-<version>-dbg)")
    if not any(row[0] for row in rows):
        raise SymbolsError(f"{name}: every address is 0: /proc/kallsyms shows them to root only, see kernel.kptr_restrict")
    rows.sort(key=lambda row: row[0])
    addresses = np.array([row[0] for row in rows], np.uint64)
    types = np.array([row[1] for row in rows], "S1")
    names = [row[2] for row in rows]
    link = int(addresses[names.index("_text")]) if "_text" in names else int(addresses[0])
    return Table(addresses, names, types, link=link, size=int(addresses[-1]) - link, kind="System.map")
