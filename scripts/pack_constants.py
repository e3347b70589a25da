#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs the constants of the linked hypervisor: what stands in section .constants is compressed into .packed_constants,
and boot.S unpacks it to its place before the first one is read. Sources, addresses and debug information do not notice.

The packed form: a byte below 0x80 is itself; most bytes are, since half of them are text. 0xff, byte is any other one.
0x80 | length - 3 << 3 | distance >> 8, then distance & 0xff: the length (3 to 18) bytes that stand distance before go on
here; distance is 1 to 2047, with length 18 below 0x700. 0x80, 0 is the end."""

import argparse
import io
import struct
import sys

from elftools.elf.elffile import ELFFile

LENGTH_MIN, LENGTH_MAX, DISTANCE_MAX, LONG_DISTANCE_MAX = 3, 18, 0x7ff, 0x6ff
VERBATIM = 0xff
END = b"\x80\0"
SHT_NOBITS = 8


def longest_match(data, at):
    """(length, distance) of the longest earlier copy of what stands at `at`; (0, 0): there is none."""
    length, found = 0, 0
    for wanted in range(LENGTH_MIN, min(LENGTH_MAX, len(data) - at) + 1):
        reach = DISTANCE_MAX if wanted < LENGTH_MAX else LONG_DISTANCE_MAX
        place = data.rfind(data[at:at + wanted], max(0, at - reach), at + wanted - 1)
        if place < 0:
            break
        length, found = wanted, at - place
    return length, found


def pack(data):
    """The shortest packed form: the cheapest way to the end is known behind each byte before it is chosen there."""
    cost = [0] * (len(data) + 1)
    step = [(1, 0)] * len(data)
    for at in reversed(range(len(data))):
        cost[at] = cost[at + 1] + (1 if data[at] < 0x80 else 2)
        length, distance = longest_match(data, at)
        for shorter in range(LENGTH_MIN, length + 1):
            if cost[at + shorter] + 2 < cost[at]:
                cost[at] = cost[at + shorter] + 2
                step[at] = (shorter, distance)
    packed = bytearray()
    at = 0
    while at < len(data):
        length, distance = step[at]
        if distance:
            packed += bytes([0x80 | length - LENGTH_MIN << 3 | distance >> 8, distance & 0xff])
        else:
            packed += bytes([data[at]] if data[at] < 0x80 else [VERBATIM, data[at]])
        at += length
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
        distance = (byte & 7) << 8 | next(rest)
        if distance == 0:
            break
        for _ in range((byte >> 3 & 15) + LENGTH_MIN):
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
