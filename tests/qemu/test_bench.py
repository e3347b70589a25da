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
    """Two runs, as parsed JSON, and their exit statuses."""
    command = [sys.executable, "tools/bench.py", "--elf", "build/hypervisor.elf", "--format", "json"]
    done = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180) for _ in range(2)]
    assert [run.stderr for run in done] == ["", ""]
    return [(json.loads(run.stdout)["rows"], run.returncode) for run in done]


def test_two_runs_are_identical(runs):
    assert runs[0] == runs[1]


def test_every_figure_is_within_its_budget(runs):
    table, status = runs[0]
    assert [row for row in table if row["instructions"] is None] == []
    assert [row["operation"] for row in table if not row["holds"]] == []
    assert status == 0
