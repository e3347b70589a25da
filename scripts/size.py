#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make size`: bytes of text, rodata, data and bss, by room and of the linked image.

The rooms' figures are those of objects that were compiled one by one, as `make graph` compiles them: in the image that is
optimized as a whole, one room's function may stand inside another's. So the rooms' sum is larger than the image. The
image's own figures, without the guest in it, stand beside those of each release, which CHANGELOG.md keeps.
"""

import argparse
import re
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

import graph

KINDS = ("text", "rodata", "data", "bss")
RELEASE = re.compile(r"^\| (\d+\.\d+\.\d+) \|" + r" (\d+) \|" * len(KINDS) + "$", re.M)
GUEST = ".guest"  # the section with the diagnostic guest


def kind_of(section):
    """Which of KINDS the section's bytes are; None: not in memory."""
    flags = section["sh_flags"]
    if not flags & SH_FLAGS.SHF_ALLOC or section.name == GUEST:
        return None
    if flags & SH_FLAGS.SHF_EXECINSTR:
        return "text"
    if not flags & SH_FLAGS.SHF_WRITE:
        return "rodata"
    return "bss" if section["sh_type"] == "SHT_NOBITS" else "data"


def sizes_of(path):
    """{kind: bytes} of an object or a linked image."""
    sizes = dict.fromkeys(KINDS, 0)
    with open(path, "rb") as file:
        for section in ELFFile(file).iter_sections():
            if (kind := kind_of(section)) is not None:
                sizes[kind] += section["sh_size"]
    return sizes


def sum_by_room(sources):
    """{room: {kind: bytes}} of the objects of graph.read_c's sources."""
    rooms = {}
    for path, _, room in sources.values():
        if path is not None:
            total = rooms.setdefault(room, dict.fromkeys(KINDS, 0))
            for kind, size in sizes_of(path).items():
                total[kind] += size
    return rooms


def releases(changelog):
    """[(version, {kind: bytes})] of the table in CHANGELOG.md, oldest first."""
    found = RELEASE.findall(changelog)
    return [(version, dict(zip(KINDS, map(int, sizes)))) for version, *sizes in found]


def table(rooms, image, before):
    """The lines to print: rooms in the order of the dictionary, their sum, the image, each release."""
    rows = [(room, sizes) for room, sizes in rooms.items()]
    rows.append(("all rooms", {kind: sum(sizes[kind] for sizes in rooms.values()) for kind in KINDS}))
    rows.append(("hypervisor.elf", image))
    rows += [(f"release {version}", sizes) for version, sizes in before]
    lines = [f"{'bytes':<16}" + "".join(f"{kind:>10}" for kind in KINDS)]
    for name, sizes in rows:
        lines.append(f"{name:<16}" + "".join(f"{sizes[kind]:>10}" for kind in KINDS))
    if before:
        version, sizes = before[-1]
        lines.append(f"{'since ' + version:<16}" + "".join(f"{image[kind] - sizes[kind]:>+10}" for kind in KINDS))
    return lines


def main():
    parser = argparse.ArgumentParser(description="Bytes by room and of the linked image.")
    parser.add_argument("--build", default="build/graph", help="folder for the objects (default: %(default)s)")
    parser.add_argument("--elf", default="build/hypervisor.elf", help="the linked image (default: %(default)s)")
    options = parser.parse_args()
    graph.build(options.build)
    summed = sum_by_room(graph.hypervisor_sources(options.build))
    rooms = {room: summed[room] for room in graph.WHOLE_ROOMS if room in summed}
    before = releases(Path("CHANGELOG.md").read_text(encoding="utf-8"))
    print("\n".join(table(rooms, sizes_of(options.elf), before)))


if __name__ == "__main__":
    main()
