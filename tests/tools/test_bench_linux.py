# SPDX-License-Identifier: Apache-2.0
"""tools/bench_linux.py and tools/exits.py: from what was counted and timed to rows, budgets and an exit status."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import bench_linux  # noqa: E402  (a folder, not a package)
import exits  # noqa: E402

BIT = {name: 1 << n for n, (name, _) in enumerate(exits.GROUPS)}
MARKS = len(bench_linux.WORKLOADS)


def report(tmp_path, lines):
    path = tmp_path / "out"
    path.write_text("\n".join(lines) + "\n")
    return exits.Report(path)


def run(tmp_path, extra=()):
    """A run in which each workload takes 1000 instructions of the guest and one exit of 100 for the console."""
    lines = []
    for n in range(MARKS):
        lines += [f"at {n}", f"guest 0 {1000 * (n + 1)}", f"exits 0 {BIT['console']:x} {n + 1} {100 * (n + 1)}",
                  f"exits 0 {exits.START | BIT['log']:x} 1 5000", *extra]
    return report(tmp_path, [*lines, "at end"])


def table(tmp_path, walls=(), extra=()):
    return list(bench_linux.rows(1, walls, run(tmp_path), run(tmp_path, extra)))


def failing(rows):
    return [row["name"] for row in bench_linux.budgets(rows) if not row["holds"]]


def test_rows_are_differences_between_marks(tmp_path):
    for row in table(tmp_path):
        assert (row["guest_instructions"], row["el2_instructions"], row["exits"]) == (1000, 100, 1)
        assert row["causes"] == {"console": {"exits": 1, "instructions": 100}}
    assert failing(table(tmp_path)) == []


def test_wall_times_are_medians_of_pairs(tmp_path):
    walls = [([2.0] * MARKS, [ratio] * MARKS) for ratio in (2.0, 2.2, 9.0)]
    row = table(tmp_path, walls)[0]
    assert (row["seconds"], row["seconds_bare"], row["ratio"]) == (2.2, 2.0, 1.1)
    assert row["exits_per_second"]["console"] == pytest.approx(1 / 2.2)
    assert failing(table(tmp_path, walls)) == ["wall time to /init over bare QEMU's, 1 CPU"]


@pytest.mark.parametrize("extra, name", [
    ([f"exits 0 {BIT['timer']:x} 900 300001"], "EL2 instructions to /init without console, 1 CPU"),
    ([f"exits 0 {BIT['timer'] | exits.FLUSH:x} 1 100"], "exits that empty a software TLB, to /init, 1 CPU"),
])
def test_what_is_over_its_budget_fails(tmp_path, extra, name):
    assert failing(table(tmp_path, extra=extra)) == [name]


def test_a_pause_may_empty_the_software_tlb(tmp_path):
    assert failing(table(tmp_path, extra=[f"exits 0 {BIT['pause'] | exits.FLUSH:x} 1 100"])) == []


def test_the_console_is_held_by_the_character():
    many = bench_linux.BUDGET_CHARACTER * bench_linux.TEXT_SIZE
    column = {"console": {"exits": 1, "instructions": many}}
    row = {"workload": "console", "cpus": 4, "columns": column, "flushes": {}}
    assert failing([row]) == []
    column["console"]["instructions"] += bench_linux.TEXT_SIZE
    assert failing([row]) == ["EL2 instructions per character on the console, 4 CPUs"]


def test_a_run_without_an_end_is_refused(tmp_path):
    with pytest.raises(exits.ExitsError, match="did not come to its end"):
        report(tmp_path, ["at 0", "guest 0 1"])


def test_blocks_and_paths_are_instructions(tmp_path):
    found = report(tmp_path, ["at end", "block 0 40080000 2 3", "block 1 40080004 1 4", "path 0 7 40080000+2 40080100+1"])
    assert found.runs == {0x40080000: 3, 0x40080004: 7}
    assert found.paths == {(0x40080000, 0x40080004, 0x40080100): 7}


def test_an_archive_has_what_is_put_into_it():
    entry = bench_linux.cpio_entry(7, "text", 0o100644, b"abcde")
    assert entry[:6] == b"070701" and len(entry) % 4 == 0
    assert int(entry[54:62], 16) == 5 and entry[110:115] == b"text\0" and entry[116:121] == b"abcde"
    assert len(bench_linux.text()) == bench_linux.TEXT_SIZE and bench_linux.text().isascii()
