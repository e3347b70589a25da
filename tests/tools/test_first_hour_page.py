# SPDX-License-Identifier: Apache-2.0
"""docs/FIRST-HOUR.md without a boot: each command of it exists. tests/linux/test_first_hour.py types them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/linux"), str(ROOT / "tools")]
from first_hour import plain, steps_of  # noqa: E402
from ariel.__main__ import main  # noqa: E402

PAGE = ROOT / "docs/FIRST-HOUR.md"
STEPS = steps_of(PAGE.read_text(encoding="utf-8"))
TYPED = [text for kind, text in STEPS if kind in ("$ ", "2$ ")]
MONITOR = (ROOT / "monitor/commands.c").read_text(encoding="utf-8")


def test_every_block_has_commands_and_every_output_one():
    kinds = [kind for kind, _ in STEPS]
    assert kinds[0] == "$ " and {"$ ", "2$ ", "~ # ", "ariel> ", "keys", "output"} == set(kinds)
    assert kinds.count("output") > 30


def test_what_is_typed_to_make_exists():
    offered = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in (shlex.split(text.split("|")[0]) for text in TYPED if text.startswith("make")):
        for word in (word for word in command[1:] if word != "-s"):
            name, _, value = word.partition("=")
            assert re.search(rf"^  (make )?{re.escape(name)} ", offered, re.M), word
            if name == "POLICY" and not value.startswith("build/"):
                assert (ROOT / f"policy/{value}.toml").is_file()


@pytest.mark.parametrize("command", sorted({text.split("|")[0] for text in TYPED if text.startswith("trace ")}))
def test_options_of_the_tools_are_accepted(command, tmp_path, monkeypatch, capsys):
    """Status 1 is a trace that is not there; 2 would be wrong usage."""
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_typed_to_the_monitor_exists():
    for command in {text.split()[0] for kind, text in STEPS if kind == "ariel> "}:
        assert f'COMMAND("{command}",' in MONITOR, command


def test_lines_are_compared_by_their_words():
    assert plain("  1   0x200 deny 1.5ms") == plain(" 77 0xffff deny 2us") != plain("1 0x200 allow 1.5ms")
    assert plain("psci_probe+0x1c0") == plain("psci_probe+0x230")
    assert plain("ariel 0.2.0+dc97e3c, x") == plain("ariel 0.2.0+17-gdc97e3c-dirty, x")
