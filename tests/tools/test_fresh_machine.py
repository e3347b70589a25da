# SPDX-License-Identifier: Apache-2.0
"""scripts/fresh_machine says in one line what it cannot do, before it makes anything. What it does needs root, a mirror
and an hour; it is run by hand."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def complaint(*arguments, **variables):
    done = subprocess.run([ROOT / "scripts/fresh_machine", *arguments], env=os.environ | variables, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 2 and not done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("arguments, why", [
    ([], "usage: scripts/fresh_machine SUITE"),
    (["trixie", "HEAD", "play"], "no step 'play'; usage: "),
    (["trixie", "no-such-commit"], "no-such-commit is no commit of "),
])
def test_bad_arguments_are_one_line(arguments, why):
    assert why in complaint(*arguments)


@pytest.mark.skipif(os.geteuid() != 0, reason="root is asked for first")
def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "debootstrap").write_text("#!/bin/sh\ntouch called\n")
    (tmp_path / "debootstrap").chmod(0o755)
    (tmp_path / "mine").mkdir()
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert f"{tmp_path}/mine exists: " in complaint("trixie", FOLDER=str(tmp_path / "mine"), PATH=path)
    assert (tmp_path / "mine").is_dir() and not (tmp_path / "called").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="root is asked for first")
def test_what_debootstrap_says_is_shown(tmp_path):
    (tmp_path / "debootstrap").write_text("#!/bin/sh\necho 'E: No such suite'; exit 1\n")
    (tmp_path / "debootstrap").chmod(0o755)
    variables = {"FOLDER": str(tmp_path / "new"), "MIRROR": "file:/nowhere", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert "E: No such suite" in complaint("no-such-suite", **variables)
    assert not (tmp_path / "new").exists()
