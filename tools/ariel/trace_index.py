# SPDX-License-Identifier: Apache-2.0
"""Finds the chunks of a trace (docs/TRACE.md), in a file that EL2 wrote and in memory that was saved.

A file has its chunks one behind the other, each cut to its used length. Saved memory has them at multiples of 64 KiB,
between what was never used. Only headers are read here; an index entry of some bytes stays of each."""

import dataclasses
import os
import stat

import numpy

from . import trace_format as form
from .errors import TraceError

# An entry: what is needed of a chunk's header to read its records in order and to count what is lost. offset: bytes from
# the file's beginning. count: slots that are there. missing: those that the header promises and the file does not have.
INDEX = numpy.dtype([("offset", "<u8"), ("boot", "<u8"), ("first", "<u8"), ("dropped", "<u8"), ("opened", "<u8"),
                     ("closed", "<u8"), ("count", "<u4"), ("missing", "<u4"), ("bytes", "<u4"), ("kind", "<u2"), ("cpu", "<u2")])
SPARE = (slice(60, 64), slice(104, 128))  # of a header: zero
SEARCH_MIN, SEARCH_MAX = 1 << 12, 1 << 20  # bytes that are searched at once: twice as many each time
DAMAGES_MAX = 10  # sentences


class Source:
    """The bytes of a trace's file. Close it, or use it in a with statement."""

    def __init__(self, path):
        self.path = os.fspath(path)
        try:
            self.handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise TraceError(f"{self.path}: {error.strerror}") from None
        state = os.fstat(self.handle)
        self.size = state.st_size
        if not stat.S_ISREG(state.st_mode):
            self.close()
            raise TraceError(f"{self.path}: is no regular file; a trace is read at several places, so save it in a file first")

    def read(self, offset, size):
        """Up to size bytes at an offset; fewer at the file's end."""
        try:
            return os.pread(self.handle, size, offset)
        except OSError as error:
            raise TraceError(f"{self.path}: offset {offset:#x}: {error.strerror}") from None

    def close(self):
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def __del__(self):
        if getattr(self, "handle", -1) >= 0:
            self.close()


@dataclasses.dataclass
class Found:
    """What a walk has found: the chunks in order, a sentence for each damaged place, and the bytes of a header that is cut
    off at the end."""
    rows: list = dataclasses.field(default_factory=list)
    damages: list = dataclasses.field(default_factory=list)
    blocks: list = dataclasses.field(default_factory=list)
    cut: int = 0
    unnamed: int = 0  # damaged places beyond the first DAMAGES_MAX

    def add(self, offset, head, count):
        self.rows.append((offset, head["boot"], head["first"], head["dropped"], head["opened"], head["closed"], count,
                          head["count"] - count, head["bytes"], head["kind"], head["cpu"]))
        if len(self.rows) == 1 << 14:  # Python's objects take ten times the bytes of the array
            self.blocks.append(numpy.array(self.rows[:-1], INDEX))
            del self.rows[:-1]

    def damage(self, sentence):
        if len(self.damages) < DAMAGES_MAX:
            self.damages.append(sentence)
        else:
            self.unnamed += 1

    def sentences(self):
        """What is damaged: the first places, and how many more there are."""
        return self.damages + ([f"{self.unnamed} more places at which no chunk begins"] if self.unnamed else [])

    def index(self):
        return numpy.concatenate([*self.blocks, numpy.array(self.rows, INDEX)])


def read_header(source, offset):
    """The header at an offset as a record of form.CHUNK, or None when there is none."""
    return parse_header(source.read(offset, form.SLOT_SIZE))


def parse_header(data):
    """The header that some bytes are, or None."""
    if len(data) < form.SLOT_SIZE or data[:4] != form.MAGIC.to_bytes(4, "little"):
        return None
    head = numpy.frombuffer(data, form.CHUNK)[0]
    if head["version"] != form.VERSION or head["kind"] > form.KIND_META or head["count"] > form.SLOT_MAX:
        return None
    room = int(head["count"]) * form.SLOT_SIZE
    is_open = head["kind"] == form.KIND_RECORDS and head["closed"] == 0  # it says how many bytes it has when it is closed
    if not is_open and (head["bytes"] > room or (head["kind"] == form.KIND_RECORDS and head["bytes"] != room)):
        return None
    return None if any(any(data[part]) for part in SPARE) else head


def check_beginning(source):
    """TraceError when the file's first bytes are those of no trace, or of one that this tool cannot read."""
    data = source.read(0, 8)
    where = f"{source.path}: "
    if not data:
        raise TraceError(where + "is empty: no trace was written; run ariel with TRACE=FILE, or save its rings with pull")
    if data[:4] == form.MAGIC.to_bytes(4, "big"):
        raise TraceError(where + "is big-endian; the numbers of a trace are little-endian (docs/TRACE.md): swap its bytes first")
    version = int.from_bytes(data[4:6], "little")
    if data[:4] == form.MAGIC.to_bytes(4, "little") and len(data) == 8 and version != form.VERSION:
        raise TraceError(f"{where}has format version {version}; this tool reads version {form.VERSION}: use the tools of the "
                         "ariel that wrote it")


def find_next(source, start):
    """The offset of the first whole header at or behind an offset; None when there is none."""
    begin = form.MAGIC.to_bytes(4, "little") + form.VERSION.to_bytes(2, "little")
    size = SEARCH_MIN
    while start < source.size:
        block = source.read(start, size + form.SLOT_SIZE - 1)
        place = block.find(begin)
        while 0 <= place < size:
            if parse_header(block[place:place + form.SLOT_SIZE]) is not None:
                return start + place
            place = block.find(begin, place + 1)
        start, size = start + size, min(2 * size, SEARCH_MAX)
    return None


def cut_last(found, end):
    """The last chunk ends where another one begins: its header promises more than was written."""
    row = list(found.rows[-1])
    there = min(row[6], max(0, end - row[0] - form.SLOT_SIZE) // form.SLOT_SIZE)
    row[6], row[7] = there, row[7] + row[6] - there
    found.rows[-1] = tuple(row)


def walk_file(source):
    """The chunks of a file that EL2 wrote, and None when its chunks lie as in memory."""
    found, at = Found(), 0
    in_slots = source.size % form.CHUNK_SIZE == 0
    while at < source.size:
        head = read_header(source, at)
        if head is not None:
            count = min(int(head["count"]), (source.size - at) // form.SLOT_SIZE - 1)
            in_slots = in_slots and at % form.CHUNK_SIZE == 0
            found.add(at, head, count)
            at += form.SLOT_SIZE * (1 + int(head["count"]))
            continue
        if source.size - at < form.SLOT_SIZE and found.rows:
            found.cut = source.size - at
            break
        if in_slots:
            return None
        after = found.rows[-1][0] + form.SLOT_SIZE if found.rows else 1
        resume = find_next(source, after)
        if resume is not None and resume < at:
            cut_last(found, resume)
        what = f"goes on at offset {resume:#x}" if resume is not None else "no chunk follows"
        found.damage(f"offset {at:#x}: no chunk begins here; {what}")
        at = source.size if resume is None else resume
    return found


def walk_memory(source):
    """The chunks of saved memory. One that is still being written (closed = 0) is taken up to its last whole record."""
    found = Found()
    for at in range(0, source.size, form.CHUNK_SIZE):
        head = read_header(source, at)
        if head is None or head["count"] == 0:
            continue
        count = int(head["count"])
        if head["kind"] == form.KIND_RECORDS and head["closed"] == 0:
            data = source.read(at + form.SLOT_SIZE, count * form.SLOT_SIZE)
            types = numpy.frombuffer(data, form.RECORD)["type"]
            strange = numpy.flatnonzero((types < form.TYPE_EXIT) | (types > form.TYPE_VIRTIO))
            head = head.copy()
            head["count"] = count = int(strange[0]) if len(strange) else count
        found.add(at, head, count)
    return found


def find_chunks(source):
    """(index, damages, cut, is_memory): the chunks in file order as an array of INDEX, a sentence for each damaged place,
    the bytes of a cut header at the end, and whether the file is saved memory. TraceError when it is no trace."""
    check_beginning(source)
    found, is_memory = walk_file(source), False
    if found is None:
        found, is_memory = walk_memory(source), True
    if not found.rows:
        begin = source.read(0, 4).hex(" ")
        raise TraceError(f"{source.path}: is no trace: it has no chunk, and begins with the bytes {begin} instead of "
                         f"{form.MAGIC.to_bytes(4, 'little').hex(' ')}")
    return found.index(), found.sentences(), found.cut, is_memory
