# SPDX-License-Identifier: Apache-2.0
"""scripts/fetch_kernel.py: the kernel and its modules come whole or not at all; what can't be had is one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import fetch_kernel  # noqa: E402
from fetch_linux import FetchError  # noqa: E402

DEPENDS = "linux-image-arm64\n  Depends: linux-image-9.9-arm64\n"


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """apt(depends, update) puts an apt-get and an apt-cache first in PATH that have packages with a small kernel and a
    small busybox."""
    def package(name, *files):
        tree = tmp_path / name
        control = f"Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: a <a@b>\nDescription: x\n"
        for path, text in (*files, ("DEBIAN/control", control)):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        subprocess.run(["dpkg-deb", "-b", str(tree), str(tmp_path / f"{name}.deb")], check=True, capture_output=True)

    def install(depends=DEPENDS, update="exit 0", modules="lib/modules", program="bin/busybox"):
        tools = tmp_path / "bin"
        package("linux-image-9.9-arm64", ("boot/vmlinuz-9.9-arm64", "kernel"), (f"{modules}/9.9-arm64/kernel/ramoops.ko", "module"))
        package("busybox-static", (program, "busybox"))
        tools.mkdir()
        (tools / "apt-get").write_text(f'#!/bin/sh\ncase "$*" in\n*update*) {update} ;;\n'
                                       f'*download*linux-image-9.9-arm64*busybox-static) cp {tmp_path}/*.deb . ;;\n*) exit 1 ;;\nesac\n')
        (tools / "apt-cache").write_text(f"#!/bin/sh\ncat <<END\n{depends}END\n")
        for name in ("apt-get", "apt-cache"):
            (tools / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return install


@pytest.mark.parametrize("modules, program", [("lib/modules", "bin/busybox"), ("usr/lib/modules", "usr/bin/busybox")])
def test_the_kernel_its_modules_and_busybox_are_kept(tmp_path, apt, modules, program):
    apt(modules=modules, program=program)
    image, folder, busybox = fetch_kernel.fetch(tmp_path / "cache")
    assert image.read_text() == "kernel" and busybox.read_text() == "busybox"
    assert (folder / "kernel/ramoops.ko").read_text() == "module"
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\nexit 1\n")
    assert fetch_kernel.fetch(tmp_path / "cache") == (image, folder, busybox)  # from where they are kept
    assert os.listdir(tmp_path / "cache") == ["debian-kernel"]


def test_a_kernel_that_was_kept_without_a_busybox_is_fetched_again(tmp_path, apt):
    apt()
    (tmp_path / "cache/debian-kernel/modules").mkdir(parents=True)
    (tmp_path / "cache/debian-kernel/Image").write_text("old")
    image, _, busybox = fetch_kernel.fetch(tmp_path / "cache")
    assert image.read_text() == "kernel" and busybox.read_text() == "busybox"
    assert os.listdir(tmp_path / "cache") == ["debian-kernel"]


@pytest.mark.parametrize("how, why", [({"update": "echo no network >&2; exit 100"}, "apt-get: no network"),
                                      ({"depends": "nothing\n"}, "depends on no kernel"),
                                      ({"depends": DEPENDS.replace("9.9", "8.8")}, "apt-get: ended with 1")])
def test_what_cannot_be_had_is_one_line_and_nothing_is_kept(tmp_path, apt, how, why):
    apt(**how)
    with pytest.raises(FetchError, match=why) as error:
        fetch_kernel.fetch(tmp_path / "cache")
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path / "cache") == []


def test_a_system_without_apt(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="no apt-get and dpkg-deb"):
        fetch_kernel.fetch(tmp_path / "cache")
