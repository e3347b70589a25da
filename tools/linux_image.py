#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the arm64 Image that ariel loads from what a person has.

linux_image.py --output build/linux/Image vmlinuz              a kernel: Image, or compressed, or an EFI zboot kernel
linux_image.py --output build/linux/Image --program prog.elf   a bare-metal EL1 program: Image, ELF or flat binary

A kernel is unwrapped and its header checked against the places in include/hv/memory_map.h. A program that has no Image
header gets one. What can't be loaded is refused in one line that names the field, its value and the bound.
"""

import argparse
import bz2
import io
import lzma
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from check_layout import read_memory_map  # noqa: E402  (scripts/ is not a package)

HEADER = struct.Struct("<2I3Q3QII")  # code0, code1, text_offset, image_size, flags, reserved, magic, PE offset
HEADER_SIZE = 64
PE_SECTION = struct.Struct("<16x2I16x")  # SizeOfRawData, PointerToRawData
MAGIC = 0x644D5241  # "ARM\x64"
TEXT_OFFSET_END = 0x200000
FLAG_BIG_ENDIAN = 1
FLAGS_4K_ANYWHERE = 0b1010  # 4 KiB pages, may stand anywhere in memory
PROGRAM_ALIGN = 0x10000
UNWRAPPED_MAX = 512 << 20  # more than fits, less than hurts
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
    if data[0x38:0x3c] == b"\x05\x00\x00\x00" or data[0x202:0x206] == b"HdrS":
        return "a kernel for another architecture"
    return "not an arm64 Image"


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


def check_image(data, name, where, initrd=False):
    """The (text_offset, image_size) of an Image that fits below what comes after it."""
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
    after, end = ("initrd", where["LINUX_INITRD_PA"]) if initrd else ("device tree", where["LINUX_DTB_PA"])
    room = end - where["LINUX_IMAGE_PA"]
    for field, size in (("image_size", image_size), ("file size", len(data))):
        if text_offset + size > room:
            raise ImageError(f"{name}: {field}={size:#x} at text_offset={text_offset:#x}: at most {room:#x} bytes fit "
                             f"below the {after}")
    return text_offset, image_size


def check_initrd(size, name, where):
    room = where["LINUX_DTB_PA"] - where["LINUX_INITRD_PA"]
    if size > room:
        raise ImageError(f"{name}: size={size:#x}: at most {room:#x} bytes fit between LINUX_INITRD_PA and "
                         "LINUX_DTB_PA")


def load_kernel(path, where, initrd=False, what="LINUX_IMAGE"):
    data, wraps = unwrap(read_file(path, what), f"{what}={path}")
    return Image(data, *check_image(data, f"{what}={path}", where, initrd), wraps)


# ---- Bare-metal programs ---------------------------------------------------------------------------------------------

# Puts back what the Image header covers and jumps to the entry. It stands behind the program, with the saved bytes, and
# keeps x0, the device tree's address. RESTORE is these instructions (a test assembles them).
RESTORE_SOURCE = """
        adr     x9, saved
        ldr     x10, base
        mov     x11, #8
    1:  ldr     x12, [x9], #8
        str     x12, [x10], #8
        subs    x11, x11, #1
        b.ne    1b
        dsb     sy              // written before it is fetched
        ic      iallu
        dsb     sy
        isb
        ldr     x10, entry
        br      x10
        nop
    base:   .quad 0
    entry:  .quad 0
    saved:                      // 64 bytes
"""
RESTORE = (0x10000249, 0x580001AA, 0xD280010B, 0xF840852C, 0xF800854C, 0xF100056B, 0x54FFFFA1, 0xD5033F9F, 0xD508751F,
           0xD5033F9F, 0xD5033FDF, 0x580000AA, 0xD61F0140, 0xD503201F)


def branch(distance):
    """`b` over so many bytes."""
    return 0x14000000 | distance >> 2 & 0x3FFFFFF


def header(distance, image_size):
    return HEADER.pack(branch(distance), 0, 0, image_size, FLAGS_4K_ANYWHERE, 0, 0, 0, MAGIC, 0)


# QEMU's virt leaves the device tree of a bare-metal program at the start of RAM, and some look there only. The Image
# header is there until this code, behind it, has copied the tree that x0 points at.
COPY_TREE_SOURCE = """
        ldr     w1, [x0, #4]    // totalsize, big-endian
        rev     w1, w1
        mov     x2, #0x40000000
        mov     x3, x0
    1:  ldr     x4, [x3], #8
        str     x4, [x2], #8
        subs    w1, w1, #8
        b.hi    1b              // and on into the program
"""
COPY_TREE = (0xB9400401, 0x5AC00821, 0xD2A80002, 0xAA0003E3, 0xF8408464, 0xF8008444, 0x71002021, 0x54FFFFA8)


COPY_TREE_MAX = PROGRAM_ALIGN - 4 * len(COPY_TREE)  # a larger tree would copy over the code


def flat_program(data):
    """A position-independent flat binary starts at a 64 KiB boundary, entered at its first byte."""
    copy = struct.pack(f"<{len(COPY_TREE)}I", *COPY_TREE)
    return header(COPY_TREE_MAX, PROGRAM_ALIGN + len(data)).ljust(COPY_TREE_MAX, b"\0") + copy + data


def elf_segments(elf, name):
    """[(address, bytes, size in memory)] of what is loaded, and the entry."""
    if elf["e_machine"] != "EM_AARCH64" or elf.elfclass != 64 or not elf.little_endian:
        raise ImageError(f"{name}: e_machine={elf['e_machine']}, {elf.elfclass}-bit: not a little-endian AArch64 "
                         "program")
    found = [(part["p_paddr"], part["p_vaddr"], part.data(), part["p_memsz"]) for part in elf.iter_segments()
             if part["p_type"] == "PT_LOAD" and part["p_memsz"]]
    if not found:
        raise ImageError(f"{name}: e_phnum={elf['e_phnum']}: no loadable segment; is it linked?")
    entry = elf["e_entry"]
    for physical, virtual, _, size in found:  # an entry is a virtual address; the MMU is off
        if virtual <= entry < virtual + size:
            return [(part[0], part[2], part[3]) for part in found], entry - virtual + physical
    raise ImageError(f"{name}: e_entry={entry:#x}: in no loadable segment")


def elf_program(data, name, where):
    """The program's memory as it is to lie in guest RAM, with an Image header on it."""
    ram = where["GUEST_RAM_IPA"]
    room = where["LINUX_DTB_PA"] - where["LINUX_IMAGE_PA"]
    try:
        elf = ELFFile(io.BytesIO(data))
        segments, entry = elf_segments(elf, name)
    except (ELFError, ValueError, struct.error) as error:
        raise ImageError(f"{name}: broken ELF file: {error}") from None
    if elf["e_type"] == "ET_DYN" and min(part[0] for part in segments) < ram:  # position independent
        segments = [(address + ram + PROGRAM_ALIGN, *rest) for address, *rest in segments]
        entry += ram + PROGRAM_ALIGN
    end = max(address + size for address, _, size in segments)
    for address, content, size in segments:
        if address < ram or address + size > ram + room or len(content) > size:
            raise ImageError(f"{name}: segment at p_paddr={address:#x}, {size:#x} bytes: must lie within guest RAM "
                             f"{ram:#x}..{ram + room:#x}")
    memory = bytearray(end - ram)
    for address, content, _ in segments:
        memory[address - ram:address - ram + len(content)] = content
    if min(address for address, _, _ in segments) >= ram + HEADER_SIZE:
        memory[:HEADER_SIZE] = header(entry - ram, len(memory))
        return bytes(memory)
    saved = bytes(memory[:HEADER_SIZE]).ljust(HEADER_SIZE, b"\0")
    memory += bytes(-len(memory) % 16)
    at = len(memory)
    memory += struct.pack(f"<{len(RESTORE)}I2Q", *RESTORE, ram, entry) + saved
    if len(memory) > room:
        raise ImageError(f"{name}: {len(memory):#x} bytes of memory: at most {room:#x} fit below the device tree")
    memory[:HEADER_SIZE] = header(at, len(memory))
    return bytes(memory)


def is_text(data):
    return not data.translate(None, bytes(range(0x20, 0x7f)) + b"\t\n\r\f")


def load_program(path, where):
    """A bare-metal EL1 program as an Image."""
    name = f"GUEST={path}"
    data, wraps = unwrap(read_file(path, "GUEST"), name)
    if data.startswith(b"\x7fELF"):
        data = elf_program(data, name, where)
    elif is_text(data):
        raise ImageError(f"{name}: a text file, not a program")
    elif len(data) < HEADER_SIZE or HEADER.unpack_from(data)[8] != MAGIC:
        data = flat_program(data)
    return Image(data, *check_image(data, name, where), wraps)


def write(image, path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(image.data)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make the arm64 Image that ariel loads.")
    parser.add_argument("file")
    parser.add_argument("--output", required=True)
    parser.add_argument("--program", action="store_true", help="a bare-metal program: Image, ELF or flat binary")
    parser.add_argument("--initrd", help="also: does this initrd fit beside it?")
    options = parser.parse_args(arguments)
    where = read_memory_map()
    try:
        if options.initrd:
            check_initrd(len(read_file(options.initrd, "LINUX_INITRD")), f"LINUX_INITRD={options.initrd}", where)
        image = load_program(options.file, where) if options.program else \
            load_kernel(options.file, where, bool(options.initrd))
        write(image, options.output)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"{options.output}: cannot write it: {error.strerror}"
    return None


if __name__ == "__main__":
    sys.exit(main())
