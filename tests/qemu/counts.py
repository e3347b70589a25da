# SPDX-License-Identifier: Apache-2.0
"""What the counts of a VM that nobody runs on must hold: whichever way exits are added up, the sum is the same."""

import json

from harness import ROOT


def rows_of(ariel, command):
    """A monitor command's JSON lines as dicts."""
    return [json.loads(line) for line in ariel.command(command + " -j") if line.startswith("{")]


def counted(rows):
    return sum(row["count"] for row in rows if "count" in row)


def rows_that_log(policy):
    """The places "policy/x.toml:12" of the rows that ask for a record of each access, by the policy's text."""
    found, place, logs = set(), None, False
    lines = (ROOT / policy).read_text().splitlines()
    for number, line in enumerate([*lines, "[end]"], 1):
        if line.startswith("["):
            found |= {place} if logs else set()
            place, logs = f"{policy}:{number}", False
        logs = logs or line.replace(" ", "").startswith("log=true")
    return found


def check_sums(ariel, since_boot=True):
    """The VM is paused. Returns {place of a policy row: its row of `policy stat`}. since_boot: no counter was reset."""
    exits = sum(row["exits"] for row in rows_of(ariel, "status") if "exits" in row)
    keys = rows_of(ariel, "exc top 100000")
    if not since_boot:
        assert exits > keys[-1]["exits"]
        exits = keys[-1]["exits"]
    classes = rows_of(ariel, "exc top class 100")
    rows = rows_of(ariel, "exc top row 1000")
    assert exits == counted(keys) == keys[-1]["exits"], (exits, keys[-1])
    assert exits == sum(keys[-1][group] for group in ("cause", "call", "device", "register"))
    assert exits == counted(classes) == classes[-1]["exits"], (exits, classes)
    for row in classes[:-1]:
        in_class = rows_of(ariel, f"exc top {row['class']} 100000")
        assert counted(in_class) == row["count"] == in_class[-1]["listed"] and len(in_class) == row["keys"] + 1, (row, in_class)
    sums = rows[-1]
    assert exits == sums["exits"] == sums["decided"] + sums["none"], (exits, sums)
    assert counted(rows) == sums["decided"] + sums["requests"], (rows, sums)
    irq = sum(row["count"] for row in classes if row.get("class") == "irq")
    assert sums["none"] >= irq
    return {row["at"]: row for row in rows_of(ariel, "policy stat") if "at" in row}
