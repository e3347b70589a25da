# SPDX-License-Identifier: Apache-2.0
"""docs/MONITOR.md says what the tables in monitor/commands.c say."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STRING = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
ROW = re.compile(r"COMMAND\(" + r",\s*".join([STRING] * 5) + r",\s*(\w+),\s*\w+\)")
KEY = re.compile(r"KEY\(" + r",\s*".join([STRING] * 2) + r",\s*(\w+)\)")


def table(name, row=ROW):
    source = (ROOT / "monitor/commands.c").read_text(encoding="utf-8")
    start = source.index(f"{name}[] = {{")
    body = source[start:source.index("\n};", start)]
    rows = [["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', field)) if field.startswith('"') else field
             for field in match.groups()] for match in row.finditer(body)]
    assert len(rows) == len(re.findall(r"^    \w", body, re.MULTILINE)), "a row that this test cannot read"
    return rows


def document():
    return (ROOT / "docs/MONITOR.md").read_text(encoding="utf-8")


def test_every_command_is_documented_as_it_is():
    text = document()
    rows = table("monitor_commands")
    assert len(rows) > 20
    for name, alias, _, usage, help_text, _ in rows:
        also = " ".join(f"`{word}`" for word in alias.split())
        usage = usage.replace("|", "\\|")
        usage = f"`{usage}`" if usage else ""
        assert f"| `{name}` | {also} | {usage} | {help_text} |\n" in text


def test_no_command_is_documented_that_is_not_there():
    names = {row[0] for row in table("monitor_commands")}
    section = document().split("## Commands", 1)[1].split("## ", 1)[0]
    assert set(re.findall(r"^\| `([a-z]+)` \|", section, re.MULTILINE)) == names


def test_every_key_is_documented_as_it_is():
    section = document().split("## One-key commands", 1)[1].split("## ", 1)[0]
    rows = [(row[0], row[1]) for row in table("monitor_keys", KEY)]
    assert re.findall(r"^\| `(.)` \| (.*) \|$", section, re.MULTILINE) == rows


def test_names_and_aliases_are_unique_and_sorted():
    rows = table("monitor_commands")
    names = [row[0] for row in rows]
    words = names + [word for row in rows for word in row[1].split()]
    assert names == sorted(names)
    assert len(words) == len(set(words))
