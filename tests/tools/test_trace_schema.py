# SPDX-License-Identifier: Apache-2.0
"""docs/TRACE.md's tables are those of include/hv/trace_schema.h, and the tables are sound."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import trace_schema  # noqa: E402  (which adds scripts/)

SCHEMA = trace_schema.read_schema()


def test_the_tables_are_sound():
    assert [row[0] for row in SCHEMA["CHUNK"]][:3] == ["magic", "version", "kind"]
    assert len(SCHEMA["RECORD"]) > 20
    assert list(trace_schema.disagreements(SCHEMA)) == []


def test_the_document_is_current():
    text = (ROOT / "docs/TRACE.md").read_text(encoding="utf-8")
    assert trace_schema.BEGIN in text and trace_schema.END in text
    assert trace_schema.document(text, SCHEMA) == text, "run python3 tools/trace_schema.py --write"


@pytest.mark.parametrize("rows, words", [
    ([("a", "u64", 0, "x"), ("b", "u8", 7, "x")], "b at 7 overlaps"),
    ([("a", "u32", 2, "x")], "a at 2 is no multiple of 4"),
    ([("a", "u8", 0, "")], "a has no sentence"),
    ([("a", "u64x4", 104, "x")], "ends at 136"),
])
def test_what_is_wrong_is_found(rows, words):
    assert any(words in problem for problem in trace_schema.disagreements({"RECORD": rows}))


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match="type i32 is none of"):
        trace_schema.size_of("i32")
