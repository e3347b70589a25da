# SPDX-License-Identifier: Apache-2.0
"""Reads traces: what ariel's EL2 recorded of each exit of its guests (docs/TRACE.md).

    trace = Trace("boot.trace")
    print(trace.meta["policy"], trace.losses())
    for records in trace.batches():          # numpy arrays of RECORD, in order of time over all CPUs
        print(records["pc"][records["verdict"] == 3])

A file may hold several boots of the machine: `boot` is a place in Trace.boots, -1 the last one. Memory does not grow with
the number of records: an index of some bytes per chunk, and some thousand records at a time."""

import collections

import numpy

from . import trace_format as form
from .errors import TraceError
from .lines import Lines, Text
from .meta import assumed_meta, read_meta
from .trace_format import CHUNK, RECORD, TEXT
from .trace_index import Source, find_chunks
from .trace_merge import BATCH, Merger

__all__ = ["CHUNK", "RECORD", "TEXT", "Boot", "Loss", "Text", "Trace", "TraceError"]

# records: in the file. gaps: numbers that no record has, between the chunks and before the first one of a file. drops:
# what EL2 counted as dropped.
Loss = collections.namedtuple("Loss", "records gaps drops")

SECONDS_MAX = 9_000_000_000
PROBLEMS_MAX = 10  # sentences about gaps


def split(chunks, field):
    """The parts of an array of chunks that have the same value in a field, by that value; the order within each stays."""
    chunks = chunks[numpy.argsort(chunks[field], kind="stable")]
    return numpy.split(chunks, numpy.flatnonzero(numpy.diff(chunks[field]) != 0) + 1) if len(chunks) else []


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

    def by_cpu(self):
        """[(cpu, its chunks in the order of their numbers)]"""
        return [(int(chunks["cpu"][0]), chunks) for chunks in split(self.chunks, "cpu")]

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
        parts = split(self.chunks, "boot")
        parts.sort(key=lambda chunks: int(chunks["opened"].min() if self.is_memory else chunks["offset"][0]))
        self.boots = [self._boot(chunks) for chunks in parts]

    def _boot(self, mine):
        meta = None
        for chunk in mine[(mine["kind"] == form.KIND_META) & (mine["missing"] == 0)]:
            where = f"{self.path}: offset {int(chunk['offset']):#x}"
            text = self.source.read(int(chunk["offset"]) + form.SLOT_SIZE, int(chunk["bytes"]))
            meta = read_meta(text, where)
            break
        return Boot(int(mine["boot"][0]), meta or assumed_meta(), mine[mine["kind"] == form.KIND_RECORDS])

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
        for cpu, mine in self.boot(boot).by_cpu():
            gaps, counted = self._gaps(mine)
            found[cpu] = Loss(int(mine["count"].sum()), int(gaps.sum()), int(counted.sum()))
        return found

    def _gaps(self, mine):
        """Of one CPU's chunks: the numbers missing before each, and what EL2 says that it dropped there. What stands
        before the first chunk of saved memory has been overwritten, and counts for neither. In a file it is what the ring
        had overwritten before its reader came, but for what EL2 counted as dropped."""
        ends = mine["first"] + mine["count"]
        gaps = numpy.diff(ends, prepend=numpy.uint64(0)).astype("i8") - mine["count"].astype("i8")
        counted = numpy.diff(mine["dropped"], prepend=numpy.uint64(0)).astype("i8")
        if self.is_memory and len(mine):
            gaps[0] = counted[0] = 0
        elif len(mine):
            gaps[0] = min(gaps[0], counted[0])
        return gaps, counted

    def overwritten(self, boot=-1):
        """{cpu: records that the ring in memory has overwritten}: until it was saved, or until the reader of its port came."""
        return {cpu: int(mine["first"][0]) if self.is_memory else max(int(mine["first"][0]) - int(mine["dropped"][0]), 0)
                for cpu, mine in self.boot(boot).by_cpu()}

    def missing(self, boot=-1):
        """Records that headers promise and the file does not have: it was cut off."""
        return int(self.boot(boot).chunks["missing"].sum())

    def problems(self, boot=-1):
        """What is wrong with a boot's records, a sentence each; none: nothing is lost but what EL2 counted."""
        found = list(self.damages)
        chosen = self.boot(boot)
        if "assumed" in chosen.meta:
            found.append("the meta chunk is missing: names are those of these tools, times assume 62,500,000 ticks a second")
        places = 0
        for cpu, mine in chosen.by_cpu():
            gaps, counted = self._gaps(mine)
            wrong = numpy.flatnonzero(gaps != counted)
            shown, places = wrong[:max(PROBLEMS_MAX - places, 0)], places + len(wrong)
            for n in shown:
                what = f"{gaps[n]} records are missing" if gaps[n] >= 0 else f"{-gaps[n]} records are there twice"
                found.append(f"cpu {cpu}: {what} before offset {int(mine['offset'][n]):#x}, where EL2 dropped {counted[n]}")
        if places > PROBLEMS_MAX:
            found.append(f"{places - PROBLEMS_MAX} more places at which the numbers of records do not fit what EL2 dropped")
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
