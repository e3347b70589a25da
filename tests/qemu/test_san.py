# SPDX-License-Identifier: Apache-2.0
"""EL2 built with SAN=1: checks of undefined behaviour, none of which the guest's tests get to fail."""

import re
import subprocess

import pytest
from harness import ROOT, build_policy
from test_panic import spoil


@pytest.fixture(scope="module")
def elf():
    return build_policy("diag", "SAN=1")


def checks(elf):
    """{number of the check: address of its first BRK}, and how many there are in all."""
    code = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", str(ROOT / elf)], capture_output=True,
                          text=True, check=True).stdout
    found = re.findall(r"^\s*([0-9a-f]+):\s+brk\s+#0x55([0-9a-f]{2})", code, re.M)
    return {int(number, 16): int(address, 16) for address, number in reversed(found)}, len(found)


def test_the_guests_tests_pass_and_no_check_fails(boot, elf):
    assert checks(elf)[1] > 100
    ariel = boot(elf=elf, smp=2)
    line = ariel.expect_line(r"ariel-guest: \d+ passed, 0 failed|event=panic", wait=600)
    assert "passed" in line[0], ariel.tail()


@pytest.mark.parametrize("number, name", [(18, "index out of bounds"), (20, "shift"), (22, "null or misaligned pointer")])
def test_a_check_that_fails_is_named(boot, tmp_path, elf, number, name):
    ariel = spoil(boot, tmp_path, f"set $pc = {checks(elf)[0][number]:#x}", elf=elf)
    ariel.expect_line(rf'event=panic reason="undefined behaviour: {name}" .*ec=0x3c')
    ariel.expect_line(r"event=backtrace depth=1")
