# SPDX-License-Identifier: Apache-2.0
"""A bare-metal EL1 program as QEMU's own loader would place it: an ELF file where it is linked, an arm64 Image at its
text_offset, a flat binary at GUEST_ADDR or 512 KiB into RAM. What can't be loaded is refused in one line."""

import io
import struct
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

import linux_image
from ariel.unwrap import read_file, unwrap
from guest_manifest import Piece
from linux_image import ImageError

FLAT_OFFSET = 0x80000  # from the start of RAM, as QEMU's loader has it for what is no ELF file
GAP_MAX = 0x1000       # segments that are not further apart are one piece
SEGMENTS_MAX = 32
ET_EXEC_NAMES = ("ET_EXEC", "ET_DYN")


class Program(NamedTuple):
    pieces: list  # [Piece]
    entry: int
    wraps: tuple  # what it was wrapped in, outermost first


def parse_address(text, name, where):
    """GUEST_ADDR= or the place of a GUEST_FILE= as a number within guest RAM."""
    start, end = where["GUEST_RAM_IPA"], where["GUEST_RAM_IPA"] + where["GUEST_RAM_SIZE"]
    try:
        address = int(text, 0)
    except ValueError:
        raise ImageError(f"{name}: not a number: write an address as 0x40080000") from None
    if not start <= address < end:
        raise ImageError(f"{name}: outside guest RAM, {start:#x}..{end:#x}")
    return address


# ---- ELF -------------------------------------------------------------------------------------------------------------


def elf_segments(elf, name):
    """[(address, bytes, size in memory)] of what is loaded, and the entry."""
    if elf["e_machine"] != "EM_AARCH64" or elf.elfclass != 64 or not elf.little_endian:
        raise ImageError(f"{name}: e_machine={elf['e_machine']}, {elf.elfclass}-bit, "
                         f"{'little' if elf.little_endian else 'big'}-endian: not a little-endian AArch64 program")
    if elf["e_type"] not in ET_EXEC_NAMES:
        raise ImageError(f"{name}: e_type={elf['e_type']}: not a linked program (ET_EXEC or ET_DYN)")
    found = [(part["p_paddr"], part["p_vaddr"], part.data(), part["p_memsz"]) for part in elf.iter_segments()
             if part["p_type"] == "PT_LOAD" and part["p_memsz"]]
    if not found:
        raise ImageError(f"{name}: e_phnum={elf['e_phnum']}: no loadable segment; is it linked?")
    entry = elf["e_entry"]
    if entry % 4:
        raise ImageError(f"{name}: e_entry={entry:#x}: not a multiple of 4, which instructions have")
    for physical, virtual, _, size in found:  # an entry is a virtual address; the MMU is off
        if virtual <= entry < virtual + size:
            return sorted((part[0], part[2], part[3]) for part in found), entry - virtual + physical
    raise ImageError(f"{name}: e_entry={entry:#x}: in no loadable segment")


def elf_shift(elf, segments, address, name, where):
    """How far a position-independent program goes from where it is linked: to GUEST_ADDR, or from below RAM into it."""
    lowest = segments[0][0]
    if address is None:
        below = elf["e_type"] == "ET_DYN" and lowest < where["GUEST_RAM_IPA"]
        return where["GUEST_RAM_IPA"] + FLAT_OFFSET - lowest if below else 0
    if elf["e_type"] != "ET_DYN":
        raise ImageError(f"GUEST_ADDR={address:#x}: {name} is an ELF file that is linked at {lowest:#x}; leave GUEST_ADDR out")
    return address - lowest


def join_segments(segments):
    """[(address, bytes)], .bss being zeroes, with neighbours joined."""
    joined = []
    for address, content, size in segments:
        content = content.ljust(size, b"\0")
        if joined and 0 <= address - joined[-1][0] - len(joined[-1][1]) < GAP_MAX:
            start, before = joined.pop()
            address, content = start, before.ljust(address - start, b"\0") + content
        joined.append((address, content))
    return joined


def elf_program(data, name, address, where):
    start, end = where["GUEST_RAM_IPA"], where["LINUX_DTB_IPA"]
    try:
        elf = ELFFile(io.BytesIO(data))
        segments, entry = elf_segments(elf, name)
        shift = elf_shift(elf, segments, address, name, where)
    except (ELFError, ValueError, struct.error) as error:
        raise ImageError(f"{name}: broken ELF file: {error}") from None
    for place, content, size in segments:
        if place + shift < start or place + shift + size > end or len(content) > size:
            raise ImageError(f"{name}: segment at p_paddr={place:#x}, {size:#x} bytes: must lie within guest RAM "
                             f"{start:#x}..{end:#x}")
    joined = join_segments(segments)
    if len(joined) > SEGMENTS_MAX:
        raise ImageError(f"{name}: {len(joined)} segments apart from each other: at most {SEGMENTS_MAX}")
    return [Piece(name, "PROGRAM", place + shift, len(content), content) for place, content in joined], entry + shift


# ---- Image and flat binary -------------------------------------------------------------------------------------------


def image_piece(image, name, where, address=None):
    """An Image at its text_offset from the start of RAM, or from the 2 MiB boundary that GUEST_ADDR says."""
    place = where["GUEST_RAM_IPA"] + image.text_offset if address is None else address
    if place % linux_image.TEXT_OFFSET_END != image.text_offset:
        raise ImageError(f"GUEST_ADDR={place:#x}: {name} is an Image, which stands text_offset={image.text_offset:#x} above "
                         f"a multiple of {linux_image.TEXT_OFFSET_END:#x}")
    return Piece(name, "IMAGE", place, max(image.image_size, len(image.data)), image.data)


def is_text(data):
    return not data.translate(None, bytes(range(0x20, 0x7f)) + b"\t\n\r\f")


def flat_program(data, name, address, where):
    place = where["GUEST_RAM_IPA"] + FLAT_OFFSET if address is None else address
    if is_text(data):
        raise ImageError(f"{name}: a text file, not a program")
    what = linux_image.what_it_is(data)
    if what != linux_image.NO_IMAGE:
        raise ImageError(f"{name}: {what}, not a program")
    if place % 4:
        raise ImageError(f"GUEST_ADDR={place:#x}: not a multiple of 4, which instructions have")
    return [Piece(name, "PROGRAM", place, len(data), data)], place


def load_program(path, where, address=None):
    """A bare-metal EL1 program. address: what GUEST_ADDR= says, or None."""
    name = f"GUEST={path}"
    data, wraps = unwrap(read_file(path, "GUEST"), name)
    if data.startswith(b"\x7fELF"):
        pieces, entry = elf_program(data, name, address, where)
    elif linux_image.is_image(data):
        pieces = [image_piece(linux_image.Image(data, *linux_image.check_image(data, name, where), wraps), name, where,
                              address)]
        entry = pieces[0].ipa
    else:
        pieces, entry = flat_program(data, name, address, where)
    return Program(pieces, entry, wraps)
