#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the linked images to include/hv/memory_map.h and platform/<board>.h: nothing overlaps, nothing is writable and
executable, the entry is where QEMU jumps to. Runs after each link."""

import argparse
import itertools
import re
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.constants import P_FLAGS, SH_FLAGS
from elftools.elf.elffile import ELFFile

MEMORY_MAP = "include/hv/memory_map.h"
GUEST_STACK_MIN = 0x4000


class Region(NamedTuple):
    name: str
    base: int
    end: int

    def __str__(self):
        return f"{self.name} {self.base:#x}..{self.end:#x}"


def read_defines(path):
    """{name: value} of a header's integer #defines."""
    with open(path, encoding="utf-8") as file:
        rows = re.findall(r"^#define (\w+) +(0x[0-9a-f]+|\d+)$", file.read(), re.M)
    return {name: int(value, 0) for name, value in rows}


def read_memory_map(path=MEMORY_MAP, platform="virt"):
    """{name: value} of the guest's machine and of the board."""
    return read_defines(path) | read_defines(Path(path).resolve().parents[2] / "platform" / f"{platform}.h")


def overlaps(regions):
    return [f"{a} overlaps {b}" for a, b in itertools.combinations(regions, 2) if a.base < b.end and b.base < a.end]


def outside(inner, outer):
    inside = outer.base <= inner.base and inner.end <= outer.end
    return [] if inside else [f"{inner} is not within {outer}"]


def map_faults(where):
    """What is wrong with the memory map itself."""
    ram = Region("guest RAM (PA)", where["GUEST_RAM_PA"], where["GUEST_RAM_PA"] + where["GUEST_RAM_SIZE"])
    dtb = Region("DTB", where["LINUX_DTB_PA"], where["LINUX_DTB_PA"] + where["LINUX_DTB_MAX_SIZE"])
    initrd = Region("initrd", where["LINUX_INITRD_PA"], where["LINUX_DTB_PA"])
    image = Region("Image", where["LINUX_IMAGE_PA"], where["LINUX_INITRD_PA"])
    hypervisor = Region("hypervisor", where["HV_PA"], where["HV_PA"] + where["HV_MAX_SIZE"])
    log = Region("log ring", where["LOG_RING_PA"], where["LOG_RING_PA"] + where["LOG_RING_SIZE"])
    kept = [Region(name, where[f"{key}_PA"], where[f"{key}_PA"] + where[f"{key}_SIZE"])
            for name, key in (("guest manifest", "GUEST_MANIFEST"), ("boot record", "BOOT_RECORD"),
                              ("boot options", "BOOT_OPTIONS"), ("trace", "TRACE"), ("symbols", "SYMBOLS"))]
    devices = [Region("GICD", where["GICD_PA"], where["GICD_PA"] + where["GICD_PA_SIZE"]),
               Region("GICR", where["GICR_PA"], where["GICR_PA"] + where["GICR_PA_SIZE"]),
               Region("PL011", where["PL011_PA"], where["PL011_PA"] + where["PL011_SIZE"]),
               Region("virtio", where["VIRTIO_PA"], where["VIRTIO_PA"] + where["VIRTIO_COUNT"] * where["VIRTIO_STRIDE"])]
    faults = overlaps([*devices, hypervisor, log, *kept, ram]) + overlaps([image, initrd, dtb])
    for part in (image, initrd, dtb):
        faults += outside(part, ram)
    for region in (hypervisor, log, *kept):
        if region.base < where["RAM_PA"]:
            faults.append(f"{region} begins below RAM {where['RAM_PA']:#x}")
    shift = where["GUEST_RAM_PA"] - where["GUEST_RAM_IPA"]
    for name in ("LINUX_IMAGE", "LINUX_INITRD", "LINUX_DTB"):
        if where[f"{name}_PA"] - where[f"{name}_IPA"] != shift:
            faults.append(f"{name}_PA and {name}_IPA are not {shift:#x} apart")
    return faults


def allocated(elf):
    """The sections that take memory."""
    return [part for part in elf.iter_sections() if part["sh_flags"] & SH_FLAGS.SHF_ALLOC and part["sh_size"]]


def image_faults(elf, home, entry):
    """What any image must keep: its place, its entry, W^X, no undefined symbol."""
    faults = []
    if elf["e_machine"] != "EM_AARCH64" or elf["e_type"] != "ET_EXEC":
        faults.append(f"{elf['e_machine']} {elf['e_type']}, not an AArch64 executable")
    if elf["e_entry"] != entry:
        faults.append(f"entry {elf['e_entry']:#x}, not {entry:#x}")
    for section in allocated(elf):
        base = section["sh_addr"]
        faults += outside(Region(f"section {section.name}", base, base + section["sh_size"]), home)
        if section["sh_flags"] & SH_FLAGS.SHF_WRITE and section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
            faults.append(f"section {section.name} is writable and executable")
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_flags"] & P_FLAGS.PF_W and segment["p_flags"] & P_FLAGS.PF_X and segment["p_memsz"]:
            faults.append(f"segment at {segment['p_vaddr']:#x} is writable and executable")
        if segment["p_vaddr"] != segment["p_paddr"]:
            faults.append(f"segment at {segment['p_vaddr']:#x} loads elsewhere, at {segment['p_paddr']:#x}")
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if table else ():
        if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name:
            faults.append(f"symbol {symbol.name} is undefined")
    return faults


def read_only_size(elf):
    """(text, rodata) in bytes. The bundled guest is not counted."""
    text = rodata = 0
    for section in allocated(elf):
        if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
            text += section["sh_size"]
        elif not section["sh_flags"] & SH_FLAGS.SHF_WRITE and section["sh_type"] != "SHT_NOBITS" and section.name != ".guest":
            rodata += section["sh_size"]
    return text, rodata


def memory_size(elf, where):
    """All that EL2 takes of the machine, in bytes: from HV_PA to the end of .bss, the log ring, the trace and the symbols."""
    ends = [section["sh_addr"] + section["sh_size"] for section in allocated(elf)]
    return max(ends, default=where["HV_PA"]) - where["HV_PA"] + sum(where[f"{name}_SIZE"] for name in ("LOG_RING", "TRACE", "SYMBOLS"))


def image_header_faults(elf, where, size):
    """What a bootloader would read wrongly in the header of an arm64 Image, with which the hypervisor begins."""
    text = elf.get_section_by_name(".text")
    header = text.data()[:64] if text else b""
    if len(header) < 64 or header[56:60] != b"ARM\x64":
        return ["does not begin with the header of an arm64 Image"]
    offset, length, flags = struct.unpack_from("<3Q", header, 8)
    wanted = (where["HV_PA"] - where["RAM_PA"], size, 0x2)
    return [f"Image header: {name} {found:#x}, not {right:#x}"
            for name, found, right in zip(("text_offset", "image_size", "flags"), (offset, length, flags), wanted)
            if found != right]


def hypervisor_faults(path, where):
    with open(path, "rb") as file:
        elf = ELFFile(file)
        home = Region("the hypervisor's place", where["HV_PA"], where["HV_PA"] + where["HV_MAX_SIZE"])
        sections = allocated(elf)
        faults = image_faults(elf, home, where["HV_PA"])
        if sections:
            base = min(section["sh_addr"] for section in sections)
            end = max(section["sh_addr"] + section["sh_size"] for section in sections)
            image = Region("image", base, end)
            log = Region("log ring", where["LOG_RING_PA"], where["LOG_RING_PA"] + where["LOG_RING_SIZE"])
            guest = Region("guest RAM", where["GUEST_RAM_PA"], where["GUEST_RAM_PA"] + where["GUEST_RAM_SIZE"])
            faults += [fault for fault in overlaps([image, log, guest]) if fault.startswith("image")]
            if base != where["HV_PA"]:
                faults.append(f"linked at {base:#x}, not {where['HV_PA']:#x}")
            faults += image_header_faults(elf, where, (end - base + 0xfff) & ~0xfff)
        return faults, read_only_size(elf), memory_size(elf, where)


def guest_faults(path, where):
    with open(path, "rb") as file:
        stack = Region("stack", where["GUEST_STACK_TOP_IPA"] - GUEST_STACK_MIN, where["GUEST_STACK_TOP_IPA"])
        home = Region("the guest below its stack", where["GUEST_RAM_IPA"], stack.base)
        return image_faults(ELFFile(file), home, where["GUEST_ENTRY_IPA"])


def main():
    parser = argparse.ArgumentParser(description="Check the linked images against the memory map.")
    parser.add_argument("--hypervisor", help="hypervisor ELF")
    parser.add_argument("--guest", help="diagnostic guest ELF")
    parser.add_argument("--platform", default="virt", help="the board: a name in platform/")
    options = parser.parse_args()
    where = read_memory_map(platform=options.platform)
    faults = [f"{MEMORY_MAP}: {fault}" for fault in map_faults(where)]
    try:
        if options.guest:
            faults += [f"{options.guest}: {fault}" for fault in guest_faults(options.guest, where)]
        if options.hypervisor:
            found, (text, rodata), memory = hypervisor_faults(options.hypervisor, where)
            faults += [f"{options.hypervisor}: {fault}" for fault in found]
            print(f"  SIZE    text {text} + rodata {rodata} = {text + rodata} bytes; {memory} bytes of memory", flush=True)
    except (OSError, ELFError) as error:
        faults.append(f"{options.hypervisor or options.guest}: {error}")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
