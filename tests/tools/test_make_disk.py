# SPDX-License-Identifier: Apache-2.0
"""`make disk`: an image has what the folder has, and is sound; what cannot be made is one line, and leaves nothing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import make_disk  # noqa: E402  (a folder, not a package)
from make_disk import DiskError  # noqa: E402

TOOLS = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}  # where e2fsprogs is


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    (root / "a folder/deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a folder/deep/random").write_bytes(os.urandom(300001))
    (root / "program").write_bytes(b"#!/bin/sh\n")
    (root / "program").chmod(0o755)
    os.symlink("a folder/deep", root / "link")
    with open(root / "holes", "wb") as file:
        file.truncate(64 << 20)
    return root


def tool(*command):
    return subprocess.run(command, capture_output=True, env=TOOLS, timeout=120)


def refused(*arguments):
    with pytest.raises(DiskError) as caught:
        make_disk.make(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_image_has_what_the_folder_has(folder, tmp_path):
    image = tmp_path / "new/disk.img"
    assert make_disk.make(folder, 32 << 20, image) == 7
    assert image.stat().st_size == 32 << 20 and os.listdir(image.parent) == ["disk.img"]
    assert tool("e2fsck", "-fn", str(image)).returncode == 0
    data = tool("debugfs", "-R", 'cat "/a folder/deep/random"', str(image)).stdout
    assert hashlib.sha256(data).digest() == hashlib.sha256((folder / "a folder/deep/random").read_bytes()).digest()
    names = tool("debugfs", "-R", "ls -p /", str(image)).stdout.decode()
    assert "/100755/" in names and "/holes/" in names and "/empty/" in names and "/120777/" in names
    assert f"/{64 << 20}/" in names  # with its size, without its holes' blocks


def test_an_image_replaces_the_one_before(folder, tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(b"old")
    make_disk.make(folder, 16 << 20, image)
    assert image.stat().st_size == 16 << 20
    assert image.stat().st_mode & 0o777 == 0o666 & ~make_disk.current_umask()


@pytest.mark.parametrize("text, size", [("1G", 1 << 30), ("512m", 512 << 20), ("1048576", 1 << 20), ("1025K", 1 << 20),
                                        ("16T", 16 << 40)])
def test_sizes(text, size):
    assert make_disk.parse_size(text) == size


@pytest.mark.parametrize("text, why", [("", "SIZE=: write a size as 1G or 512M"), ("big", "SIZE=big: write"), ("-1", "SIZE=-1: write"),
                                       ("1.5G", "SIZE=1.5G: write"), ("0", "SIZE=0: must be 1M to 16T"), ("17T", "SIZE=17T: must be")])
def test_sizes_that_cannot_be(text, why):
    with pytest.raises(DiskError, match=f"^{why}"):
        make_disk.parse_size(text)


def test_what_cannot_be_made_is_one_line(folder, tmp_path, monkeypatch):
    out = tmp_path / "disk.img"
    assert refused(tmp_path / "nowhere", 1 << 20, out) == f"ROOT={tmp_path}/nowhere: no such folder"
    assert refused(folder / "program", 1 << 20, out) == f"ROOT={folder}/program: not a folder"
    assert refused(folder, 16 << 20, folder) == f"OUT={folder}: a folder; name a file"
    assert refused(folder, 16 << 20, folder / "disk.img").endswith("so the image would be of itself")
    assert refused(folder, 16 << 20, tmp_path / "a,b") == f"OUT={tmp_path}/a,b: DISK= takes no name with a comma"
    assert refused(folder, 16 << 20, folder / "program/disk.img").startswith(f"OUT={folder}/program/disk.img: ")
    assert refused(folder, 16 << 20, Path("/dev/null")) == "OUT=/dev/null: not a file"
    (folder / "large").write_bytes(os.urandom(5 << 20))
    assert refused(folder, 4 << 20, out).startswith("SIZE=4M: too small: the 8 files of")
    # What is too small only with the file system's own blocks mke2fs says itself
    why = refused(folder, make_disk.contents(folder)[0], out)
    assert why.startswith("SIZE=6M: mke2fs: Could not allocate block") and why.endswith("; try SIZE=23M or more")
    monkeypatch.setattr(make_disk.shutil, "disk_usage", lambda path: type("usage", (), {"free": 1 << 20}))
    assert refused(folder, 16 << 20, out) == f"OUT={out}: not enough space: the files take 6M, and 1M are free there"
    assert os.listdir(tmp_path) == ["root"]


def test_a_file_system_that_is_full_leaves_nothing(folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(make_disk.os, "ftruncate", full)
    assert refused(folder, 16 << 20, tmp_path / "disk.img") == f"OUT={tmp_path}/disk.img: No space left on device"
    assert os.listdir(tmp_path) == ["root"]


def test_make_disk(folder, tmp_path):
    def make(*words):
        return subprocess.run(["make", "-s", "disk", *words], cwd=ROOT, capture_output=True, text=True, timeout=600)
    done = make(f"ROOT={folder}", "SIZE=16M", f"OUT={tmp_path}/my disk.img")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (f"{tmp_path}/my disk.img: ext4, 16M, with the 7 files and folders of {folder}; "
                           f"make run-linux DISK={tmp_path}/my disk.img has it as /dev/vda\n")
    for words, why in (([], "ROOT: name the folder"), ([f"ROOT={folder}", "SIZE=huge"], "SIZE=huge: write a size")):
        lines = [line for line in make(*words).stderr.splitlines() if not line.startswith("make")]
        assert len(lines) == 1 and lines[0].startswith(why)
