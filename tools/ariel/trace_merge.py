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
WORDS = form.SLOT_SIZE // 8
# A record is handled as 16 words here: numpy moves those ten times as fast as a record of 25 fields. Two words are read.
ENTRY = RECORD.fields["entry"][1] // 8
TYPE, TYPE_SHIFT = RECORD.fields["type"][1] // 8, numpy.uint64(RECORD.fields["type"][1] % 8 * 8)


def as_words(data):
    """Bytes of records as an array of shape (records, 16)."""
    return numpy.frombuffer(data, "<u8").reshape(-1, WORDS)


def types_of(words):
    return (words[:, TYPE] >> TYPE_SHIFT) & numpy.uint64(0xff)


class Merger:
    """The records of some chunks (trace_index.INDEX) of one boot."""

    def __init__(self, source, chunks):
        self.source = source
        self.chunks = chunks[numpy.argsort(chunks["opened"], kind="stable")]
        entries, offsets = [numpy.zeros(0, "u8")], [numpy.zeros(0, "u8")]
        for chunk in self.chunks:
            entry = self.load(chunk)[:, ENTRY]
            early = numpy.flatnonzero(entry < chunk["opened"])
            if len(early):
                entries.append(entry[early])
                offsets.append(chunk["offset"] + (1 + early.astype("u8")) * numpy.uint64(form.SLOT_SIZE))
        self.entries, self.offsets = numpy.concatenate(entries), numpy.concatenate(offsets)
        order = numpy.argsort(self.entries, kind="stable")
        self.entries, self.offsets = self.entries[order], self.offsets[order]

    def load(self, chunk):
        """All records of a chunk, as words."""
        return as_words(self.source.read(int(chunk["offset"]) + form.SLOT_SIZE, int(chunk["count"]) * form.SLOT_SIZE))

    def early(self, begin, end):
        """The early records from one place in their order to another, as words."""
        return as_words(b"".join(self.source.read(int(offset), form.SLOT_SIZE) for offset in self.offsets[begin:end]))

    def batches(self, types, size):
        """Arrays in order; see Trace.batches."""
        pending, place, done = numpy.zeros((0, WORDS), "u8"), 0, 0
        wanted = None if types is None else numpy.isin(numpy.arange(256), sorted(types))
        while place < len(self.chunks):
            parts, count = [pending], 0
            while place < len(self.chunks) and count < size:
                words = self.load(self.chunks[place])
                keep = words[:, ENTRY] >= self.chunks["opened"][place]
                if wanted is not None:
                    keep &= wanted[types_of(words)]
                parts.append(words if keep.all() else words[keep])
                count, place = count + len(words), place + 1
            last = place == len(self.chunks)
            limit = None if last else self.chunks["opened"][place]
            end = len(self.entries) if last else int(numpy.searchsorted(self.entries, limit))
            for begin in range(done, end, size):
                early = self.early(begin, min(begin + size, end))
                parts.append(early if wanted is None else early[wanted[types_of(early)]])
            done = end
            words = numpy.concatenate(parts)
            words = words.take(numpy.argsort(words[:, ENTRY], kind="stable"), axis=0)
            split = len(words) if last else int(numpy.searchsorted(words[:, ENTRY], limit))
            pending = words[split:].copy()
            if split:
                yield words[:split].reshape(-1).view(RECORD)
