# SPDX-License-Identifier: Apache-2.0
"""EL2 built with LOCKS=1, which holds its locks to the order of include/hv/lock_order.h."""

import pytest
from harness import build_policy
from test_panic import spoil


@pytest.fixture(scope="module")
def elf():
    return build_policy("diag", "LOCKS=1")


@pytest.mark.parametrize("cpus", [1, 4])
def test_the_guests_tests_take_locks_in_order(boot, elf, cpus):
    ariel = boot(elf=elf, smp=cpus)
    line = ariel.expect_line(r"ariel-guest: \d+ passed, 0 failed|event=panic", wait=600)
    assert "passed" in line[0], ariel.tail()


def test_a_lock_taken_out_of_order_is_named(boot, tmp_path, elf):
    # A vCPU's interrupts are guarded under the distributor's and the UART's locks; with the rank of the first lock of
    # all they may not be.
    ariel = spoil(boot, tmp_path, "set vms[0].vcpus[0].gic.lock.rank = 1", elf=elf)
    ariel.expect_line(r'event=panic reason="lock order: vm power is taken under (vgic|uart)"')
    ariel.expect_line(r"event=backtrace depth=1")


def test_a_lock_without_a_rank_is_named(boot, tmp_path, elf):
    ariel = spoil(boot, tmp_path, "set vms[0].uart.lock.rank = 0", elf=elf)
    ariel.expect_line(r'event=panic reason="lock order: a lock without a rank is taken"')
