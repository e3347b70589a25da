# SPDX-License-Identifier: Apache-2.0
"""Another board: QEMU xlnx-versal-virt, whose RAM, GIC and UART are elsewhere. The guest sees the same machine there."""

import os
import subprocess

import pytest
from harness import ROOT


@pytest.fixture(scope="module")
def versal():
    """The build for that board."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", "-j2", "PLATFORM=versal", "build/versal/hypervisor.img"], cwd=ROOT, env=environment,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return "build/versal/hypervisor.elf"


@pytest.mark.parametrize("smp", (1, 2))  # it has two Cortex-A72
def test_the_diagnostic_guest_passes(boot, versal, smp):
    ariel = boot(elf=versal, smp=smp, platform="versal")
    ariel.expect_line(rf"event=guest-enter guest=\"diagnostic guest\" .* vcpus={smp} ")
    ariel.expect_line(r"^# ariel-guest: \d+ passed, 0 failed, ", wait=240)
    ariel.attention()
    assert ariel.command("hv selftest").ok


def test_it_comes_back_after_a_reset(boot, versal):
    ariel = boot(elf=versal, smp=2, platform="versal")
    ariel.expect_line(r"^TAP version 13$")
    ariel.attention()
    ariel.send("reset\r")
    ariel.expect_line(r"event=log-start boots=2 ")
    ariel.expect_line(r"event=guest-enter guest=\"diagnostic guest\" .* vcpus=2 ")
    ariel.expect_line(r"^TAP version 13$")
