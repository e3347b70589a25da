# SPDX-License-Identifier: Apache-2.0
"""What an operation costs: the figures of tools/bench.py repeat exactly and hold their budgets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs():
    """Two runs, as parsed JSON, and their exit statuses; the first one with --scaling."""
    command = [sys.executable, "tools/bench.py", "--elf", "build/hypervisor.elf", "--format", "json", "--timeout", "600"]
    done = [subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=3600)
            for more in (["--scaling"], [])]
    assert [run.stderr for run in done] == ["", ""]
    return [(json.loads(run.stdout), run.returncode) for run in done]


def test_two_runs_are_identical(runs):
    assert runs[0][0]["rows"] == runs[1][0]["rows"]


def test_every_figure_is_within_its_budget(runs):
    result, status = runs[0]
    table = result["rows"]
    assert [row for row in table if row["instructions"] is None] == []
    assert [row["operation"] for row in table if not row["holds"]] == []
    assert status == 0


def test_devices_that_nobody_uses_cost_nothing(runs):
    """A disk and a network device that the guest has and leaves alone: each figure but the boot's is within its budget,
    and within a few instructions of what it is without them, since where code and data lie may move it."""
    command = [sys.executable, "tools/bench.py", "--elf", "build/hypervisor.elf", "--format", "json", "--timeout", "600",
               "--devices"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.stderr == "" and done.returncode == 0, done.stdout
    without = {row["operation"]: row["instructions"] for row in runs[0][0]["rows"]}
    for row in json.loads(done.stdout)["rows"]:
        if row["operation"] == "reset-to-guest":
            assert row["instructions"] > without["reset-to-guest"] + 10_000, "nothing was probed"
        else:
            assert abs(row["instructions"] - without[row["operation"]]) <= 0.01 * row["budget"], row


def test_an_exit_with_its_trace_record_costs_at_most_forty_instructions_more(runs):
    result, _ = runs[0]
    assert len(result["traced"]) >= 10 and {row["exits"] for row in result["traced"]} == {1, 2}
    assert [row for row in result["traced"] if not row["holds"]] == []


def test_an_exit_costs_the_same_when_all_cpus_trap_at_once(runs):
    result, _ = runs[0]
    assert sorted({row["cpus"] for row in result["scaling"]}) == [1, 2, 4, 8]
    assert [row for row in result["scaling"] if not row["holds"]] == []
