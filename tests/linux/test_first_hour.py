# SPDX-License-Identifier: Apache-2.0
"""docs/FIRST-HOUR.md, typed into a fresh copy of the tree: each command works and its output has the words of the page."""

import os
import shutil
import subprocess

from conftest import ROOT
from first_hour import Session, steps_of

RELEASE = b"Linux version 6.1."  # of the kernel that the page is about, Debian 12's: in another one functions differ
VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONDONTWRITEBYTECODE")


def copy_of_the_tree(folder):
    """The files under version control, or, in an unpacked archive, all of them; the kernel that was fetched is not fetched again."""
    listed = subprocess.run(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    (folder / ".cache").symlink_to(ROOT / ".cache")


def test_every_command_of_the_page(installer, tmp_path):
    copy_of_the_tree(tmp_path)
    steps = steps_of((ROOT / "docs/FIRST-HOUR.md").read_text(encoding="utf-8"))
    environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    with open(tmp_path / "session.txt", "w", encoding="utf-8") as screen:
        session = Session(tmp_path, environment, screen=screen, compare=RELEASE in installer[0].read_bytes())
        try:
            session.run(steps)
        finally:
            session.close()
    page = (tmp_path / "build/boot.html").read_text(encoding="utf-8")
    assert "__cpuinfo_store_cpu" in page and len(page) < 20_000_000
