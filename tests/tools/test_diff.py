# SPDX-License-Identifier: Apache-2.0
"""tools/ariel/diff: equal traces differ in nothing, wherever KASLR put the kernel; one exit that is other is found, by kind."""

import json
import pathlib
import subprocess
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/tools")]
import trace_maker  # noqa: E402
from ariel import trace_format as form  # noqa: E402
from ariel.__main__ import main  # noqa: E402
from ariel.diff.machine import changed_fields, core_name, kernel_of  # noqa: E402

KEYS = trace_maker.tables.key_names()[0]


def make(path, records, midr="0x411fd070", slide=0, boot=1):
    """A trace of one CPU with these records, of a kernel that runs `slide` higher."""
    records = records.copy()
    records["sequence"] = numpy.arange(len(records))
    records["entry"] = trace_maker.START + 1000 * numpy.arange(1, len(records) + 1, dtype="u8")
    records["exit"] = records["entry"] + numpy.uint64(20)
    for field in ("pc", "lr", "caller"):
        records[field] += numpy.where(records[field] >= trace_maker.KERNEL, slide, 0).astype("u8")
    meta = {**trace_maker.make_meta(boot, 1), "midr": midr}
    header = trace_maker.header(boot, 0, 0, records, 0, int(records["entry"][0]))
    header["vbar_el1"] += numpy.uint64(slide)
    path.write_bytes(trace_maker.meta_chunk(boot, meta) + header.tobytes() + records.tobytes())
    return str(path)


def base():
    """Records of ID registers and devices, nothing that is noise."""
    return trace_maker.template_of(trace_maker.boot_kinds(0, 2))[0]


def diff(capsys, *words):
    """(exit status, the JSON object)"""
    status = main(["diff", *map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture
def pair(tmp_path):
    def both(first, second, **more):
        return make(tmp_path / "a", first), make(tmp_path / "b", second, **more)
    return both


def test_the_same_twice_differs_in_nothing(pair, capsys, tmp_path):
    files = pair(base(), base(), slide=0x3a0000)
    for more in ((), ("--exact",)):
        status, found = diff(capsys, *files, *more)
        assert status == 0 and not found["differ"] and found["noise"] == []
        assert found["first"] == [{"vm": 0, "vcpu": 0, "equal": found["first"][0]["equal"], "a": None, "b": None}]
    trace_maker.make_trace(tmp_path / "c", 3000)
    assert diff(capsys, tmp_path / "c", tmp_path / "c", "--exact")[0] == 0


def test_each_boot_has_its_own_place_of_the_kernel(tmp_path, capsys):
    """A file of two boots, which KASLR has put elsewhere: both have their names, and are the same."""
    both, names = tmp_path / "both", tmp_path / "map"
    names.write_text(trace_maker.system_map())
    make(tmp_path / "a", base(), slide=0x3a0000)
    make(tmp_path / "b", base(), boot=2)
    both.write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    shown = []
    for boot in ("0", "1"):
        assert main(["records", str(both), "--image", str(names), "--boot", boot, "--columns", "key,function"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and "__cpuinfo_store_cpu" in shown[0]
    assert diff(capsys, both, both, "--boot", "0", "--boot-b", "1", "--image", names, "--exact")[0] == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_one_other_value_is_found_where_it_is(tmp_path_factory, data):
    records = base()
    place = data.draw(st.sampled_from([n for n, key in enumerate(records["key"].tolist()) if KEYS[key].startswith("ID_")]))
    value = data.draw(st.integers(1, (1 << 32) - 1))
    other = records.copy()
    other["value"][place] = value
    folder = tmp_path_factory.mktemp("diff")
    out = folder / "out"
    status = main(["diff", make(folder / "a", records), make(folder / "b", other, slide=0x200000), "--json", "-o", str(out)])
    found = json.loads(out.read_text())
    name = f"read {KEYS[records['key'][place]]}"
    assert status == 1 and [row["register"] for row in found["answers"]] == [name]
    assert f"{value:#x}" in found["answers"][0]["b"]
    first = found["first"][0]
    assert first["b"]["what"] == name and first["b"]["value"] == f"{value:#x}" and first["b"]["exit"] == place
    assert not found["only_a"] and not found["only_b"] and not found["counts"] and not found["decided"]


def test_what_one_does_more_is_its_own(pair, capsys):
    records = base()
    fewer = records[records["key"] != KEYS.index("psci-cpu-on")]
    status, found = diff(capsys, *pair(records, fewer))
    assert status == 1 and not found["only_b"]
    assert [row["register"] for group in found["only_a"] for row in group["registers"]] == ["psci-cpu-on"]
    assert found["only_a"][0]["registers"][0]["new"]
    status, found = diff(capsys, *pair(records, numpy.concatenate([records, records[:1]])))
    assert status == 1 and [row["more"] for row in found["counts"]] == [1]


def test_other_decisions_are_said(pair, capsys):
    denied = base()
    denied["verdict"][0], denied["result"][0] = trace_maker.DENY, trace_maker.UNDEF
    status, found = diff(capsys, *pair(base()[:1], denied[:1]))
    assert status == 1 and found["decided"] == [{"register": found["decided"][0]["register"], "a": ["emulate/done"],
                                                 "b": ["deny/undef"]}]


def test_noise_is_no_difference_unless_it_is_too_much(pair, capsys):
    def with_interrupts(count):
        many = numpy.repeat(trace_maker.template_of([trace_maker.MIX[0]])[0], count)
        many["key"], many["cause"], many["address"], many["syndrome"] = KEYS.index("irq"), many["cause"][0], 27, 0
        return numpy.concatenate([base(), many])
    status, found = diff(capsys, *pair(with_interrupts(100), with_interrupts(120)))
    assert status == 0 and [(row["a"], row["b"]) for row in found["noise"]] == [(100, 120)]
    assert diff(capsys, *pair(with_interrupts(100), with_interrupts(120)), "--exact")[0] == 1
    status, found = diff(capsys, *pair(with_interrupts(100), with_interrupts(400)))
    assert status == 1 and [(row["a"], row["b"]) for row in found["counts"]] == [(100, 400)]


def test_how_often_a_constant_is_read_is_noise_and_its_value_is_not(pair, capsys):
    def with_reads(count, value):
        many = numpy.repeat(base()[:1], count)
        many["key"], many["value"], many["write"] = KEYS.index("CTR_EL0"), value, 0
        return numpy.concatenate([base(), many])
    assert diff(capsys, *pair(with_reads(100, 0x8444c004), with_reads(120, 0x8444c004)))[0] == 0
    status, found = diff(capsys, *pair(with_reads(100, 0x8444c004), with_reads(120, 0xb444c004)))
    assert status == 1 and [row["register"] for row in found["answers"]] == ["read CTR_EL0"]
    assert found["answers"][0]["fields"] == ["IDC 0x0 -> 0x1", "DIC 0x0 -> 0x1"]


def test_the_answer_is_one_screen(tmp_path, capsys):
    trace_maker.make_trace(tmp_path / "a", 4000, cpus=1)
    trace_maker.make_trace(tmp_path / "b", 9000, cpus=4, seed=2)
    (tmp_path / "map").write_text(trace_maker.system_map())
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--image", str(tmp_path / "map")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 25 and lines[0].startswith("A  ") and "Cortex-A72 r0p3" in lines[0] and "6.1.0-49-arm64" in lines[0]


@pytest.mark.parametrize("words, message", ((("none", "none"), "No such file"), (("map", "map"), "map")))
def test_a_trace_that_cannot_be_read_is_status_2(tmp_path, words, message):
    (tmp_path / "map").write_text("no trace")
    done = subprocess.run([sys.executable, "-m", "ariel", "diff", *(str(tmp_path / word) for word in words)], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("ariel: ") and message in done.stderr and done.stderr.count("\n") == 1


def test_names_of_machines():
    assert core_name("0x411fd070") == "Cortex-A57 r1p0" and core_name("0x410fd083") == "Cortex-A72 r0p3"
    assert core_name("0x12345678") == "MIDR 0x12345678" and core_name("unknown") == "unknown"
    assert kernel_of(["x", "[    0.0] Linux version 6.1.0-50-arm64 (a)"]) == "6.1.0-50-arm64" and kernel_of([]) == ""
    assert changed_fields("ID_MMFR0_EL1", 0x10101105, 0x10201105) == ["AuxReg 0x1 -> 0x2"]
    assert changed_fields("CTR_EL0", 0x8444c004, 0xb444c004) == ["IDC 0x0 -> 0x1", "DIC 0x0 -> 0x1"]
    assert changed_fields("MIDR_EL1", 0x10, 0x20) == ["[7:4] 0x1 -> 0x2"] and form.SLOT_SIZE == 128
