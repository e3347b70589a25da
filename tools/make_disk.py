#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an ext4 disk image of a folder, for DISK=: make disk ROOT=some/folder SIZE=1G OUT=build/disk.img

mke2fs copies the folder into the file system that it makes (its option -d), so that neither root nor a mount is needed.
The image is a whole disk with one file system and no partitions: /dev/vda in Linux, `virtio 0` in U-Boot. Owners and
modes are those of the files. An image is written beside its place first and is there whole or not at all.
"""

import argparse
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SIZE_MIN, SIZE_MAX = 1 << 20, 16 << 40  # mke2fs needs the one, and ext4 with blocks of 4 KiB has no more than the other
SBIN = "/usr/sbin:/sbin"  # where mke2fs is, and not in everybody's PATH
BLOCK = 4096


class DiskError(Exception):
    """There is no image; the message is one line."""


def parse_size(text):
    """Bytes of a size as 1G, 512M or 1048576."""
    match = re.fullmatch(r"(\d+)([KMGT]?)", text, re.IGNORECASE)
    if not match:
        raise DiskError(f"SIZE={text}: write a size as 1G or 512M")
    size = int(match[1]) * UNITS[match[2].upper()]
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise DiskError(f"SIZE={text}: must be 1M to 16T")
    return size & -BLOCK


def say_size(size):
    """Bytes as a person reads them, rounded up: 700M."""
    return f"{-(-size >> 20)}M" if size < 10 << 30 else f"{-(-size >> 30)}G"


def contents(folder):
    """(bytes that the files of a folder take in blocks, how many files and folders it has); refuses what cannot be read."""
    total = count = 0

    def refuse(error):
        raise DiskError(f"ROOT={folder}: {error.filename}: {error.strerror}")

    for path, folders, files in os.walk(folder, onerror=refuse):
        for name in [*folders, *files]:
            status = os.lstat(os.path.join(path, name))
            count += 1
            if stat.S_ISREG(status.st_mode):
                if not os.access(os.path.join(path, name), os.R_OK):
                    raise DiskError(f"ROOT={folder}: {os.path.join(path, name)}: not readable")
                # A file with holes takes as little there as here.
                total += min(-(-status.st_size // BLOCK) * BLOCK, status.st_blocks * 512 + BLOCK)
            else:
                total += BLOCK
    return total, count


def check(root, size, out):
    """Raises what is wrong with a choice, before anything is written. root, out: Paths; out need not be there."""
    if not root.exists():
        raise DiskError(f"ROOT={root}: no such folder")
    if not root.is_dir():
        raise DiskError(f"ROOT={root}: not a folder")
    if out.is_dir():
        raise DiskError(f"OUT={out}: a folder; name a file")
    if out.exists() and not out.is_file():
        raise DiskError(f"OUT={out}: not a file")
    if "," in out.name:
        raise DiskError(f"OUT={out}: DISK= takes no name with a comma")
    if root.resolve() in out.resolve().parents:
        raise DiskError(f"OUT={out}: lies in ROOT={root}, so the image would be of itself")
    total, count = contents(root)
    if total > size:
        raise DiskError(f"SIZE={say_size(size)}: too small: the {count} files of {root} take {say_size(total)}, and the file system "
                        f"some more; try SIZE={say_size(total * 5 // 4 + (16 << 20))}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out.parent).free
    except OSError as error:
        raise DiskError(f"OUT={out}: {error.strerror}") from None
    if not os.access(out.parent, os.W_OK):
        raise DiskError(f"OUT={out}: cannot write to {out.parent}")
    if total > free:
        raise DiskError(f"OUT={out}: not enough space: the files take {say_size(total)}, and {say_size(free)} are free there")
    return total, count


def make(root, size, out):
    """Writes the image; returns how many files and folders it has."""
    total, count = check(root, size, out)
    program = shutil.which("mke2fs", path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if not program:
        raise DiskError("mke2fs: not installed; run scripts/bootstrap disk")
    number, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=out.parent)
    try:
        os.ftruncate(number, size)
        os.close(number)
        inodes = max(2 * count + 1024, size // 16384)
        done = subprocess.run([program, "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-m", "0", "-N", str(inodes), "-E",
                               "lazy_itable_init=0", "-d", str(root), name], capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or [f"mke2fs: ended with {done.returncode}"])[-1]
            hint = f"; try SIZE={say_size(total * 5 // 4 + (16 << 20))} or more" if "allocate" in why or "space" in why else ""
            raise DiskError(f"SIZE={say_size(size)}: {why}{hint}")
        os.chmod(name, 0o666 & ~current_umask())
        os.replace(name, out)
    except OSError as error:
        raise DiskError(f"OUT={out}: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)
    return count


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make an ext4 disk image of a folder.")
    parser.add_argument("--root", default="", help="the folder")
    parser.add_argument("--size", default="1G", help="of the disk: 1G, 512M")
    parser.add_argument("--out", default="build/disk.img", help="the image")
    options = parser.parse_args(arguments)
    try:
        if not options.root:
            raise DiskError("ROOT: name the folder that the disk is made of: make disk ROOT=some/folder SIZE=1G")
        size, out = parse_size(options.size), Path(options.out)
        count = make(Path(options.root), size, out)
    except DiskError as error:
        return str(error)
    print(f"{out}: ext4, {say_size(size)}, with the {count} files and folders of {options.root}; "
          f"make run-linux DISK={out} has it as /dev/vda")
    return None


if __name__ == "__main__":
    sys.exit(main())
