# SPDX-License-Identifier: Apache-2.0
"""tools/guest_program.py: a program lies where QEMU's own loader would have it; what can't be loaded is named."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import guest_program  # noqa: E402
import linux_image  # noqa: E402
from guest_program import load_program  # noqa: E402
from linux_image import HEADER, MAGIC, ImageError  # noqa: E402

WHERE = linux_image.read_memory_map(ROOT / "include/hv/memory_map.h")
RET = b"\xc0\x03\x5f\xd6"
PROGRAM = ".globl _start\n_start: adr x1, _start\nldr x2, =0x12345678\nb .\n.bss\n.skip 0x5000\n"


def image(text_offset=0, image_size=0x4000, size=0x3000):
    return HEADER.pack(0x14000010, 0, text_offset, image_size, 0xa, 0, 0, 0, MAGIC, 0).ljust(size, b"\1")


@pytest.fixture
def load(tmp_path):
    def loader(data, address=None):
        (tmp_path / "file").write_bytes(data)
        return load_program(tmp_path / "file", WHERE, address)
    return loader


def link(tmp_path, address, *more, source=PROGRAM):
    (tmp_path / "p.S").write_text(source)
    done = subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", f"-Wl,-Ttext={address:#x}", "-Wl,-n",
                           "-Wl,--build-id=none", *more, "-o", tmp_path / "p.elf", tmp_path / "p.S"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return tmp_path / "p.elf"


def where_it_lies(program):
    return [(piece.kind, piece.ipa, piece.size) for piece in program.pieces], program.entry


# ---- flat binaries and Images


@pytest.mark.parametrize("address, place", [(None, 0x40080000), (0x40000000, 0x40000000), (0x5000f004, 0x5000f004)])
def test_a_flat_binary_lies_where_it_is_told(load, address, place):
    program = load(RET * 3, address)
    assert where_it_lies(program) == ([("PROGRAM", place, 12)], place)
    assert program.pieces[0].data == RET * 3


@pytest.mark.parametrize("data, address, place", [
    (image(), None, 0x40000000), (image(0x80000), None, 0x40080000),
    (image(), 0x40200000, 0x40200000), (image(0x80000), 0x50080000, 0x50080000)])
def test_an_image_lies_at_its_text_offset(load, data, address, place):
    for packed in (data, gzip.compress(data)):
        program = load(packed, address)
        assert where_it_lies(program) == ([("IMAGE", place, 0x4000)], place)
        assert program.pieces[0].data == data


@pytest.mark.parametrize("data, address, why", [
    (b"#!/bin/sh\necho hello\n", None, "a text file, not a program"),
    (b"\x27\x05\x19\x56" + bytes(100), None, "a U-Boot uImage: give the Image that it was made of, not a program"),
    (bytes(0x202) + b"HdrS" + bytes(100), None, "a kernel for another architecture, not a program"),
    (RET, 0x40000002, "GUEST_ADDR=0x40000002: not a multiple of 4"),
    (image(), 0x40080000, "GUEST_ADDR=0x40080000: GUEST=.* is an Image, which stands text_offset=0x0 above a multiple of 0x2"),
])
def test_what_is_no_program_is_refused(load, data, address, why):
    with pytest.raises(ImageError, match=why) as caught:
        load(data, address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text, why", [("0x3fffffff", "outside guest RAM, 0x40000000..0x70000000"), ("0x70000000", "outside"),
                                       ("here", "not a number: write an address as 0x40080000"), ("-4", "outside")])
def test_an_address_is_a_number_in_ram(text, why):
    with pytest.raises(ImageError, match=f"GUEST_ADDR={text}: {why}"):
        guest_program.parse_address(text, f"GUEST_ADDR={text}", WHERE)
    assert guest_program.parse_address("0x40080000", "", WHERE) == guest_program.parse_address("1074266112", "", WHERE)


# ---- ELF


@pytest.mark.parametrize("address", [0x40000000, 0x40080000, 0x58000000])
def test_an_elf_lies_where_it_is_linked(tmp_path, address):
    program = load_program(link(tmp_path, address), WHERE)
    (piece, *rest), entry = program.pieces, program.entry
    assert (piece.kind, piece.ipa, entry) == ("PROGRAM", address, address)
    assert struct.unpack_from("<I", piece.data)[0] == 0x10000001  # adr x1, .
    end = max(part.end for part in (piece, *rest))
    assert end - address >= 0x5000  # .bss is the program's, and zeroed
    assert not any((rest or [piece])[-1].data[-0x5000:])


@pytest.mark.parametrize("address, place", [(None, 0x40080000), (0x40200000, 0x40200000)])
def test_a_position_independent_elf_goes_into_ram(tmp_path, address, place):
    program = load_program(link(tmp_path, 0, "-static-pie"), WHERE, address)
    assert program.pieces[0].ipa <= program.entry < program.pieces[0].end
    assert place <= program.pieces[0].ipa < place + 0x10000
    code = program.pieces[0].data[program.entry - program.pieces[0].ipa:]
    assert struct.unpack_from("<I", code)[0] == 0x10000001


def test_a_linked_elf_takes_no_address(tmp_path):
    with pytest.raises(ImageError, match="GUEST_ADDR=0x40200000: GUEST=.* is an ELF file that is linked at 0x40080000"):
        load_program(link(tmp_path, 0x40080000), WHERE, 0x40200000)


@pytest.mark.parametrize("address, why", [
    (0x10000, "segment at p_paddr=0x10000"), (0x6ff00000, "must lie within guest RAM 0x40000000..0x6fe00000")])
def test_an_elf_outside_guest_ram_is_refused(tmp_path, address, why):
    with pytest.raises(ImageError, match="must lie within guest RAM") as caught:
        load_program(link(tmp_path, address), WHERE)
    assert why in str(caught.value)


@pytest.mark.parametrize("damage, why", [
    (lambda elf: elf[:50], "broken ELF file"),
    (lambda elf: elf[:18] + b"\x3e\0" + elf[20:], "e_machine=EM_X86_64, 64-bit, little-endian: not a little-endian AArch64"),
    (lambda elf: elf[:16] + b"\1\0" + elf[18:], "e_type=ET_REL: not a linked program"),
    (lambda elf: elf[:24] + struct.pack("<Q", 0x1234) + elf[32:], "e_entry=0x1234: in no loadable segment"),
    (lambda elf: elf[:24] + struct.pack("<Q", 0x40080002) + elf[32:], "e_entry=0x40080002: not a multiple of 4"),
    (lambda elf: elf[:56] + b"\0\0" + elf[58:], "no loadable segment"),
])
def test_a_broken_elf_is_one_line(tmp_path, load, damage, why):
    elf = link(tmp_path, 0x40080000).read_bytes()
    with pytest.raises(ImageError, match=why) as caught:
        load(damage(elf))
    assert "\n" not in str(caught.value)
