# SPDX-License-Identifier: Apache-2.0
"""Firmware that is not Linux drives a guest's disks: Debian's U-Boot, unmodified, lists them, reads and writes sectors, and
is refused what the host's file or the policy does not allow. tests/linux boots a kernel from one."""

import re
import shlex
import sys

import pytest
from harness import ROOT, build_policy

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools"), str(ROOT / "tests/linux")]
import guest_devices  # noqa: E402  (folders, not packages)
import run_linux  # noqa: E402
from linux import Linux  # noqa: E402

UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
SECTOR = 512


@pytest.fixture
def u_boot(tmp_path):
    """u_boot(disk=..., rng=...): U-Boot at its prompt, with these devices."""
    machines = []

    def start(policy="firmware", **devices):
        words = [f"--folder={tmp_path}/program", f"--program={UBOOT}", f"--policy=policy/{policy}.toml",
                 *(f"--{name}={value}" for name, value in devices.items())]
        options = run_linux.arguments_of().parse_args(words)
        loads, _ = run_linux.prepare(options)
        machine = Linux(elf=build_policy(policy), loads=loads, wait=300, life=900,
                        extra=shlex.join(guest_devices.parse(options).arguments()))
        machines.append(machine)
        machine.expect_text(r"Hit any key to stop autoboot")
        machine.send(" ")
        machine.expect_text(r"=> $")
        return machine

    yield start
    for machine in machines:
        print(f"--- console, last lines ---\n{machine.tail(60)}\n--- unfinished: {machine.child.buffer[-2000:]!r}")
        machine.close()


def typed(machine, command):
    """What U-Boot prints for a command."""
    machine.send(f"{command}\n")
    return machine.expect_text(r"=> $")


def test_u_boot_lists_reads_and_writes_its_disks(u_boot, tmp_path):
    one, other = tmp_path / "one.img", tmp_path / "other.img"
    one.write_bytes(bytes(7 * SECTOR) + b"sector seven".ljust(SECTOR, b".") + bytes(1024 * SECTOR))
    other.write_bytes(bytes(4096 * SECTOR))
    machine = u_boot(disk=f"{one},ro {other}", rng="1")
    listed = typed(machine, "virtio info")
    assert re.findall(r"Device (\d): QEMU VirtIO Block Device[^(]*\((\d+) x 512\)", listed) == [("0", "1032"), ("1", "4096")]
    assert "1 blocks read: OK" in typed(machine, "virtio read 50000000 7 1")
    assert "sector seven...." in typed(machine, "md.b 50000000 10")
    # 128 KiB to the other disk and back, and to the last sector
    typed(machine, "mw.l 50000000 600dcafe 8000; virtio device 1")
    assert "256 blocks written: OK" in typed(machine, "virtio write 50000000 5 100")
    assert "256 blocks read: OK" in typed(machine, "virtio read 51000000 5 100")
    assert "Total of 32768 word(s) were the same" in typed(machine, "cmp.l 50000000 51000000 8000")
    assert "1 blocks written: OK" in typed(machine, "virtio write 50000000 fff 1")
    # What the host's file does not allow is an error of U-Boot's command
    typed(machine, "virtio device 0")
    assert "-5 blocks written: ERROR" in typed(machine, "virtio write 50000000 7 1")
    assert "1 blocks read: OK" in typed(machine, "virtio read 50000000 7 1")
    machine.send("poweroff\n")
    assert machine.expect_exit() == 0
    data = other.read_bytes()
    assert data[5 * SECTOR:261 * SECTOR] == bytes.fromhex("feca0d60") * (256 * SECTOR // 4)
    assert data[4095 * SECTOR:] == bytes.fromhex("feca0d60") * (SECTOR // 4)
    assert not any(data[:5 * SECTOR]) and not any(data[261 * SECTOR:4095 * SECTOR])
    assert one.read_bytes()[7 * SECTOR:7 * SECTOR + 12] == b"sector seven"
