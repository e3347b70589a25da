# SPDX-License-Identifier: Apache-2.0
"""docs/SECURITY.md names tests that exist, and every proof that make prove runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|guest)/[\w/.]+):([^`]+)`", TEXT)))


def test_promises_name_tests():
    rows = [line for line in TEXT.split("## Promises")[1].split("## Proofs")[0].splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert [row for row in rows[1:] if not re.search(r"`(tests|guest)/[\w/.]+:", row)] == []


@pytest.mark.parametrize("path, name", NAMED)
def test_a_named_test_exists(path, name):
    source = (ROOT / path).read_text(encoding="utf-8")
    wanted = {".py": rf"^def {name}\(", ".c": rf'TEST\("\w+", "{re.escape(name)}"\)|TEST\({name}\)|unit_test\w*\({name}\b'}
    assert re.search(wanted[Path(path).suffix], source, re.M), f"{path} has no test {name}"


def test_proofs_are_those_of_make_prove():
    proofs = (ROOT / "scripts/prove.py").read_text(encoding="utf-8")
    section = TEXT.split("## Proofs")[1].split("## Not covered")[0]
    for path in re.findall(r'"((?:lib|core|mm|tests/prove)/\w+)\.c"', proofs):
        assert Path(path).name in section, f"{path}.c is proved, and docs/SECURITY.md does not say so"
