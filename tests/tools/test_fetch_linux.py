# SPDX-License-Identifier: Apache-2.0
"""scripts/fetch_linux.py: the package manager brings the tested kernel; what it can't bring is one line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import fetch_linux  # noqa: E402
from fetch_linux import FOLDER, PACKAGE, RELEASES, FetchError, fetch  # noqa: E402

APT = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
pkgnames*) printf '%s\\n' {names} ;;
*update) exit 0 ;;
*download*) {download} ;;
esac
"""


@pytest.fixture(params=RELEASES)
def release(request):
    return request.param


@pytest.fixture
def package(tmp_path, release):
    """A package with the two files in their places."""
    tree = tmp_path / "tree"
    folder = FOLDER.format(release)
    (tree / folder).mkdir(parents=True)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(f"Package: {PACKAGE.format(release)}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\n"
                                         "Description: x\n")
    (tree / folder / "linux").write_text("kernel")
    (tree / folder / "initrd.gz").write_text("initrd")
    subprocess.run(["dpkg-deb", "-b", tree, tmp_path / "made.deb"], check=True, capture_output=True)
    return tmp_path / "made.deb"


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """Puts an apt-get and an apt-cache first; the index has what names says."""
    def install(download, names=f"debian-installer {PACKAGE.format(9)} {PACKAGE.format(12)}"):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, log in (("apt-get", tmp_path / "log"), ("apt-cache", "/dev/null")):
            (folder / name).write_text(APT.format(log=log, download=download, names=names))
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return tmp_path / "log"
    return install


def test_fetches_once(tmp_path, release, package, apt):
    log = apt(f"cp {package} x_1_all.deb", PACKAGE.format(release))
    for _ in range(2):
        paths = fetch(tmp_path / "cache", tmp_path / "no-root")
        assert [path.read_text() for path in paths] == ["kernel", "initrd"]
    assert len(log.read_text().splitlines()) == 1 and log.read_text().rstrip().endswith(PACKAGE.format(release))
    assert sorted(path.name for path in (tmp_path / "cache/debian-installer").iterdir()) == ["initrd.gz", "linux"]
    assert len(list((tmp_path / "cache").iterdir())) == 1  # nothing half done is left


def test_the_newest_release_of_the_index_is_fetched(tmp_path, apt):
    log = apt("exit 1", " ".join(PACKAGE.format(number) for number in (9, *sorted(RELEASES), 99)))
    with pytest.raises(FetchError):
        fetch(tmp_path / "cache", tmp_path / "no-root")
    assert log.read_text().splitlines()[0].endswith(PACKAGE.format(max(RELEASES)))


def test_uses_the_installed_package(tmp_path, release, apt):
    log = apt("exit 1")
    folder = tmp_path / "root" / FOLDER.format(release)
    folder.mkdir(parents=True)
    for name in fetch_linux.NAMES:
        (folder / name).write_text(name)
    assert fetch(tmp_path / "cache", tmp_path / "root") == (folder / "linux", folder / "initrd.gz")
    assert not log.exists()


def test_an_old_index_is_renewed(tmp_path, release, package, apt, monkeypatch):
    monkeypatch.setattr(fetch_linux, "as_root", lambda: [])
    log = apt(f"[ $(wc -l < {tmp_path}/log) -gt 2 ] && cp {package} x_1_all.deb || "
              "{ echo 'E: 404' >&2; exit 100; }", PACKAGE.format(release))
    fetch(tmp_path / "cache", tmp_path / "no-root")
    assert [("update" in line) for line in log.read_text().splitlines()] == [False, True, False]


@pytest.mark.parametrize("names, reason", [(PACKAGE.format(12), "E: Unable to locate package"),
                                           (PACKAGE.format(9), "not in the package index")])
@pytest.mark.parametrize("root, advice", [([], ""), (None, ".*have an administrator run apt-get update")])
def test_no_such_package(tmp_path, apt, monkeypatch, names, reason, root, advice):
    monkeypatch.setattr(fetch_linux, "as_root", lambda: root)
    apt("echo 'E: Unable to locate package' >&2; exit 100", names)
    with pytest.raises(FetchError, match=reason + advice) as caught:
        fetch(tmp_path / "cache", tmp_path / "no-root")
    assert "\n" not in str(caught.value) and "LINUX_IMAGE=" in str(caught.value)
    assert not (tmp_path / "cache/debian-installer").exists()


def test_a_damaged_package_is_not_kept(tmp_path, release, package, apt):
    package.write_bytes(package.read_bytes()[:-200])
    apt(f"cp {package} x_1_all.deb", PACKAGE.format(release))
    with pytest.raises(FetchError, match="cannot unpack"):
        fetch(tmp_path / "cache", tmp_path / "no-root")
    assert not (tmp_path / "cache/debian-installer").exists()


def test_no_package_manager(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="no apt-get and dpkg-deb on this system"):
        fetch(tmp_path / "cache", tmp_path / "no-root")
