# SPDX-License-Identifier: Apache-2.0
"""What make builds again after a change, and where it may write: in a copy of the tree, so that nothing here is touched."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
sys.path.insert(0, str(ROOT / "scripts"))
from rooms import FOLDERS  # noqa: E402

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.M)


def run(tree, *arguments, path=None, user=None):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    if user is not None:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    return subprocess.run(command, cwd=tree, env=environment | ({"PATH": path} if path else {}), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=1200)


def build(tree, *arguments, **options):
    """The steps that make prints, such as ("CC", "vm/vm.c")."""
    done = run(tree, "-j2", *arguments, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return [tuple(line.split()[:2]) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def tree():
    """A copy of the sources, built once. Everybody may read it: a test builds from it as another user."""
    with tempfile.TemporaryDirectory(prefix="ariel-build-") as folder:
        os.chmod(folder, 0o755)
        copy = Path(folder) / "ariel"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build", "dist", ".git", ".*cache", "__pycache__"))
        build(copy)
        yield copy


def includes_of(tree, path):
    """The files that path includes by its text. Assembly takes asm-offsets.h, which is made from asm-offsets.c."""
    found = set()
    for name in INCLUDE.findall((tree / path).read_text()):
        if name == "asm-offsets.h":
            name = "../arch/aarch64/asm-offsets.c"
        for folder in ("include", os.path.dirname(path), "guest"):
            candidate = os.path.normpath(os.path.join(folder, name))
            if (tree / candidate).exists():
                found.add(candidate)
                break
    return found


def dependents(tree, header):
    """The sources that reach header through their includes."""
    files = [str(path.relative_to(tree)) for folder in (*FOLDERS, "guest", "include")
             for path in (tree / folder).rglob("*.[chS]")]
    includes = {path: includes_of(tree, path) for path in files}
    reached, size = {header}, 0
    while size != len(reached):
        size = len(reached)
        reached |= {path for path in files if includes[path] & reached}
    return {path for path in reached if path.endswith((".c", ".S")) and not path.endswith(("asm-offsets.c", "ds.S", "ld.S"))}


def test_nothing_changed_nothing_is_built(tree):
    assert build(tree) == []
    assert build(tree) == []


@pytest.mark.parametrize("header", ["include/hv/vtimer.h", "include/hv/siphash.h", "include/hv/guest_abi.h"])
def test_a_header_rebuilds_what_includes_it(tree, header):
    expected = dependents(tree, header)
    assert expected
    (tree / header).touch()
    built = {name for step, name in build(tree) if step == "CC" and not name.startswith("build/")}
    # guest_image.S carries the guest: it follows when the guest was linked again.
    if any(name.startswith("guest/") for name in expected):
        expected.add("arch/aarch64/guest_image.S")
    assert built == expected
    assert build(tree) == []


def test_one_source_is_compiled_alone(tree):
    (tree / "vm/vm.c").touch()
    steps = build(tree)
    assert [name for step, name in steps if step == "CC"] == ["vm/vm.c"]
    assert ("LD", "build/hypervisor.elf") in steps and not any("guest" in name for _, name in steps)


def test_another_policy_remakes_only_its_tables(tree):
    steps = build(tree, "POLICY=lockdown")
    assert steps[0] == ("POLICY", "policy/lockdown.toml")
    assert [name for step, name in steps if step == "CC"] == ["build/generated/policy_tables.c"]
    assert not any("guest" in name for _, name in steps)
    assert build(tree, "POLICY=lockdown") == []
    assert ("POLICY", "policy/diag.toml") in build(tree)


def test_a_policy_with_a_folder_of_its_own_shares_the_objects(tree):
    """As make run-linux does it; a new policy's file in any place."""
    shutil.copy(tree / "policy/observe.toml", tree / "mine.toml")
    arguments = ("OBJECTS=build", "BUILD=build/policy-mine", "POLICY=mine.toml")
    steps = build(tree, *arguments)
    assert [name for step, name in steps if step in ("CC", "POLICY")] == [
        "mine.toml", "build/policy-mine/generated/policy_tables.c"]
    assert ("LD", "build/policy-mine/hypervisor.elf") in steps
    assert build(tree, *arguments) == []
    assert build(tree) == []
    planned = run(tree, "-n", "run-linux", "POLICY=mine.toml")
    assert planned.returncode == 0 and "OBJECTS=build BUILD=build/policy-mine" in planned.stdout


@pytest.mark.parametrize("variable", ["GUEST_TEST=gic", "GUEST_POWEROFF=1"])
def test_the_guests_variables_remake_the_guest_alone(tree, variable):
    for arguments in ((variable,), ()):
        steps = build(tree, *arguments)
        assert [name for step, name in steps if step == "CC"] == ["guest/main.c", "arch/aarch64/guest_image.S"]
        assert [name for step, name in steps if step == "LD"] == ["build/guest.elf", "build/hypervisor.elf"]
        assert build(tree, *arguments) == []


def test_other_sources_of_the_guest_remake_the_guest_alone(tree):
    (tree / "guest/other.c").write_text((tree / "guest/main.c").read_text())
    for arguments in (("GUEST_MAIN=guest/other.c",), ()):
        assert ("LD", "build/guest.elf") in (steps := build(tree, *arguments))
        assert not [name for step, name in steps if step == "CC" and name.startswith(("core/", "mm/", "vdev/"))]
    (tree / "guest/other.c").unlink()


def test_a_file_that_is_gone_is_no_obstacle(tree):
    header = tree / "include/hv/gone.h"
    source = tree / "lib/gone.c"
    header.write_text("// SPDX-License-Identifier: Apache-2.0\n#pragma once\n")
    source.write_text("#include <hv/gone.h>\n")
    assert ("CC", "lib/gone.c") in build(tree)
    header.unlink()
    source.write_text("")
    assert ("CC", "lib/gone.c") in build(tree)
    source.unlink()
    build(tree)
    assert build(tree) == []


def test_sources_may_be_read_only(tree):
    """As another user, who can write to a folder of his own alone."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become another user")
    with tempfile.TemporaryDirectory(prefix="ariel-output-") as folder:
        os.chown(folder, NOBODY, NOBODY)
        arguments = ("guest", f"BUILD={folder}/b")
        assert ("LD", f"{folder}/b/guest.elf") in build(tree, *arguments, user=NOBODY)
        assert build(tree, *arguments, user=NOBODY) == []
        assert ("CC", "guest/main.c") in build(tree, *arguments, "GUEST_POWEROFF=1", user=NOBODY)
    done = run(tree, "BUILD=build", user=NOBODY)
    assert done.returncode != 0
    assert "BUILD=build: cannot write to this folder; name another with BUILD=<folder>" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("goal, tool, package", [("run", "qemu-system-aarch64", "qemu-system-arm"),
                                                 ("all", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")])
def test_a_missing_tool_is_named(tree, tmp_path, goal, tool, package):
    """Where it cannot be installed: a PATH without the tool, without apt-get."""
    for folder in ("/bin", "/usr/bin"):
        for path in Path(folder).iterdir():
            if path.name not in (tool, "apt-get") and not (tmp_path / path.name).exists():
                (tmp_path / path.name).symlink_to(path)
    done = run(tree, goal, path=str(tmp_path))
    assert done.returncode != 0 and not done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert lines[0] == "ariel lacks:" and len(lines) == 3
    assert tool in lines[1] and f"(Debian: {package})" in lines[1]
    assert lines[2] == "bootstrap: no apt-get on this system: install the above by hand, then run make again"
