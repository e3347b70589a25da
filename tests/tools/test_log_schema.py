# SPDX-License-Identifier: Apache-2.0
"""docs/LOG.md, include/hv/log_schema.h, the decoder and every log call in the tree agree."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import log_schema  # noqa: E402  (which adds scripts/)
import c_source  # noqa: E402

EVENTS, FIELDS = log_schema.read_schema()
CALLS, UNREAD = log_schema.read_calls()


def test_calls_are_found():
    assert len(CALLS) > 20
    assert {"boot", "verdict", "panic"} <= {call[1] for call in CALLS}


def test_calls_and_schema_agree():
    assert list(log_schema.disagreements(EVENTS, FIELDS, CALLS, UNREAD)) == []


def test_document_is_current():
    text = (ROOT / "docs/LOG.md").read_text()
    assert log_schema.document(text, EVENTS, FIELDS, CALLS) == text, "run python3 tools/log_schema.py --write"


def test_disagreement_is_found():
    place = "core/x.c:1"
    good = [("e", "vm", ["a", "[b]"], "words")]
    fields = [("a", ""), ("b", "")]

    def problems(call, unread=()):
        return [text for text in log_schema.disagreements(good, fields, [call], unread)]

    assert problems((place, "e", "vm", (), ["a"])) == []
    assert problems((place, "e", "vm", (), ["a", "b"])) == []
    assert "no field c" in problems((place, "e", "vm", (), ["a", "c"]))[0]
    assert "without its field a" in problems((place, "e", "vm", (), ["b"]))[0]
    assert "no row" in problems((place, "f", "vm", (), ["a"]))[0]
    assert "not a constant" in problems((place, "e", "vm", (), ["a"]), [place])[0]


def test_classes_are_those_of_the_header():
    classes = [row[1] for row in c_source.rows("hv/log.h", "LOG_CLASS_TABLE")]
    assert {event[1] for event in EVENTS} <= set(classes)
    text = (ROOT / "docs/LOG.md").read_text()
    for name in classes:
        assert f"`{name}`" in text


def test_decoder_knows_events_that_exist():
    decoder = (ROOT / "tools/log_decode.py").read_text()
    names = {event[0] for event in EVENTS}
    handled = set(re.findall(r"\badd_([a-z_]+?)\b(?=\(self, record\)| =)", decoder)) - {"end", "trouble"}
    assert {name.replace("_", "-") for name in handled} <= names
