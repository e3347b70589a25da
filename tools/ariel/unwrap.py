# SPDX-License-Identifier: Apache-2.0
"""Unwraps a kernel: gzip, xz, bzip2, lzma, zstd, lz4, and the EFI zboot kernels that Debian and others ship as vmlinuz, one
in the other."""

import bz2
import lzma
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

from .errors import ImageError

HEADER_SIZE = 64           # of an arm64 Image, and of a zboot kernel
UNWRAPPED_MAX = 256 << 20  # more than any kernel has
PIECE = 16 << 20           # that is unwrapped at once: a larger buffer would grow by copies of itself
WRAPS = 4                  # gzip in zboot in gzip ...
MAGICS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"),
          (b"\x5d\0\0", "lzma"), (b"\x04\x22\x4d\x18", "lz4"), (b"\x02\x21\x4c\x18", "lz4"))


def read_file(path, what):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{what}={path}: cannot read it: {error.strerror}") from None
    if not data:
        raise ImageError(f"{what}={path}: the file is empty")
    return data


def unwrap_gzip(data):
    stream, pieces, size = zlib.decompressobj(wbits=31), [], 0
    while size <= UNWRAPPED_MAX and not stream.eof:
        piece = stream.decompress(data, PIECE)
        if not piece and not stream.unconsumed_tail and not stream.eof:
            break  # cut short
        data = stream.unconsumed_tail
        pieces.append(piece)
        size += len(piece)
    return joined(pieces, size), stream.eof


def unwrap_lzma(data):
    return unwrap_by_stream(lzma.LZMADecompressor(), data)


def unwrap_bzip2(data):
    return unwrap_by_stream(bz2.BZ2Decompressor(), data)


def unwrap_by_stream(stream, data):
    """Piece by piece, up to UNWRAPPED_MAX. The stream keeps what it has not yet read of its data."""
    pieces, size = [], 0
    while size <= UNWRAPPED_MAX and not stream.eof:
        piece = stream.decompress(data, PIECE)
        if not piece and stream.needs_input and not stream.eof:
            break  # cut short
        data = b""
        pieces.append(piece)
        size += len(piece)
    return joined(pieces, size), stream.eof


def joined(pieces, size):
    """The pieces in one. Of what is too large it is refused here, before it takes its memory twice."""
    if size > UNWRAPPED_MAX:
        raise TooLarge
    return b"".join(pieces)


class TooLarge(Exception):
    """It unwraps to more than UNWRAPPED_MAX."""


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
                        raise TooLarge
                return out, process.returncode == 0
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
    except TooLarge:
        raise ImageError(f"{name}: unwraps to more than {UNWRAPPED_MAX:#x} bytes: no kernel for ariel") from None
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
