# SPDX-License-Identifier: Apache-2.0
"""ariel learn: what was seen is let through, all else that could be seen is denied, and no row can be left out."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
import trace_maker  # noqa: E402
from ariel.__main__ import main  # noqa: E402
from ariel.learn import facts as reading, rows as making, text, under  # noqa: E402
from ariel.trace import Trace  # noqa: E402

LEARN = ROOT / "policy" / "learn.toml"


@pytest.fixture(scope="module")
def tables():
    return under.read_tables()


@pytest.fixture(autouse=True)
def made_under_learn(monkeypatch, tables):
    """Traces are made as under policy/learn.toml."""
    policy = under.compile_text("policy/learn.toml", LEARN.read_bytes(), tables)
    monkeypatch.setattr(trace_maker, "POLICY_ROWS", tuple((f"policy/learn.toml:{row.line}", row.text, row.why, row.action)
                                                          for row in policy.rows))


def learn(path, tables):
    """(facts, unseen, rows) of one trace."""
    facts = reading.Facts(tables)
    with Trace(path) as trace:
        unseen = under.unseen(under.load_policy(trace.meta, None, "a", tables))
        facts.add(trace, -1, 0)
    return facts, unseen, making.make_rows(facts, unseen, tables)


def verdicts(rows, tables):
    """{(group, name, way): action} of the policy that rows are."""
    policy = under.compile_text("x.toml", text.make_text("x", ["a"], rows, {}, []).encode(), tables)
    return {(key.group, key.name, way): verdict["action"] for (key, way), verdict in policy.verdicts.items()}


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=strategies.integers(0, 1 << 20), records=strategies.integers(60, 900), cpus=strategies.integers(1, 3))
def test_what_was_seen_and_nothing_else(seed, records, cpus, tmp_path, tables):
    trace_maker.make_trace(tmp_path / "a.trace", records=records, cpus=cpus, seed=seed)
    facts, unseen, rows = learn(tmp_path / "a.trace", tables)
    decided = verdicts(rows, tables)
    answered = {place: fact.action for place, fact in facts.seen.items() if fact.actions and fact.key.name not in making.NO_ROW}
    assert {place: decided[place] for place in answered} == answered
    others = set(decided) - set(answered) - set(unseen)
    spared = {place for place in others if place[0] in ("hvc", "smccc", "smc", "cause") and (*place[:2], 1) in answered}
    spared |= {place for place in others if place[0] == "cause" and (place[1] in making.NO_ROW or decided[place] == "emulate")}
    assert {place: decided[place] for place in others - spared if decided[place] != "deny"} == {}


def test_no_row_can_be_left_out(tmp_path, tables):
    trace_maker.make_trace(tmp_path / "a.trace", records=3000, cpus=2)
    facts, _, rows = learn(tmp_path / "a.trace", tables)
    answered = {place for place, fact in facts.seen.items() if fact.actions and fact.key.name not in making.NO_ROW}
    mine = [row for row in rows if row.section == making.SEEN and row.table != "virtio"]
    assert len(mine) > 8
    plain = [row for row in rows if row.table != "virtio"]  # which need their transports
    for row in mine:
        decided = verdicts([other for other in plain if other is not row], tables)
        assert any(decided[place] == "deny" for place in answered), row


def test_command(tmp_path, capsys):
    trace_maker.make_trace(tmp_path / "a.trace", records=3000, cpus=2)
    out = tmp_path / "mine.toml"
    assert main(["learn", str(tmp_path / "a.trace"), "-o", str(out), "--explain"]) == 0
    assert "emulate  read  ID_AA64PFR0_EL1" in capsys.readouterr().out
    words = out.read_text()
    assert tomllib.loads(words)["default"]["action"] == "deny" and tomllib.loads(words)["name"] == "mine"
    assert "# ---- not exercised" in words and "DBGBVR0_EL1 .. DBGBVR15_EL1" in words and "INCOMPLETE" not in words
    assert main(["learn", str(tmp_path / "a.trace"), "-o", str(out), "--json"]) == 0
    assert json.loads(out.read_text())["rows"][0]["section"] == "seen"


def test_what_is_refused(tmp_path, capsys, monkeypatch):
    trace_maker.make_trace(tmp_path / "lost.trace", records=6000, cpus=2, drops=((1, 1, 10),))
    out = tmp_path / "mine.toml"

    def says(*arguments):
        assert main(["learn", *arguments, "-o", str(out)]) == 1 and not out.exists()
        errors = capsys.readouterr().err
        assert errors.count("\n") == 1
        return errors

    lost = str(tmp_path / "lost.trace")
    assert "10 records were lost" in says(lost)
    assert "is not the policy that" in says(lost, "--under", str(ROOT / "policy" / "linux.toml"))
    monkeypatch.setattr(trace_maker, "POLICY_ROWS", (("nowhere.toml:1", "default", "", "deny"),))
    trace_maker.make_trace(tmp_path / "other.trace", records=100, cpus=1)
    assert "'nowhere.toml', which is not here" in says(str(tmp_path / "other.trace"))
    assert main(["learn", lost, "-o", str(out), "--partial"]) == 0
    assert "# INCOMPLETE (--partial)" in out.read_text() and "lost.trace: 10 records were lost" in out.read_text()
