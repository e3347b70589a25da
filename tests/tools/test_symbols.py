# SPDX-License-Identifier: Apache-2.0
"""ariel.symbols: kallsyms of each layout, System.map and ELF files are read; where the kernel has moved itself is found; a
forged file is refused in one line."""

import gzip
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/tools")]
from ariel.errors import ArielError  # noqa: E402
from ariel.symbols import Symbols, SymbolsError, caller_of  # noqa: E402
from kernel_maker import LAYOUTS, LINK, RODATA, make_image  # noqa: E402

SLIDE = 0x2b5d_3020_0000
IMAGES = {version: make_image(version) for version in LAYOUTS}


def load(tmp_path, data, name="Image"):
    path = tmp_path / name
    path.write_bytes(data)
    return Symbols.load(path)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    return load(tmp_path_factory.mktemp("kernel"), IMAGES["6.6"][0])


@pytest.mark.parametrize("version", LAYOUTS)
def test_kallsyms(tmp_path, version):
    data, expected = IMAGES[version]
    table = load(tmp_path, data).table
    found = list(zip(table.addresses.tolist(), table.types.astype(str).tolist(), table.names))
    assert found == expected
    assert table.link == LINK


def test_wrapped_kernel(tmp_path):
    assert len(load(tmp_path, gzip.compress(IMAGES["7.2"][0]), "vmlinuz")) == len(IMAGES["7.2"][1])


def test_system_map(tmp_path, kernel):
    text = "".join(f"{address:016x} {letter} {name}\n" for address, letter, name in IMAGES["6.6"][1])
    symbols = load(tmp_path, f"0000000000000200 A PECOFF_FILE_ALIGNMENT\n{text}".encode(), "System.map")
    assert symbols.table.addresses.tolist() == kernel.table.addresses.tolist() and symbols.table.names == kernel.table.names


def test_system_map_of_zeroes(tmp_path):
    with pytest.raises(SymbolsError, match="kptr_restrict"):
        load(tmp_path, b"0000000000000000 T _text\n0000000000000000 T _stext\n", "kallsyms")


def test_debian_map_that_is_none(tmp_path):
    with pytest.raises(SymbolsError, match="-dbg"):
        load(tmp_path, b"ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n", "System.map")


# ---- ELF: nm, of another maker, says the same ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.S").write_text(""".text
.globl _start
_start: bl inner
        b .
.type inner, %function
inner:  hvc #0
        ret
.size inner, . - inner
.weak maybe
maybe:  nop
.data
.globl number
number: .quad 7
""")
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x40080000,--build-id=none", "-o", folder / "a.elf",
                    folder / "a.S"], check=True)
    return folder / "a.elf"


def test_elf(program):
    symbols = Symbols.load(program)
    lines = subprocess.run(["aarch64-linux-gnu-nm", program], check=True, capture_output=True, text=True).stdout.split("\n")
    expected = {name: int(address, 16) for address, _, name in map(str.split, lines[:-1]) if "$" not in name}
    assert {name: symbols.address_of(name) for name in expected} == expected
    assert str(symbols.lookup(0x40080008)) == "inner"
    assert str(symbols.lookup(0x4008000c)) == "inner+0x4"
    assert symbols.lookup(0x40000000) is None
    assert symbols.solve(vbar_el1=0x123) == 0  # a program stays where it was linked


def test_an_elf_file_of_ones(tmp_path):
    (tmp_path / "a").write_bytes(b"\x7fELF\2\1\1".ljust(16, b"\0") + b"\xff" * 4000)
    with pytest.raises(SymbolsError, match="a damaged ELF file: its headers and tables contradict each other"):
        Symbols.load(tmp_path / "a")


def test_stripped_elf(tmp_path, program):
    subprocess.run(["aarch64-linux-gnu-strip", "-o", tmp_path / "s", program], check=True)
    with pytest.raises(SymbolsError, match="stripped"):
        Symbols.load(tmp_path / "s")


@given(st.data())
@settings(max_examples=100)
def test_forged_elf(program, tmp_path_factory, data):
    forged = bytearray(program.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, 63), st.integers(len(forged) - 1024, len(forged) - 1)))
        forged[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "forged.elf"
    path.write_bytes(forged[:data.draw(st.one_of(st.just(len(forged)), st.integers(0, len(forged))))])
    try:
        Symbols.load(path)
    except ArielError as error:
        assert "\n" not in str(error)


# ---- Forged Images ---------------------------------------------------------------------------------------------------


def forge(data, image):
    """An Image with numbers overwritten, or pieces moved, most of them where kallsyms is, or cut short."""
    forged = bytearray(image)
    end = len(forged) - 4096
    place = st.one_of(st.integers(RODATA, end), st.integers(end - 0x3000, end))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(place)
        value = data.draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(
            [b"\0" * 8, b"\xff" * 8, b"\0" * 600, b"\xff\xff\xff\x7f"])))
        forged[at:at + len(value)] = value
    if data.draw(st.booleans()):
        source, target, size = data.draw(place), data.draw(place), data.draw(st.integers(1, 0x800))
        forged[target:target + size] = forged[source:source + size]
    return bytes(forged[:data.draw(st.one_of(st.just(len(forged)), place))])


@given(st.data(), st.sampled_from(sorted(IMAGES)))
@settings(max_examples=60)
def test_forged_image(tmp_path_factory, data, version):
    path = tmp_path_factory.getbasetemp() / "forged"
    path.write_bytes(forge(data, IMAGES[version][0]))
    start = time.process_time()
    try:
        symbols = Symbols.load(path)
        assert all(symbols.names(symbols.table.addresses[:10]))
    except ArielError as error:
        assert "\n" not in str(error) and str(path) in str(error)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("pattern", [b"\0", b"\xff", b"\0\0\1\0", bytes(range(0, 256, 2)), b"\0\0\0\0\0\2\0\0\0\4\0\0\0\6\0\0"],
                         ids=["0", "255", "0 1", "even", "markers"])
def test_patterns_end_soon(tmp_path, pattern):
    header = IMAGES["6.6"][0][:64]
    start = time.process_time()
    with pytest.raises(SymbolsError, match="kallsyms"):
        load(tmp_path, header + pattern * (0x800000 // len(pattern)))
    assert time.process_time() - start < 10


@pytest.mark.parametrize("data, words", [(b"", "neither"), (b"x" * 100, "neither"), (IMAGES["6.6"][0][:RODATA], "kallsyms")],
                         ids=["empty", "text", "no kallsyms"])
def test_no_symbols(tmp_path, data, words):
    with pytest.raises(SymbolsError, match=words):
        load(tmp_path, data)


def test_missing_file(tmp_path):
    with pytest.raises(SymbolsError, match="No such file"):
        Symbols.load(tmp_path / "nothing")


# ---- Where it runs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def moved(kernel):
    symbols = Symbols(kernel.table, "Image")
    symbols.solve(vbar_el1=kernel.table.address_of("vectors") + SLIDE)
    return symbols


def test_vectors_tell_the_slide(moved, kernel):
    assert moved.slide == SLIDE
    address = moved.address_of("_stext")
    assert address == kernel.table.address_of("_stext") + SLIDE
    assert str(moved.lookup(address + 0x10)) == "_stext+0x10"


@pytest.mark.parametrize("vbar_el1", [0x1000, LINK + 0x10900, 0xffff_fbff_fe00_1800 + 0x100, (1 << 64) - 0x800])
def test_vectors_of_something_else(kernel, vbar_el1):
    symbols = Symbols(kernel.table, "Image")
    with pytest.raises(SymbolsError, match=f"VBAR_EL1={vbar_el1:#x}"):
        symbols.solve(vbar_el1=vbar_el1)
    assert symbols.slide == 0 and not symbols.solved


def test_instructions_tell_the_slide(kernel):
    symbols = Symbols(kernel.table, "Image")
    calls = np.arange(LINK + 0x11000, LINK + RODATA - 0x200, 0x1010 * 16, np.uint64)
    assert symbols.solve(pcs=calls + np.uint64(SLIDE + 64), returns=calls + np.uint64(SLIDE + 4)) == SLIDE


class FakeTrace:
    """As much of an ariel.trace.Trace as symbols look at."""

    def __init__(self, vbars, pcs, meta=None):
        self.meta, self.vbars = meta or {}, vbars
        self.records = np.zeros(len(pcs), [("pc", "u8"), ("lr", "u8")])
        self.records["pc"] = pcs

    def boot(self, _):
        return self

    def headers(self, _):
        return ({"vbar_el1": vbar} for vbar in self.vbars)

    def batches(self, _, types):
        assert types == {1}
        return iter([self.records])


def test_a_trace_tells_where_the_kernel_ran(kernel):
    """At first, where it was linked; then moved; and a program's trampoline had its vectors in most chunks."""
    vectors = kernel.table.address_of("vectors")
    trampoline = 0xffff_fbff_fdff_1800
    pcs = np.arange(LINK + SLIDE + 0x11000, LINK + SLIDE + 0x12000, 0x40, np.uint64)
    symbols = Symbols(kernel.table)
    trace = FakeTrace([0, vectors, vectors, vectors + SLIDE, *[trampoline] * 5], pcs)
    assert symbols.solve_trace(trace) == SLIDE and symbols.solved
    assert str(symbols.lookup(0x40010800)) == "vectors"
    calls = np.arange(LINK + 0x11000, LINK + RODATA - 0x200, 0x1010 * 16, np.uint64)
    trace = FakeTrace([0], calls + np.uint64(SLIDE + 64), {"vms": [{"guest": "bare-metal program", "ram": [["0x0", "0x1"]]}]})
    trace.records["lr"] = calls + np.uint64(SLIDE + 4)
    symbols = Symbols(kernel.table)
    assert symbols.solve_trace(trace) == SLIDE
    assert symbols.physical_base is None
    with pytest.raises(SymbolsError, match="0 different addresses"):
        Symbols(kernel.table).solve_trace(FakeTrace([0], []))
    early = Symbols(kernel.table)
    assert early.solve_trace(FakeTrace([0], [0x40010800, 0x200])) == 0 and not early.solved
    assert str(early.lookup(0x40010800)) == "vectors"


def test_too_few_instructions(kernel):
    with pytest.raises(SymbolsError, match="3 different addresses"):
        Symbols(kernel.table).solve(pcs=np.array([LINK, LINK + 4, LINK + 8], np.uint64))


def test_vmcoreinfo_tells_the_slide(kernel):
    assert Symbols(kernel.table).solve(vmcoreinfo=f"OSRELEASE=6.6\nKERNELOFFSET={SLIDE:x}\n") == SLIDE
    with pytest.raises(SymbolsError, match="KERNELOFFSET"):
        Symbols(kernel.table).solve(vmcoreinfo="OSRELEASE=6.6\nKERNELOFFSET=123\n")


def test_tables_tell_the_physical_place(kernel):
    symbols = Symbols(kernel.table)
    symbols.solve(ttbr1=0x4020_0000 + kernel.table.address_of("swapper_pg_dir") - LINK + 1)
    assert symbols.physical_base == 0x4020_0000
    assert str(symbols.lookup(0x4020_0000 + 0x10804)) == "vectors+0x4"


def test_names_of_many(moved):
    addresses = np.concatenate([moved.table.addresses + np.uint64(SLIDE), np.array([0, 1 << 63, (1 << 64) - 1], np.uint64)])
    assert moved.names(addresses) == [str(moved.lookup(int(address)) or "") for address in addresses]


def test_programs_have_no_kernel_names(moved):
    moved.physical_base = 0x40000000
    assert moved.names([0x40010800] * 2, pstate=[0x3c5, 0]) == ["vectors", ""]


def test_modules(tmp_path, kernel):
    path = tmp_path / "modules"
    path.write_text("virtio_blk 32768 2 - Live 0xffff800079000000\next4 983040 1 - Live 0xffff800079100000 (E)\n")
    (tmp_path / "Image").write_bytes(IMAGES["6.6"][0])
    symbols = Symbols.load(tmp_path / "Image", path)
    assert str(symbols.lookup(0xffff800079100010)) == "[ext4]+0x10"
    assert symbols.names([0xffff800079007fff, 0xffff800079008000]) == ["[virtio_blk]+0x7fff", ""]
    path.write_text("ext4 983040 1 - Live 0x0000000000000000\n")
    with pytest.raises(SymbolsError, match="root only"):
        Symbols.load(tmp_path / "Image", path)


def test_caller_of_a_call(program):
    symbols = Symbols.load(program)
    record = {"pc": 0x40080008, "lr": 0x40080004, "caller": 0}
    assert caller_of(record, symbols) == ["_start+0x4"]
    assert caller_of({**record, "caller": 0x40080008}, symbols) == ["_start+0x4", "_start+0x8"]
    assert caller_of({**record, "pc": 0x40080000}, symbols) == []
