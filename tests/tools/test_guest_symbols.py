# SPDX-License-Identifier: Apache-2.0
"""tools/guest_symbols.py: the table of symbols that EL2 gets, as include/hv/symbols.h describes it."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "scripts"), str(ROOT / "tests/tools")]
import c_source  # noqa: E402
import guest_symbols  # noqa: E402
import run_linux  # noqa: E402
from ariel.errors import SymbolsError  # noqa: E402
from ariel.symbols import Symbols  # noqa: E402
from kernel_maker import LINK, SIZE, make_image  # noqa: E402

IMAGE, EXPECTED = make_image("6.6")
BOARD = run_linux.read_memory_map(ROOT / "include/hv/memory_map.h", "virt")


def prepare(folder, *words):
    """(header, [(address, name)], words for the person) of what QEMU would load; None, [], words: no table."""
    options = run_linux.arguments_of().parse_args([f"--folder={folder}/out", *words])
    loads, said = run_linux.prepare(options)
    size, check = struct.unpack_from("<2Q", (folder / "out/guest.list").read_bytes(), 48)
    path = next((Path(path) for path, address in loads if address == BOARD["SYMBOLS_PA"]), None)
    if path is None:
        assert (size, check) == (0, 0)
        return None, [], said[-1]
    data = path.read_bytes()
    assert (len(data), guest_symbols.running_sum(data)) == (size, check) and size % 8 == 0 and size <= BOARD["SYMBOLS_SIZE"]
    header = guest_symbols.HEADER.unpack_from(data)
    count, link = header[2], header[4]
    numbers = struct.unpack_from(f"<{2 * count}I", data, guest_symbols.HEADER.size)
    text = data[guest_symbols.HEADER.size + 8 * count:]
    assert text[-1] == 0 and list(numbers[:count]) == sorted(numbers[:count])
    names = [text[place:text.index(b"\0", place)].decode() for place in numbers[count:]]
    return header, [(link + offset, name) for offset, name in zip(numbers, names)], said[-1]


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "vmlinuz"
    path.write_bytes(IMAGE)
    return path


def test_both_sides_have_the_same_header():
    names = ("SYMBOLS_MAGIC", "SYMBOLS_VERSION", "SYMBOLS_FIXED")
    numbers = c_source.constants("hv/symbols.h", *names)
    assert [numbers[name] for name in names] == [guest_symbols.MAGIC, guest_symbols.VERSION, guest_symbols.FIXED]
    assert guest_symbols.HEADER.size == 64


def test_a_kernel(tmp_path, image):
    header, found, words = prepare(tmp_path, f"--image={image}")
    assert header[4:8] == (LINK, 0x10800, SIZE, 0x40000000)
    symbols = Symbols.load(image)
    functions = dict(found)
    for address, letter, _ in EXPECTED:
        if letter in "tTwW":
            same = [name for at, kind, name in EXPECTED if at == address and kind in "tTwW"]
            assert functions[address] == same[0]
    assert [at for at, name in found if not name] == [at for at, letter, name in EXPECTED if name == "sys_call_table"]
    assert str(symbols.lookup(found[5][0])) == found[5][1]
    assert f"functions of {image}" in words


def test_a_start_costs_nothing_the_second_time(tmp_path, image, monkeypatch):
    first = prepare(tmp_path, f"--image={image}")
    monkeypatch.setattr(guest_symbols, "make_table", None)
    assert prepare(tmp_path, f"--image={image}") == first
    assert len(list((tmp_path / "symbols").iterdir())) == 1


def test_without(tmp_path, image):
    assert prepare(tmp_path, f"--image={image}", "--symbols=0") == (None, [], "symbols: none, as SYMBOLS=0 says")


def test_a_kernel_without_kallsyms(tmp_path, image):
    image.write_bytes(IMAGE[:0x100000])
    header, _, words = prepare(tmp_path, f"--image={image}")
    assert header is None and words.startswith("symbols: none: ") and "SYMBOLS=System.map" in words


def test_another_file_has_them(tmp_path, image):
    image.write_bytes(IMAGE[:0x100000])
    (tmp_path / "System.map").write_text("".join(f"{address:016x} {letter} {name}\n" for address, letter, name in EXPECTED))
    header, found, _ = prepare(tmp_path, f"--image={image}", f"--symbols={tmp_path}/System.map")
    assert header[4:6] == (LINK, 0x10800) and (LINK + 0x10000, "_stext") in found
    with pytest.raises(SymbolsError, match="neither"):
        prepare(tmp_path, f"--image={image}", f"--symbols={__file__}")


def test_no_room(image):
    table = Symbols.load(image).table
    whole, none = guest_symbols.pack(table, LINK, 0x40000000, 0x10800, 1 << 20)
    assert none == 0
    for limit in (len(whole) - 8, len(whole) // 2, 2000):
        data, left_out = guest_symbols.pack(table, LINK, 0x40000000, 0x10800, limit)
        header = guest_symbols.HEADER.unpack_from(data)
        assert len(data) <= limit and header[8] == left_out
        count = header[2]
        offsets = struct.unpack_from(f"<{2 * count}I", data, guest_symbols.HEADER.size)
        assert left_out == 0 or data[guest_symbols.HEADER.size + 8 * count + offsets[-1]] == 0  # the end has no name


@pytest.mark.parametrize("link, address, moved", [(0x40100000, None, 0), (0, 0x48000000, 0x48000000)])
def test_a_program(tmp_path, link, address, moved):
    (tmp_path / "a.S").write_text(".globl _start\n_start: b .\n.globl inner\ninner: ret\n")
    flags = [f"-Wl,-Ttext={link:#x}", "-static"] if link else ["-static-pie", "-Wl,-z,norelro"]
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-Wl,--build-id=none", *flags, "-o", tmp_path / "a.elf",
                    tmp_path / "a.S"], check=True)
    header, found, _ = prepare(tmp_path, f"--program={tmp_path}/a.elf", *([f"--address={address:#x}"] if address else []))
    names = {name: at for at, name in found if name}
    entry = struct.unpack_from("<Q", (tmp_path / "out/guest.list").read_bytes(), 24)[0]
    assert names["_start"] == entry == header[7] and names["inner"] == entry + 4
    assert header[5] == guest_symbols.FIXED and entry >= moved
