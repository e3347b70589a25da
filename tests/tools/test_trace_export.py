# SPDX-License-Identifier: Apache-2.0
"""tools/ariel/export: what other programs get of a trace, read by decoders that share nothing with the writers."""

import collections
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
from ariel.export import chrome, ftrace, perfetto, table  # noqa: E402
from ariel.symbols import Symbols  # noqa: E402
from ariel.trace import Trace  # noqa: E402
from ariel.trace_format import TYPE_EXIT, TYPE_VIRTIO  # noqa: E402
import trace_maker  # noqa: E402

RECORDS = 10_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(trace, symbols, records, lines): a trace that all exports are made of."""
    folder = tmp_path_factory.mktemp("export")
    trace_maker.make_trace(folder / "a", records=RECORDS, cpus=2)
    (folder / "System.map").write_text(trace_maker.system_map())
    with Trace(folder / "a") as trace:
        symbols = Symbols.load(folder / "System.map")
        symbols.solve_trace(trace)
        yield trace, symbols, numpy.concatenate(list(trace.batches())), list(trace.texts())


def exported(write, made, **more):
    output = io.BytesIO()
    write(made[0], made[1], output, **more)
    return output.getvalue()


def of_type(records, kind):
    return records[records["type"] == kind]


# ---- Perfetto

def fields(data):
    """[(number, value)] of a protobuf message: an int, or bytes for what has a length."""
    found, at = [], 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                assert shift <= 70  # ten bytes: no reader takes more
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found.append((tag >> 3, varint()))
        else:
            assert tag & 7 == 2
            size = varint()
            found.append((tag >> 3, data[at:at + size]))
            assert at + size <= len(data)
            at += size
    return found


def many(message, number):
    return [value for found, value in message if found == number]


def one(message, number, default=None):
    values = many(message, number)
    assert len(values) <= 1
    return values[0] if values else default


class Perfetto:
    """What a viewer makes of the file: tracks, their slices (begin, end, name, notes) and instants. Numbers of fields are
    those of protos/perfetto/trace: trace_packet.proto, track_event/*.proto, interned_data.proto."""

    def __init__(self, data):
        self.names = {number: {} for number in (1, 2, 3, 29)}  # of InternedData: categories, events, notes, strings
        self.tracks, self.slices, self.instants, self.open = {}, [], [], collections.defaultdict(list)
        events = []
        for number, packet in fields(data):
            assert number == 1  # Trace.packet
            packet = fields(packet)
            assert one(packet, 10) == 1  # trusted_packet_sequence_id
            if not events and not self.tracks and not self.names[1]:
                assert one(packet, 13) == 1 and one(packet, 87) == 1  # the first: state cleared
            for number in self.names:
                for entry in many(fields(one(packet, 12, b"")), number):
                    entry = fields(entry)
                    assert one(entry, 1) not in self.names[number] and one(entry, 1) > 0
                    self.names[number][one(entry, 1)] = one(entry, 2).decode()
            if one(packet, 60) is not None:
                track = fields(one(packet, 60))
                self.tracks[one(track, 1)] = track
            if one(packet, 11) is not None:
                event = fields(one(packet, 11))
                assert one(event, 11) in self.tracks  # described before it is used
                events.append((one(packet, 8), event))
                if one(event, 9) != 2:
                    assert one(packet, 13) == 2  # needs the names
        for time, event in sorted(events, key=lambda found: found[0]):
            self.take(time, event)
        assert not any(self.open.values())

    def take(self, time, event):
        kind, track = one(event, 9), one(event, 11)
        if kind == 2:
            begin, name, category, notes = self.open[track].pop()
            self.slices.append((track, begin, time, name, category, notes))
            return
        category = self.names[1][one(event, 3)]
        if kind == 3:
            self.instants.append((track, time, category, one(event, 23).decode()))
            return
        assert kind == 1
        notes = {}
        for note in many(event, 4):
            note = fields(note)
            value = self.names[29][one(note, 17)] if one(note, 17) is not None else one(note, 3, one(note, 7))
            notes[self.names[3][one(note, 1)]] = value
        self.open[track].append((time, self.names[2][one(event, 10)], category, notes))
        assert len(self.open[track]) == 1  # no slice lies in another one


@pytest.fixture(scope="module")
def seen(made):
    return Perfetto(exported(perfetto.write, made))


def test_perfetto_has_every_exit(made, seen):
    boot, records = made[0].boots[-1], of_type(made[2], TYPE_EXIT)
    slices = sorted((found[1], found[2], found[5]["pc"], found[5]["value"], found[5]["sequence"])
                    for found in seen.slices if found[4] == "exit")
    begin, spent = boot.nanoseconds(records["entry"]), boot.duration_ns(records["exit"] - records["entry"])
    assert slices == sorted(zip(begin.tolist(), (begin + spent).tolist(), records["pc"].tolist(), records["value"].tolist(),
                                records["sequence"].tolist()))
    first = min((found for found in seen.slices if found[4] == "exit"), key=lambda found: found[1])
    assert first[3] == "read AIDR_EL1" and first[5]["function"] == "__cpuinfo_store_cpu+0x9c"
    assert first[5]["verdict"] == "emulate" and first[5]["row"] == "policy/linux.toml:8"
    calls = {found[5]["function"] for found in seen.slices if found[3] == "psci-cpu-on"}
    assert calls == {"psci_cpu_on+0x24"}  # not the function that all calls go through


def test_perfetto_has_every_request_on_a_track_without_overlap(made, seen):
    requests = of_type(made[2], TYPE_VIRTIO)
    slices = [found for found in seen.slices if found[4] == "virtio"]
    assert sorted((found[5]["sector"], found[5]["bytes"]) for found in slices) == sorted(
        zip(requests["address"].tolist(), requests["value"].tolist()))
    tracks = {found[0] for found in slices}
    assert len(tracks) > 1  # some overlap
    assert {one(seen.tracks[track], 2) for track in tracks} == {b"virtio transport 31"}


def test_perfetto_names_machines_vcpus_and_lines(made, seen):
    processes = [fields(one(track, 3)) for track in seen.tracks.values() if one(track, 3)]
    threads = {one(fields(one(track, 4)), 5): one(fields(one(track, 4)), 2) for track in seen.tracks.values() if one(track, 4)}
    assert [(one(process, 1), one(process, 6)) for process in processes] == [(1, b"vm0")]
    assert threads == {b"vCPU 0": 1000, b"vCPU 1": 1001}
    assert sorted(text for _, _, _, text in seen.instants) == sorted(line.text or " " for line in made[3])


def test_numbers_of_all_sizes_survive():
    from ariel.export.perfetto_proto import Form
    form = perfetto.begin_form("exit", perfetto.EXIT_NOTES)
    assert isinstance(form, Form)
    values = [0, 1, 127, 128, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1]
    columns = {name: 1 for name in form.places}
    made = form.packets(len(values), {**columns, "note_pc": numpy.array(values, "u8"), "timestamp": 5})
    for value, row in zip(values, made):
        event = fields(one(fields(one(fields(row.tobytes()), 1)), 11))
        assert one(fields(many(event, 4)[1]), 7) == value


# ---- Chrome

def test_chrome(made):
    trace, _, records, lines = made
    events = json.loads(exported(chrome.write, made))["traceEvents"]
    kinds = collections.Counter(event["ph"] for event in events)
    exits, requests = of_type(records, TYPE_EXIT), of_type(records, TYPE_VIRTIO)
    assert kinds == {"X": len(exits), "b": len(requests), "e": len(requests), "i": len(lines), "M": 3}
    whole = [event for event in events if event["ph"] == "X"]
    assert [event["args"]["sequence"] for event in whole] == exits["sequence"].tolist()
    assert [event["args"]["pc"] for event in whole] == [hex(pc) for pc in exits["pc"].tolist()]
    times = trace.boots[-1].nanoseconds(exits["entry"]) / 1000
    assert numpy.abs(times - [event["ts"] for event in whole]).max() < 0.002
    begins, ends = ({event["id"]: event for event in events if event["ph"] == kind} for kind in "be")
    assert begins.keys() == ends.keys() and all(begins[number]["ts"] <= ends[number]["ts"] for number in begins)
    assert any("\\x1b[31mred" in event["name"] for event in events if event["ph"] == "i")


# ---- ftrace

def test_trace_cmd_reads_all_of_it(made, tmp_path):
    (tmp_path / "trace.dat").write_bytes(exported(ftrace.write, made))
    done = subprocess.run(["trace-cmd", "report", "-t", tmp_path / "trace.dat"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stderr
    assert done.stdout.startswith("cpus=2\n")
    # Since trace-cmd 3.2 the flags of an interrupt's state stand behind the CPU, whether there are any or not.
    rows = re.findall(r"^ +(\S+) +\[(\d+)\](?: +[^\s\d]\S*)? +(\d+)\.(\d{9}): (\w+): +(.*)$", done.stdout, re.M)
    exits = [row for row in rows if row[4] == "exit"]
    records, boot = of_type(made[2], TYPE_EXIT), made[0].boots[-1]
    shown = sorted((int(row[1]), int(row[2] + row[3]), *map(int, re.search(r"ns=(\d+) seq=(\d+)", row[5]).groups()))
                   for row in exits)
    spent = boot.duration_ns(records["exit"] - records["entry"])
    assert shown == sorted(zip(records["vcpu"].tolist(), boot.nanoseconds(records["entry"]).tolist(), spent.tolist(),
                               records["sequence"].tolist()))
    assert exits[0][5].startswith("read AIDR_EL1 pc=__cpuinfo_store_cpu+0x9c lr=finish_task+0x24 address=0x0 ")
    assert {row[0] for row in rows} == {"vm0-vcpu0-1000", "vm0-vcpu1-1001"}
    assert sum(row[4] == "virtio" for row in rows) == (made[2]["type"] == TYPE_VIRTIO).sum()
    text = "".join(row[5] for row in rows if row[4] in ("console", "log") and row[1] == "000")
    assert "Booting Linux on physical CPU 0x0000000000 [0x410fd083]" in text and "\\x1b[31mred" in text


def test_trace_cmd_reads_pages_with_far_times(tmp_path):
    """An event's header can say at most 134 ms; behind a longer pause a page begins."""
    trace_maker.make_trace(tmp_path / "a", records=300, cpus=1)
    data = bytearray((tmp_path / "a").read_bytes())
    with Trace(tmp_path / "a") as trace:
        chunk = next(chunk for chunk in trace.chunks if chunk["kind"] == 0)
        records = numpy.frombuffer(data, trace_maker.form.RECORD, int(chunk["count"]), int(chunk["offset"]) + 128).copy()
    step = trace_maker.HZ * numpy.cumsum(numpy.arange(300) % 7 == 0).astype("u8")
    records["entry"] += step
    records["exit"][records["exit"] > 0] += step[records["exit"] > 0]
    data[int(chunk["offset"]) + 128:] = records.tobytes()
    (tmp_path / "b").write_bytes(data)
    with Trace(tmp_path / "b") as trace, open(tmp_path / "trace.dat", "wb") as file:
        ftrace.write(trace, None, file)
        times = trace.boots[-1].nanoseconds(next(trace.batches(types={TYPE_EXIT}))["entry"])
    done = subprocess.run(["trace-cmd", "report", "-t", tmp_path / "trace.dat"], capture_output=True, text=True, check=True)
    shown = [int(whole + part) for whole, part in re.findall(r"(\d+)\.(\d{9}): exit:", done.stdout)]
    assert shown == times.tolist() and times[-1] > 40_000_000_000


# ---- CSV and JSON lines

def test_csv(made):
    rows = list(csv.DictReader(io.StringIO(exported(table.write, made).decode(), newline="")))
    records, lines = made[2], made[3]
    plain = [row for row in rows if row["type"] in ("exit", "virtio")]
    both = records[numpy.isin(records["type"], (TYPE_EXIT, TYPE_VIRTIO))]
    assert [int(row["pc"], 16) for row in plain] == both["pc"].tolist()
    assert [int(row["sequence"]) for row in plain] == both["sequence"].tolist()
    assert plain[0]["function"] == "__cpuinfo_store_cpu+0x9c" and plain[0]["key"] == "AIDR_EL1" and plain[0]["el"] == "1"
    unnamed = next(row for row in plain if row["key"].startswith("S3_"))
    assert unnamed["key"] == "S3_7_C15_C15_7" and unnamed["verdict"] == "deny" and unnamed["result"] == "undef"
    assert [row["text"] for row in rows if row["type"] in ("console", "log")] == [line.text for line in lines]


def test_json_lines(made):
    rows = [json.loads(line) for line in exported(table.write, made, kind="json").splitlines()]
    plain = [row for row in rows if row["type"] == "exit"]
    assert [int(row["pc"], 16) for row in plain] == of_type(made[2], TYPE_EXIT)["pc"].tolist()
    assert {row["function"] for row in plain if row["key"] == "psci-version"} == {"psci_init+0x24"}
    assert {(row["key"], row["access"]) for row in plain} >= {("psci-version", "call"), ("irq", "trap"), ("pl011", "read"),
                                                              ("pl011", "write"), ("CNTP_CVAL_EL0", "write")}
    assert [row["text"] for row in rows if row["type"] in ("console", "log")] == [line.text for line in made[3]]


@pytest.mark.parametrize("text, cell", [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-2", "'-2"), ('a"b,c', '"a""b,c"'),
                                        ("plain", "plain"), ("", "")])
def test_no_cell_of_csv_is_a_formula(text, cell):
    assert table.csv_cell(text) == cell


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_of_records_can_be_exported(made, tmp_path, seed, recwarn):
    """Damaged records give rows that mean nothing, and no error; what reads them reads on."""
    drawn = numpy.random.default_rng(seed)
    records = numpy.frombuffer(drawn.bytes(128 * 400), trace_maker.form.RECORD).copy()
    records["type"] = drawn.integers(1, 4 if seed % 2 else 255, 400)
    if seed > 1:
        records["entry"] = trace_maker.START + numpy.sort(drawn.integers(0, 10**9, 400))
        records["exit"] = records["entry"] + drawn.integers(0, 10**6, 400).astype("u8")
    head = trace_maker.header(1, 0, 0, records, opened=int(records["entry"][0]))
    meta = trace_maker.meta_chunk(1, trace_maker.make_meta(1, 1))
    (tmp_path / "a").write_bytes(meta + head.tobytes() + records.tobytes())
    with Trace(tmp_path / "a") as trace:
        broken = (trace, made[1])
        json.loads(exported(chrome.write, broken))
        assert len(exported(table.write, broken).splitlines()) > 1 and fields(exported(perfetto.write, broken))
        (tmp_path / "trace.dat").write_bytes(exported(ftrace.write, broken))
    subprocess.run(["trace-cmd", "report", tmp_path / "trace.dat"], capture_output=True, check=True)
    assert not recwarn.list


def test_memory_does_not_grow_with_the_trace(tmp_path):
    """All exports of 30,000 and of 600,000 records. What symbols take is the same for both."""
    program = ("import importlib, sys; sys.path.insert(0, sys.argv[2]); from ariel.trace import Trace;"
               "module = importlib.import_module('ariel.export.' + sys.argv[3]); output = open('/dev/null', 'wb');"
               "module.write(Trace(sys.argv[1]), None, output);"
               "print(int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]) // 1024)")
    for name in ("perfetto", "ftrace"):
        sizes = []
        for records in (150_000, 500_000):
            trace_maker.make_trace(tmp_path / "a", records=records, cpus=4)
            done = subprocess.run([sys.executable, "-c", program, tmp_path / "a", ROOT, name], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            sizes.append(int(done.stdout))
        assert sizes[1] < 160 and sizes[1] - sizes[0] < 15, (name, sizes)
