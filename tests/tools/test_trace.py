# SPDX-License-Identifier: Apache-2.0
"""tools/ariel/trace.py: records in order, losses, damaged and strange files, saved memory, bounded memory."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings, strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "tools")]
import c_source  # noqa: E402
from ariel import tables, trace_format as form  # noqa: E402
from ariel.lines import Lines  # noqa: E402
from ariel.printable import printable  # noqa: E402
from ariel.trace import Trace, TraceError  # noqa: E402
from ariel.trace_index import Source  # noqa: E402
import trace_maker  # noqa: E402
from trace_maker import make_trace  # noqa: E402


def read_all(trace, **more):
    """All records of a boot; checks that they are in order."""
    records = numpy.concatenate([numpy.zeros(0, form.RECORD), *trace.batches(**more)])
    assert (records["entry"][1:] >= records["entry"][:-1]).all()
    return records


def test_records_of_all_cpus_come_in_order(tmp_path):
    make_trace(tmp_path / "a", records=20_000, cpus=4)
    with Trace(tmp_path / "a") as trace:
        records = read_all(trace, size=3000)
        assert len(records) == 20_000 and trace.problems() == []
        assert {loss[1:] for loss in trace.losses().values()} == {(0, 0)}
        assert sum(loss.records for loss in trace.losses().values()) == 20_000
        data = (tmp_path / "a").read_bytes()
        # The same records as in the file, those that entered long before they were written included
        pieces = [numpy.frombuffer(data[int(chunk["offset"]) + 128:][:int(chunk["count"]) * 128], form.RECORD)
                  for chunk in trace.chunks if chunk["kind"] == form.KIND_RECORDS]
        plain = numpy.sort(numpy.concatenate(pieces).view("V128"))
        assert (numpy.sort(records.view("V128")) == plain).all()
        assert len(trace.boots[0].merger.entries) > 0


@pytest.mark.parametrize("header, table, read", [
    ("cause_table.h", "CAUSE_TABLE", 23), ("call_table.h", "HVC_CALL_TABLE", 6), ("device_table.h", "DEVICE_TABLE", 15),
    ("arch/sysreg_table.h", "SYSREG_TABLE", 379), ("virtio_request_table.h", "VIRTIO_REQUEST_TABLE", 10)])
def test_tables_are_those_that_the_compiler_sees(header, table, read):
    rows = tables.read_rows(header, table)
    assert rows == c_source.rows(f"hv/{header}", table) and len(rows) >= read


def test_layout_is_that_of_the_header():
    names = {"u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8"}
    for table, fields, dtype in (("TRACE_CHUNK_TABLE", form.CHUNK_FIELDS, form.CHUNK),
                                 ("TRACE_RECORD_TABLE", form.RECORD_FIELDS, form.RECORD)):
        rows = [(name, kind, int(offset)) for name, kind, offset, _ in c_source.rows("hv/trace_schema.h", table)]
        assert rows == [field for field in fields if not field[0].startswith("spare")]
        taken = numpy.zeros(form.SLOT_SIZE, int)
        for name in dtype.names:
            kind, offset = dtype.fields[name][:2]
            taken[offset:offset + kind.itemsize] += 1
            assert kind.base.str.lstrip("<|") in names.values()
        assert (taken == 1).all()  # no byte is in two fields, and none is in no field
    numbers = tables.read_numbers("trace_schema.h")
    assert numbers["TRACE_MAGIC"] == form.MAGIC and numbers["TRACE_VERSION"] == form.VERSION
    assert (numbers["TRACE_KIND_RECORDS"], numbers["TRACE_KIND_META"]) == (form.KIND_RECORDS, form.KIND_META)
    assert [numbers[f"TRACE_TYPE_{name}"] for name in ("EXIT", "TEXT", "VIRTIO")] == [
        form.TYPE_EXIT, form.TYPE_TEXT, form.TYPE_VIRTIO]
    assert (numbers["TRACE_TEXT_CONSOLE"], numbers["TRACE_TEXT_LOG"], numbers["TRACE_TEXT_SIZE"]) == (
        form.TEXT_CONSOLE, form.TEXT_LOG, form.TEXT_SIZE)
    assert tables.read_numbers("trace_chunk.h")["TRACE_CHUNK_SIZE"] == form.CHUNK_SIZE
    assert tables.read_numbers("trace_chunk.h")["TRACE_CHUNK_RECORDS"] == form.SLOT_MAX


def test_names_are_those_of_the_code():
    assert len(tables.key_names()[0]) == c_source.constants("hv/event_key.h", "KEY_COUNT")["KEY_COUNT"]
    first = c_source.constants("hv/event_key.h", "KEY_HVC_FIRST", "KEY_DEVICE_FIRST", "KEY_SYSREG_FIRST")
    assert list(tables.key_names()[1].values()) == list(first.values())
    for path, names in (("policy/policy.c", tables.VERDICTS), ("policy/event_key.c", tables.RESULTS)):
        found = [word for word in c_source.strings(path) if word in names]
        assert found[-len(names):] == names


def test_text_is_joined_and_harmless(tmp_path):
    make_trace(tmp_path / "a", records=60_000, cpus=3)
    with Trace(tmp_path / "a") as trace:
        lines = list(trace.texts())
    wrong = [line for line in lines if not line.whole]
    assert len(wrong) <= 3 and len(lines) > 200  # what each CPU had not ended
    console = {line.text for line in lines if line.kind == form.TEXT_CONSOLE and line.whole}
    assert trace_maker.LINES[0] in console and trace_maker.LINES[1] in console and "" in console
    assert "[    0.141000] <script>alert('a guest says this')</script> & \\x1b[31mred\\x1b[0m \\x07\\xff" in console
    assert {line.vcpu for line in lines} == {0, 1, 2} and any(line.kind == form.TEXT_LOG for line in lines)


def test_text_with_missing_pieces(tmp_path):
    """The middle of a line is dropped, then the end of one."""
    records = numpy.zeros(4, form.RECORD)
    records["type"], records["entry"], records["syndrome"] = form.TYPE_TEXT, numpy.arange(4) + 1, 64
    records["value"], records["address"], records["result"] = (1, 1, 2, 2), (0, 128, 0, 64), (0, 1, 0, 0)
    records.view(form.TEXT)["text"] = [b"a" * 64, b"c" * 64, b"x" * 64, b"y" * 64]
    path = write_chunks(tmp_path / "a", [records])
    with Trace(path) as trace:
        lines = list(trace.texts())
    assert [line.text for line in lines] == ["a" * 64 + "..." + "c" * 64, "x" * 64 + "y" * 64 + "..."]
    assert not any(line.whole for line in lines)


@pytest.mark.parametrize("text, shown", [
    ("plain", "plain"), (b"\xc3\xa4\xff\x00", "\u00e4\\xff\\x00"), ("a\tb\x1b[2J", "a\\tb\\x1b[2J"),
    ("\u202egnp.exe", "\\u202egnp.exe"), ("\U000e0041", "\\U000e0041"), ("a\u2028b", "a\\u2028b"), ("\x9b1m", "\\x9b1m")])
def test_printable(text, shown):
    assert printable(text) == shown


# ---- Losses and damage

def write_chunks(path, parts, meta=True, **fields):
    """A trace of CPU 0 with these arrays of records, a chunk each; fields: of all headers, over what is right."""
    first, data = 0, trace_maker.meta_chunk(1, trace_maker.make_meta(1, 1)) if meta else b""
    for records in parts:
        head = trace_maker.header(1, 0, first, records, opened=int(records["entry"][0]) if len(records) else 0)
        for name, value in fields.items():
            head[name] = value
        data += head.tobytes() + records.tobytes()
        first += len(records)
    path.write_bytes(data)
    return path


def test_gaps_are_the_drop_counters(tmp_path):
    make_trace(tmp_path / "a", records=9000, cpus=2, drops=((0, 0, 7), (0, 3, 100), (1, 2, 5)), fill=300)
    with Trace(tmp_path / "a") as trace:
        losses = trace.losses()
        assert [(loss.gaps, loss.drops) for loss in losses.values()] == [(107, 107), (5, 5)] and trace.problems() == []
        assert sum(loss.records for loss in losses.values()) == len(read_all(trace)) == 9000


def test_a_gap_that_nobody_counted_is_damage(tmp_path):
    make_trace(tmp_path / "a", records=9000, cpus=2, drops=((0, 1, 4),), lies=((1, 2, 9),), fill=300)
    with Trace(tmp_path / "a") as trace:
        assert trace.losses()[0][1:] == (4, 4) and trace.losses()[1][1:] == (9, 0)
        problems = trace.problems()
        assert len(problems) == 1 and problems[0].startswith("cpu 1: 9 records are missing before offset 0x")


@pytest.mark.parametrize("cut, records, words", [
    (1, 1, "1 records that its chunks promise"), (128 * 5, 5, "5 records"), (128 * 5 + 1, 6, "6 records")])
def test_cut_files_are_read_to_the_last_whole_record(tmp_path, cut, records, words):
    make_trace(tmp_path / "a", records=2000, cpus=1, cut=cut)
    with Trace(tmp_path / "a") as trace:
        assert len(read_all(trace)) == 2000 - records and trace.missing() == records
        assert any(words in problem for problem in trace.problems())


def test_a_cut_header(tmp_path):
    make_trace(tmp_path / "a", records=511, cpus=1)
    with open(tmp_path / "a", "ab") as file:
        file.write(b"ARTR\1\0\0\0" + b"\0" * 40)
    with Trace(tmp_path / "a") as trace:
        assert len(read_all(trace)) == 511 and "ends with 48 bytes of a chunk's header" in trace.problems()[0]


def test_every_place_at_which_a_file_can_be_cut(tmp_path):
    make_trace(tmp_path / "a", records=40, cpus=1, fill=16)
    data = (tmp_path / "a").read_bytes()
    for size in range(1, len(data), 37):
        (tmp_path / "b").write_bytes(data[:size])
        try:
            with Trace(tmp_path / "b") as trace:
                assert len(read_all(trace)) <= 40
                assert trace.problems()
        except TraceError as error:
            assert size < 200 and "is no trace" in str(error)


def test_a_second_file_behind_a_cut_one(tmp_path):
    """What a socket got before and after it was connected again."""
    make_trace(tmp_path / "a", records=1000, cpus=1, cut=70_000, seed=1)
    make_trace(tmp_path / "b", records=1000, cpus=1, seed=2)
    (tmp_path / "c").write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    with Trace(tmp_path / "c") as trace:
        assert any("goes on at" in damage for damage in trace.damages) and len(read_all(trace)) >= 1000


def test_boots_are_read_one_by_one(tmp_path):
    numbers = make_trace(tmp_path / "a", records=500, cpus=2, boots=3)
    with Trace(tmp_path / "a") as trace:
        assert [boot.number for boot in trace.boots] == numbers
        assert [len(read_all(trace, boot=boot)) for boot in range(3)] == [500] * 3
        assert trace.meta["boot"] == f"{numbers[-1]:016x}" and trace.boot(0).meta["boot"] == f"{numbers[0]:016x}"
        with pytest.raises(TraceError, match="has 3 boots, numbered from 0; there is no boot 3"):
            next(trace.batches(boot=3))


def test_without_a_meta_chunk_names_are_assumed(tmp_path):
    make_trace(tmp_path / "a", records=500, cpus=1, meta=False)
    with Trace(tmp_path / "a") as trace:
        assert len(read_all(trace)) == 500 and "the meta chunk is missing" in trace.problems()[0]
        assert "ID_AA64PFR0_EL1" in trace.meta["keys"]


# ---- Saved memory

def save_memory(path, chunks, size=32):
    """Chunks (header, records) at multiples of 64 KiB, None where nothing was written; behind a short chunk stands what an
    older one has left."""
    data = b""
    for head, records in chunks:
        old = numpy.full(form.SLOT_MAX * 16, 0x1111111111111111, "u8").tobytes()
        part = head.tobytes() + records.tobytes()
        data += part + old[len(part) - 128:]
    path.write_bytes(data.ljust(size * form.CHUNK_SIZE, b"\0"))
    return path


def memory_of(cpus=2, chunks=5, boot=1, newest=100):
    """What the rings hold: each full but for the newest chunk, which is being written. The oldest are overwritten."""
    made = []
    for number in range(cpus):
        cpu = trace_maker.Cpu(number, cpus, 0, trace_maker.START, 1)
        first = 0
        ring = []
        for place in range(chunks + 3):
            opened = cpu.now
            records = cpu.block(form.SLOT_MAX if place < chunks + 2 else newest)
            head = trace_maker.header(boot, number, first, records, opened=opened)
            if place == chunks + 2:
                head["closed"] = head["bytes"] = 0
            ring.append((head, records))
            first += len(records)
        ring = ring[-chunks:]
        made += ring[2:] + ring[:2]  # the ring has come round
    return made


def test_saved_memory(tmp_path):
    path = save_memory(tmp_path / "a", memory_of())
    with Trace(path) as trace:
        assert trace.is_memory and len(read_all(trace)) == 2 * (4 * form.SLOT_MAX + 100)
        assert trace.overwritten() == {0: 3 * 511, 1: 3 * 511}
        assert {loss[1:] for loss in trace.losses().values()} == {(0, 0)}
        assert [problem for problem in trace.problems() if "meta" not in problem] == []


def test_saved_memory_with_a_half_written_chunk_and_an_older_boot(tmp_path):
    """A record that was not there yet when the memory was read ends its chunk, and a header that is none is passed over."""
    chunks = memory_of()
    old = memory_of(cpus=1, boot=7)[:2]
    head, records = next(part for part in chunks if part[0]["closed"] == 0)
    records[50] = numpy.zeros(1, form.RECORD)[0]
    broken = numpy.zeros(1, form.CHUNK)
    broken["magic"], broken["version"], broken["count"] = form.MAGIC, form.VERSION, 4096
    path = save_memory(tmp_path / "a", chunks[:3] + [(broken, records[:0])] + chunks[3:] + old)
    with Trace(path) as trace:
        assert {boot.number for boot in trace.boots} == {1, 7}
        boot = [boot.number for boot in trace.boots].index(1)
        assert len(read_all(trace, boot=boot)) == 2 * (4 * form.SLOT_MAX + 100) - 50


def test_memory_in_which_only_one_ring_was_used(tmp_path):
    """The first chunk is at another place than at the file's beginning."""
    path = tmp_path / "a"
    save_memory(path, memory_of(cpus=1))
    path.write_bytes(b"\0" * form.CHUNK_SIZE + path.read_bytes())
    with Trace(path) as trace:
        assert trace.is_memory and len(read_all(trace)) == 4 * form.SLOT_MAX + 100


# ---- What is no trace

def test_not_a_trace(tmp_path):
    make_trace(tmp_path / "a", records=10, cpus=1)
    good = (tmp_path / "a").read_bytes()
    for data, words in ((b"", "is empty: no trace was written"), (b"ELF" * 100, "is no trace: it has no chunk"),
                        (b"A", "is no trace"), (b"\0" * 0x20000, "is no trace"), (b"RTRA" + good[4:], "is big-endian"),
                        (good[:4] + b"\2" + good[5:], "has format version 2; this tool reads version 1")):
        (tmp_path / "b").write_bytes(data)
        with pytest.raises(TraceError, match=words):
            Trace(tmp_path / "b")
    with pytest.raises(TraceError, match="No such file"):
        Trace(tmp_path / "c")
    with pytest.raises(TraceError, match="is no regular file"):
        Trace(tmp_path)
    with pytest.raises(TraceError, match="is no regular file"):
        Trace("/dev/zero")


@pytest.mark.parametrize("change, words", [
    ({"hz": 0}, "meta.hz is 0"), ({"keys": None}, "has no keys of type list"), ({"keys": [1]}, "has something else than names"),
    ({"rows": [1]}, "something else than objects"), ({"format": "x"}, "no object of format ariel-trace"),
    ({"record": [["pc", "u64", 0]]}, "another layout"), ({"record": [1]}, "another layout"), ({"record": None}, "another layout"),
    ({"rows_missing": -1}, "rows_missing is -1"), ({"rows_missing": "x"}, "rows_missing is 'x'"),
    ({"groups": []}, "has no groups"), ({"groups": {"device": "x"}}, "something else than numbers"),
    ({"start": -1}, "meta.start is -1"), ({"start": "0"}, "meta.start is '0'"), ({"hz": 10**10}, "meta.hz is 10000000000")])
def test_wrong_meta(tmp_path, change, words):
    meta = {**trace_maker.make_meta(1, 1), **change}
    (tmp_path / "a").write_bytes(trace_maker.meta_chunk(1, meta))
    with pytest.raises(TraceError, match=words):
        Trace(tmp_path / "a")


def test_rows_that_had_no_room_are_not_no_row(tmp_path):
    meta = {**trace_maker.make_meta(1, 1), "rows_missing": 3}
    meta["record"] = [[name, kind.replace("x", "[") + "]" * ("x" in kind), offset] for name, kind, offset in meta["record"]]
    (tmp_path / "a").write_bytes(trace_maker.meta_chunk(1, meta))
    with Trace(tmp_path / "a") as trace:
        assert [row["place"] for row in trace.meta["rows"]][-4:] == ["policy/linux.toml", "row 8", "row 9", "row 10"]


@settings(max_examples=80)
@given(st.data())
def test_damaged_bytes_give_records_or_one_clear_error(tmp_path, data):
    make_trace(tmp_path / "a", records=60, cpus=2, fill=16)
    whole = bytearray((tmp_path / "a").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(whole) - 1))
        part = data.draw(st.binary(min_size=1, max_size=200))
        if data.draw(st.booleans()):
            whole[place:place + len(part)] = part
        else:
            del whole[place:place + len(part)]
    (tmp_path / "b").write_bytes(whole)
    try:
        with Trace(tmp_path / "b") as trace:
            for boot in range(len(trace.boots)):
                read_all(trace, boot=boot)
                trace.losses(boot), trace.problems(boot), list(trace.texts(boot))
    except TraceError:
        pass


def test_two_million_records_take_no_more_memory_than_few(tmp_path):
    """Bytes for each chunk, and a batch at a time: the file has 256 MB. VmHWM, since getrusage's number is never less than
    what the parent had at the fork."""
    program = ("import sys; sys.path.insert(0, sys.argv[2]); from ariel.trace import Trace; trace = Trace(sys.argv[1]);"
               "n = sum(len(records) for records in trace.batches());"
               "print(n, int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]) // 1024)")
    sizes = []
    for records in (100_000, 2_000_000):
        make_trace(tmp_path / "a", records=records, cpus=4)
        done = subprocess.run([sys.executable, "-c", program, tmp_path / "a", ROOT], capture_output=True, text=True, check=True)
        count, size = map(int, done.stdout.split())
        assert count == records
        sizes.append(size)
    assert sizes[1] < 100 and sizes[1] - sizes[0] < 12, sizes


# ---- Files that were made to hurt

def with_meta(path, text):
    """A trace with this meta text and ten records."""
    make_trace(path, records=10, cpus=1)
    with Trace(path) as trace:
        records = path.read_bytes()[int(trace.chunks["offset"][1]):]
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    slots = -(-len(text) // form.SLOT_SIZE)
    head = trace_maker.header(0x1d0f_0000_0000_0001, 0, 0, numpy.zeros(0, form.RECORD))
    head["kind"], head["count"], head["bytes"], head["closed"] = form.KIND_META, slots, len(text), 1
    path.write_bytes(head.tobytes() + text.ljust(slots * form.SLOT_SIZE, b"\0") + records)
    return path


@pytest.mark.parametrize("change, words", [
    ({"requests": 5}, "meta.requests has something else than names"), ({"statuses": None}, "meta.statuses"),
    ({"types": 7}, "meta.types"), ({"statuses": {"a": 1}}, "meta.statuses"), ({"midr": []}, "meta.midr is .*a text"),
    ({"hz": True}, "meta.hz is True"), ({"cpus": 10**300}, "meta.cpus is 1000"), ({"cpus": -5}, "meta.cpus is -5"),
    ({"groups": {"call": 10**30}}, "meta.groups has 'call' at 1000"), ({"groups": {"device": -1}}, "meta.groups has"),
    ({"keys": ["\ud800"]}, "half a surrogate pair"), ({"z": "\ud800"}, "half a surrogate pair"),
    ({"vms": [{"ram": 7}]}, "the ram 7"), ({"vms": [{"ram": [[1]]}]}, "the ram"), ({"vms": [{"ram": [[1, 2]]}]}, "the ram"),
    ({"vms": [{"ram": [["0x0", "0x" + "f" * 3000]]}]}, "the ram"), ({"vms": [{"vcpus": 10**9}]}, "1000000000 vCPUs"),
    ({"vms": [{"name": {}}]}, "a name that is no text"), ({"rows": [{"place": [[]]}]}, "a place that is no text"),
    ({"devices": [{"base": "zz"}]}, "a base or a size")])
def test_meta_that_was_made_to_hurt(tmp_path, change, words):
    with pytest.raises(TraceError, match=words) as error:
        Trace(with_meta(tmp_path / "a", {**trace_maker.make_meta(1, 1), **change}))
    assert len(str(error.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("text", [b"[" * 60000, b'{"z":' + b"[" * 20000 + b"]" * 20000 + b"}"])
def test_meta_that_is_nested_deep(tmp_path, text):
    with pytest.raises(TraceError, match="nested too deep"):
        Trace(with_meta(tmp_path / "a", text))


def test_a_reader_that_came_late_is_no_damage(tmp_path):
    """The ring had overwritten its oldest records before anybody read it; what EL2 dropped is counted besides."""
    records = trace_maker.Cpu(0, 1, 0, trace_maker.START, 1).block(20)
    for dropped, losses in ((0, (20, 0, 0)), (4, (20, 4, 4))):
        path = write_chunks(tmp_path / "a", [records], first=500, dropped=dropped)
        with Trace(path) as trace:
            assert trace.problems() == [] and trace.losses()[0] == losses and trace.overwritten() == {0: 500 - dropped}
    with Trace(write_chunks(tmp_path / "a", [records], first=5, dropped=9)) as trace:
        assert "where EL2 dropped 9" in trace.problems()[0] and trace.overwritten() == {0: 0}


def test_a_line_without_an_end_is_cut(tmp_path):
    """65,536 pieces of one line: 64 KiB are a line, and the time grows with the length."""
    records = numpy.zeros(1 << 16, form.RECORD)
    records["type"], records["entry"], records["syndrome"] = form.TYPE_TEXT, 1, form.TEXT_SIZE
    records["address"] = form.TEXT_SIZE * numpy.arange(len(records), dtype="u8")
    records.view(form.TEXT)["text"] = b"a" * form.TEXT_SIZE
    texts = [text for _, text in Lines().feed(records)]
    assert len(texts) == 64 and {len(text.text) for text in texts[1:]} == {65536 + 6} and not any(text.whole for text in texts)


def test_damaged_places_are_counted_beyond_the_first(tmp_path):
    make_trace(tmp_path / "a", records=40, cpus=1, fill=1)
    with Trace(tmp_path / "a") as trace:
        begin = int(trace.chunks["offset"][1])
    data = (tmp_path / "a").read_bytes()
    chunks = [data[at:at + 256] for at in range(begin, len(data), 256)]
    (tmp_path / "a").write_bytes(data[:begin] + b"?".join(chunks))
    with Trace(tmp_path / "a") as trace:
        assert len(trace.damages) == 11 and trace.damages[-1] == "29 more places at which no chunk begins"
        assert len(read_all(trace)) == 40
    lies = tuple((0, chunk, 1) for chunk in range(1, 20))
    make_trace(tmp_path / "b", records=40, cpus=1, fill=1, lies=lies)
    with Trace(tmp_path / "b") as trace:
        assert len(trace.problems()) == 11 and trace.problems()[-1].startswith("9 more places")


def test_searching_costs_no_read_for_each_magic_number(tmp_path, monkeypatch):
    make_trace(tmp_path / "a", records=10, cpus=1)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes() + b"ARTR" * 50_000 + b"ARTR\1\0" * 50_000)
    reads = []
    monkeypatch.setattr(Source, "read", lambda self, offset, size, old=Source.read: reads.append(offset) or old(self, offset, size))
    with Trace(tmp_path / "a") as trace:
        assert len(trace.damages) == 1 and len(reads) < 30


def test_boots_of_one_record(tmp_path):
    """The index is not searched again for each boot."""
    head = trace_maker.header(0, 0, 0, numpy.zeros(1, form.RECORD), opened=1)
    heads = numpy.repeat(head, 2 * 20_000)
    heads["boot"][::2] = numpy.arange(20_000)
    heads[1::2] = numpy.zeros(1, form.CHUNK)
    (tmp_path / "a").write_bytes(heads.tobytes())
    begin = time.process_time()
    with Trace(tmp_path / "a") as trace:
        assert [boot.number for boot in trace.boots] == list(range(20_000))
    assert time.process_time() - begin < 10
