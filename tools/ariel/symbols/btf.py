# SPDX-License-Identifier: Apache-2.0
"""Where the members of a kernel's structures are, from the type information in its Image (CONFIG_DEBUG_INFO_BTF; Linux,
Documentation/bpf/btf.rst)."""

import struct
from typing import NamedTuple

from ..errors import SymbolsError

MAGIC = b"\x9f\xeb\x01\x00"             # magic, version 1, no flags
HEADER = struct.Struct("<HBB5I")        # magic, version, flags, length of the header, types, their length, texts, theirs
TYPE = struct.Struct("<3I")             # name, info, size or type
ARRAY, STRUCT, ENUM64 = 3, 4, 19
# Bytes behind a type: so many, and so many for each of its members. Kinds that are not here have none.
BEHIND = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12), 17: (4, 0),
          19: (0, 12)}


class Member(NamedTuple):
    offset: int     # bytes
    type: int       # number


class Types:
    """The types of an Image. SymbolsError when it has none."""

    def __init__(self, image):
        """image: its bytes."""
        self.data, start, length, self.texts = image, *find(image)
        self.places = [0]                   # by number; type 0 is void
        at, end = start, start + length
        while at + TYPE.size <= end:
            self.places.append(at)
            _, info, _ = TYPE.unpack_from(image, at)
            fixed, each = BEHIND.get(info >> 24 & 0x1f, (0, 0))
            at += TYPE.size + fixed + each * (info & 0xffff)

    def text(self, offset):
        end = self.data.find(b"\0", self.texts + offset)
        return self.data[self.texts + offset:end].decode("latin-1")

    def kind(self, number):
        return TYPE.unpack_from(self.data, self.places[number])[1] >> 24 & 0x1f if 0 < number < len(self.places) else 0

    def members(self, number):
        """{name: Member} of a structure's number."""
        at = self.places[number]
        _, info, _ = TYPE.unpack_from(self.data, at)
        bits = 0xffffff if info >> 31 else 0xffffffff   # with the upper bit, the rest is the width of a bit field
        found = {}
        for n in range(info & 0xffff):
            name, kind, offset = TYPE.unpack_from(self.data, at + TYPE.size * (n + 1))
            found[self.text(name)] = Member((offset & bits) // 8, kind)
        return found

    def element(self, number):
        """The number of the type that an array is of; the number itself when it is no array."""
        if self.kind(number) != ARRAY:
            return number
        return TYPE.unpack_from(self.data, self.places[number] + TYPE.size)[0]

    def struct(self, name):
        """{name: Member} of the structure of a name; SymbolsError when there is none."""
        place = self.data.find(b"\0" + name.encode() + b"\0", self.texts) + 1 - self.texts
        for number in range(1, len(self.places)):
            text, info, _ = TYPE.unpack_from(self.data, self.places[number])
            if info >> 24 & 0x1f == STRUCT and (text == place or self.text(text) == name):
                return self.members(number)
        raise SymbolsError(f"BTF: no struct {name}")


def find(image):
    """(where the types begin, their length, where the texts begin) in an Image."""
    at = image.find(MAGIC)
    while at >= 0:
        if at + HEADER.size <= len(image):
            _, _, _, size, types, length, texts, texts_length = HEADER.unpack_from(image, at)
            start = at + size
            if size == HEADER.size and length > 1000 and types == 0 and texts == length and \
                    start + texts + texts_length <= len(image) and image[start + texts] == 0:
                return start, length, start + texts
        at = image.find(MAGIC, at + 1)
    raise SymbolsError("no BTF in it: built without CONFIG_DEBUG_INFO_BTF")
