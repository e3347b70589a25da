# SPDX-License-Identifier: Apache-2.0
"""python3 -m ariel: what its commands say, and that bad input gets one line and no traceback."""

import collections
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
import trace_maker  # noqa: E402
from ariel.__main__ import main  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("command")
    trace_maker.make_trace(made / "a.trace", records=8000, cpus=2, boots=2, drops=((1, 1, 10),))
    trace_maker.make_trace(made / "bad.trace", records=2000, cpus=1, lies=((0, 1, 3),), cut=300)
    (made / "words").write_text("this is no trace\n")
    (made / "empty").write_text("")
    (made / "System.map").write_text(trace_maker.system_map())
    (made / "other.map").write_text(trace_maker.system_map().replace("800 T vectors", "880 T vectors"))
    return made


def run(folder, capsys, *arguments):
    """(status, output, errors). A word of the arguments that is a file of the folder is its path."""
    words = [str(folder / word) if (folder / word).exists() and word else word for word in arguments]
    try:
        status = main(words)
    except SystemExit as error:
        status = error.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def says(folder, capsys, *arguments):
    status, output, errors = run(folder, capsys, *arguments)
    assert (status, errors) == (0, "")
    return output


def test_as_a_program_in_the_root(folder):
    """The link at the root makes it `python3 -m ariel`; a reader that closes its end gets no traceback."""
    done = subprocess.run(f"{sys.executable} -m ariel records {folder}/a.trace | head -2", shell=True, cwd=ROOT,
                          capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout.startswith("time,vm,vcpu,type,sequence,")


def test_info(folder, capsys):
    text = says(folder, capsys, "info", "a.trace")
    assert "boot 0: number 1d0f000000000001" in text and "boot 1: number 1d0f000000000002" in text
    assert "policy linux-observe" in text and "vm0: Linux Image, 2 vCPUs" in text
    assert text.count("8000 records: ") == 2 and text.count(", 10 missing, 10 counted as dropped") == 2
    assert text.count("complete but for what is counted as dropped") == 2
    text = says(folder, capsys, "info", "bad.trace")
    assert "damaged: cpu 0: 3 records are missing before offset 0x" in text
    assert "damaged: the file is cut: 3 records that its chunks promise are not there" in text


def rows(folder, capsys, *arguments):
    return list(csv.DictReader(io.StringIO(says(folder, capsys, "records", "a.trace", *arguments))))


def test_records_are_chosen(folder, capsys):
    whole = rows(folder, capsys)
    exits = [row for row in whole if row["type"] == "exit"]
    assert rows(folder, capsys, "-n", "7") == whole[:7]
    assert rows(folder, capsys, "--key", "id_*", "--key", "PMCR_EL0") == [
        row for row in exits if row["key"].startswith("ID_") or row["key"] == "PMCR_EL0"]
    assert rows(folder, capsys, "--vcpu", "1", "--verdict", "deny") == [
        row for row in exits if row["vcpu"] == "1" and row["verdict"] == "deny"]
    assert rows(folder, capsys, "--type", "virtio") == [row for row in whole if row["type"] == "virtio"]
    assert rows(folder, capsys, "--type", "text") == [row for row in whole if row["type"] in ("console", "log")]
    assert rows(folder, capsys, "--row", "*:46", "--result", "undef") == [
        row for row in exits if row["place"] == "policy/linux.toml:46" and row["result"] == "undef"]
    assert rows(folder, capsys, "--access", "write", "--key", "gicd") == [
        row for row in exits if row["access"] == "write" and row["key"] == "gicd"]
    between = rows(folder, capsys, "--from", "0.01", "--to", "0.02", "--type", "exit")
    assert between == [row for row in exits if 0.01 <= float(row["time"]) <= 0.02] and len(between) > 20
    assert len(rows(folder, capsys, "--boot", "0")) > 7000


def test_records_by_function(folder, capsys):
    found = rows(folder, capsys, "--image", str(folder / "System.map"), "--function", "psci_*")
    assert {row["function"] for row in found} == {"psci_init+0x24", "psci_cpu_on+0x24"}
    assert {row["key"] for row in found} == {"psci-version", "psci-cpu-on"}


def test_records_as_json(folder, capsys):
    text = says(folder, capsys, "records", "a.trace", "-j", "--verdict", "deny", "-n", "3")
    found = [json.loads(line) for line in text.splitlines()]
    assert [row["key"] for row in found] == ["PMCR_EL0", "no-device", "S3_7_C15_C15_7"]


def test_columns_are_chosen(folder, capsys):
    """In the order that was wanted; lines of text have rows where their column is shown."""
    names = ["function", "time", "key", "x3"]
    whole = [row for row in rows(folder, capsys, "--image", "System.map") if row["type"] in ("exit", "virtio")]
    text = says(folder, capsys, "records", "a.trace", "--image", "System.map", "--columns", "function, time,key,x3")
    assert text.splitlines()[0] == "function,time,key,x3"
    assert list(csv.DictReader(io.StringIO(text))) == [{name: row[name] for name in names} for row in whole]
    every = rows(folder, capsys)
    assert rows(folder, capsys, "--columns", "text,vcpu") == [{"text": row["text"], "vcpu": row["vcpu"]} for row in every]
    lines = [row for row in every if row["type"] in ("console", "log")]
    assert says(folder, capsys, "records", "a.trace", "--columns", "text").count("\n") == 1 + len(lines) > 1
    text = says(folder, capsys, "records", "a.trace", "-j", "--columns", "key,text").splitlines()
    assert {tuple(json.loads(line)) for line in text} == {("key",), ("text",)}


@pytest.mark.parametrize("names", ["key", "access,key", "function", "vcpu,type,el,place", "verdict,result,cause,value", "x0,ns"])
@pytest.mark.parametrize("filters", [(), ("--verdict", "emulate", "--vcpu", "1"), ("--type", "virtio"), ("--from", "99999")])
def test_counts_are_those_of_the_rows(folder, capsys, names, filters):
    """What cut, sort and uniq make of all rows, and no offsets of functions."""
    shared = ("--image", "System.map", *filters)
    whole = [row for row in rows(folder, capsys, *shared) if row["type"] in ("exit", "virtio")]
    expected = collections.Counter(tuple(row[name].partition("+")[0] for name in names.split(",")) for row in whole)
    counted = rows(folder, capsys, *shared, "--by", names)
    assert {tuple(row.values())[1:]: int(row["count"]) for row in counted} == expected and len(counted) == len(expected)
    sizes = [int(row["count"]) for row in counted]
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == len(whole)
    assert rows(folder, capsys, *shared, "--by", names, "-n", "2") == counted[:2]
    text = says(folder, capsys, "records", "a.trace", *shared, "--by", names, "-j")
    assert [{name: str(cell) for name, cell in json.loads(line).items()} for line in text.splitlines()] == counted


def test_counts_have_a_bound(folder, capsys, monkeypatch):
    monkeypatch.setattr("ariel.export.counts.MOST", 10)
    status, output, errors = run(folder, capsys, "records", "a.trace", "--by", "ns,pc")
    assert (status, output, errors.count("\n")) == (1, "", 1) and "--by ns,pc: there are more than 10 different" in errors


@pytest.mark.parametrize("option", ["--columns", "--by"])
@pytest.mark.parametrize("names, words", [("key,nam", "'nam' is none of the columns "), ("", "'' is none of the columns "),
                                          ("vcpu,key,vcpu", "the column 'vcpu' is there twice")])
def test_wrong_columns_get_one_line(folder, capsys, option, names, words):
    for more in ((), ("-j",)):
        status, output, errors = run(folder, capsys, "records", "a.trace", option, names, *more)
        assert (status, output, errors.count("\n")) == (2, "", 1) and errors.startswith(f"ariel: {option}: {words}")
        assert "twice" in words or "vm, vcpu, type" in errors and errors.endswith("x3, text\n" if option == "--columns" else "x3\n")


def test_explain(folder, capsys):
    text = says(folder, capsys, "explain", "--vcpu", "0", "--image", "System.map", "a.trace", "2")
    assert text.splitlines()[0].startswith("who  vcpu=0 seq=2 pc=0xffff80008001009c <__cpuinfo_store_cpu+0x9c> us=")
    assert "why  HCR_EL2.TID3 traps it; verdict=emulate by policy/linux.toml:8" in text
    assert says(folder, capsys, "explain", "a.trace", "--vcpu", "0", "2", "--image", "System.map") == text
    assert says(folder, capsys, "explain", "a.trace", "2", "--image", "System.map", "--vcpu", "0") == text
    text = says(folder, capsys, "explain", "a.trace", "--at", "0.1")
    assert text.count("who  vcpu=") == 2 and text.count("\n\n") == 1
    assert "breakpoint" not in text
    assert "BRK Comment=1" in says(folder, capsys, "explain", "--esr", "0xf2000001")


@pytest.mark.parametrize("name, begin", [("perfetto", b"\x0a"), ("json", b'{"displayTimeUnit":"ns"'),
                                         ("ftrace", b"\x17\x08Dtracing6"), ("csv", b"time,vm,vcpu")])
def test_report_in_other_formats(folder, tmp_path, capsys, name, begin):
    """The exports have tests of their own; here they get their file, whole or not at all."""
    (tmp_path / "out").write_text("old")
    assert says(folder, capsys, "report", "a.trace", "--format", name, "--image", "System.map", "-o", str(tmp_path / "out")) == ""
    assert (tmp_path / "out").read_bytes().startswith(begin) and [path.name for path in tmp_path.iterdir()] == ["out"]
    status, _, errors = run(folder, capsys, "report", "a.trace", "--format", name, "--boot", "7", "-o", str(tmp_path / "out"))
    assert status == 1 and "there is no boot 7" in errors
    assert (tmp_path / "out").read_bytes().startswith(begin) and [path.name for path in tmp_path.iterdir()] == ["out"]
    assert says(folder, capsys, "report", "a.trace", "--format", name, "-o", "/dev/null") == ""
    assert Path("/dev/null").is_char_device()


def test_another_kernels_image_is_a_warning(folder, tmp_path, capsys):
    """The place of other.map cannot be told: what is asked for is made, with addresses."""
    status, output, errors = run(folder, capsys, "records", "a.trace", "-n", "3", "--image", "other.map")
    assert status == 0 and output == says(folder, capsys, "records", "a.trace", "-n", "3")
    assert errors.count("\n") == 1 and errors.startswith("ariel: warning: ") and "other.map: " in errors
    status, output, errors = run(folder, capsys, "report", "a.trace", "--image", "other.map", "-o", str(tmp_path / "page"))
    assert (status, output) == (0, "") and errors.count("\n") == 1 and "addresses stay without names" in errors
    page = (tmp_path / "page").read_text()
    assert "it is not known where the kernel of --image ran. " in page and str(folder) not in page
    status, _, errors = run(folder, capsys, "records", "a.trace", "--function", "x*", "--image", "other.map")
    assert status == 1 and "ariel: --function: " in errors


@pytest.mark.parametrize("arguments, words", [
    (("info", "words"), "is no trace"), (("info", "empty"), "is empty"), (("info", "nowhere"), "nowhere: No such file"),
    (("records", "a.trace", "--key", "ID_AA64PFRO_EL1"), "no key of this trace has that name; there are ID_AA64PFR"),
    (("records", "a.trace", "--verdict", "refuse"), "no verdict of this trace has that name"),
    (("records", "a.trace", "--boot", "2"), "has 2 boots, numbered from 0; there is no boot 2"),
    (("records", "a.trace", "--image", "words"), "words: "),
    (("report", "a.trace", "--image", "words", "-o", "/dev/null"), "words: neither an arm64 Image"),
    (("explain", "a.trace", "3"), "several vCPUs have an exit 3 (vCPU 0 of VM 0, vCPU 1 of VM 0): add --vcpu"),
    (("explain", "a.trace", "99999999"), "no exit 99999999 is in it"),
    (("explain", "a.trace", "--at", "0"), "no exit had begun at 0.000000000 s")])
def test_bad_input_gets_one_line(folder, capsys, arguments, words):
    status, output, errors = run(folder, capsys, *arguments)
    assert status == 1 and errors.count("\n") == 1 and errors.startswith("ariel: ") and words in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("arguments, words", [
    ((), "COMMAND"), (("inform",), "invalid choice"), (("explain", "a.trace"), "give a file and the number of an exit"),
    (("explain", "--esr", "0xg"), "'0xg' is no number from 0 to 2^64 - 1"),
    (("explain", "--esr", "1", "a.trace", "2"), "give a file and the number"),
    (("records", "a.trace", "--function", "x"), "--function needs --image"),
    (("records", "a.trace", "--by", "function"), "--by function needs --image"),
    (("records", "a.trace", "--by", "key", "--columns", "vm"), "--by has its columns itself"),
    (("records", "a.trace", "--by", "key", "--type", "text"), "name it in --columns, or leave out --by"),
    (("records", "a.trace", "--columns", "key", "--type", "text", "--type", "exit"), "in the column `text` alone"),
    (("explain", "a.trace", "2", "3"), "unrecognized arguments: 3"),
    (("records", "a.trace", "--from", "-1"), "no time in seconds"),
    (("records", "a.trace", "--from", "1e99"), "no time in seconds"),
    (("records", "a.trace", "--from", "nan"), "no time in seconds"), (("records", "a.trace", "-n", "-3"), "no number from 0"),
    (("report", "a.trace", "-o", "x", "--format", "csv", "--limit", "3"), "--limit is about the page"),
    (("records", "a.trace", "--type", "line"), "invalid choice"), (("records", "a.trace", "--boot", "x"), "no whole number")])
def test_wrong_usage_is_status_2(folder, capsys, arguments, words):
    status, _, errors = run(folder, capsys, *arguments)
    assert status == 2 and words in errors and "usage: ariel" in errors


def test_every_command_is_described():
    done = subprocess.run([sys.executable, "-m", "ariel", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    from ariel.__main__ import COMMANDS
    for name, _ in COMMANDS:
        assert name in done.stdout
        assert main_help(name).startswith(f"usage: ariel {name}")


def main_help(name):
    return subprocess.run([sys.executable, "-m", "ariel", name, "--help"], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout


def test_info_of_a_trace_of_nothing(folder, tmp_path, capsys):
    (tmp_path / "a").write_bytes(trace_maker.meta_chunk(1, trace_maker.make_meta(1, 1)))
    status, text, errors = run(folder, capsys, "info", str(tmp_path / "a"))
    assert status == 0 and errors == "" and "no records: nothing was traced" in text and "complete" not in text


def test_info_counts_exits_without_a_record(folder, tmp_path, capsys):
    records = trace_maker.Cpu(0, 1, 0, trace_maker.START, 1).block(3)
    records["sequence"] = [500, 900, 5000]
    head = trace_maker.header(1, 0, 0, records, opened=1)
    (tmp_path / "a").write_bytes(trace_maker.meta_chunk(1, trace_maker.make_meta(1, 1)) + head.tobytes() + records.tobytes())
    _, text, _ = run(folder, capsys, "info", str(tmp_path / "a"))
    assert "vm 0 vcpu 0: 4998 exits have no record, 500 of them before the first one here: a filter left them out" in text
    assert "complete but for what is counted as dropped, and exits that have no record" in text


def test_info_of_a_late_reader(folder, tmp_path, capsys):
    records = trace_maker.Cpu(0, 1, 0, trace_maker.START, 1).block(3)
    head = trace_maker.header(1, 0, 700, records, opened=1)
    (tmp_path / "a").write_bytes(trace_maker.meta_chunk(1, trace_maker.make_meta(1, 1)) + head.tobytes() + records.tobytes())
    _, text, _ = run(folder, capsys, "info", str(tmp_path / "a"))
    assert "0 missing, 0 counted as dropped, 700 older ones overwritten before the reader came" in text and "damaged" not in text
