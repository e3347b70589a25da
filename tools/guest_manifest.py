# SPDX-License-Identifier: Apache-2.0
"""The list of what is loaded for a guest (include/hv/guest_manifest.h), which EL2 reads at each boot: what each piece is,
where it lies, where the guest is entered."""

import itertools
import struct
from typing import NamedTuple

from linux_image import ImageError

MAGIC = int.from_bytes(b"arielGST", "little")
VERSION = 2
PIECES_MAX = 64
KINDS = ("LINUX", "PROGRAM")
PIECE_KINDS = ("IMAGE", "PROGRAM", "INITRD", "DTB", "FILE")


class Piece(NamedTuple):
    name: str  # as the person gave it: GUEST=prog.elf
    kind: str  # of PIECE_KINDS
    ipa: int
    size: int  # bytes of memory that it takes
    data: bytes = None  # what is written there; None: the file at path
    path: str = None

    @property
    def end(self):
        return self.ipa + self.size


def check_pieces(pieces, where):
    """Refuses what does not fit guest RAM or overlaps."""
    start, end = where["GUEST_RAM_IPA"], where["GUEST_RAM_IPA"] + where["GUEST_RAM_SIZE"]
    for piece in pieces:
        if piece.ipa < start or piece.end > end:
            raise ImageError(f"{piece.name}: {piece.size:#x} bytes at {piece.ipa:#x}: must lie within guest RAM "
                             f"{start:#x}..{end:#x}")
    for one, other in itertools.combinations(pieces, 2):
        if one.ipa < other.end and other.ipa < one.end:
            raise ImageError(f"{one.name} at {one.ipa:#x}..{one.end:#x} overlaps {other.name} at {other.ipa:#x}.."
                             f"{other.end:#x}")
    if len(pieces) > PIECES_MAX:
        raise ImageError(f"{pieces[-1].name}: {len(pieces)} pieces of the guest: at most {PIECES_MAX}")


def is_free(start, end, pieces):
    return all(end <= piece.ipa or piece.end <= start for piece in pieces)


def pack(kind, entry, boot_argument, pieces, symbols=(0, 0)):
    """The list as EL2 reads it. symbols: size and check of the table of symbols."""
    head = struct.pack("<8Q", MAGIC, VERSION, KINDS.index(kind), entry, boot_argument, len(pieces), *symbols)
    return head + b"".join(struct.pack("<3Q", piece.ipa, piece.size, PIECE_KINDS.index(piece.kind))
                           for piece in pieces)
