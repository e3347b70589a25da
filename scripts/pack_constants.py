#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs the constants of the linked hypervisor: what stands in section .constants is compressed into .packed_constants,
and boot.S unpacks it to its place before the first one is read. Sources, addresses and debug information do not notice.

The packed form: a byte below 0x80 is itself; most bytes are, since half of them are text. 0xff, byte is any other one.
A copy of bytes that stand distance before is two bytes, 0x80 | length - 3 << 3 | distance >> 8 and distance & 0xff, with
length 3 to 17 and distance 1 to 2047; or three, of which the first is 0xf8 | n >> 1 and the others are, high byte first,
(n & 1) << 15 | distance, with n = length - 4 from 0 to 13 and distance 1 to 32767. 0x80, 0 is the end."""

import argparse
import io
import struct
import sys

from elftools.elf.elffile import ELFFile

NEAR = (3, 17, 0x7ff)  # of a copy: shortest, longest, greatest distance
FAR = (4, 17, 0x7fff)
VERBATIM = 0xff
FAR_MARK = 0xf8
END = b"\x80\0"
SHT_NOBITS = 8


def longest_match(data, at, form):
    """(length, distance) of the longest earlier copy of what stands at `at`; (0, 0): there is none."""
    shortest, longest, reach = form
    length, found = 0, 0
    for wanted in range(shortest, min(longest, len(data) - at) + 1):
        place = data.rfind(data[at:at + wanted], max(0, at - reach), at + wanted - 1)
        if place < 0:
            break
        length, found = wanted, at - place
    return length, found


def encode(form, length, distance):
    if form is NEAR:
        return bytes([0x80 | length - 3 << 3 | distance >> 8, distance & 0xff])
    number = length - 4
    return bytes([FAR_MARK | number >> 1]) + struct.pack(">H", (number & 1) << 15 | distance)


def literal(byte):
    return bytes([byte] if byte < 0x80 else [VERBATIM, byte])


def pack(data):
    """The shortest packed form: the cheapest way to the end is known behind each byte before it is chosen there."""
    cost = [0] * (len(data) + 1)
    step = [(b"", 0)] * len(data)
    for at in reversed(range(len(data))):
        code = literal(data[at])
        cost[at], step[at] = cost[at + 1] + len(code), (code, 1)
        for size, form in ((2, NEAR), (3, FAR)):
            length, distance = longest_match(data, at, form)
            for shorter in range(form[0], length + 1):
                if cost[at + shorter] + size < cost[at]:
                    cost[at], step[at] = cost[at + shorter] + size, (encode(form, shorter, distance), shorter)
    packed = bytearray()
    at = 0
    while at < len(data):
        packed += step[at][0]
        at += step[at][1]
    return bytes(packed) + END


def unpack(packed):
    """What boot.S does."""
    data = bytearray()
    rest = iter(packed)
    for byte in rest:
        if byte < 0x80:
            data.append(byte)
            continue
        if byte == VERBATIM:
            data.append(next(rest))
            continue
        if byte < FAR_MARK:
            length, distance = (byte >> 3 & 15) + 3, (byte & 7) << 8 | next(rest)
        else:
            word = next(rest) << 8 | next(rest)
            length, distance = ((byte & 7) << 1 | word >> 15) + 4, word & FAR[2]
        if distance == 0:
            break
        for _ in range(length):
            data.append(data[-distance])
    return bytes(data)


def header_at(elf, what, index):
    return elf[f"e_{what}off"] + index * elf[f"e_{what}entsize"]


def pack_elf(image):
    """image (bytearray, an ELF file) with its constants packed; returns (their bytes, bytes packed)."""
    elf = ELFFile(io.BytesIO(bytes(image)))
    sections = {section.name: (number, section) for number, section in enumerate(elf.iter_sections())}
    (number, constants), (room_number, room) = sections[".constants"], sections[".packed_constants"]
    packed = pack(constants.data())
    if len(packed) > room["sh_size"]:
        sys.exit(f"constants: {len(packed)} bytes packed, but boot.S has room for {room['sh_size']}")
    image[room["sh_offset"]:room["sh_offset"] + room["sh_size"]] = packed.ljust(room["sh_size"], b"\0")
    # Section headers: sh_type at 4, sh_size at 32. Program headers: p_filesz at 32, p_memsz at 40.
    struct.pack_into("<I", image, header_at(elf, "sh", number) + 4, SHT_NOBITS)
    struct.pack_into("<Q", image, header_at(elf, "sh", room_number) + 32, len(packed))
    for index, segment in enumerate(elf.iter_segments()):
        size = room["sh_offset"] + len(packed) - segment["p_offset"]
        if segment.section_in_segment(constants):
            struct.pack_into("<Q", image, header_at(elf, "ph", index) + 32, 0)
        elif segment.section_in_segment(room):
            struct.pack_into("<QQ", image, header_at(elf, "ph", index) + 32, size, size)
    return constants["sh_size"], len(packed)


def main():
    parser = argparse.ArgumentParser(description="Pack the constants of the linked hypervisor, in place.")
    parser.add_argument("elf")
    options = parser.parse_args()
    with open(options.elf, "r+b") as file:
        image = bytearray(file.read())
        before, after = pack_elf(image)
        file.seek(0)
        file.write(image)
    print(f"  PACK    {before} bytes of constants into {after}", flush=True)


if __name__ == "__main__":
    main()
