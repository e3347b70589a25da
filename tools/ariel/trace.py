# SPDX-License-Identifier: Apache-2.0
"""Reads traces: what ariel's EL2 recorded of each exit of its guests (docs/TRACE.md).

    trace = Trace("boot.trace")
    print(trace.meta["policy"], trace.losses())
    for records in trace.batches():          # numpy arrays of RECORD, in order of time over all CPUs
        print(records["pc"][records["verdict"] == 3])

A file may hold several boots of the machine: `boot` is a place in Trace.boots, -1 the last one. Memory does not grow with
the number of records: an index of some bytes per chunk, and some thousand records at a time."""

import collections
import json
import re

import numpy

from . import tables
from . import trace_format as form
from .errors import TraceError
from .lines import Lines, Text
from .trace_format import CHUNK, RECORD, TEXT
from .trace_index import Source, find_chunks
from .trace_merge import BATCH, Merger

__all__ = ["CHUNK", "RECORD", "TEXT", "Boot", "Loss", "Text", "Trace", "TraceError"]

# records: in the file. gaps: numbers that no record has, between the chunks and before the first one of a file. drops:
# what EL2 counted as dropped.
Loss = collections.namedtuple("Loss", "records gaps drops")

META_TYPES = {"hz": int, "keys": list, "groups": dict, "causes": list, "verdicts": list, "results": list, "rows": list,
              "vms": list, "devices": list, "cpus": int}
ROWS_MAX = 128  # POLICY_ROW_MAX
HZ_MAX = 1_000_000_000  # of the counter: DDI 0487 D12.1.1 has 1 GHz since Armv8.6, less before
SECONDS_MAX = 9_000_000_000
LAYOUT = [list(field) for field in form.RECORD_FIELDS if field[0] != "spare"]


def assumed_meta():
    """A meta object for a boot whose own is lost: the names are those of this version of ariel, and the rate of the
    counter is QEMU's. Its key "assumed" says so."""
    keys, groups = tables.key_names()
    return {"format": "ariel-trace", "version": form.VERSION, "assumed": True, "hz": 62_500_000, "keys": keys,
            "groups": groups, "causes": [row[2] for row in tables.causes()], "verdicts": tables.VERDICTS,
            "results": tables.RESULTS, "types": ["", "exit", "text", "virtio"], "requests": tables.request_names(),
            "rows": [], "vms": [], "devices": [], "cpus": 0}


def check_meta(meta, where):
    """TraceError when a field of a meta object that the tools use is missing or of another type."""
    if not isinstance(meta, dict) or meta.get("format") != "ariel-trace":
        raise TraceError(f"{where}: the meta text is no object of format ariel-trace")
    for name, kind in META_TYPES.items():
        if not isinstance(meta.get(name), kind):
            raise TraceError(f"{where}: meta has no {name} of type {kind.__name__}, but {meta.get(name)!r:.40}")
    for name in ("keys", "causes", "verdicts", "results"):
        if not all(isinstance(word, str) for word in meta[name]):
            raise TraceError(f"{where}: meta.{name} has something else than names")
    if not all(isinstance(row, dict) for name in ("rows", "vms", "devices") for row in meta[name]):
        raise TraceError(f"{where}: meta.rows, meta.vms or meta.devices has something else than objects")
    if not 1 <= meta["hz"] <= HZ_MAX:
        raise TraceError(f"{where}: meta.hz is {meta['hz']}; the counter's rate is from 1 to {HZ_MAX} Hz")
    start = meta.get("start", 0)
    if not isinstance(start, int) or not 0 <= start < 1 << 63:
        raise TraceError(f"{where}: meta.start is {start!r:.40}; it is a number below 2^63")
    if not all(isinstance(value, int) for value in meta["groups"].values()):
        raise TraceError(f"{where}: meta.groups has something else than numbers")
    if "record" in meta and layout_of(meta["record"]) != LAYOUT:
        raise TraceError(f"{where}: its records have another layout than version {form.VERSION}; use the tools of the ariel "
                         "that wrote it")
    missing = meta.get("rows_missing", 0)  # of the policy, for which the chunk had no room
    if not isinstance(missing, int) or not 0 <= missing <= ROWS_MAX:
        raise TraceError(f"{where}: meta.rows_missing is {missing!r:.40}; it is a number from 0 to {ROWS_MAX}")
    first = len(meta["rows"])
    meta["rows"] += [{"place": f"row {first + n}", "text": "unknown", "why": "its words had no room in the trace"}
                     for n in range(missing)]
    return meta


def layout_of(fields):
    """The layout of records as LAYOUT has it; None for what is none."""
    try:
        return [[name, re.sub(r"\[(\d+)\]", r"x\1", kind), offset] for name, kind, offset in fields if name != "spare"]
    except (TypeError, ValueError):
        return None


class Boot:
    """One boot of the machine. number: its random number. meta: its meta object. chunks: the index entries of its
    record chunks, by CPU and number. start: CNTPCT_EL0 at which its time begins."""

    def __init__(self, number, meta, chunks):
        order = numpy.lexsort((chunks["count"], chunks["first"], chunks["cpu"]))
        chunks = chunks[order]
        again = (chunks["cpu"][:-1] == chunks["cpu"][1:]) & (chunks["first"][:-1] == chunks["first"][1:])
        keep = numpy.append(~again, True)[:len(chunks)]  # of a chunk that is there twice, the longer one
        self.number, self.meta, self.chunks = number, meta, chunks[keep]
        opened = chunks["opened"][chunks["opened"] > 0]
        self.start = meta.get("start", int(opened.min()) if len(opened) else 0)
        self.merger = None

    @property
    def cpus(self):
        """The numbers of the CPUs that have records."""
        return [int(cpu) for cpu in numpy.unique(self.chunks["cpu"])]

    def nanoseconds(self, counts):
        """Values of CNTPCT_EL0 as nanoseconds since start: int64 array."""
        return self._nanoseconds(numpy.asarray(counts, "u8").astype("i8") - numpy.int64(self.start))

    def duration_ns(self, ticks):
        """Ticks of the counter as nanoseconds: int64 array."""
        return self._nanoseconds(numpy.asarray(ticks, "u8").astype("i8"))

    def _nanoseconds(self, ticks):
        """What is longer than 292 years (63 bits of nanoseconds; only in damaged records) becomes that."""
        hz = self.meta["hz"]
        ticks = numpy.clip(ticks, -SECONDS_MAX * hz, SECONDS_MAX * hz)
        return ticks // hz * 1_000_000_000 + ticks % hz * 1_000_000_000 // hz


class Trace:
    """An open trace. meta: of the last boot. boots: in the order of the file. chunks: the index (trace_index.INDEX).
    damages: a sentence for each place of the file that is no chunk. is_memory: saved memory, not a file of EL2's."""

    def __init__(self, path):
        self.source = Source(path)
        self.path = self.source.path
        self.chunks, self.damages, self.cut_bytes, self.is_memory = find_chunks(self.source)
        numbers, first = numpy.unique(self.chunks["boot"], return_index=True)
        key = first if not self.is_memory else [self.chunks["opened"][self.chunks["boot"] == boot].min() for boot in numbers]
        self.boots = [self._boot(int(numbers[place])) for place in numpy.argsort(key, kind="stable")]

    def _boot(self, number):
        mine = self.chunks[self.chunks["boot"] == number]
        meta = None
        for chunk in mine[(mine["kind"] == form.KIND_META) & (mine["missing"] == 0)]:
            where = f"{self.path}: offset {int(chunk['offset']):#x}"
            text = self.source.read(int(chunk["offset"]) + form.SLOT_SIZE, int(chunk["bytes"]))
            try:
                meta = json.loads(text)
            except ValueError as error:
                raise TraceError(f"{where}: the meta text is no JSON: {error}") from None
            meta = check_meta(meta, where)
            break
        return Boot(number, meta or assumed_meta(), mine[mine["kind"] == form.KIND_RECORDS])

    @property
    def meta(self):
        return self.boots[-1].meta

    def close(self):
        self.source.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def boot(self, boot=-1):
        """The Boot at a place of boots; TraceError when there is none."""
        try:
            return self.boots[boot]
        except IndexError:
            raise TraceError(f"{self.path}: has {len(self.boots)} boots, numbered from 0; there is no boot {boot}") from None

    def batches(self, boot=-1, types=None, size=BATCH):
        """Arrays of RECORD in the order of entry over all CPUs, of about `size` records each. types: a set of TYPE_*;
        None: all."""
        chosen = self.boot(boot)
        if chosen.merger is None:
            chosen.merger = Merger(self.source, chosen.chunks)
        return chosen.merger.batches(types, size)

    def headers(self, boot=-1):
        """The whole headers of a boot's record chunks in the order of opening: elements of CHUNK, one at a time."""
        return (header for header, _ in self.openings(boot))

    def openings(self, boot=-1):
        """(header, chunk) of each record chunk of a boot in the order of opening: elements of CHUNK and of the index."""
        chunks = self.boot(boot).chunks
        for chunk in chunks[numpy.argsort(chunks["opened"], kind="stable")]:
            yield numpy.frombuffer(self.source.read(int(chunk["offset"]), form.SLOT_SIZE), CHUNK)[0], chunk

    def records_of(self, chunk):
        """The records of one chunk, of the index, in the order in which EL2 wrote them: an array of RECORD."""
        size = int(chunk["count"]) * form.SLOT_SIZE
        return numpy.frombuffer(self.source.read(int(chunk["offset"]) + form.SLOT_SIZE, size), RECORD)

    def losses(self, boot=-1):
        """{cpu: Loss}. gaps and drops are the same number, or the trace is damaged: problems() says where. What a ring in
        memory has overwritten is no loss of EL2's; overwritten() has it."""
        found = {}
        chosen = self.boot(boot)
        for cpu in chosen.cpus:
            mine = chosen.chunks[chosen.chunks["cpu"] == cpu]
            gaps, counted = self._gaps(mine)
            found[cpu] = Loss(int(mine["count"].sum()), int(gaps.sum()), int(counted.sum()))
        return found

    def _gaps(self, mine):
        """Of one CPU's chunks: the numbers missing before each, and what EL2 says that it dropped there. What stands
        before the first chunk of saved memory has been overwritten, and counts for neither."""
        ends = mine["first"] + mine["count"]
        gaps = numpy.diff(ends, prepend=numpy.uint64(0)).astype("i8") - mine["count"].astype("i8")
        counted = numpy.diff(mine["dropped"], prepend=numpy.uint64(0)).astype("i8")
        if self.is_memory and len(mine):
            gaps[0] = counted[0] = 0
        return gaps, counted

    def overwritten(self, boot=-1):
        """{cpu: records that the ring in memory has overwritten}; all 0 for a file."""
        chosen = self.boot(boot)
        return {cpu: int(chosen.chunks["first"][chosen.chunks["cpu"] == cpu].min()) if self.is_memory else 0
                for cpu in chosen.cpus}

    def missing(self, boot=-1):
        """Records that headers promise and the file does not have: it was cut off."""
        return int(self.boot(boot).chunks["missing"].sum())

    def problems(self, boot=-1):
        """What is wrong with a boot's records, a sentence each; none: nothing is lost but what EL2 counted."""
        found = list(self.damages)
        chosen = self.boot(boot)
        if "assumed" in chosen.meta:
            found.append("the meta chunk is missing: names are those of these tools, times assume 62,500,000 ticks a second")
        for cpu in chosen.cpus:
            mine = chosen.chunks[chosen.chunks["cpu"] == cpu]
            gaps, counted = self._gaps(mine)
            for n in numpy.flatnonzero(gaps != counted)[:10]:
                what = f"{gaps[n]} records are missing" if gaps[n] >= 0 else f"{-gaps[n]} records are there twice"
                found.append(f"cpu {cpu}: {what} before offset {int(mine['offset'][n]):#x}, where EL2 dropped {counted[n]}")
        if self.missing(boot):
            found.append(f"the file is cut: {self.missing(boot)} records that its chunks promise are not there")
        if self.cut_bytes:
            found.append(f"the file is cut: it ends with {self.cut_bytes} bytes of a chunk's header")
        return found

    def texts(self, boot=-1):
        """The lines of console and log, in the order in which they ended: Text tuples (lines.py)."""
        lines = Lines()
        for records in self.batches(boot, {form.TYPE_TEXT}):
            for _, text in lines.feed(records):
                yield text
        yield from lines.rest()
