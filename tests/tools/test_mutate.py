# SPDX-License-Identifier: Apache-2.0
"""scripts/mutate.py: its mutants apply to the tree as it is, and it tells a mutant that a test notices from one that
none does."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import mutate  # noqa: E402  (scripts/ is not a package)

MUTANTS = mutate.read_mutants(ROOT / "tests/mutate")
ROW = {"name": "a", "file": "x.py", "was": "1", "becomes": "2", "breaks": "counts wrong"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant["name"] for mutant in MUTANTS])
def test_each_mutant_applies_to_the_tree(mutant):
    text = (ROOT / mutant["file"]).read_text()
    assert mutate.mutated(mutant, text) != text


def test_there_are_enough_of_them_in_each_part():
    assert len(MUTANTS) >= 60
    parts = {mutant["file"].split("/")[0] for mutant in MUTANTS}
    assert parts >= {"arch", "drivers", "lib", "mm", "tools", "vdev"}


@pytest.mark.parametrize("text, why", [("2", "0 times"), ("1 1", "2 times")])
def test_what_does_not_stand_once_is_refused(text, why):
    with pytest.raises(mutate.MutantError, match=why):
        mutate.mutated(ROW, text)


@pytest.mark.parametrize("row, why", [
    ('name = "a"', "lacks becomes, breaks, file, was"),
    ('name = "a"\nfile = "x"\nwas = "1"\nbecomes = "2"\nbreaks = "b"\nkills = 1', "unknown key kills"),
])
def test_a_row_that_is_none_is_refused(tmp_path, row, why):
    (tmp_path / "x.toml").write_text(f"[[mutant]]\n{row}\n")
    with pytest.raises(mutate.MutantError, match=why):
        mutate.read_mutants(tmp_path)


class PretendTree(mutate.Tree):
    """Its one suite passes while the file says 1 or 2."""

    def __init__(self, folder):
        self.folder = folder

    def suites(self, mutant):
        return [("tests", lambda: (Path(self.folder) / mutant["file"]).read_text() in ("1", "2"))]


@pytest.mark.parametrize("becomes, killer", [("2", None), ("3", "tests")])
def test_killed_and_survived_are_told_apart(tmp_path, monkeypatch, becomes, killer):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.py").write_text("1")
    (tmp_path / "copy").mkdir()
    tree = PretendTree(str(tmp_path / "copy"))
    assert tree.killer(ROW | {"becomes": becomes}) == killer
    assert (tmp_path / "copy/x.py").read_text() == "1", "the tree is left as it was"
