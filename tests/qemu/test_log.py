# SPDX-License-Identifier: Apache-2.0
"""The log of a real boot: tools/log_decode.py accounts for every record of it, and for none that was tampered with."""

import subprocess
import sys

import pytest
from harness import ROOT, Ariel


def decode(lines, *arguments):
    return subprocess.run([sys.executable, "tools/log_decode.py", *arguments], cwd=ROOT, capture_output=True, timeout=600,
                          input="".join(f"{line}\r\n" for line in lines).encode())


@pytest.fixture(scope="module")
def capture():
    """The lines of a boot to the end of the guest's tests; some of those print look-alikes of records."""
    with Ariel(smp=2) as ariel:
        ariel.expect_line(r"^# ariel-guest: \d+ passed, 0 failed")
        return ariel.lines


def is_record(line):
    return line.startswith("ariel: seq=")


def test_every_record_is_accounted_for(capture):
    done = decode(capture, "--summary")
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    records = sum(map(is_record, capture))
    assert records > 10 and f"{records} records" in done.stdout.decode()


def test_every_record_has_its_fields(capture):
    done = decode(capture, "--json", "--event", "guest-enter")
    assert done.returncode == 0 and b'"vcpus": 2' in done.stdout


def test_a_lost_record_is_missed(capture):
    lost = [number for number, line in enumerate(capture) if is_record(line)][5]
    done = decode(capture[:lost] + capture[lost + 1:], "--summary")
    assert done.returncode == 1 and b"missing" in done.stdout + done.stderr


def test_a_record_that_came_twice_is_seen(capture):
    again = [number for number, line in enumerate(capture) if is_record(line)][5]
    assert decode(capture[:again] + [capture[again]] + capture[again:], "--summary").returncode == 1


@pytest.mark.parametrize("old, new", [("level=warn", "level=info"), ("tag=", "tag=0")])
def test_a_forged_record_is_seen(capture, old, new):
    """Another tag: a guest cannot know it. Another level keeps the tag, which then is no proof of that record."""
    number, line = next((number, line) for number, line in enumerate(capture) if is_record(line) and old in line)
    forged = line.replace(old, new)
    if old == "tag=":
        forged = forged[:-9] + ("00000000" if not line.endswith("00000000") else "11111111")
    done = decode(capture[:number + 1] + [forged] + capture[number + 1:], "--summary")
    assert done.returncode == 1
