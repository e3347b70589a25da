# SPDX-License-Identifier: Apache-2.0
"""docs/MONITOR.md says what the tables in monitor/commands.c say, as the compiler has them."""

import functools
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.lru_cache(maxsize=None)
def tables():
    """Lines of monitor_table.c: kind, name, aliases, words, usage, help."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/table"
        subprocess.run(["gcc", "-std=gnu2x", "-no-pie", "-Itests/fake", "-Iinclude", "-Wl,--unresolved-symbols=ignore-all",
                        "-o", program, "tests/tools/monitor_table.c", "monitor/commands.c"], cwd=ROOT, check=True)
        lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def table(kind):
    """Rows of the commands ("command") or of the one-key commands ("key"): name, aliases, words, usage, help."""
    return [row[1:] for row in tables() if row[0] == kind]


def document():
    return (ROOT / "docs/MONITOR.md").read_text(encoding="utf-8")


def test_every_command_is_documented_as_it_is():
    text = document()
    rows = table("command")
    assert len(rows) > 20
    for name, alias, _, usage, help_text in rows:
        also = " ".join(f"`{word}`" for word in alias.split())
        usage = usage.replace("|", "\\|")
        usage = f"`{usage}`" if usage else ""
        assert f"| `{name}` | {also} | {usage} | {help_text} |\n" in text


def test_no_command_is_documented_that_is_not_there():
    names = {row[0] for row in table("command")}
    section = document().split("## Commands", 1)[1].split("## ", 1)[0]
    assert set(re.findall(r"^\| `([a-z]+)` \|", section, re.MULTILINE)) == names


def test_every_key_is_documented_as_it_is():
    section = document().split("## One-key commands", 1)[1].split("## ", 1)[0]
    rows = [(row[0], row[4]) for row in table("key")]
    assert re.findall(r"^\| `(.)` \| (.*) \|$", section, re.MULTILINE) == rows


def test_names_and_aliases_are_unique_and_sorted():
    rows = table("command")
    names = [row[0] for row in rows]
    words = names + [word for row in rows for word in row[1].split()]
    assert names == sorted(names)
    assert len(words) == len(set(words))
