# SPDX-License-Identifier: Apache-2.0
"""What a request to a virtio disk costs: EL2's instructions, as tools/bench_virtio.py counts them, hold their budgets.

How many requests one exit serves depends on when QEMU's disk is done, and so on the host: a busy one adds exits, and never
takes any away. So the least of a few boots is looked at.
"""

import json
import subprocess
import sys

from harness import ROOT, build_policy, run_make

BOOTS = 5


def measure(elf, folder):
    """{(job, depth): row} of one boot."""
    command = [sys.executable, "tools/bench_virtio.py", "--elf", str(elf), "--guest", "build/block.bin", "--folder",
               str(folder), "--mib", "32", "--pairs", "0", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.stderr == ""
    rows = json.loads(done.stdout)["rows"]
    assert done.returncode == (0 if all(row["holds"] for row in rows) else 1)
    return {(row["job"], row["depth"]): row for row in rows}


def test_requests_hold_their_budgets(tmp_path):
    run_make("build/block.bin")
    elf, over = build_policy("linux"), None
    for _ in range(BOOTS):
        rows = measure(elf, tmp_path)
        assert {key: row["budget"] for key, row in rows.items() if row["budget"] is not None} == {
            ("random-read", 1): 2500, ("random-write", 1): 2500, ("random-read", 32): 700, ("random-write", 32): 700}
        found = {key for key, row in rows.items() if not row["holds"]}
        over = found if over is None else over & found
        if not over:
            return
    assert not over
