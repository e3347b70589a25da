#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make cutoff RUNS=n SEED=n: Linux writes to an ext4 disk, and the monitor's `halt` ends it at a random moment.

In each run the guest makes, renames and removes files without end. Some of them it syncs (fsync) and then says so on its
console, with their checksums. After the end a copy of the disk must be whole once its journal is played back (e2fsck -p,
then e2fsck -fn), and each file that the guest called synced must be there with its bytes: what a device has reported as
flushed is on the disk, in the order in which it was asked for. The disk goes on to the next run as it was left, so that
Linux plays its journal back too.
"""

import argparse
import gzip
import hashlib
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/qemu"), str(ROOT / "tests/linux"), str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_devices  # noqa: E402  (folders, not packages)
import make_disk  # noqa: E402
import run_linux  # noqa: E402
import shell_initrd  # noqa: E402
from harness import build_policy  # noqa: E402
from linux import Linux  # noqa: E402

DISK_SIZE = 64 << 20
LATEST = 8.0  # seconds from the first synced file to the end
SYNCED = re.compile(r"^@synced (\d+) ([0-9a-f]{64})$")
TROUBLE = re.compile(r"Kernel panic|Oops|BUG:|I/O error|EXT4-fs (error|warning)|event=(virtio-fault|abort|panic|serror|vm-stop)")
# The guest's program. dd with conv=fsync syncs the file, and its name with it; the other files are left to the journal's
# own commits. $1: the number of the first synced file. A synced file is removed when 64 others have followed it.
WRITER = r"""
mkdir -p /mnt/noise /mnt/synced
(i=0; while :; do
    i=$((i + 1))
    dd if=/dev/urandom of=/mnt/noise/a$((i % 7)) bs=1k count=$((i % 300))
    mkdir -p /mnt/noise/d$((i % 5))/e
    mv /mnt/noise/a$((i % 7)) /mnt/noise/d$((i % 5))/b
    [ $((i % 4)) != 0 ] || rm -r /mnt/noise/d$((i % 3))
done) 2> /dev/null &
n=$1
while :; do
    dd if=/dev/urandom of=/tmp/new bs=1021 count=$((1 + n * 13 % 150)) 2> /dev/null
    sum=$(sha256sum < /tmp/new | cut -c 1-64)
    dd if=/tmp/new of=/mnt/synced/$n bs=64k conv=fsync 2> /dev/null && echo "@synced $n $sum"
    rm -f /mnt/synced/$((n - 64))
    n=$((n + 1))
done
"""
CHECKED = 32  # of those that were synced last: the guest goes on for a moment, and its lines are not seen any more


class CutoffError(Exception):
    """The disk is not what it has to be."""


def tool(*words):
    """(exit status, output) of a program of e2fsprogs."""
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{make_disk.SBIN}"}
    done = subprocess.run([str(word) for word in words], capture_output=True, env=environment, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def check(image, synced):
    """image: a copy of the disk. synced: {number: sha256} of the files that have to be there."""
    status, said, _ = tool("e2fsck", "-p", image)
    if status not in (0, 1):
        raise CutoffError(f"e2fsck -p ends with {status}: {said.decode()}")
    status, said, _ = tool("e2fsck", "-fn", image)
    if status != 0:
        raise CutoffError(f"after the journal was played back e2fsck -fn ends with {status}: {said.decode()}")
    for number, checksum in synced.items():
        _, data, error = tool("debugfs", "-R", f"cat /synced/{number}", image)
        if hashlib.sha256(data).hexdigest() != checksum:
            raise CutoffError(f"/synced/{number}, which was synced, has {len(data)} bytes that are not those: {error.strip()[-200:]}")


def boot(folder, policy):
    words = ["--policy", f"policy/{policy}.toml", "--cmdline=console=ttyAMA0 quiet", "--folder", str(folder), "--image",
             str(folder / "shell/Image"), "--initrd", str(folder / "shell/initrd.gz"), "--disk", str(folder / "disk.img")]
    choices = run_linux.arguments_of().parse_args(words)
    loads, _ = run_linux.prepare(choices)
    return Linux(elf=build_policy(policy), loads=loads, wait=300, life=900,
                 extra=shlex.join(guest_devices.parse(choices).arguments()))


def synced_lines(lines):
    return {int(match[1]): match[2] for match in map(SYNCED.match, lines) if match}


def run(folder, policy, rng, first):
    """One run; returns {number: sha256} of what was synced."""
    with boot(folder, policy) as linux:
        linux.expect_shell()
        linux.done("mount -t ext4 /dev/vda /mnt")
        linux.send(f"sh /writer {first}\n")
        linux.expect_line(SYNCED.pattern)
        limit = time.monotonic() + rng.uniform(0, LATEST)
        while time.monotonic() < limit:
            linux.expect_line(SYNCED.pattern)
        linux.attention()
        linux.command("halt")
        status = linux.expect_exit(120)
        found = [line for line in linux.lines if TROUBLE.search(line)]
        if status != 0 or found:
            raise CutoffError(f"QEMU ended with {status}; on the console: {found}")
        return synced_lines(linux.lines)


def cutoff(options, folder):
    rng = random.Random(options.seed)
    _, initrd = shell_initrd.write(folder / "shell")
    archive = shell_initrd.cpio_entry(1, "writer", 0o100644, WRITER.encode()) + shell_initrd.cpio_entry(2, "TRAILER!!!", 0, b"")
    initrd.write_bytes(initrd.read_bytes() + gzip.compress(archive, mtime=0))
    (folder / "empty").mkdir()
    make_disk.make(folder / "empty", DISK_SIZE, folder / "disk.img")
    first = total = 0
    for number in range(1, options.runs + 1):
        try:
            synced = run(folder, options.policy, rng, first)
            shutil.copyfile(folder / "disk.img", folder / "copy.img")
            last = max(synced)
            check(folder / "copy.img", {n: checksum for n, checksum in synced.items() if n > last - CHECKED})
        except (AssertionError, CutoffError):
            options.capture.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "disk.img", options.capture / "disk.img")
            print(f"FAILED in run {number} with SEED={options.seed}; the disk: {options.capture}/disk.img", flush=True)
            raise
        first, total = last + 1, total + len(synced)
        print(f"run {number} of {options.runs}: {len(synced)} files synced, all there; file system clean", flush=True)
    print(f"cutoff: passed, {options.runs} runs, SEED={options.seed}: {total} files synced, no byte lost")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", default="linux")
    parser.add_argument("--capture", type=Path, default=Path("build/cutoff"), help="where a disk that fails is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cutoff(options, Path(folder))


if __name__ == "__main__":
    main()
