# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the tests that boot QEMU."""

import fcntl
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import ROOT, Ariel, build_policy, run_make  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def built():
    """What the tests boot is built from these sources with make's own options: an earlier `make run GUEST_POWEROFF=1` or
    `make POLICY=lockdown` has left another guest or policy in build/. Under a second when it is there."""
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build/tests.lock", "w") as lock:  # tests may run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_make("all")


@pytest.fixture
def boot(built):
    """boot(policy=None, **Ariel's parameters) -> a booted Ariel, ended after the test; its console shows on failure."""
    machines = []

    def start(policy=None, **parameters):
        if policy:
            parameters["elf"] = build_policy(policy)
        elf = ROOT / parameters.get("elf", "build/hypervisor.elf")
        assert elf.exists(), f"{elf} is not built; run make"
        machines.append(Ariel(**parameters))
        return machines[-1]

    yield start
    for machine in machines:
        print(f"--- console, last lines ---\n{machine.tail()}")
        machine.close()


@pytest.fixture
def ariel(boot):
    """The default machine: one CPU, cortex-a57, policy diag."""
    return boot()
