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
    """apt(depends, update) puts an apt-get and an apt-cache first in PATH that have a package with a small kernel."""
    def install(depends=DEPENDS, update="exit 0", modules="lib/modules"):
        tree, tools = tmp_path / "package", tmp_path / "bin"
        for name, text in (("boot/vmlinuz-9.9-arm64", "kernel"), (f"{modules}/9.9-arm64/kernel/ramoops.ko", "module"),
                           ("DEBIAN/control", "Package: linux-image-9.9-arm64\nVersion: 1\nArchitecture: arm64\n"
                                              "Maintainer: a <a@b>\nDescription: x\n")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        subprocess.run(["dpkg-deb", "-b", str(tree), str(tmp_path / "kernel.deb")], check=True, capture_output=True)
        tools.mkdir()
        (tools / "apt-get").write_text(f'#!/bin/sh\ncase "$*" in\n*update*) {update} ;;\n'
                                       f'*download*linux-image-9.9-arm64) cp {tmp_path}/kernel.deb . ;;\n*) exit 1 ;;\nesac\n')
        (tools / "apt-cache").write_text(f"#!/bin/sh\ncat <<END\n{depends}END\n")
        for name in ("apt-get", "apt-cache"):
            (tools / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return install


@pytest.mark.parametrize("modules", ["lib/modules", "usr/lib/modules"])
def test_the_kernel_and_its_modules_are_kept(tmp_path, apt, modules):
    apt(modules=modules)
    image, folder = fetch_kernel.fetch(tmp_path / "cache")
    assert image.read_text() == "kernel"
    assert (folder / "kernel/ramoops.ko").read_text() == "module"
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\nexit 1\n")
    assert fetch_kernel.fetch(tmp_path / "cache") == (image, folder)  # from where they are kept
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
