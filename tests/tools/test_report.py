# SPDX-License-Identifier: Apache-2.0
"""tools/ariel/report: the numbers of the page are those of the trace, counted here another way, and a guest's words are
text. test_report_browser.py opens the page."""

import base64
import html.parser
import io
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from hypothesis import given, strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
import trace_maker  # noqa: E402
from ariel import tables, trace_format as form  # noqa: E402
from ariel.report import write  # noqa: E402
from ariel.report.blocks import Blocks  # noqa: E402
from ariel.distribution import Distribution, octaves, percentile  # noqa: E402
from ariel.numbering import Numbering, TupleNumbering  # noqa: E402
from ariel.report.render import sparkline  # noqa: E402
from ariel.report.series import BINS, Series  # noqa: E402
from ariel import units  # noqa: E402
from ariel.symbols import Place, Symbols  # noqa: E402
from ariel.trace import Trace  # noqa: E402

EVIL = '</script><img src=x onerror="document.title=1"><b>&amp;'


class Tables(html.parser.HTMLParser):
    """The page's tables: .rows[name] has the attributes of each row, with `cells`, their data-sort or text."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.table, self.cell, self.tags = {}, None, None, []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag == "table":
            self.table = self.rows.setdefault(attributes.get("data-table", ""), [])
        elif tag == "tr" and self.table is not None:
            self.table.append({**attributes, "cells": []})
        elif tag in ("td", "th") and self.table:
            self.cell = [attributes.get("data-sort"), ""]

    def handle_data(self, data):
        if self.cell:
            self.cell[1] += data

    def handle_endtag(self, tag):
        if tag == "table":
            self.table = None
        elif tag in ("td", "th") and self.cell:
            self.table[-1]["cells"].append(self.cell[0] if self.cell[0] is not None else self.cell[1].strip())
            self.cell = None

    def body(self, name):
        """The rows of a table without its head."""
        return self.rows[name][1:]


def count_anew(path):
    """All records of a trace of one boot, read without the reader: chunk behind chunk, sorted by entry."""
    data, at, pieces = path.read_bytes(), 0, []
    while at < len(data):
        head = numpy.frombuffer(data, form.CHUNK, 1, at)[0]
        size = 128 * int(head["count"])
        if head["kind"] == form.KIND_RECORDS:
            pieces.append(numpy.frombuffer(data[at + 128:at + 128 + size], form.RECORD))
        at += 128 + size
    records = numpy.concatenate(pieces)
    return records[numpy.argsort(records["entry"], kind="stable")]


def page_of(path, symbols=None, **more):
    with Trace(path) as trace:
        output = io.StringIO()
        write(trace, symbols, output, "a.trace", **more)
        return output.getvalue()


def block(page, name):
    """A block's bytes, inflated."""
    text = re.search(rf'id="block-{name}">([^<]*)<', page)[1]
    return zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS)


def column(page, name):
    """A column of the page as numbers: what page/js/blocks.js does."""
    row = json.loads(re.search(r'id="block-index">(.*?)</script>', page)[1])[name]
    planes = numpy.frombuffer(block(page, name), "u1").reshape(row["planes"], row["count"])
    values = sum((plane.astype("u8") << numpy.uint64(8 * n) for n, plane in enumerate(planes)), numpy.zeros(row["count"], "u8"))
    return numpy.cumsum(values, dtype="u8") if row["steps"] else values


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(path, exits, page) of a trace of 20,000 records."""
    path = tmp_path_factory.mktemp("report") / "a.trace"
    trace_maker.make_trace(path, records=20_000, cpus=3)
    records = count_anew(path).copy()
    keys = tables.key_names()[0]
    records["key"][records["key"] == keys.index("sysreg-unknown")] = len(keys)  # the page names the register by its encoding
    return path, records[records["type"] == form.TYPE_EXIT], page_of(path)


def test_a_register_without_a_key_is_named_by_its_encoding(made):
    assert [row["cells"][:3] for row in Tables(made[2]).body("keys") if row["cells"][0].startswith("S3_")] == [
        ["S3_7_C15_C15_7", "register", "1"]]


def test_exits_by_key_are_those_of_the_trace(made):
    _, exits, page = made
    rows = Tables(page).body("keys")
    keys, counts = numpy.unique(exits["key"], return_counts=True)
    assert {int(row["data-key"]): int(row["cells"][2]) for row in rows} == dict(zip(keys.tolist(), counts.tolist()))
    assert [int(row["cells"][2]) for row in rows] == sorted(counts.tolist(), reverse=True)
    for row in rows:
        mine = exits[exits["key"] == int(row["data-key"])]
        cause = int(row["data-key"]) < len(tables.causes())
        assert [int(cell) for cell in row["cells"][5:8]] == [0 if cause else int((mine["write"] == 0).sum()),
                                                             int(mine["write"].sum()), len(numpy.unique(mine["pc"]))]
        assert int(row["cells"][9]) == int(mine["entry"].min()) - trace_maker.START


def test_exits_by_function_are_those_of_the_trace(made):
    _, exits, page = made
    interrupts = exits["cause"] == [row[2] for row in tables.causes()].index("irq")
    exits = exits[~interrupts]
    user = (exits["pstate"] & 0xf) == 0
    pcs, counts = numpy.unique(exits["pc"][~user], return_counts=True)
    found = {row["cells"][0]: int(row["cells"][1]) for row in Tables(page).body("functions")}
    assert sum(int(row["cells"][4]) for row in Tables(page).body("functions")) == interrupts.sum()
    assert found == {**{f"{pc:#x}": count for pc, count in zip(pcs.tolist(), counts.tolist())}, "EL0": int(user.sum())}


def test_first_touches_are_in_order_and_first(made):
    _, exits, page = made
    rows = Tables(page).body("first")
    pairs = exits["key"].astype(int) * 2 + exits["write"]
    _, first, counts = numpy.unique(pairs, return_index=True, return_counts=True)
    wanted = [(int(exits["entry"][at]) - trace_maker.START, int(exits["key"][at]), int(exits["write"][at]), int(count))
              for at, count in sorted(zip(first, counts))]
    assert [(int(row["cells"][0]), int(row["data-key"]), int(row["data-write"]), int(row["cells"][7])) for row in rows] == wanted


def test_latencies_are_those_of_the_trace_without_waits(made):
    path, exits, page = made
    with Trace(path) as trace:
        wfi = trace.meta["keys"].index("wfi")
    ticks = exits["exit"] - exits["entry"]
    rows = {int(row["data-key"]): [int(cell) for cell in row["cells"][1:7]] for row in Tables(page).body("latency")}
    assert wfi in exits["key"] and wfi not in rows
    for key, cells in rows.items():
        mine = numpy.sort(ticks[exits["key"] == key])
        at = [numpy.ceil(share * len(mine)).astype(int) - 1 for share in (0.5, 0.99)]
        assert cells == [len(mine), mine[0], mine[at[0]], mine[at[1]], mine[-1], mine.sum()]


def test_policy_rows_and_refusals_are_those_of_the_trace(made):
    path, exits, page = made
    with Trace(path) as trace:
        rows, deny = len(trace.meta["rows"]), trace.meta["verdicts"].index("deny")
    page_tables = Tables(page)
    assert [int(row["cells"][3]) for row in page_tables.body("policy")] == [int((exits["row"] == n).sum()) for n in range(rows)]
    refused = exits[(exits["verdict"] == deny) & (exits["row"] < rows)]
    assert sum(int(row["cells"][4]) for row in page_tables.body("refused")) == len(refused) > 0
    assert f"{(exits['row'] >= rows).sum():,} exits were not the policy" in page


def test_the_columns_are_the_records(made):
    path, _, page = made
    records = count_anew(path)
    records = records[(records["type"] != form.TYPE_TEXT)]
    order = numpy.argsort(records, order=("entry", "vcpu", "type"))
    facts = json.loads(block(page, "facts"))
    time, kind = column(page, "time"), column(page, "kind").astype(int)
    mine = numpy.lexsort((numpy.array(facts["kinds"]["type"])[kind], numpy.array(facts["kinds"]["vcpu"])[kind], time))
    assert (time + numpy.uint64(trace_maker.START) == records["entry"]).all()
    assert (column(page, "value")[mine] == records["value"][order]).all()
    assert (column(page, "codes")[column(page, "place").astype(int)][mine] == records["pc"][order]).all()
    assert (column(page, "addresses")[column(page, "address").astype(int)][mine] == records["address"][order]).all()
    assert (column(page, "duration")[mine] == (records["exit"] - records["entry"])[order]).all()
    keys = numpy.array(facts["kinds"]["key"])[kind][mine]
    named = keys < len(tables.key_names()[0])
    assert (keys[named] == records["key"][order][named]).all() and (~named).sum() == 1
    for field in ("row", "verdict", "write", "syndrome", "pstate"):
        assert (numpy.array(facts["kinds"][field])[kind][mine] == records[field][order]).all()


def test_a_limit_ends_the_list_and_not_the_counts(made):
    path, exits, whole = made
    page = page_of(path, limit=1000)
    assert len(column(page, "time")) == 1000
    assert Tables(page).body("keys") == Tables(whole).body("keys")
    assert "hold the first 1,000 records" in page and f"{len(exits):,}" in page


def test_functions_are_named_by_symbols_and_names_are_text(tmp_path):
    trace_maker.make_trace(tmp_path / "a", records=3000, cpus=1)
    known = {address: name for name, address in trace_maker.PC.items()}

    def lookup(address):
        base = address & ~0xfff
        return Place(known[base] + EVIL, address - base) if base in known else None

    page = page_of(tmp_path / "a", SimpleNamespace(lookup=lookup))
    assert "<img" not in page and page.count("</script>") == page.count("<script")
    names = [row["cells"][0] for row in Tables(page).body("functions")]
    assert "__cpuinfo_store_cpu" + EVIL in names and "EL0" in names
    first = Tables(page).body("first")[0]["cells"]
    assert first[3:5] == ["AIDR_EL1", "__cpuinfo_store_cpu" + EVIL + "+0x9c"]
    assert "no symbol names" not in page


def test_calls_are_charged_to_who_made_them(tmp_path):
    trace_maker.make_trace(tmp_path / "a", records=3000, cpus=3)
    (tmp_path / "System.map").write_text(trace_maker.system_map(), encoding="ascii")
    page = page_of(tmp_path / "a", Symbols.load(tmp_path / "System.map"))
    page_tables = Tables(page)
    functions = {row["cells"][0]: int(row["cells"][1]) for row in page_tables.body("functions")}
    assert functions["psci_cpu_on"] == 2 and functions["psci_init"] > 2 and "__arm_smccc_hvc" not in functions
    first = {row["cells"][3]: row["cells"][4:6] for row in page_tables.body("first")}
    assert first["psci-cpu-on"] == ["psci_cpu_on+0x24", "__arm_smccc_hvc"] and first["AIDR_EL1"] == ["__cpuinfo_store_cpu+0x9c", ""]


def test_words_of_the_guest_and_the_meta_are_text(tmp_path, monkeypatch):
    monkeypatch.setattr(trace_maker, "LINES", (EVIL,))
    rows = tuple(tuple(word if word in ("emulate", "deny") else word + EVIL for word in row) for row in trace_maker.POLICY_ROWS)
    monkeypatch.setattr(trace_maker, "POLICY_ROWS", rows)
    trace_maker.make_trace(tmp_path / "a", records=3000, cpus=1)
    page = page_of(tmp_path / "a")
    assert "<img" not in page and EVIL not in page and page.count("</script>") == page.count("<script")
    assert {line[4] for line in json.loads(block(page, "facts"))["lines"] if line[3] == 0} == {EVIL}


@pytest.mark.parametrize("records", [0, 1, 5])
def test_a_short_trace_is_a_page_too(tmp_path, records):
    trace_maker.make_trace(tmp_path / "a", records=records, cpus=1)
    assert page_of(tmp_path / "a").rstrip().endswith("</html>")


def test_what_a_trace_lacks_is_said(tmp_path):
    trace_maker.make_trace(tmp_path / "a", records=6000, cpus=2, boots=2, drops=((0, 2, 70),), cut=1000, fill=200)
    page = page_of(tmp_path / "a", boot=0)
    for words in ("70 records are missing, by their numbers. All of them are counted", "2 boots of the machine",
                  "no symbols", "exits between those here"):
        assert words in page, words
    assert [row["cells"] for row in Tables(page).rows[""] if row["cells"][0] == "0"][0][2:] == ["70", "70"]
    assert "The file is cut" in page_of(tmp_path / "a", boot=1)


def test_the_command_writes_a_page_and_says_what_is_wrong(tmp_path):
    trace_maker.make_trace(tmp_path / "a", records=500, cpus=1)

    def run(*arguments):
        return subprocess.run(["/usr/bin/python3", "-m", "ariel", "report", *map(str, arguments)], cwd=ROOT, text=True,
                              capture_output=True, check=False)

    done = run(tmp_path / "a", "-o", tmp_path / "a.html")
    assert (done.returncode, done.stderr) == (0, "") and "<!DOCTYPE html>" in (tmp_path / "a.html").read_text(encoding="utf-8")[:50]
    for arguments in ((tmp_path / "none", "-o", tmp_path / "b"), (tmp_path / "a", "-o", tmp_path / "no" / "b"),
                      (tmp_path / "a", "-o", tmp_path / "b", "--boot", "7")):
        done = run(*arguments)
        assert done.returncode == 1 and re.fullmatch(r"ariel: .+\n", done.stderr), (arguments, done.stderr)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.html"]
    assert run(tmp_path / "a", "-o", tmp_path / "b", "--limit", "-1").returncode == 2


@given(st.lists(st.lists(st.integers(0, 40) | st.integers(0, (1 << 64) - 1), max_size=20), max_size=6))
def test_numbers_stand_for_values(batches):
    numbering, seen = Numbering(), []
    for batch in batches:
        numbers = numbering.number(numpy.array(batch, "u8"))
        seen += [value for value in dict.fromkeys(batch) if value not in seen]
        assert [seen[number] for number in numbers] == batch
    assert numbering.values().tolist() == seen


@given(st.lists(st.tuples(*[st.integers(0, 3), st.integers(0, (1 << 32) - 1), st.integers(0, 2)]), min_size=1, max_size=30))
def test_numbers_stand_for_tuples(tuples):
    numbering = TupleNumbering(3)
    numbers = [numbering.number([numpy.array(part, "u8") for part in zip(*half)]) for half in (tuples[:7], tuples[7:]) if half]
    columns = numbering.values()
    assert [tuple(int(part[number]) for part in columns) for number in numpy.concatenate(numbers)] == tuples


@given(st.lists(st.integers(0, 50) | st.integers(0, 1 << 43), min_size=1, max_size=60), st.floats(0, 1))
def test_percentiles_are_exact(durations, share):
    counted = Distribution()
    for part in (durations[:9], durations[9:]):
        if part:
            counted.add(numpy.full(len(part), 7, "u2"), numpy.array(part, "u8"))
    values, counts = counted.by_key()[7]
    assert percentile(values, counts, share) == sorted(durations)[max(1, int(numpy.ceil(share * len(durations)))) - 1]
    assert [(n, count) for n, count in enumerate(octaves(values, counts).tolist()) if count] == sorted(
        (n, sum(max(1, value).bit_length() - 1 == n for value in durations)) for n in {max(1, v).bit_length() - 1 for v in durations})
    assert not counted.rounded


def test_millions_of_durations_are_rounded_and_said(monkeypatch):
    monkeypatch.setattr("ariel.distribution.PAIRS_MAX", 1000)
    counted, durations = Distribution(), numpy.arange(1, 200_001, dtype="u8")
    for part in numpy.split(durations, 100):
        counted.add(numpy.zeros(len(part), "u2"), part)
    values, counts = counted.by_key()[0]
    assert counted.rounded and counts.sum() == 200_000 and len(values) < 10_000
    assert 99_800 <= percentile(values, counts, 0.5) <= 100_000


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 1 << 40)), min_size=1, max_size=40))
def test_a_series_counts_by_time(events):
    series = Series()
    for part in (events[:5], events[5:]):
        series.add(numpy.array([group for group, _ in part], "u4"), numpy.array([time for _, time in part], "u8"))
    assert (max(time for _, time in events) // series.width) < BINS
    for group in {group for group, _ in events}:
        wanted = numpy.bincount([time // series.width for one, time in events if one == group], minlength=BINS)
        assert series.line([group], BINS) == wanted.tolist()


@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=20) | st.lists(st.integers(0, 300), max_size=20))
def test_blocks_keep_every_value(values):
    blocks = Blocks()
    blocks.add("plain", numpy.array(values, "u8"))
    blocks.add("steps", numpy.sort(numpy.array(values, "u8")), steps=True)
    page = "".join(f'<script id="block-{name}">{text}</script>' for name, text in blocks.texts.items())
    page += f'<script id="block-index">{json.dumps(blocks.index)}</script>'
    assert column(page, "plain").tolist() == values
    assert column(page, "steps").tolist() == sorted(values)


@pytest.mark.parametrize("nanoseconds, text", [(0, "0 ns"), (16, "16 ns"), (999, "999 ns"), (999.7, "1.00 µs"), (1280, "1.28 µs"),
                                               (45_100, "45.1 µs"), (640_000, "640 µs"), (3.02e9, "3.02 s"), (7.2e12, "7200 s")])
def test_durations_have_three_digits(nanoseconds, text):
    assert units.duration(nanoseconds) == text


def test_a_line_of_steps_ends_on_the_ground():
    assert sparkline([0, 4, 4, 1]) == "M0 16h1v-16h1h1v8h1V16"
    assert sparkline([]) == "M0 16V16"
