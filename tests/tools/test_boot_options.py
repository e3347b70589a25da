# SPDX-License-Identifier: Apache-2.0
"""The word that scripts/run.py leaves for EL2: what is in it, and that both sides spell it the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import c_source  # noqa: E402
import run  # noqa: E402  (a folder, not a package)
from check_layout import read_memory_map  # noqa: E402

FIELDS = ("RAW", "COLOR", "CPUS", "ROWS", "COLUMNS", "MARK")
NUMBER = c_source.constants("hv/boot_options.h", "BOOT_OPTIONS_MAGIC", *(f"BOOT_OPTIONS_{name}" for name in FIELDS))


def field(name, word):
    mask = NUMBER[name]
    return (word & mask) // (mask & -mask)


def test_both_sides_have_the_same_numbers():
    for name, board in run.BOARDS.items():
        where = read_memory_map(ROOT / "include/hv/memory_map.h", name)
        assert where["BOOT_OPTIONS_PA"] == board.boot_options_pa
        assert where["GUEST_RAM_PA"] - where["RAM_PA"] == board.guest_ram
        assert where["VIRTIO_COUNT"] == board.transports
    assert NUMBER["BOOT_OPTIONS_MAGIC"] == run.BOOT_OPTIONS_MAGIC


@pytest.mark.parametrize("environment, color", [
    ({"TERM": "xterm"}, 1), ({"TERM": "xterm", "NO_COLOR": ""}, 1), ({"TERM": "xterm", "NO_COLOR": "1"}, 0),
    ({"TERM": "dumb"}, 0), ({"TERM": ""}, 0), ({}, 0)])
def test_a_terminal_is_described(environment, color):
    word = run.boot_options(environment, (132, 43))
    assert field("BOOT_OPTIONS_MARK", word) == run.BOOT_OPTIONS_MAGIC
    assert (field("BOOT_OPTIONS_COLUMNS", word), field("BOOT_OPTIONS_ROWS", word)) == (132, 43)
    assert field("BOOT_OPTIONS_COLOR", word) == color
    assert field("BOOT_OPTIONS_RAW", word) == 0


def test_a_large_terminal_does_not_spill():
    word = run.boot_options({"TERM": "xterm"}, (100000, 100000), raw=True)
    assert (field("BOOT_OPTIONS_COLUMNS", word), field("BOOT_OPTIONS_ROWS", word)) == (500, 255)
    assert field("BOOT_OPTIONS_MARK", word) == run.BOOT_OPTIONS_MAGIC


def test_without_a_terminal_there_is_nothing_to_say():
    assert run.boot_options({"TERM": "xterm"}, None) == 0
    assert field("BOOT_OPTIONS_RAW", run.boot_options({}, None, raw=True)) == 1


def test_a_raw_console_is_asked_for_by_name():
    assert run.refusal("1", "1G", "max", "", "raw") is None
    assert "CONSOLE=cooked: filtered, or raw" in run.refusal("1", "1G", "max", "", "cooked")
    makefile = (ROOT / "mk/run.mk").read_text()
    assert re.search(r"^EXTRA = .*--console=\$\(call quote,\$\(CONSOLE\)\)$", makefile, re.M)
    done = [subprocess.run(["make", "-s", "-n", "run", f"CONSOLE={console}"], cwd=ROOT, capture_output=True, text=True)
            for console in ("raw", "filtered")]
    assert "--console='raw'" in done[0].stdout and "--console='filtered'" in done[1].stdout
    word = run.boot_options({}, None, raw=True)
    assert f"data={word:#x}" in (ROOT / "docs/MONITOR.md").read_text()
