#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the arm64 Image that ariel loads from what a person has.

linux_image.py --output build/linux/Image vmlinuz        a kernel: Image, or compressed, or an EFI zboot kernel

A kernel is unwrapped and its header checked against the places in include/hv/memory_map.h. What can't be loaded is
refused in one line that names the field, its value and the bound.
"""

import argparse
import struct
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
from ariel.errors import ImageError  # noqa: E402
from ariel.unwrap import read_file, unwrap  # noqa: E402
from check_layout import read_memory_map  # noqa: E402  (folders, not packages)

HEADER = struct.Struct("<2I3Q3QII")  # code0, code1, text_offset, image_size, flags, reserved, magic, PE offset
HEADER_SIZE = 64
PE_SECTION = struct.Struct("<16x2I16x")  # SizeOfRawData, PointerToRawData
MAGIC = 0x644D5241  # "ARM\x64"
TEXT_OFFSET_END = 0x200000
FLAG_BIG_ENDIAN = 1
PLACE_ALIGN = 0x10000  # of what follows an Image: the largest page
NO_IMAGE = "not an arm64 Image"


class Image(NamedTuple):
    data: bytes
    text_offset: int
    image_size: int
    wraps: tuple  # what it was wrapped in, outermost first


# ---- The Image header (Linux Documentation/arm64/booting.rst) --------------------------------------------------------


def what_it_is(data):
    """Said when a file is not an Image."""
    known = ((b"\x7fELF", "an ELF file: for a kernel give arch/arm64/boot/Image, not vmlinux; a bare-metal program goes "
              "by make run GUEST="),
             (b"\x27\x05\x19\x56", "a U-Boot uImage: give the Image that it was made of"),
             (b"\xd0\x0d\xfe\xed", "a device tree or FIT image: give the Image that is in it"),
             (b"!<arch>", "an archive or .deb package: give the kernel that is in it"))
    for magic, text in known:
        if data.startswith(magic):
            return text
    if data[0x38:0x3c] in (b"\x05\x00\x00\x00", b"RSC\x05") or data[0x202:0x206] == b"HdrS":
        return "a kernel for another architecture"
    start = int.from_bytes(data[0x3c:0x40], "little")
    if data[:2] == b"MZ" and data[start:start + 4] == b"PE\0\0":
        return "an EFI application, which needs firmware to start it"
    return NO_IMAGE


def check_whole(data, name):
    """A kernel that EFI can start, as Linux is, tells by its PE section table where the file ends."""
    start = int.from_bytes(data[0x3c:0x40], "little")
    if data[:2] != b"MZ" or data[start:start + 4] != b"PE\0\0":
        return
    count, optional_size = (int.from_bytes(data[start + at:start + at + 2], "little") for at in (6, 20))
    table = start + 24 + optional_size
    rows = [data[at:at + PE_SECTION.size] for at in range(table, table + count * PE_SECTION.size, PE_SECTION.size)]
    end = max((sum(PE_SECTION.unpack(row)) if len(row) == PE_SECTION.size else table + count * PE_SECTION.size
               for row in rows), default=0)
    if end > len(data):
        raise ImageError(f"{name}: file size={len(data):#x}: its sections end at {end:#x}; is it cut off?")


def page_size(data):
    """KiB of the pages that an Image was built for; None: it does not say."""
    return (None, 4, 16, 64)[HEADER.unpack_from(data)[4] >> 1 & 3]


def is_image(data):
    return len(data) >= HEADER_SIZE and HEADER.unpack_from(data)[8] == MAGIC


def check_image(data, name, where):
    """The (text_offset, image_size) of an Image that fits below the device tree."""
    if len(data) < HEADER_SIZE:
        raise ImageError(f"{name}: size={len(data)}: too short for an Image header of {HEADER_SIZE} bytes")
    _, _, text_offset, image_size, flags, _, _, _, magic, _ = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ImageError(f"{name}: image_magic={magic:#x}, an arm64 Image has {MAGIC:#x}: this is {what_it_is(data)}")
    if flags & FLAG_BIG_ENDIAN:
        raise ImageError(f"{name}: image_flags={flags:#x}: big-endian kernel; ariel runs little-endian ones")
    check_whole(data, name)
    if image_size == 0:
        raise ImageError(f"{name}: image_size=0: older than Linux 3.17, it does not say its size")
    if text_offset >= TEXT_OFFSET_END or text_offset % 4:
        raise ImageError(f"{name}: text_offset={text_offset:#x}: must be a multiple of 4 below {TEXT_OFFSET_END:#x}")
    room = where["LINUX_DTB_PA"] - where["LINUX_IMAGE_PA"]
    for field, size in (("image_size", image_size), ("file size", len(data))):
        if text_offset + size > room:
            raise ImageError(f"{name}: {field}={size:#x} at text_offset={text_offset:#x}: at most {room:#x} bytes fit "
                             "below the device tree")
    return text_offset, image_size


def place_initrd(size, taken, name, where):
    """The IPA of an initrd of so many bytes, [(IPA, end)] being taken: its documented place, or, when that is taken or too
    small, the first one behind something else."""
    tree = where["LINUX_DTB_IPA"]
    behind = [-(-end // PLACE_ALIGN) * PLACE_ALIGN for _, end in sorted(taken)]
    for place in (where["LINUX_INITRD_IPA"], *behind):
        if place + size <= tree and all(place + size <= start or end <= place for start, end in taken):
            return place
    last = max([*behind, where["GUEST_RAM_IPA"]])
    raise ImageError(f"{name}: size={size:#x}: at most {max(tree - last, 0):#x} bytes fit between {last:#x}, behind the "
                     f"guest, and the device tree at {tree:#x}")


def load_kernel(path, where, what="LINUX_IMAGE"):
    data, wraps = unwrap(read_file(path, what), f"{what}={path}")
    return Image(data, *check_image(data, f"{what}={path}", where), wraps)


def write(image, path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(image.data)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make the arm64 Image that ariel loads.")
    parser.add_argument("file")
    parser.add_argument("--output", required=True)
    parser.add_argument("--initrd", help="also: does this initrd fit beside it?")
    options = parser.parse_args(arguments)
    where = read_memory_map()
    try:
        image = load_kernel(options.file, where)
        if options.initrd:
            start = where["GUEST_RAM_IPA"] + image.text_offset
            place_initrd(len(read_file(options.initrd, "LINUX_INITRD")),
                         [(start, start + max(image.image_size, len(image.data)))], f"LINUX_INITRD={options.initrd}", where)
        write(image, options.output)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"{options.output}: cannot write it: {error.strerror}"
    return None


if __name__ == "__main__":
    sys.exit(main())
