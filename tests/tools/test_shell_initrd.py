# SPDX-License-Identifier: Apache-2.0
"""tools/shell_initrd.py: modules come with what they need, before them, and the archive is what Linux unpacks."""

import gzip
import lzma
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import shell_initrd  # noqa: E402  (a folder, not a package)
from fetch_linux import FetchError  # noqa: E402


def entries(data):
    """{name: (mode, bytes)} of a cpio archive in the "newc" format."""
    found, at = {}, 0
    while "TRAILER!!!" not in found:
        fields = [int(data[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        assert data[at:at + 6] == b"070701"
        name = data[at + 110:at + 109 + fields[11]].decode()
        start = at + 110 + fields[11] + 3 & ~3
        found[name] = (fields[1], data[start:start + fields[6]])
        at = start + fields[6] + 3 & ~3
    return found


@pytest.fixture
def modules(tmp_path):
    """A folder of modules: a needs b and c-d, b needs e, which is packed."""
    for path, needs in (("fs/a.ko", "b,c_d"), ("net/b.ko", "e"), ("net/c-d.ko", ""), ("e.ko.xz", "")):
        data = b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=" + path.encode() + b"\0"
        (tmp_path / "modules" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "modules" / path).write_bytes(lzma.compress(data) if path.endswith("xz") else data)
    return tmp_path / "modules"


def test_what_a_module_needs_comes_before_it(modules):
    found = shell_initrd.with_needs(modules, ("c_d", "a"))
    assert list(found) == ["c_d", "e", "b", "a"]
    assert found["e"].startswith(b"\x7fELF")
    with pytest.raises(FetchError, match="no module f$"):
        shell_initrd.with_needs(modules, ("a", "f"))


def test_the_archive_has_a_shell_that_loads_them(modules, tmp_path):
    (tmp_path / "busybox").write_bytes(b"busy\x1b[6nbox")
    found = entries(gzip.decompress(shell_initrd.make(modules, tmp_path / "busybox", ("a",))))
    assert found["bin/busybox"] == (0o100755, b"busy\0\0\0\0box")
    assert b"for module in e b c_d a; do insmod /modules/$module.ko" in found["init"][1] and found["init"][0] == 0o100755
    assert {"modules/e.ko", "modules/b.ko", "modules/c_d.ko", "modules/a.ko", "etc/udhcpc/default.script"} <= set(found)
    assert all(found[name] == (0o40755, b"") for name in ("bin", "dev", "mnt", "proc", "sys"))


def test_what_cannot_be_had_is_one_line(tmp_path, monkeypatch):
    def refuse():
        raise FetchError("linux-image-arm64: no network")
    monkeypatch.setattr(shell_initrd, "fetch", refuse)
    assert shell_initrd.main([f"--folder={tmp_path}/shell"]) == "linux-image-arm64: no network"
    assert not (tmp_path / "shell").exists()
