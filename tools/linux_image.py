#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the arm64 Image that ariel loads from what a person has.

linux_image.py --output build/linux/Image vmlinuz        a kernel: Image, or compressed, or an EFI zboot kernel

A kernel is unwrapped and its header checked against the places in include/hv/memory_map.h. What can't be loaded is
refused in one line that names the field, its value and the bound.
"""

import argparse
import bz2
import lzma
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from check_layout import read_memory_map  # noqa: E402  (scripts/ is not a package)

HEADER = struct.Struct("<2I3Q3QII")  # code0, code1, text_offset, image_size, flags, reserved, magic, PE offset
HEADER_SIZE = 64
PE_SECTION = struct.Struct("<16x2I16x")  # SizeOfRawData, PointerToRawData
MAGIC = 0x644D5241  # "ARM\x64"
TEXT_OFFSET_END = 0x200000
FLAG_BIG_ENDIAN = 1
PLACE_ALIGN = 0x10000  # of what follows an Image: the largest page
UNWRAPPED_MAX = 512 << 20  # more than fits, less than hurts
NO_IMAGE = "not an arm64 Image"
WRAPS = 4                  # gzip in zboot in gzip ...
MAGICS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"),
          (b"\x5d\0\0", "lzma"), (b"\x04\x22\x4d\x18", "lz4"), (b"\x02\x21\x4c\x18", "lz4"))


class ImageError(Exception):
    """This can't be loaded; the message is one line."""


class Image(NamedTuple):
    data: bytes
    text_offset: int
    image_size: int
    wraps: tuple  # what it was wrapped in, outermost first


# ---- Unwrapping ------------------------------------------------------------------------------------------------------


def read_file(path, what):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{what}={path}: cannot read it: {error.strerror}") from None
    if not data:
        raise ImageError(f"{what}={path}: the file is empty")
    return data


def unwrap_gzip(data):
    stream = zlib.decompressobj(wbits=31)
    return stream.decompress(data, UNWRAPPED_MAX + 1), stream.eof


def unwrap_lzma(data):
    stream = lzma.LZMADecompressor()
    return stream.decompress(data, UNWRAPPED_MAX + 1), stream.eof


def unwrap_bzip2(data):
    stream = bz2.BZ2Decompressor()
    return stream.decompress(data, UNWRAPPED_MAX + 1), stream.eof


def unwrap_by_program(*command):
    """A decompressor for what Python 3.11 has no module for. It reads a file, so that only its output is a pipe."""
    def unwrap(data):
        try:
            with tempfile.TemporaryFile() as source:
                source.write(data)
                source.seek(0)
                with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL) as process:
                    out = process.stdout.read(UNWRAPPED_MAX + 1)
                    if len(out) > UNWRAPPED_MAX:
                        process.kill()
                return out, len(out) > UNWRAPPED_MAX or process.returncode == 0
        except FileNotFoundError:
            raise ImageError(f"{command[0]}: not installed, and this kernel is packed with it; "
                             "run scripts/bootstrap linux") from None
    return unwrap


UNWRAP = {"gzip": unwrap_gzip, "xz": unwrap_lzma, "lzma": unwrap_lzma, "bzip2": unwrap_bzip2,
          "zstd": unwrap_by_program("zstd", "-dcq"), "lz4": unwrap_by_program("lz4", "-dcq")}
ZBOOT_TYPES = {"gzip": "gzip", "zstd": "zstd", "zstd22": "zstd", "xz": "xz", "xzkern": "xz", "lzma": "lzma",
               "lz4": "lz4"}


def unwrap_zboot(data, name):
    """The compressed payload of an EFI zboot kernel and how it is packed (Linux drivers/firmware/efi/libstub)."""
    offset, size = struct.unpack_from("<II", data, 8)
    kind = data[24:56].split(b"\0")[0].decode("ascii", "replace")
    if kind not in ZBOOT_TYPES:
        raise ImageError(f"{name}: EFI zboot comp_type=\"{kind}\": not one of {', '.join(sorted(ZBOOT_TYPES))}")
    if offset < HEADER_SIZE or offset + size > len(data):
        raise ImageError(f"{name}: EFI zboot payload={offset:#x}+{size:#x}: reaches past the file's {len(data):#x} "
                         "bytes; is it cut short?")
    return data[offset:offset + size], ZBOOT_TYPES[kind]


def decompress(data, kind, name):
    try:
        out, whole = UNWRAP[kind](data)
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise ImageError(f"{name}: {kind} data is damaged: {error}") from None
    if len(out) > UNWRAPPED_MAX:
        raise ImageError(f"{name}: unwraps to more than {UNWRAPPED_MAX:#x} bytes: no kernel for ariel")
    if not whole:
        raise ImageError(f"{name}: {kind} data is damaged or ends after {len(out):#x} unwrapped bytes; is it cut "
                         "short?")
    return out


def unwrap(data, name):
    """(the innermost data, what it was wrapped in)"""
    wraps = []
    while True:
        if data[:2] == b"MZ" and data[4:8] == b"zimg" and len(data) >= HEADER_SIZE:
            data, kind = unwrap_zboot(data, name)
            wraps.append("EFI zboot")
        else:
            kind = next((kind for magic, kind in MAGICS if data.startswith(magic)), None)
            if kind is None:
                return data, tuple(wraps)
        if len(wraps) >= WRAPS:
            raise ImageError(f"{name}: wrapped more than {WRAPS} times ({', '.join(wraps)})")
        data = decompress(data, kind, name)
        wraps.append(kind)


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
