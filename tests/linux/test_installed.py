# SPDX-License-Identifier: Apache-2.0
"""A disk that holds a system of its own boots by the kernel and the initrd that are on it, taken from the image by the
commands of docs/LINUX.md, without root."""

import gzip
import os
import re
import shlex
import struct
import subprocess
from pathlib import Path

import make_disk
import shell_initrd

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
SECTOR = 512

# What the initrd of a distribution does with root=.
START = b"""root=$(sed 's/.*root=\\([^ ]*\\).*/\\1/' /proc/cmdline)
mount -t ext4 $root /mnt
cp /bin/busybox /mnt/bin/busybox
exec switch_root /mnt /sbin/init
"""
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox sed -n 's/^\\([^ ]*\\) \\/ ext4 .*/the root is \\1/p' /proc/mounts
exec /bin/busybox poweroff -f
"""


def system(root, kernel, initrd):
    """Fills a folder with what an installer leaves, as far as it takes to see that it runs."""
    for name in ("boot", "bin", "sbin", "proc", "dev"):
        (root / name).mkdir(parents=True)
    archive = shell_initrd.cpio_entry(1, "start", 0o100644, START) + shell_initrd.cpio_entry(2, "TRAILER!!!", 0, b"")
    (root / "boot/vmlinuz-6.1.0-40-arm64").write_bytes(kernel.read_bytes())
    (root / "boot/initrd.img-6.1.0-40-arm64").write_bytes(initrd.read_bytes() + gzip.compress(archive, mtime=0))
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)


def with_partition(file_system, disk):
    """A disk whose first partition, 1 MiB behind its begin, has the file system."""
    size = file_system.stat().st_size
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\0\0", 0x83, b"\0\0\0", MIB // SECTOR, size // SECTOR)
    with open(disk, "wb") as file:
        file.write((bytes(446) + entry + bytes(48) + b"\x55\xaa").ljust(MIB, b"\0") + file_system.read_bytes())


def documented_commands():
    """The block of LINUX.md that takes a kernel from a disk, line by line."""
    text = (ROOT / "docs/LINUX.md").read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if "debugfs" in block)
    return block.splitlines()


def test_a_disk_boots_by_its_own_kernel(boot_linux, drivers, tmp_path):
    system(tmp_path / "root", *drivers)
    make_disk.make(tmp_path / "root", 160 * MIB, tmp_path / "ext4.img")
    with_partition(tmp_path / "ext4.img", tmp_path / "disk.img")
    *commands, run = documented_commands()
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    for command in commands:
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (command, done.stderr)
        assert "partx" not in command or "2048" in done.stdout
    words = dict(word.split("=", 1) for word in shlex.split(run) if "=" in word)
    assert words["DISK"] == "disk.img"
    linux = boot_linux(files=(tmp_path / words["LINUX_IMAGE"], tmp_path / words["LINUX_INITRD"]),
                       devices={"disk": tmp_path / "disk.img"}, cmdline=words["LINUX_CMDLINE"])
    linux.expect_line(r"the root is /dev/vda1")
    assert linux.expect_exit() == 0
