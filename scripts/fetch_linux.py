#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches the kernel and initrd that ariel is tested with: the installer of Debian 12 or 13 for arm64, text version.

fetch_linux.py        prints the paths of both; fetches them first when they are not here

They come from a Debian package, of the newest release in RELEASES that the system's index has. The system's own package
manager finds, downloads and verifies it (the index is signed, the package's hash is in it); nothing is installed. The two
files are kept in .cache/debian-installer, which `make clean` leaves alone. Where the package is installed it is used as
it stands.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RELEASES = (13, 12)  # of Debian, the newest first
PACKAGE = "debian-installer-{}-netboot-arm64"  # .format(release)
ANY_PACKAGE = PACKAGE.format("|".join(map(str, RELEASES)))  # in messages
FOLDER = "usr/lib/debian-installer/images/{}/arm64/text/debian-installer/arm64"
NAMES = ("linux", "initrd.gz")
CACHE = Path(__file__).resolve().parents[1] / ".cache"
BY_HAND = "name a kernel with LINUX_IMAGE= (and LINUX_INITRD=)"


class FetchError(Exception):
    """They can't be had; the message is one line."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def both(folder):
    """The two files in a folder, or None."""
    paths = tuple(Path(folder) / name for name in NAMES)
    return paths if all(path.is_file() and os.access(path, os.R_OK) for path in paths) else None


def as_root():
    """What a command needs before it to run as root; None when there is no way."""
    if os.geteuid() == 0:
        return []
    asks = sys.stdin is not None and sys.stdin.isatty()
    sudo = shutil.which("sudo")
    if sudo and (asks or subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0):
        return [sudo]
    return None


def release_offered():
    """The newest release whose package is in the system's index; None when there is none."""
    done = subprocess.run(["apt-cache", "pkgnames", "debian-installer-"], capture_output=True, text=True)
    names = done.stdout.split()
    return next((release for release in RELEASES if PACKAGE.format(release) in names), None)


def download(folder):
    """(release, the package's file in a folder); its reason as a string when there is none."""
    release = release_offered()
    if release is None:
        return "not in the package index"
    command = ["apt-get", "-q", "-o", "Acquire::Retries=3", "download", PACKAGE.format(release)]
    if os.geteuid() == 0:
        command[1:1] = ["-o", "APT::Sandbox::User=root"]  # the folder is not the download user's to write
    done = subprocess.run(command, cwd=folder, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
    found = list(Path(folder).glob("*.deb"))
    if done.returncode == 0 and found:
        return release, found[0]
    return (done.stderr.strip().splitlines() or [f"apt-get ended with {done.returncode}"])[-1]


def unpack(release, package, folder):
    """The two files out of the package."""
    inside = FOLDER.format(release)
    members = [f"./{inside}/{name}" for name in NAMES]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as source:
        tar = subprocess.run(["tar", "-x", "-C", str(folder), "--strip-components", str(len(Path(inside).parts) + 1),
                              *members], stdin=source.stdout, capture_output=True, text=True)
        source.stdout.close()
    if tar.returncode or not both(folder):
        raise FetchError(f"{PACKAGE.format(release)}: cannot unpack {package.name}: {tar.stderr.strip()[-200:]}; {BY_HAND}")


def fetch_into(folder):
    if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))):
        raise FetchError(f"{ANY_PACKAGE}: no apt-get and dpkg-deb on this system to fetch it with; {BY_HAND}")
    say(f"fetching {ANY_PACKAGE} (about 140 MB, verified by apt-get) for its kernel and initrd")
    found = download(folder)
    if isinstance(found, str):
        root = as_root()
        if root is None:
            raise FetchError(f"{ANY_PACKAGE}: {found}; have an administrator run apt-get update, or {BY_HAND}")
        say(f"{found}: asking apt-get update for a new index")
        subprocess.run([*root, "apt-get", "-q", "update"], stdout=sys.stderr)
        found = download(folder)
    if isinstance(found, str):
        raise FetchError(f"{ANY_PACKAGE}: {found}; {BY_HAND}")
    release, package = found
    unpack(release, package, folder)
    package.unlink()


def fetch(cache=CACHE, root="/"):
    """(kernel, initrd)"""
    kept = Path(cache) / "debian-installer"
    places = [*(Path(root) / FOLDER.format(release) for release in RELEASES), kept]
    found = next(filter(None, map(both, places)), None)
    if found:
        return found
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            fetch_into(folder)
            shutil.rmtree(kept, ignore_errors=True)
            os.rename(folder, kept)  # whole or not at all
            os.mkdir(folder)         # for the clean-up
    except OSError as error:
        raise FetchError(f"{ANY_PACKAGE}: {error.filename or cache}: {error.strerror}; {BY_HAND}") from None
    os.chmod(kept, 0o755)
    say(f"kept in {os.path.relpath(kept)}")
    return both(kept)


if __name__ == "__main__":
    try:
        print(*fetch(), sep="\n")
    except FetchError as error:
        sys.exit(str(error))
