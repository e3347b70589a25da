# SPDX-License-Identifier: Apache-2.0
"""Modules from the kernel's own list: BTF says how struct module is laid out, and the list is read out of the guest's memory."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/tools")]
from ariel.errors import SymbolsError  # noqa: E402
from ariel.symbols import Symbols, memory, modules  # noqa: E402
from ariel.symbols.table import Table  # noqa: E402

INT, ARRAY, STRUCT, TYPEDEF = 1, 3, 4, 8
FILL = 120          # other structures before struct module


class BtfMaker:
    """BTF of structures of 8-byte members and of structures."""

    def __init__(self):
        self.types, self.texts, self.count = b"", b"\0", 0

    def text(self, name):
        self.texts += name.encode() + b"\0"
        return len(self.texts) - len(name) - 1

    def add(self, name, kind, size, behind=b"", members=0):
        self.types += struct.pack("<3I", self.text(name) if name else 0, kind << 24 | members, size) + behind
        self.count += 1
        return self.count

    def struct(self, name, members, size=64):
        """members: [(name, type, offset in bytes)]"""
        rows = b"".join(struct.pack("<3I", self.text(member), kind, 8 * offset) for member, kind, offset in members)
        return self.add(name, STRUCT, size, rows, len(members))

    def data(self):
        head = struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(self.types), len(self.types), len(self.texts))
        return head + self.types + self.texts


def make_btf(new):
    maker = BtfMaker()
    number = maker.add("int", INT, 4, bytes(4))
    maker.add("module", TYPEDEF, number)        # a type of that name which is none
    for n in range(FILL):
        maker.struct(f"other_{n}", [("name", number, 0), ("list", number, 8)])
    if new:
        part = maker.struct("module_memory", [("base", number, 0), ("is_rox", number, 8), ("size", number, 12)])
        kind, field = maker.add("", ARRAY, 0, struct.pack("<3I", part, number, 7)), "mem"
    else:
        kind, field = maker.struct("module_layout", [("base", number, 0), ("size", number, 8)]), "core_layout"
    maker.struct("module", [("state", number, 0), ("list", number, 8), ("name", number, 24), (field, kind, 320)])
    return maker.data()


HEAD, FIRST, SECOND = 0xffff_8000_8100_0050, 0xffff_8000_7900_0000, 0xffff_8000_7910_0000


class Guest:
    """A guest's memory with a list of two modules."""

    def __init__(self, new):
        self.bytes = {}
        size_at = 332 if new else 328
        for start, name, after, before in ((FIRST, b"fat", SECOND + 8, HEAD), (SECOND, b"ext4", HEAD, FIRST + 8)):
            self.put(start + 8, struct.pack("<2Q", after, before))
            self.put(start + 24, name.ljust(56, b"\0"))
            self.put(start + 320, struct.pack("<Q", start - 0x8000))
            self.put(start + size_at, struct.pack("<I", 0x4000))
        self.put(HEAD, struct.pack("<2Q", FIRST + 8, SECOND + 8))

    def put(self, address, data):
        self.bytes.update({address + n: byte for n, byte in enumerate(data)})

    def read(self, address, size):
        if any(address + n not in self.bytes for n in range(size)):
            raise SymbolsError(f"{address:#x} is not there")
        return bytes(self.bytes[address + n] for n in range(size))


def make_symbols(image, rows):
    """Symbols of an Image that is linked at 0xffff800080000000, with [(address, name)]."""
    import numpy as np
    rows = sorted(rows)
    return Symbols(Table(np.array([row[0] for row in rows], np.uint64), [row[1] for row in rows],
                         np.full(len(rows), b"T", "S1"), link=0xffff_8000_8000_0000,
                         code=np.frombuffer(image + bytes(-len(image) % 4), "<u4"), size=0x2000000), "Image")


@pytest.mark.parametrize("new", [False, True], ids=["before 6.4", "from 6.4"])
def test_modules_of_a_kernel_that_names_variables(new):
    symbols = make_symbols(bytes(256) + make_btf(new), [(HEAD, "modules"), (HEAD + 16, "_end")])
    assert modules.read_modules(symbols, Guest(new).read) == [("fat", FIRST - 0x8000, 0x4000), ("ext4", SECOND - 0x8000, 0x4000)]


# adrp x20, page of HEAD; add x20, x20, #0x10; ldr x19, [x20, #0x40]!
PAGES = (HEAD >> 12) - (0xffff_8000_8000_0100 >> 12)
CODE = struct.pack("<4I", 0x90000014 | (PAGES & 3) << 29 | (PAGES >> 2) << 5, 0x91004294, 0xf8440e93, 0xd65f03c0)


def test_modules_of_a_kernel_that_names_functions_only():
    start = 0xffff_8000_8000_0100
    symbols = make_symbols(bytes(0x100) + CODE + make_btf(True), [(start, "find_module_all"), (start + 16, "find_module")])
    assert HEAD in modules.addresses_in(symbols.table, "find_module_all")
    assert [module.name for module in modules.read_modules(symbols, Guest(True).read)] == ["fat", "ext4"]
    symbols = make_symbols(bytes(0x110) + make_btf(True), [(start, "find_module_all"), (start + 16, "find_module")])
    with pytest.raises(SymbolsError, match="is not found"):
        modules.read_modules(symbols, Guest(True).read)


def test_a_list_without_an_end():
    guest = Guest(True)
    guest.put(SECOND + 8, struct.pack("<Q", FIRST + 8))
    symbols = make_symbols(bytes(256) + make_btf(True), [(HEAD, "modules"), (HEAD + 16, "_end")])
    with pytest.raises(SymbolsError, match="more than 4096"):
        modules.read_modules(symbols, guest.read)


def test_no_btf():
    with pytest.raises(SymbolsError, match="CONFIG_DEBUG_INFO_BTF"):
        modules.module_layout(bytes(4096))


@given(st.data())
@settings(max_examples=200)
def test_damaged_btf(data):
    damaged = bytearray(make_btf(data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        modules.module_layout(bytes(damaged[:data.draw(st.integers(24, len(damaged)))]))
    except SymbolsError as error:
        assert "\n" not in str(error)


# ---- RAM in a file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granule, bits", [(2, 48), (2, 39), (1, 47), (1, 36), (3, 48), (3, 42)])
def test_memory_is_read_through_the_tables(tmp_path, granule, bits):
    page_bits = {1: 14, 2: 12, 3: 16}[granule]
    address = (1 << 64) - (1 << bits) + (5 << page_bits) + 0xff8
    ram = bytearray(64 << page_bits)
    index_bits, shift, table = page_bits - 3, page_bits, 1
    shifts = []
    while shift < bits:
        shifts.insert(0, shift)
        shift += index_bits
    for shift in shifts:
        width = min(index_bits, bits - shift)
        entry = (table + 1 << page_bits) + memory.RAM_IPA | 3
        struct.pack_into("<Q", ram, (table << page_bits) + 8 * (address >> shift & (1 << width) - 1), entry)
        table += 1
    ram[(table << page_bits) + (address & (1 << page_bits) - 1):][:0] = b""
    place = (table << page_bits) + (address & (1 << page_bits) - 1)
    ram[place:place + 8] = b"12345678"
    path = tmp_path / "ram"
    path.write_bytes(ram)
    guest = memory.Memory(path, memory.RAM_IPA + (1 << page_bits), (64 - bits) << 16 | granule << 30)
    assert guest.read(address, 8) == b"12345678"
    with pytest.raises(SymbolsError, match="is not mapped"):
        guest.read(address + (1 << page_bits), 8)
    with pytest.raises(SymbolsError, match="not one of the kernel's"):
        guest.read(0x1000, 8)


def test_bad_memory(tmp_path):
    (tmp_path / "ram").write_bytes(bytes(4096))
    with pytest.raises(SymbolsError, match="TCR_EL1=0x0"):
        memory.Memory(tmp_path / "ram", 0x40000000, 0)
    with pytest.raises(SymbolsError, match="the file has"):
        memory.Memory(tmp_path / "ram", 0x50000000, 16 << 16 | 2 << 30).read(0xffff_8000_0000_0000, 8)
    with pytest.raises(SymbolsError, match="No such file"):
        memory.Memory(tmp_path / "none", 0, 16 << 16 | 2 << 30)
