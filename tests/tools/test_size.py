# SPDX-License-Identifier: Apache-2.0
"""scripts/size.py: what counts as text, rodata, data and bss, the sums by room, and the releases of CHANGELOG.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import size  # noqa: E402

SOURCE = """
const char constant[100] = {1};
int initialized[50] = {2};
int zero[25];
__attribute__((section(".guest"))) const char guest[1000] = {3};
int function(void);
int function(void) { return initialized[0]; }
"""


@pytest.fixture
def made(tmp_path):
    def compile_one(name, text):
        path = tmp_path / f"{name}.o"
        subprocess.run([os.environ.get("HOSTCC", "gcc"), "-Os", "-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-c",
                        "-o", path, "-x", "c", "-"], input=text, text=True, check=True)
        return str(path)
    return compile_one


def test_kinds_of_bytes(made):
    sizes = size.sizes_of(made("all", SOURCE))
    assert (sizes["rodata"], sizes["data"], sizes["bss"]) == (100, 200, 100)  # the guest's section is not counted
    assert 0 < sizes["text"] < 32


def test_rooms_are_summed(made):
    one, two = made("one", "int a[2] = {1, 2};\n"), made("two", "int b[3] = {1, 2, 3};\n")
    rooms = size.sum_by_room({"lib/one.c": (one, None, "lib"), "lib/two.c": (two, None, "lib"), "vm/two.c": (two, None, "vm"),
                              "lib/only-a-header.c": (None, None, "lib")})
    assert {room: sizes["data"] for room, sizes in rooms.items()} == {"lib": 20, "vm": 12}


def test_the_table():
    rooms = {"lib": dict.fromkeys(size.KINDS, 10), "vm": dict.fromkeys(size.KINDS, 5)}
    lines = size.table(rooms, dict.fromkeys(size.KINDS, 12), [("0.1.0", dict.fromkeys(size.KINDS, 14))])
    assert [line.split() for line in lines] == [
        ["bytes", *size.KINDS], ["lib", *["10"] * 4], ["vm", *["5"] * 4], ["all", "rooms", *["15"] * 4],
        ["hypervisor.elf", *["12"] * 4], ["release", "0.1.0", *["14"] * 4], ["since", "0.1.0", *["-2"] * 4]]


def test_every_release_has_its_row():
    """From the first that has one: the row of a new version is added when it is released, and the newest may lack it."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    rows = [version for version, _ in size.releases(text)]
    sections = [line[3:] for line in text.splitlines() if line.startswith("## ") and line[3:4].isdigit()]
    assert rows, "CHANGELOG.md has no table of sizes"
    assert rows == [version for version in reversed(sections) if version in rows]
    assert set(sections[1:sections.index(rows[0]) + 1]) <= set(rows)
