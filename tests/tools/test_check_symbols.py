# SPDX-License-Identifier: Apache-2.0
"""scripts/check_symbols.py: right symbols are counted as right, and a wrong one is seen."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/tools")]
import check_symbols  # noqa: E402
from kernel_maker import make_image  # noqa: E402

IMAGE, SYMBOLS = make_image("7.2")


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "Image").write_bytes(IMAGE)
    monkeypatch.setattr(check_symbols, "fetch", lambda release: (tmp_path / "Image", tmp_path / "System.map"))
    monkeypatch.setattr(sys, "argv", ["check_symbols.py", "sid"])

    def write(rows):
        (tmp_path / "System.map").write_text("".join(f"{address:016x} {letter} {name}\n" for address, letter, name in rows))
    return write


def test_all_are_right(files, capsys):
    files([(0x200, "A", "PECOFF_FILE_ALIGNMENT"), *SYMBOLS])
    assert check_symbols.main() == 0
    assert f" {len(set(SYMBOLS))} " in (said := capsys.readouterr().out) and "100.00 %" in said


@pytest.mark.parametrize("wrong", [lambda row: (row[0] + 4, *row[1:]), lambda row: (row[0], "d", row[2]),
                                   lambda row: (*row[:2], row[2] + "x")], ids=["address", "type", "name"])
def test_one_is_wrong(files, capsys, wrong):
    place = next(number for number, row in enumerate(SYMBOLS) if number > 700 and row[1] in "tT")
    files([wrong(row) if number == place else row for number, row in enumerate(SYMBOLS)])
    assert check_symbols.main() == 1
    assert "100.00 %" not in capsys.readouterr().out
