# SPDX-License-Identifier: Apache-2.0
"""The bytes of a trace (docs/TRACE.md): a chunk's header and a record, as numpy dtypes, and the numbers that both use.

The tables below are those of include/hv/trace_schema.h, and the spare bytes; a test holds them to it. They stand here, too,
so that a trace of this version can be read whatever header lies beside this package."""

import numpy

MAGIC = 0x52545241  # the bytes "ARTR"
VERSION = 1
CHUNK_SIZE = 0x10000  # bytes of a chunk in memory, header included
SLOT_SIZE = 128       # bytes of a chunk's header, and of each record behind it
SLOT_MAX = CHUNK_SIZE // SLOT_SIZE - 1

KIND_RECORDS, KIND_META = 0, 1              # of a chunk
TYPE_EXIT, TYPE_TEXT, TYPE_VIRTIO = 1, 2, 3  # of a record
TEXT_CONSOLE, TEXT_LOG = 0, 1               # of a text record, in its key
TEXT_SIZE = 64                              # bytes of text that a record can hold

# name, type, offset: struct trace_chunk
CHUNK_FIELDS = (
    ("magic", "u32", 0), ("version", "u16", 4), ("kind", "u16", 6), ("count", "u32", 8), ("bytes", "u32", 12),
    ("boot", "u64", 16), ("first", "u64", 24), ("dropped", "u64", 32), ("opened", "u64", 40), ("closed", "u64", 48),
    ("cpu", "u16", 56), ("vm", "u16", 58), ("spare", "u32", 60), ("vbar_el1", "u64", 64), ("ttbr1_el1", "u64", 72),
    ("tcr_el1", "u64", 80), ("sctlr_el1", "u64", 88), ("virtual_offset", "u64", 96), ("spare2", "u8x24", 104))

# name, type, offset: struct trace_record
RECORD_FIELDS = (
    ("sequence", "u64", 0), ("entry", "u64", 8), ("exit", "u64", 16), ("pc", "u64", 24), ("address", "u64", 32),
    ("value", "u64", 40), ("syndrome", "u32", 48), ("key", "u16", 52), ("row", "u16", 54), ("cause", "u8", 56),
    ("verdict", "u8", 57), ("result", "u8", 58), ("write", "u8", 59), ("vcpu", "u8", 60), ("logged", "u8", 61),
    ("width", "u8", 62), ("type", "u8", 63), ("x", "u64x4", 64), ("lr", "u64", 96), ("caller", "u64", 104),
    ("context", "u32", 112), ("pstate", "u32", 116), ("vm", "u16", 120),
    ("spare", "u8x6", 122))


def numpy_type(text):
    """"u16" is numpy's "<u2", "u64x4" four of "<u8": all numbers of a trace are little-endian."""
    base, _, count = text.partition("x")
    scalar = f"<u{int(base[1:]) // 8}"
    return (scalar, (int(count),)) if count else scalar


def dtype_of(fields):
    """The numpy dtype of a table above. Its fields have all bytes: numpy would take gaps out of a copy."""
    return numpy.dtype({"names": [name for name, _, _ in fields], "formats": [numpy_type(kind) for _, kind, _ in fields],
                        "offsets": [offset for _, _, offset in fields], "itemsize": SLOT_SIZE})


def choose(records, where):
    """Some records of an array, by a mask or by their places: what records[where] gives, ten times as fast."""
    places = numpy.flatnonzero(where) if where.dtype == bool else where
    return numpy.ascontiguousarray(records).view("<u8").reshape(-1, SLOT_SIZE // 8).take(places, axis=0).reshape(-1).view(RECORD)


CHUNK = dtype_of(CHUNK_FIELDS)
RECORD = dtype_of(RECORD_FIELDS)
# A text record seen as text: records.view(TEXT)["text"]. numpy takes zero bytes at the end off; `syndrome` has the length.
TEXT = numpy.dtype({"names": ["text"], "formats": [f"S{TEXT_SIZE}"], "offsets": [SLOT_SIZE - TEXT_SIZE],
                    "itemsize": SLOT_SIZE})
