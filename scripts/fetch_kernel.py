#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches Debian's packaged kernel for arm64, which has the modules that the installer's initrd lacks, and a busybox.

fetch_kernel.py       prints the paths of the Image, of the folder with its modules, and of a busybox that needs no
                      libraries; fetches them when they are not here

The host's package manager knows the packages of its own architecture alone. This asks it with an index, a cache and a
list of installed packages of their own, kept in .cache/debian-kernel: nothing of the system's changes, no root is
needed, and the same keys verify what comes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fetch_linux import CACHE, FetchError, say

META = "linux-image-arm64"  # depends on the kernel's own package
BUSYBOX = "busybox-static"
NAMES = ("Image", "modules", "busybox")


def apt_options(folder):
    """The words that make apt work for arm64 in folder, a Path."""
    return ["-q", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64", "-o", f"Dir::State={folder}/state",
            "-o", f"Dir::State::status={folder}/state/none", "-o", f"Dir::Cache={folder}/cache",
            "-o", "Acquire::Retries=3", "-o", "APT::Sandbox::User=root"]


def run(*command, cwd=None):
    """What the command prints; FetchError with its last words when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"ended with {done.returncode}"]
        raise FetchError(f"{META}: {command[0]}: {words[-1]}")
    return done.stdout


def fetch_into(folder, work):
    """Image, modules/ and busybox in folder; all that apt needs lies in work. Both are Paths. FetchError when it can't be had."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "state/none").touch()
    options = apt_options(work)
    say(f"fetching {META} (about 80 MB with the index, verified by apt-get) for a kernel with modules")
    run("apt-get", *options, "update")
    depends = run("apt-cache", *options, "depends", META)
    package = next((line.split()[1] for line in depends.splitlines() if "Depends: linux-image-" in line), None)
    if package is None:
        raise FetchError(f"{META}: depends on no kernel: {depends.strip()[-200:]}")
    run("apt-get", *options, "download", package, BUSYBOX, cwd=work)
    for file in sorted(work.glob("*.deb")):
        run("dpkg-deb", "-x", str(file), str(work / "tree"))
    os.rename(next((work / "tree/boot").glob("vmlinuz-*")), folder / "Image")
    # Debian 13 has everything below usr/
    modules = next(path for path in (work / "tree/lib/modules", work / "tree/usr/lib/modules") if path.is_dir())
    os.rename(next(modules.iterdir()), folder / "modules")
    os.rename(next(path for path in (work / "tree/bin/busybox", work / "tree/usr/bin/busybox") if path.is_file()),
              folder / "busybox")


def fetch(cache=CACHE):
    """(the Image, the folder of its modules, a busybox), Paths. FetchError when they can't be had."""
    kept = Path(cache) / "debian-kernel"
    if not all((kept / name).exists() for name in NAMES):
        if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))):
            raise FetchError(f"{META}: no apt-get and dpkg-deb on this system to fetch it with")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder, tempfile.TemporaryDirectory(dir=kept.parent) as work:
            fetch_into(Path(folder), Path(work))
            shutil.rmtree(kept, ignore_errors=True)
            os.rename(folder, kept)  # whole or not at all
            os.mkdir(folder)         # for the clean-up
        os.chmod(kept, 0o755)
    return tuple(kept / name for name in NAMES)


if __name__ == "__main__":
    try:
        print(*fetch(), sep="\n")
    except FetchError as error:
        sys.exit(str(error))
