# SPDX-License-Identifier: Apache-2.0
"""Debian's U-Boot for QEMU's virt, unmodified, under ariel: a guest that is not Linux."""

import pytest
import run_linux
from harness import build_policy
from linux import Linux

UBOOT = "/usr/lib/u-boot/qemu_arm64"


@pytest.mark.parametrize("policy, form", [("firmware", "u-boot.bin"), ("firmware", "uboot.elf"), ("diag", "u-boot.bin"),
                                          ("linux", "u-boot.bin"), ("observe", "u-boot.bin")])
def test_u_boot_prompt_timer_and_power(tmp_path, policy, form):
    words = [f"--folder={tmp_path}", f"--program={UBOOT}/{form}", f"--policy=policy/{policy}.toml", "--cmdline=an argument"]
    loads, _ = run_linux.prepare(run_linux.arguments_of().parse_args(words))
    with Linux(elf=build_policy(policy), loads=loads, wait=600, life=1800) as machine:
        for last in ("reset", "poweroff"):
            machine.expect_text(r"Hit any key to stop autoboot")
            machine.send(" ")
            machine.expect_text(r"=> ")
            machine.send("fdt addr $fdtcontroladdr; fdt print /chosen bootargs\n")
            machine.expect_text('bootargs = "an argument"[^=]*=> ')
            machine.send("mw 50000000 600dcafe; sleep 1; md 50000000 1\n")
            machine.expect_text(r"50000000: 600dcafe[^=]*=> ")  # before that it takes what is typed for its Ctrl-C
            machine.send(f"{last}\n")
        assert machine.expect_exit() == 0
