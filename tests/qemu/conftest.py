# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the tests that boot QEMU."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import ROOT, Ariel, build_policy  # noqa: E402


@pytest.fixture
def boot():
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
