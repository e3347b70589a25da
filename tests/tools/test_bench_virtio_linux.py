# SPDX-License-Identifier: Apache-2.0
"""tools/bench_virtio_linux.py: from pairs of speeds to a row, and what a machine's console says."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import bench_virtio_linux as bench  # noqa: E402  (a folder, not a package)

JOB = bench.Job("sequential read", "read /dev/vda 1 {sequential} {mib}", bench.MIB, "MiB/s")
VALUES = {"sequential": 1, "block": 4096, "mib": 2, "span": 1, "random": 10, "tcp": 3 * bench.MIB}


def machine(tmp_path, script):
    """A shell in a machine's place."""
    return bench.Machine(["sh", "-c", script], 0, tmp_path / "log", 20)


def test_the_median_of_the_pairs_ratios_is_held_to_its_least():
    pairs = [((100, 1), (95, 2)), ((100, 1), (20, 1)), ((1000, 2), (910, 2))]
    row = bench.row(JOB, pairs)
    assert (row["bare"], row["ariel"], row["ratio"], row["from"], row["to"]) == (100, 95, 0.91, 0.2, 0.95)
    assert row["holds"] and row["cpu"] == 1.0
    assert not bench.row(JOB, [((100, 1), (89, 1))])["holds"]


def test_a_speed_is_what_the_program_says(tmp_path):
    one = machine(tmp_path, 'read line; echo "got $line" >&2; echo "# bytes 2097152 ns 500000000"; sleep 20')
    speed, cpu = one.run(JOB, VALUES)
    one.close()
    assert speed == 4 and cpu >= 0
    assert (tmp_path / "log").read_bytes() == b"got transfer read /dev/vda 1 1 2\n# bytes 2097152 ns 500000000\n"


@pytest.mark.parametrize("says, why", [("# failed 5", "Input/output error"), ("# bytes 7 ns 9", "7 bytes came, not 2097152"),
                                       ("nothing", "the machine ended|nothing came")])
def test_what_went_wrong_is_said(tmp_path, says, why):
    one = machine(tmp_path, f'read line; echo "{says}"')
    with pytest.raises(bench.BenchError, match=why):
        one.run(JOB, VALUES)
    one.close()


def test_each_job_can_be_written(tmp_path):
    values = bench.numbers(type("Options", (), {"mib": 256, "random": 5, "tcp": 2}))
    assert [job.command.format(**values) for job in bench.JOBS] == [
        "read /dev/vda 1 1048576 256", "write /dev/vda 1 1048576 256", "random /dev/vda 1 4096 5 268435456",
        "random /dev/vda 32 4096 5 268435456", "receive 7 0", "send 7 2097152"]
