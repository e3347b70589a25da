# SPDX-License-Identifier: Apache-2.0
"""Guests that attack EL2 (tests/hostile). Every attack ends as the architecture says; afterwards EL2's own check of its
memory passes, its monitor answers, and guest memory that nobody named is as it was.

HOSTILE_SEED and HOSTILE_COUNT (`make hostile SEED= COUNT=`) choose the random numbers and how many attacks of each kind
each CPU makes.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import ROOT

BUILD = Path("build/hostile")
SEED = int(os.environ.get("HOSTILE_SEED") or 1)
COUNT = os.environ.get("HOSTILE_COUNT")
# CPU model, CPUs, {kind: attacks on each CPU in `make test`}; 0 for sysregs: every encoding once
RUNS = [("cortex-a57", 1, {"sysregs": 0, "mmio": 3000, "calls": 3000, "gic": 5000}),
        ("cortex-a57", 4, {"gic": 1500, "calls": 1000}),
        ("max", 2, {"sysregs": 8000, "mmio": 1500, "gic": 2000, "calls": 1000})]
# Of guest RAM that no attack may change: far from the program and from where attacks may store
UNTOUCHED = "mem crc 0x60000000 0x100000"
ACCOUNT = r"^# hostile: {} seed={} cpus=(\d+) attacks=(\d+) bad=(\d+) late=(\d)$"


@pytest.fixture(scope="module")
def elf():
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/hostile").glob("*.c"))
    done = subprocess.run(["make", "-s", f"BUILD={BUILD}", f"GUEST_MAIN={' '.join(sources)}", f"{BUILD}/hypervisor.elf"],
                          cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return BUILD / "hypervisor.elf"


def ask(ariel, *commands):
    """The monitor's replies, the guest's console again."""
    ariel.attention()
    replies = [ariel.command(command) for command in commands]
    ariel.command("quit")
    return [reply.text for reply in replies]


@pytest.mark.parametrize("cpu, smp, kinds", RUNS, ids=[f"{cpu}-{smp}" for cpu, smp, _ in RUNS])
def test_el2_stands(boot, elf, capsys, cpu, smp, kinds):
    wait = 60 + int(COUNT or 0) // 100
    ariel = boot(elf=elf, cpu=cpu, smp=smp, wait=wait, life=120 + 5 * wait)
    ariel.expect_line(r"^# hostile: ready$")
    crc, = re.findall(r"crc32=?\s*(0x\w+)", ask(ariel, UNTOUCHED)[0])
    for kind, count in kinds.items():
        count = int(COUNT) if COUNT and count else count
        ariel.send(f"{kind} {SEED} {count}\r")
        match = ariel.expect_line(ACCOUNT.format(kind, SEED))
        cpus, attacks, bad, late = map(int, match.groups())
        account = f"{cpu} SMP={smp} {kind}: seed {SEED}, {cpus} CPUs, {attacks} attacks, {bad} bad"
        if "HOSTILE_SEED" in os.environ:
            with capsys.disabled():
                print(account, flush=True)
        print(account)
        assert cpus == (smp if kind in ("gic", "calls") else 1)
        assert attacks >= cpus * count * 9 // 10 and (bad, late) == (0, 0)
        after, status, _ = ask(ariel, UNTOUCHED, "status", "hv selftest")
        assert crc in after and "running" in status
    assert not [line for line in ariel.lines if "class=panic" in line]
