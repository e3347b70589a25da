# SPDX-License-Identifier: Apache-2.0
"""Debian's U-Boot for QEMU's virt, unmodified, under ariel: a guest that is not Linux."""

import re
import shlex

import guest_devices
import make_disk
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


def test_u_boot_boots_a_kernel_from_a_disk(tmp_path, drivers):
    """A disk that `make disk` made of a kernel and an initrd: U-Boot lists it, loads both and boots them; Linux finds the
    same disk, in the device tree that U-Boot hands on."""
    make_disk.make(drivers[0].parent, 128 << 20, tmp_path / "boot.img")
    words = [f"--folder={tmp_path}/program", f"--program={UBOOT}/u-boot.bin", "--policy=policy/firmware.toml",
             f"--disk={tmp_path}/boot.img"]
    options = run_linux.arguments_of().parse_args(words)
    loads, _ = run_linux.prepare(options)
    with Linux(elf=build_policy("firmware"), loads=loads, wait=600, life=1800,
               extra=shlex.join(guest_devices.parse(options).arguments())) as machine:
        machine.expect_text(r"Hit any key to stop autoboot")
        machine.send(" ")
        machine.expect_text(r"=> $")
        machine.send("virtio info\n")
        machine.expect_text(r"Device 0: QEMU VirtIO Block Device[^(]*\(262144 x 512\)\s+=> $")
        machine.send("ext4ls virtio 0\n")
        machine.expect_text(rf"{drivers[0].stat().st_size} Image[^=]*{drivers[1].stat().st_size} initrd.gz[^=]*=> $")
        machine.send("ext4load virtio 0 48000000 Image; ext4load virtio 0 54000000 initrd.gz\n")
        machine.expect_text(rf"{drivers[0].stat().st_size} bytes read[^=]*{drivers[1].stat().st_size} bytes read[^=]*=> $")
        machine.send("setenv bootargs console=ttyAMA0 quiet; booti 48000000 54000000:$filesize $fdtcontroladdr\n")
        machine.expect_shell()
        machine.done("mount -t ext4 -o ro /dev/vda /mnt && cmp /mnt/initrd.gz /mnt/initrd.gz && umount /mnt")
        assert not any(re.search("event=verdict|abort|virtio-fault", line) for line in machine.lines)
        machine.send("poweroff -f\n")
        assert machine.expect_exit() == 0
