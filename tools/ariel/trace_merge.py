# SPDX-License-Identifier: Apache-2.0
"""Records of all CPUs in the order of their entry to EL2, without holding them all.

A record is written when its exit ends, into the chunk that its CPU has open then. So nearly all records of a chunk have
entered after the chunk was opened: chunks are loaded in the order of opening, and what has entered before the opening of
the next one can be handed on. A record that entered earlier than its chunk was opened (a virtio request that was under way
for long, an exit that the opening fell into) is an early one. All early ones are looked for beforehand, once, and each is
read again by itself when its time comes: 16 bytes of memory each."""

import numpy

from . import trace_format as form
from .trace_format import RECORD

BATCH = 32768


class Merger:
    """The records of some chunks (trace_index.INDEX) of one boot."""

    def __init__(self, source, chunks):
        self.source = source
        self.chunks = chunks[numpy.argsort(chunks["opened"], kind="stable")]
        entries, offsets = [], []
        for chunk in self.chunks:
            records = self.load(chunk)
            early = numpy.flatnonzero(records["entry"] < chunk["opened"])
            if len(early):
                entries.append(records["entry"][early])
                offsets.append(chunk["offset"] + (1 + early.astype("u8")) * numpy.uint64(form.SLOT_SIZE))
        self.entries = numpy.concatenate(entries) if entries else numpy.zeros(0, "u8")
        self.offsets = numpy.concatenate(offsets) if offsets else numpy.zeros(0, "u8")
        order = numpy.argsort(self.entries, kind="stable")
        self.entries, self.offsets = self.entries[order], self.offsets[order]

    def load(self, chunk):
        """All records of a chunk."""
        data = self.source.read(int(chunk["offset"]) + form.SLOT_SIZE, int(chunk["count"]) * form.SLOT_SIZE)
        return numpy.frombuffer(data, RECORD)

    def early(self, begin, end):
        """The early records from one place in their order to another."""
        data = b"".join(self.source.read(int(offset), form.SLOT_SIZE) for offset in self.offsets[begin:end])
        return numpy.frombuffer(data, RECORD)

    def batches(self, types, size):
        """Arrays in order; see Trace.batches."""
        pending, place, done = numpy.zeros(0, RECORD), 0, 0
        wanted = None if types is None else numpy.isin(numpy.arange(256), sorted(types))
        while place < len(self.chunks):
            parts, count = [pending], 0
            while place < len(self.chunks) and count < size:
                chunk = self.chunks[place]
                records = self.load(chunk)
                keep = records["entry"] >= chunk["opened"]
                if wanted is not None:
                    keep &= wanted[records["type"]]
                parts.append(records[keep])
                count, place = count + len(records), place + 1
            last = place == len(self.chunks)
            limit = None if last else self.chunks["opened"][place]
            end = len(self.entries) if last else int(numpy.searchsorted(self.entries, limit))
            for begin in range(done, end, size):
                early = self.early(begin, min(begin + size, end))
                parts.append(early if wanted is None else early[wanted[early["type"]]])
            done = end
            records = numpy.concatenate(parts)
            ready = records if last else records[records["entry"] < limit]
            pending = records[:0] if last else records[records["entry"] >= limit]
            if len(ready):
                yield ready[numpy.argsort(ready["entry"], kind="stable")]
