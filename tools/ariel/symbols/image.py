# SPDX-License-Identifier: Apache-2.0
"""Symbols of a raw arm64 Image, and the addresses that it was linked for.

kallsyms has the symbols' distances from each other. Two things may be missing, since the kernel learns them only when it
relocates itself at boot: where in the Image the first symbol is, and the address of the Image's first byte, `_text`. Both
are asked of the Image's contents: the branches in its code lead to functions, and the pointers in its data are the addresses
of symbols. The answer for which most of them do is right; where no answer stands out, the addresses count from 0.
"""

import numpy as np

from .kallsyms import decode, view
from .table import Table

PAGE = 0x1000
KERNEL_ALIGN = 0x10000      # of _text: the largest page. (Linux links it at a multiple of 2 MiB, the same or more.)
SHIFT_MAX = 0x200000
SAMPLE = 1024
RELATIVE = 1027             # R_AARCH64_RELATIVE (ELF for the Arm 64-bit Architecture, 5.7.16)
KERNEL_HALF = 0xffff        # bits 63:48 of a kernel's addresses
BL, BL_MASK = 0x94000000, 0xfc000000


def sample(values):
    """At most SAMPLE of the values, from all over."""
    return values[::max(len(values) // SAMPLE, 1)][:SAMPLE]


def offsets_as_set(offsets, size):
    """A table of bools: is there a symbol at four times so many bytes from the first one?"""
    table = np.zeros(size // 4 + 1, bool)
    table[offsets[offsets <= size] // 4] = True
    return table


def count_hits(places, symbols):
    """How many of the places, in bytes, are those of symbols."""
    inside = places[(places >= 0) & (places // 4 < len(symbols)) & (places % 4 == 0)]
    return int(symbols[inside // 4].sum())


def first_symbol(data, offsets, size):
    """Where in the Image the offsets count from: the number of bytes for which the code's calls (BL) lead to symbols. A
    table of text symbols alone begins at _stext, a page or sixteen behind _text."""
    words = view(data, "<u4")
    calls = sample(np.flatnonzero((words & BL_MASK) == BL))
    distance = (words[calls].astype(np.int64) << 38) >> 36      # imm26, signed, times 4
    targets = 4 * calls + distance
    symbols = offsets_as_set(offsets, size)
    shifts = np.arange(0, SHIFT_MAX, PAGE)
    hits = [count_hits(targets - shift, symbols) for shift in shifts]
    return int(shifts[int(np.argmax(hits))])


def pointers_of(data):
    """Addresses of the kernel's that its data holds: the addends of .rela.dyn, for a kernel that can be relocated has no
    addresses in place; without such, what looks like an address."""
    words = view(data, "<u8")
    found = np.flatnonzero(words[1:-1] == RELATIVE)
    addends = words[found + 2]
    addends = addends[addends >> 48 == KERNEL_HALF]
    return sample(addends) if len(addends) >= 64 else sample(words[words >> 48 == KERNEL_HALF])


def link_address(data, offsets, size):
    """The address that the Image's first byte was linked for: the one for which most pointers are symbols' addresses.
    0 when there is none."""
    pointers = pointers_of(data).astype(np.int64)
    if not len(pointers):
        return 0
    windows, counts = np.unique(pointers // SHIFT_MAX, return_counts=True)
    near = int(windows[int(np.argmax(counts))]) * SHIFT_MAX
    pointers = pointers[abs(pointers - near) <= size]
    symbols = offsets_as_set(offsets, size)
    places = np.arange(near - size // KERNEL_ALIGN * KERNEL_ALIGN, near + SHIFT_MAX, KERNEL_ALIGN)
    hits = [count_hits(pointers - place, symbols) for place in places]
    best = int(np.argmax(hits))
    return int(places[best]) % 2 ** 64 if hits[best] > len(pointers) // 8 else 0


def load(data, size):
    """The Table of an arm64 Image, unwrapped. size: in memory, from its header. SymbolsError when it has no symbols."""
    found = decode(data, size)
    offsets = found.offsets
    if found.layout != "no base":
        first = int(offsets[found.names.index("_text")]) if "_text" in found.names else \
            -first_symbol(data, offsets, size)
        offsets = offsets - first
        link = (found.base + first) % 2 ** 64 if found.base else 0
    else:
        link = 0
    link = link or link_address(data, offsets, size)
    addresses = offsets.astype(np.uint64) + np.uint64(link)
    return Table(addresses, found.names, found.types, link=link, code=view(data, "<u4"), size=size,
                 kind=f"kallsyms, {found.layout}")
