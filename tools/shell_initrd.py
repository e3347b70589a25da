#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a small Linux that drives all of a guest's devices: Debian's packaged kernel, and an initrd with the modules that
it needs and a shell. `make shell` calls it.

shell_initrd.py --folder build/shell        writes Image and initrd.gz there

The kernel of Debian's installer has no drivers for ext4 and 9p without a network to fetch them from. Here the modules lie
in /modules, those first that others need, and /init loads them in this order. The programs are those of a busybox. Both
come from Debian's packages for arm64 (scripts/fetch_kernel.py).
"""

import argparse
import gzip
import lzma
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import linux_image  # noqa: E402  (folders, not packages)
from check_layout import read_memory_map  # noqa: E402
from fetch_kernel import fetch  # noqa: E402
from fetch_linux import FetchError  # noqa: E402

# What a guest's devices take; ext4 asks for crc32c by the name of an algorithm, which no list of needs has.
MODULES = ("virtio_mmio", "virtio_blk", "virtio_net", "virtio-rng", "virtio_console", "9pnet_virtio", "9p", "crc32c_generic",
           "ext4")
# /start is for an archive behind this one. setsid and cttyhack give the shell a terminal of its own, so that Ctrl-C works.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /modules/$module.ko || echo "no $module"; done
ip link set lo up
ip link set eth0 up 2> /dev/null
export PATH=/bin PS1='/ # '
cd /
[ ! -f /start ] || . /start
exec setsid cttyhack sh
"""
# At each prompt busybox asks the terminal where its cursor is, and does without an answer. ariel's console shows such a
# question instead of passing it on, so the question is taken out of the program.
CURSOR_QUESTION = b"\x1b[6n"
# What udhcpc calls with an address: see busybox's examples/udhcp/simple.script for the variables.
DHCP = """#!/bin/sh
case $1 in
deconfig) ip addr flush dev $interface ;;
bound | renew)
    ip addr replace $ip/$mask dev $interface
    [ -z "$router" ] || ip route replace default via ${router%% *}
    : > /etc/resolv.conf
    for server in $dns; do echo nameserver $server >> /etc/resolv.conf; done ;;
esac
"""


def cpio_entry(number, name, mode, data):
    """A file of an initramfs, in cpio's "newc" format."""
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = "070701" + "".join(f"{field:08x}" for field in fields)
    named = head.encode() + name.encode() + b"\0"
    return b"".join(part + b"\0" * (-len(part) % 4) for part in (named, data))


def module_name(path):
    """A module's name as the kernel compares it: 9pnet_virtio of 9pnet_virtio.ko.xz, virtio_rng of virtio-rng.ko."""
    return path.name.split(".ko")[0].replace("-", "_")


def module(folder, name):
    """The bytes of a kernel's module, which newer packages have compressed. folder: the modules', a Path."""
    path = next((path for path in folder.rglob("*.ko*") if module_name(path) == name.replace("-", "_")), None)
    if path is None:
        raise FetchError(f"{folder}: no module {name}")
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def with_needs(folder, names):
    """{name: bytes} of the modules and of those that they need, which come first."""
    found = {}

    def add(name):
        if name in found:
            return
        data = module(folder, name)
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for need in filter(None, needs[1].decode().split(",") if needs else []):
            add(need)
        found[name] = data

    for name in names:
        add(name)
    return found


def make(folder, busybox, names=MODULES):
    """The initrd's bytes. folder: the modules'; busybox: the program; Paths."""
    modules = with_needs(folder, names)
    program = busybox.read_bytes().replace(CURSOR_QUESTION, bytes(len(CURSOR_QUESTION)))
    folders = ("bin", "dev", "etc", "etc/udhcpc", "mnt", "modules", "proc", "root", "sys", "tmp")
    files = [*((name, 0o40755, b"") for name in folders), ("bin/busybox", 0o100755, program),
             ("init", 0o100755, INIT.replace("{modules}", " ".join(modules)).encode()),
             ("etc/udhcpc/default.script", 0o100755, DHCP.encode()),
             *((f"modules/{name}.ko", 0o100644, data) for name, data in modules.items()), ("TRAILER!!!", 0, b"")]
    return gzip.compress(b"".join(cpio_entry(number, *file) for number, file in enumerate(files, 1)), 1, mtime=0)


def write(folder):
    """Image and initrd.gz in a folder; returns their paths. FetchError, ImageError or OSError when they can't be made."""
    image, modules, busybox = fetch()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Image").write_bytes(linux_image.load_kernel(str(image), read_memory_map()).data)
    (folder / "initrd.gz").write_bytes(make(modules, busybox))
    return folder / "Image", folder / "initrd.gz"


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make a small Linux that drives all of a guest's devices.")
    parser.add_argument("--folder", default="build/shell")
    options = parser.parse_args(arguments)
    try:
        image, initrd = write(Path(options.folder))
    except (FetchError, linux_image.ImageError) as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    print(f"make run-linux LINUX_IMAGE={image} LINUX_INITRD={initrd}")
    return None


if __name__ == "__main__":
    sys.exit(main())
