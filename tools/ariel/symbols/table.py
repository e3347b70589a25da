# SPDX-License-Identifier: Apache-2.0
"""Symbols as arrays in order of address, and what is at an address."""

import numpy as np

TEXT_TYPES = np.array([b"t", b"T", b"w", b"W"], "S1")     # nm's letters for functions and other labels in code


class Table:
    """Addresses are those that the file was linked for. The first of several symbols at one address is the one that is
    named, as in the kernel's own messages."""

    def __init__(self, addresses, names, types, link=0, code=None, size=0, kind=""):
        """addresses: u64, ascending; names: list of str; types: nm's letters, "S1". link: address of the first byte
        (`_text`). code: the file's words (u4) from there on, where they are known. size: bytes in memory from there on.
        kind: what it was read from, for people."""
        self.addresses, self.names, self.types = addresses, names, types
        self.link, self.code, self.size, self.kind = link, code, size, kind
        self.by_name = None

    def __len__(self):
        return len(self.names)

    def find(self, address):
        """The number of the symbol that an address belongs to, or None: it is below the first, or at or above the last one,
        which marks an end."""
        at = int(np.searchsorted(self.addresses, np.uint64(address), "right")) - 1
        if at < 0 or address > int(self.addresses[-1]):
            return None
        return int(np.searchsorted(self.addresses, self.addresses[at]))

    def find_all(self, addresses):
        """The same for an array of u64; -1: none."""
        at = np.searchsorted(self.addresses, addresses, "right") - 1
        first = np.searchsorted(self.addresses, self.addresses[np.maximum(at, 0)])
        outside = (at < 0) | (addresses > self.addresses[-1]) if len(self) else np.ones(len(addresses), bool)
        return np.where(outside, -1, first)

    def address_of(self, name):
        """The address of the first symbol of that name, or None."""
        if self.by_name is None:
            self.by_name = {}
            for number, text in enumerate(self.names):
                self.by_name.setdefault(text, number)
        number = self.by_name.get(name)
        return None if number is None else int(self.addresses[number])

    def end_of(self, number):
        """Where the symbol with that number ends: at the next one that has another address."""
        at = int(np.searchsorted(self.addresses, self.addresses[number], "right"))
        return int(self.addresses[at]) if at < len(self) else int(self.addresses[number])

    def text(self):
        """Numbers of the symbols of code."""
        return np.flatnonzero(np.isin(self.types, TEXT_TYPES))

    def word_at(self, address):
        """The instruction at an address, or None where the file does not have it."""
        place = address - self.link
        if self.code is None or place < 0 or place % 4 or place // 4 >= len(self.code):
            return None
        return int(self.code[place // 4])
