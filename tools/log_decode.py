#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads ariel's log records out of a captured console, and says whether any are missing, doubled or forged.

  make run 2>&1 | tee uart.log
  python3 tools/log_decode.py --summary < uart.log
  python3 tools/log_decode.py --class policy --level warn uart.log
  python3 tools/log_decode.py --ring dump.bin       (memory of a dead machine: QEMU's pmemsave or dump-guest-memory)

Each FILE is one capture, from its boot on. Memory use does not grow with the input. docs/LOG.md has the schema and says
why a guest can't forge a record.

exit status: 0 every record is accounted for; 1 some are missing, doubled, forged or can't be verified; 2 no records, or
the input can't be read.
"""

import argparse
import json
import os
import re
import struct
import sys
import time

LEVELS = ("debug", "info", "warn", "error")
RECORD_MAX = 512  # LOG_LINE_MAX of include/hv/log.h
LINE_MAX = 64 * 1024  # of a captured line; the rest of a longer one is passed over
CHUNK = 1 << 16
MARK = b"ariel: seq="
MASK64 = (1 << 64) - 1

RECORD = re.compile(
    rb"ariel: seq=(\d{1,20}) t=(\d{1,20}) cpu=(\d{1,3}) level=(debug|info|warn|error) class=([a-z]{1,16})"
    rb" event=([a-z0-9-]{1,32})"
    rb'((?: [A-Za-z0-9_]{1,32}=(?:"(?:[^"\\]|\\.)*"|[^ "]*))*?) tag=([0-9a-f]{8})(?= |$|ariel: )'
)
FIELD = re.compile(r' ([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^ "]*)')
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")
ANSI = re.compile(rb"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|[@-Z\\^_])")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)?\Z")
UNITS = {None: 1, "us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}


# ---- Records ---------------------------------------------------------------------------------------------------------


class Record:
    __slots__ = ("seq", "t", "cpu", "level", "klass", "event", "text", "tag", "_fields")

    def __init__(self, match):
        self.seq, self.t, self.cpu = int(match[1]), int(match[2]), int(match[3])
        self.level, self.klass, self.event = match[4].decode(), match[5].decode(), match[6].decode()
        self.text = match[7].decode("ascii", "replace")
        self.tag = match[8].decode()
        self._fields = None

    @property
    def fields(self):
        """name -> value as text. The first of two equal names counts."""
        if self._fields is None:
            self._fields = {}
            for name, value in FIELD.findall(self.text):
                self._fields.setdefault(name, unquote(value))
        return self._fields

    def number(self, name):
        try:
            return int(self.fields.get(name, "0"), 0)
        except ValueError:
            return 0

    def as_json(self):
        return {
            "seq": self.seq, "t": self.t, "cpu": self.cpu, "level": self.level, "class": self.klass,
            "event": self.event, "fields": {name: json_value(value) for name, value in self.fields.items()},
        }  # fmt: skip


def unquote(value):
    if not value.startswith('"'):
        return value
    plain = {"n": "\n"}
    return ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 3 else plain.get(m[1], m[1]), value[1:-1])


def json_value(value):
    """Decimal numbers as numbers. Hexadecimal ones stay text: they may not fit what readers of JSON call a number."""
    return int(value) if re.match(r"-?(?:0|[1-9]\d{0,14})\Z", value) else value


# ---- What the input is -----------------------------------------------------------------------------------------------

HEAD = 64  # bytes of the input that are looked at
PACKED = (
    (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"),
)  # fmt: skip
UTF8_MARK = b"\xef\xbb\xbf"


class InputError(Exception):
    """The input is no captured console; the message says what it is and what to do."""


def refuse_other_forms(head):
    """Raises what the input is, when its first bytes say that it is not a console's bytes as they came."""
    for magic, name in PACKED:
        if head.startswith(magic):
            raise InputError(f"packed with {name}: unpack it first ({name} -dc FILE | log_decode.py)")
    zeros = (head[0::2].count(0), head[1::2].count(0))
    wide = len(head) >= 16 and MARK not in head and min(zeros) == 0 and max(zeros) > len(head) // 4
    if wide or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("UTF-16, as PowerShell writes it: make it UTF-8 first (iconv -f UTF-16 -t UTF-8 FILE)")
    if head.startswith(b'{"version":') or (head.startswith(b"{") and b'"width":' in head):
        raise InputError("an asciinema recording: take the console out of it first (asciinema cat FILE)")


class Looked:
    """A stream whose first bytes were looked at, and a byte order mark dropped."""

    def __init__(self, stream):
        self.stream = stream
        self.head = b""
        while len(self.head) < HEAD and (chunk := self.read_on()):
            self.head += chunk
        refuse_other_forms(self.head[:HEAD])
        self.had_mark = self.head.startswith(UTF8_MARK)
        if self.had_mark:
            self.head = self.head[len(UTF8_MARK) :]

    def read_on(self):
        return self.stream.read1(CHUNK) if hasattr(self.stream, "read1") else self.stream.read(CHUNK)

    def read(self, _size):
        head, self.head = self.head, b""
        return head or self.read_on()


class Wrapping:
    """Notices that a capture was broken into lines of one width, as it is when it was copied from a terminal."""

    def __init__(self):
        self.longest = 0
        self.cut = {}  # length of a line -> how many of this length begin like a record and are none

    def note(self, line, cut):
        self.longest = max(self.longest, len(line))
        if cut and len(self.cut) < 2 * RECORD_MAX:
            self.cut[len(line)] = self.cut.get(len(line), 0) + 1

    def width(self):
        """The width, or None."""
        at = self.cut.get(self.longest, 0)
        return self.longest if at >= 3 and at * 2 > sum(self.cut.values()) else None


def lines_of(stream, follow=False):
    """The lines of a binary stream without their ends; CR ends one as LF does. Of a longer one, the first LINE_MAX."""
    rest = b""
    skip = False
    while True:
        chunk = stream.read1(CHUNK) if hasattr(stream, "read1") else stream.read(CHUNK)
        if not chunk:
            if follow:
                time.sleep(0.2)
                continue
            break
        pieces = chunk.replace(b"\r", b"\n").split(b"\n")
        for piece in pieces[:-1]:
            if not skip:
                yield rest + piece
            rest, skip = b"", False
        if not skip:
            rest += pieces[-1]
        if len(rest) > LINE_MAX:
            yield rest[:LINE_MAX]
            rest, skip = b"", True
    if rest:
        yield rest


def records_of(line):
    """(Record, or None for what begins like one and is none; whether it stands at the line's beginning) ..."""
    if MARK not in line:
        return
    if b"\x1b" in line:
        line = ANSI.sub(b"", line)
    line = line.replace(b"\0", b"")
    if line.startswith(b"guest: "):  # what a guest printed by hypercall, marked as such and escaped
        return
    at = line.find(MARK)
    while at >= 0:
        match = RECORD.match(line[at : at + 2 * RECORD_MAX])
        if match:
            yield Record(match), at == 0
            at += match.end()
        else:
            yield None, at == 0
            at += len(MARK)
        at = line.find(MARK, at)


# ---- Which of them are genuine ---------------------------------------------------------------------------------------


def siphash_word(key0, key1, word):
    """SipHash-2-4 of eight bytes, as lib/siphash.c computes it."""
    v = [key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D, key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573]

    def rotate(value, count):
        return (value << count | value >> (64 - count)) & MASK64

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK64
            v[2] = (v[2] + v[3]) & MASK64
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (rotate(v[0], 32) + v[3]) & MASK64
            v[2] = (v[2] + v[1]) & MASK64
            v[3] = rotate(v[3], 21) ^ v[0]
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    for block in (word, 8 << 56):
        v[3] ^= block
        rounds(2)
        v[0] ^= block
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


NEXT_WORD = int.from_bytes(b"next", "little")


def proves(proof, announced):
    """Whether proof (32 hex digits) is the secret whose hash the boot before announced."""
    if not re.match(r"[0-9a-f]{32}\Z", proof) or not re.match(r"[0-9a-f]{16}\Z", announced):
        return False
    return siphash_word(int(proof[:16], 16), int(proof[16:], 16), NEXT_WORD) == int(announced, 16)


class Verifier:
    """Takes the records of one capture in order and tells what is wrong with them. Bounded state."""

    OPEN_GAPS = 64
    KINDS = ("missing", "doubled", "forged", "unverified", "unproven")

    def __init__(self, tag=None, trust_starts=False):
        self.tag = tag
        self.trust_starts = trust_starts
        self.announced = ""
        self.expected = None  # None: whatever comes first
        self.seen = False  # any record, of whatever sort
        self.gaps = []  # the latest ranges that are missing: a late record may still fill one
        self.hidden_ranges = []  # the same of records that went to the ring only: EL2 may write them at the end
        self.hidden = 0  # records of this boot that are in the ring only
        self.hidden_of_others = 0  # the same of the boots before it in this capture
        self.before = 0  # records before the first one, of a capture that begins in the middle of a boot
        self.complete = False  # the last genuine record was that of the power off
        self.counts = dict.fromkeys(self.KINDS, 0)
        self.reordered = 0
        self.broken = 0
        self.sessions = 0

    def check(self, record, at_start):
        """None when record is genuine, else (kind, text)."""
        if record is None:
            self.broken += at_start
            return "broken", None
        first, self.seen = not self.seen, True
        if record.event == "log-start" and record.seq == 0:
            return self.check_start(record, first)
        if self.tag is None:
            return self.trouble("unverified", 1, f"seq {record.seq}: no boot came before it; is tag={record.tag} genuine?"
                                " Give it by --tag if you know it")  # fmt: skip
        if record.tag != self.tag:
            if not at_start:  # look-alikes inside a line are no claim to be a record
                return "broken", None
            return self.trouble("forged", 1, f"seq {record.seq} event {record.event}: tag {record.tag} is not this"
                                f" boot's")  # fmt: skip
        return self.check_sequence(record)

    def check_start(self, record, first):
        if record.tag == self.tag:
            return self.trouble("doubled", 1, "log-start: this boot's first record again")
        if self.tag is not None and not self.trust_starts:
            if not proves(record.fields.get("proof", ""), self.announced):
                return self.trouble("forged", 1, "log-start: a boot that does not prove to follow this one (forged, or"
                                    " another capture: see --trust-starts)")  # fmt: skip
        problem = None
        if self.tag is None and not first and not self.trust_starts:
            problem = self.trouble("unproven", 1, "log-start: other records came before it, so nothing proves this boot")
        if self.sessions:
            self.hidden_of_others += max(self.hidden, record.number("hidden_before"))
        self.tag = record.tag
        self.announced = record.fields.get("next", "")
        self.expected, self.gaps = 1, []
        self.hidden, self.hidden_ranges, self.complete = 0, [], False
        self.sessions += 1
        return problem

    def check_sequence(self, record):
        expected, self.expected = self.expected, max(record.seq + 1, self.expected or 0)
        self.complete = record.event == "vm-off"
        if expected is None:
            self.before += record.seq
        if expected is None or record.seq == expected:
            return None
        if record.seq < expected:
            return self.fill_gap(record)
        hidden = min(record.number("hidden"), record.seq - expected)
        missing = record.seq - expected - hidden
        self.hidden += hidden
        gap = (expected, record.seq - 1)
        if missing == 0:
            self.hidden_ranges = self.hidden_ranges[1 - self.OPEN_GAPS :] + [gap]
            return None
        self.gaps = self.gaps[1 - self.OPEN_GAPS :] + [gap]
        span = f"between seq {expected - 1} and {record.seq}"
        return self.trouble("missing", missing, f"{missing} missing {span}")

    def fill_gap(self, record):
        if self.take_from(self.hidden_ranges, record.seq):
            self.hidden -= self.hidden > 0
            return None
        if self.take_from(self.gaps, record.seq):
            self.counts["missing"] -= self.counts["missing"] > 0
            self.reordered += 1
            return None
        return self.trouble("doubled", 1, f"seq {record.seq} event {record.event}: seen before")

    @staticmethod
    def take_from(ranges, seq):
        """Whether seq was in one of the ranges; it is not any more."""
        for i, (low, high) in enumerate(ranges):
            if low <= seq <= high:
                parts = [(low, seq - 1), (seq + 1, high)]
                ranges[i : i + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        return False

    def trouble(self, kind, count, text):
        self.counts[kind] += count
        return kind, text


# ---- The summary -----------------------------------------------------------------------------------------------------


class TopCounter:
    """The most frequent of arbitrarily many keys in bounded memory (after space-saving, Metwally et al. 2005). A count
    may be too high by at most the error kept beside it: what the key may have had when it was thrown out."""

    def __init__(self, capacity=1024):
        self.capacity = capacity
        self.items = {}  # key -> [count, error]
        self.floor = 0  # no key that is not here had more

    def add(self, key, count=1):
        item = self.items.get(key)
        if item:
            item[0] += count
            return
        self.items[key] = [self.floor + count, self.floor]
        if len(self.items) > 2 * self.capacity:
            ranked = sorted(self.items.items(), key=lambda item: -item[1][0])
            self.items = dict(ranked[: self.capacity])
            self.floor = ranked[self.capacity][1][0]

    def top(self, limit):
        return sorted(self.items.items(), key=lambda item: (-item[1][0], str(item[0])))[:limit]


ENCODING = re.compile(r"S[0-3]_[0-7]_C\d+_C\d+_[0-7]")  # a system register without a name (DDI 0487 C5.3.2)


class Account:
    """What the accesses of one boot that wanted a record got, as its records tell it, and what EL2 has counted of them."""

    MAX = 4096  # keys; the verdicts of more are added up under None

    def __init__(self):
        self.written = {}  # key -> accesses with a record
        self.told = {}  # key -> held back, as told by held= and by suppressed records
        self.counted = {}  # key -> (logged, suppressed), of the last counters
        self.has_counters = False
        self.requests = [0, 0]  # of virtio devices: with a record, told as held back

    def add_to(self, table, record, count):
        key = record.fields.get("key", "?")
        table_key = key if key in table or len(table) < self.MAX else None
        table[table_key] = table.get(table_key, 0) + count

    def add(self, record):
        event = record.event
        if event in ("verdict", "abort", "set-way"):
            self.add_to(self.written, record, record.number("count") if event == "set-way" else 1)
            if event == "abort":
                self.add_to(self.told, record, record.number("held"))
        elif event.startswith("virtio-") and "row" in record.fields:
            self.requests[0] += 1
        elif event == "suppressed" and record.fields.get("of") in ("verdict", "abort"):
            self.add_to(self.told, record, record.number("count"))
        elif event == "suppressed":
            self.requests[1] += record.number("count") if record.fields.get("of") == "virtio" else 0
        elif event == "counters":
            self.has_counters = True
            if "logged" in record.fields and len(self.counted) < self.MAX:
                self.counted[record.fields.get("key", "?")] = (record.number("logged"), record.number("suppressed"))

    def of_key(self, table, key):
        """What table has of a key of the counters. Records name a register that EL2 has no name for by its encoding; the
        counters have all of these under sysreg-unknown."""
        count = table.get(key, 0)
        if key == "sysreg-unknown":
            count += sum(more for other, more in table.items()
                         if other and other not in self.counted and ENCODING.fullmatch(other))
        return count

    def lacking(self):
        """[(key, accesses whose record is not here, how many were written, held back and not told)], worst first."""
        rows = []
        for key, (logged, suppressed) in self.counted.items():
            row = (key, max(0, logged - self.of_key(self.written, key)), logged,
                   max(0, suppressed - self.of_key(self.told, key)))
            if row[1] or row[3]:
                rows.append(row)
        return sorted(rows, key=lambda row: (-row[1] - row[3], row[0]))


class Accounts:
    """Those of all boots of the input."""

    KEPT = 5  # keys that are named

    def __init__(self):
        self.boot = Account()
        self.boots = 0
        self.with_counters = 0
        self.written = self.told = 0
        self.unseen = self.untold = 0
        self.worst = []

    def add(self, record):
        if record.event == "log-start":
            self.close()
            self.boots += 1
        self.boot.add(record)

    def close(self):
        boot, self.boot = self.boot, Account()
        self.with_counters += boot.has_counters
        self.written += sum(boot.written.values()) + boot.requests[0]
        self.told += sum(boot.told.values()) + boot.requests[1]
        rows = boot.lacking()
        self.unseen += sum(row[1] for row in rows)
        self.untold += sum(row[3] for row in rows)
        self.worst = sorted(self.worst + rows, key=lambda row: (-row[1] - row[3], row[0]))[: self.KEPT]

    def as_json(self):
        return {
            "boots": self.boots, "with_counters": self.with_counters, "with_record": self.written, "held_back": self.told,
            "record_not_here": self.unseen, "held_back_untold": self.untold,
        }  # fmt: skip


def plural(count, one, many=None):
    return f"{count} {one if count == 1 else many or one + 's'}"


def what_lacks(accounts, counts, ends):
    """In words and numbers, what keeps the input from having each access that wanted a record. Empty: it is complete."""
    lacks = []
    if counts["missing"]:
        lacks.append(f"{plural(counts['missing'], 'record')} missing: numbers that no record here has")
    if counts["forged"] or counts["doubled"]:
        lacks.append(f"{plural(counts['forged'], 'record')} forged and {counts['doubled']} doubled: they count for nothing")
    if counts["unverified"] or counts["unproven"]:
        lacks.append(f"{plural(counts['unverified'], 'record')} unverified and {plural(counts['unproven'], 'boot')} unproven:"
                     " whether they are genuine cannot be told from this input")  # fmt: skip
    if ends["broken"]:
        lacks.append(f"{plural(ends['broken'], 'line')} cut or mangled, which may have been records")
    if ends["hidden"]:
        lacks.append(f"{plural(ends['hidden'], 'record')} in the ring only (hidden): `log` in the monitor and --ring show them")
    if ends["before"]:
        lacks.append(f"{plural(ends['before'], 'record')} before the first one here: the input begins in the middle of a boot")
    if ends["pushed_out"]:
        lacks.append(f"{plural(ends['pushed_out'], 'record')} no longer in the ring: newer ones took their place")
    if ends["open"]:
        lacks.append(f"{plural(ends['open'], 'capture')} cut or still growing: what came after the last record is not here")
    if accounts.told:
        lacks.append(f"{plural(accounts.told, 'access', 'accesses')} counted and without a record: the log's limits held back"
                     " as many")  # fmt: skip
    if accounts.unseen:
        lacks.append(f"{plural(accounts.unseen, 'access', 'accesses')} of which EL2 has written a record that is not here:"
                     " " + ", ".join(f"{row[0]} {row[1]} of {row[2]}" for row in accounts.worst if row[1]))  # fmt: skip
    if accounts.untold:
        lacks.append(f"{plural(accounts.untold, 'access', 'accesses')} held back of which no record here tells:"
                     " " + ", ".join(f"{row[0]} {row[3]}" for row in accounts.worst if row[3]))  # fmt: skip
    if accounts.boots > accounts.with_counters:
        lacks.append(f"{plural(accounts.boots - accounts.with_counters, 'boot')} without counters (`exc log`, VM stop, reset or"
                     " power off write them): nothing to check the records against")  # fmt: skip
    return lacks


class Summary:
    KEPT = 20  # of each sort of thing that is quoted

    def __init__(self):
        self.records = 0
        self.bytes_span = [None, None]
        self.boots = []
        self.boot_count = 0
        self.hz = 0
        self.levels = TopCounter(16)
        self.events = TopCounter(256)
        self.reset_at = None  # when a person set the counters to 0, microseconds
        self.counters = {}  # key -> latest counters record's fields
        self.row_before = {}  # (row, at) -> count of the boots before, and before the counters were reset
        self.rows = {}  # (row, at) -> [records, held back, verdicts by counters, why or what]
        self.pcs = TopCounter()
        self.verdicts = TopCounter(512)  # (key, op, verdict)
        self.held = TopCounter(512)  # "event key op" -> records held back
        self.quoted = []  # faults and the like
        self.quoted_count = 0
        self.troubles = []
        self.trouble_count = 0

    def add(self, record):
        self.records += 1
        self.levels.add(record.level)
        self.events.add(f"{record.klass}/{record.event}")
        handler = getattr(self, "add_" + record.event.replace("-", "_"), None)
        if handler:
            handler(record)
        if record.number("held"):
            name = " ".join(filter(None, (record.event, record.fields.get("key", ""), record.fields.get("op", ""))))
            self.held.add(name, record.number("held"))
        if record.klass in ("fault", "panic") or record.level == "error" or record.event == "guest-exception":
            self.quoted_count += 1
            if len(self.quoted) < self.KEPT:
                self.quoted.append(record)
        if record.event in ("verdict", "abort", "guest-exception"):
            pc = record.fields.get("pc", record.fields.get("elr"))
            if pc:
                self.pcs.add(pc)
        self.bytes_span = [record.t if self.bytes_span[0] is None else self.bytes_span[0], record.t]

    def add_trouble(self, text):
        self.trouble_count += 1
        if len(self.troubles) < self.KEPT:
            self.troubles.append(text)

    def add_log_start(self, record):
        self.boot_count += 1
        self.hz = record.number("hz") or self.hz
        self.counters_begin_anew()
        self.reset_at = None
        self.boots = self.boots[-self.KEPT :] + [{"boots": record.number("boots"), "tag": record.tag}]

    def add_end(self, record):
        if self.boots:
            self.boots[-1]["end"] = record.event + (": " + record.fields["reason"] if "reason" in record.fields else "")

    add_vm_off = add_vm_reset = add_vm_stop = add_panic = add_refused = add_end

    def add_boot(self, record):
        if self.boots:
            self.boots[-1].update(record.fields)

    def add_guest_enter(self, record):
        if self.boots:
            self.boots[-1].update({"guest": record.fields.get("guest", "?"), "vcpus": record.fields.get("vcpus", "?")})

    def row(self, record):
        key = (record.number("row"), record.fields.get("at", "?"))
        if key not in self.rows and len(self.rows) >= 1024:
            key = (-1, "others")
        return self.rows.setdefault(key, [0, 0, 0, "", {}])

    def count_decision(self, record, name, op, outcome):
        """A record of what a policy row decided about: name is a key, outcome a verdict or what became of a request."""
        row = self.row(record)
        row[0] += 1
        row[3] = record.fields.get("why", "") or row[3]
        if outcome in row[4] or len(row[4]) < 8:
            row[4][outcome] = row[4].get(outcome, 0) + 1
        self.verdicts.add((name, op, outcome))

    def add_verdict(self, record):
        fields = record.fields
        self.count_decision(record, fields.get("key", "?"), fields.get("op", "?"), fields.get("verdict", "?")[:16])

    def add_virtio_io(self, record):
        fields = record.fields
        self.count_decision(record, f"virtio-{fields.get('device', '?')}", fields.get("op", "-"), fields.get("status", "?")[:16])

    add_virtio_blk = add_virtio_net = add_virtio_io

    def add_suppressed(self, record):
        of, key = record.fields.get("of", "verdict"), record.fields.get("key", "")
        self.held.add(" ".join(filter(None, (of, key, record.fields.get("op", "")))), record.number("count"))
        if "row" in record.fields:
            self.row(record)[1] += record.number("count")

    def add_set_way(self, record):
        row = self.row(record)
        row[0] += 1
        row[3] = record.fields.get("why", "") or row[3]

    def add_row(self, record):
        row = self.row(record)
        key = (record.number("row"), record.fields.get("at", "?"))
        row[2] = self.row_before.get(key, 0) + record.number("count")
        row[3] = row[3] or record.fields.get("what", "")

    def counters_begin_anew(self):
        self.counters.clear()
        self.row_before = {key: row[2] for key, row in self.rows.items()}

    def add_counters_reset(self, record):
        self.counters_begin_anew()
        self.reset_at = record.t

    def add_counters(self, record):
        key = record.fields.get("key", "?")
        if key in self.counters or len(self.counters) < 4096:
            names = ("count", "ticks", "min", "p50", "p99", "max")
            self.counters[key] = {name: record.number(name) for name in names if name in record.fields}

    def as_json(self, verifier_counts):
        return {
            "records": self.records, "boots": self.boots, "boot_count": self.boot_count,
            "levels": {key: item[0] for key, item in self.levels.top(16)},
            "events": {key: item[0] for key, item in self.events.top(256)},
            "traps": self.counters, "hz": self.hz,
            "rows": [{"row": key[0], "at": key[1], "records": row[0], "suppressed": row[1], "count": row[2],
                      "why": row[3], "verdicts": row[4]} for key, row in sorted(self.rows.items())],
            "held": {key: item[0] for key, item in self.held.top(512)},
            "top_pcs": [{"pc": key, "count": item[0], "error": item[1]} for key, item in self.pcs.top(10)],
            "faults": self.quoted_count, "trouble": verifier_counts, "trouble_texts": self.troubles,
        }  # fmt: skip


def table(out, title, head, rows, limit=None, rest=lambda left: ""):
    """Columns as wide as they need; numbers to the right. Of more than limit rows it says how many there are, and how to
    see them; rest(rows left out) may say more of them."""
    if not rows:
        return
    left = rows[limit:] if limit else []
    rows = rows[:limit] if limit else rows
    cells = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    right = [all(isinstance(row[i], (int, float)) or str(row[i])[:1].isdigit() for row in rows) for i in range(len(head))]
    out.write(f"\n{title}\n")
    for row in cells:
        text = (cell.rjust(width) if r else cell.ljust(width) for cell, width, r in zip(row, widths, right))
        out.write("  " + "  ".join(text).rstrip() + "\n")
    if left:
        out.write(f"  ... and {len(left)} more{rest(left)} (all of them: --summary --all)\n")


def seconds(microseconds):
    return f"{microseconds // 10**6}.{microseconds % 10**6:06d}"


def printable(text):
    return "".join(c if c.isprintable() else "?" for c in text)


def nanoseconds(ticks, hz):
    if not hz:
        return f"{ticks} ticks"
    value = ticks * 10**9 / hz
    for unit in ("ns", "us", "ms"):
        if value < 10000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} s"


def write_summary(out, summary, verifier_counts, extra, every=False):
    """every: no table is cut."""
    first, last = summary.bytes_span
    span = f", t = {seconds(first)} s to {seconds(last)} s" if first is not None else ""
    out.write(f"{summary.records} records of {summary.boot_count} boots{span}\n")
    boots = [(b.get("boots", "?"), b["tag"], b.get("version", "?"), b.get("policy", "?"), b.get("guest", "-"),
              b.get("vcpus", "-"), b.get("end", "was still running")) for b in summary.boots]  # fmt: skip
    table(out, "Boots", ["boot", "tag", "version", "policy", "guest", "vcpus", "end"], boots)
    table(out, "Records", ["count", "class/event"], [(item[0], key) for key, item in summary.events.top(None)],
          None if every else 40)
    write_traps(out, summary, every)
    rows = sorted(summary.rows.items(), key=lambda item: -max(item[1][0] + item[1][1], item[1][2]))
    table(out, "Policy rows (count: all verdicts, from the last counters of each boot; logged and held back: records)",
          ["row", "at", "count", "logged", "held back", "verdicts", "why"],
          [(key[0], key[1], row[2] or "-", row[0], row[1],
            " ".join(f"{name}:{n}" for name, n in sorted(row[4].items())) or "-", row[3]) for key, row in rows],
          None if every else 40)  # fmt: skip
    table(out, "Logged accesses", ["count", "key", "op", "verdict"],
          [(item[0], *key) for key, item in summary.verdicts.top(None)],
          None if every else 20)  # fmt: skip
    table(out, "Held back (records that the guest's share of the log had no place for)", ["count", "of"],
          [(item[0], name) for name, item in summary.held.top(40)])  # fmt: skip
    table(out, "Top program counters (of verdicts, aborts and guest exceptions)", ["count", "pc"],
          [(item[0], key + (f" (at most {item[1]} too many)" if item[1] else "")) for key, item in summary.pcs.top(None)],
          None if every else 10)  # fmt: skip
    if summary.quoted:
        shown = f" (the first {len(summary.quoted)})" if summary.quoted_count > len(summary.quoted) else ""
        out.write(f"\nFaults and errors: {summary.quoted_count}{shown}\n")
        for record in summary.quoted:
            out.write("  " + human(record) + "\n")
    write_verdict(out, summary, verifier_counts, extra)


def bounds(stat, hz):
    """What is known of the shortest exit, the median, the 99th of 100 and the longest, in words."""
    if "max" not in stat:  # ariel 0.2 and before: no bound was 0, and the exit took less than the others
        old = ["< " + nanoseconds(stat.get(name, 0), hz) if stat.get(name) else "longer" for name in ("p50", "p99")]
        return ["-", *old, "-"]
    return [nanoseconds(stat[name], hz) if name in stat else "-" for name in ("min", "p50", "p99", "max")]


def write_traps(out, summary, every):
    traps = sorted(summary.counters.items(), key=lambda item: -item[1].get("count", 0))
    rows = []
    for key, stat in traps:
        count = stat.get("count", 0)
        mean = nanoseconds(stat.get("ticks", 0) // max(count, 1), summary.hz)
        rows.append((count, key, mean, *bounds(stat, summary.hz)))
    since = "" if summary.reset_at is None else f" since they were reset at {seconds(summary.reset_at)} s"
    table(out, f"Traps (from the last counters{since}: `exc log`, VM stop, reset or power off; times without records and sleep)",
          ["count", "kind", "mean", "min >=", "half <=", "99 % <=", "max <="], rows, None if every else 30,
          lambda left: f" kinds with {sum(row[0] for row in left)} exits")  # fmt: skip


def write_verdict(out, summary, counts, extra):
    if not any(counts.values()):
        out.write("\nNo record is missing, doubled or forged.\n")
    else:
        words = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        out.write(f"\nNot as it should be: {words}\n")
        for text in summary.troubles:
            out.write(f"  {text}\n")
        if summary.trouble_count > len(summary.troubles):
            out.write(f"  ... and {summary.trouble_count - len(summary.troubles)} more\n")
    for text in extra:
        out.write(text + "\n")


def write_complete(out, accounts, lacks):
    records = plural(accounts.written, "access has its record", "accesses have their record")
    boots = "" if accounts.boots == 1 else f" (over {plural(accounts.boots, 'boot')}, each with counters of its own)"
    if not lacks and not accounts.written:
        out.write(f"\nComplete: no access wanted a record, as EL2 has counted too{boots}.\n")
        return
    if not lacks:
        out.write(f"\nComplete: {records}, none was held back, as many as EL2 has counted{boots}.\n")
        return
    out.write(f"\nNot complete: {records}{boots}. What is lacking:\n")
    for text in lacks:
        out.write(f"  {text}\n")


# ---- Output and filters ----------------------------------------------------------------------------------------------


def human(record):
    return (f"{record.seq:>6} {seconds(record.t):>12} cpu{record.cpu} {record.level:<5} {record.klass:<7} "
            f"{record.event:<12}{printable(record.text)}")  # fmt: skip


def make_filter(options):
    least = LEVELS.index(options.level) if options.level else 0

    def wanted(record):
        return (
            LEVELS.index(record.level) >= least
            and (not options.klass or record.klass in options.klass)
            and (not options.event or record.event in options.event)
            and (options.cpu is None or record.cpu == options.cpu)
            and (options.since is None or record.t >= options.since)
            and (options.until is None or record.t <= options.until)
            and (not options.key or record.fields.get("key", "").lower() == options.key.lower())
            and (not options.grep or options.grep in record.text or options.grep in record.event)
        )

    return wanted


class Decoder:
    def __init__(self, options, out):
        self.options = options
        self.out = out
        self.wanted = make_filter(options)
        self.summary = Summary()
        self.accounts = Accounts()
        self.counts = dict.fromkeys(Verifier.KINDS, 0)
        self.reordered = 0
        self.broken = 0
        self.hidden = 0
        self.before = 0
        self.pushed_out = 0  # records that a ring has no place for any more
        self.open_ends = 0  # captures that do not end with a power off

    def write(self, record):
        if self.options.json:
            self.out.write(json.dumps(record.as_json()) + "\n")
        else:
            if record.event == "log-start":
                self.out.write(f"---- boot {record.number('boots')}, tag {record.tag} ----\n")
            self.out.write(human(record) + "\n")

    def tell(self, kind, text):
        self.summary.add_trouble(f"{kind}: {text}")
        if not self.options.summary:
            line = json.dumps({"trouble": kind, "text": text}) if self.options.json else f"!!!! {kind}: {text}"
            self.out.write(line + "\n")

    def take(self, verifier, record, at_start):
        problem = verifier.check(record, at_start)
        if problem:
            kind, text = problem
            if text:
                self.tell(kind, printable(text))
            if kind not in ("missing", "unproven", "unverified"):
                return
        if self.options.summary:
            self.accounts.add(record)
        if self.wanted(record):
            self.summary.add(record)
            if not self.options.summary:
                self.write(record)
                if self.options.follow:
                    self.out.flush()

    def capture(self, stream):
        verifier = Verifier(self.options.tag, self.options.trust_starts)
        wrapping = Wrapping()
        looked = Looked(stream)
        if looked.had_mark:
            print("log_decode: the input begins with a byte order mark: passed over", file=sys.stderr)
        for line in lines_of(looked, self.options.follow):
            cut = False
            for record, at_start in records_of(line):
                cut = cut or (record is None and at_start)
                self.take(verifier, record, at_start)
            wrapping.note(line, cut)
        self.end(verifier)
        if wrapping.width():
            print(f"log_decode: the input is hard-wrapped at {wrapping.width()} columns, as text copied from a terminal is, and"
                  " its longer records are cut: capture the console itself (make run 2>&1 | tee uart.log)",
                  file=sys.stderr)  # fmt: skip

    def end(self, verifier):
        for kind, count in verifier.counts.items():
            self.counts[kind] += count
        self.reordered += verifier.reordered
        self.broken += verifier.broken
        self.before += verifier.before
        self.hidden += verifier.hidden + verifier.hidden_of_others
        self.open_ends += not verifier.complete

    def finish(self):
        """Writes what is left to write; the exit status."""
        bad = any(self.counts.values())
        ends = {"hidden": self.hidden, "ends_with_power_off": not self.open_ends}
        self.accounts.close()
        ring = bool(self.options.ring)
        lacks = what_lacks(self.accounts, self.counts, {
            "broken": self.broken, "hidden": self.hidden, "open": 0 if ring else self.open_ends, "pushed_out": self.pushed_out,
            "before": 0 if ring else self.before,
        })  # fmt: skip
        if self.options.summary and self.options.json:
            ends |= {"complete": not lacks, "lacks": lacks, "accesses": self.accounts.as_json()}
            self.out.write(json.dumps(self.summary.as_json(self.counts) | ends) + "\n")
        elif self.options.summary:
            extra = []
            if self.hidden:
                extra.append(f"{self.hidden} records are hidden: they went to the ring only. `log` in the monitor and --ring"
                             " show them.")  # fmt: skip
            if self.open_ends and not self.options.ring:
                extra.append("The capture does not end with a power off: what came after its last record, or was lost"
                             " there, it cannot tell.")  # fmt: skip
            if self.broken:
                extra.append(f"{self.broken} lines begin like a record and are none (cut, mangled, or made by a guest).")
            if self.reordered:
                extra.append(f"{self.reordered} records came out of order.")
            write_summary(self.out, self.summary, self.counts, extra, self.options.all)
            write_complete(self.out, self.accounts, lacks)
        if (bad or self.hidden) and not self.options.summary:
            counts = self.counts | {"hidden (in the ring only)": self.hidden}
            words = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
            print(f"log_decode: {words}", file=sys.stderr)
        return 1 if bad else 0


# ---- The ring in a memory dump ---------------------------------------------------------------------------------------

RING_MAGIC = b"arielLOG"
RING_HEAD = struct.Struct("<8sIIIIIIQQ")  # struct log_ring of include/hv/log_ring.h
RING_HALF = struct.Struct("<QQII")  # struct log_half
RING_SLOT = struct.Struct("<QHHI512s")  # struct log_slot
RING_HALF_1 = struct.Struct("<QQQII")  # of version 1: a half was a circle of lines


def find_rings(file):
    """(offset, header values, halves, texts) of every ring in a dump, read in pieces."""
    base, tail = 0, b""
    while True:
        chunk = file.read(1 << 20)
        if not chunk:
            return
        data = tail + chunk
        at = data.find(RING_MAGIC)
        while at >= 0:
            place = file.tell()
            ring = read_ring(file, base + at)
            file.seek(place)
            if ring:
                yield ring
            at = data.find(RING_MAGIC, at + 1)
        tail = data[-(len(RING_MAGIC) - 1) :]
        base += len(data) - len(tail)


def read_ring(file, offset):
    file.seek(offset)
    header = file.read(RING_HEAD.size + 2 * RING_HALF_1.size)
    if len(header) < RING_HEAD.size + 2 * RING_HALF_1.size:
        return None
    _, version, size, header_size, half_size, boots, _, _, _ = RING_HEAD.unpack_from(header)
    if not 4096 <= size <= 1 << 24 or header_size + 2 * half_size != size or header_size < len(header):
        return None
    readers = {1: circle_lines, 2: slot_lines}
    if version not in readers:
        return None
    halves = []
    for n in range(2):
        file.seek(offset + header_size + n * half_size)
        half = readers[version](header, n, file.read(half_size), half_size)
        if half:
            halves.append(half)
    return offset, boots, sorted(halves)


def circle_lines(header, n, text, size):
    """(boot, tag, records written, lines, whether none between them is missing) of a half of version 1, or None."""
    head, _, sequence, tag, boot = RING_HALF_1.unpack_from(header, RING_HEAD.size + n * RING_HALF_1.size)
    if not boot or len(text) != size:
        return None
    at = head % size
    # The oldest line has lost its beginning once the ring is full.
    text = (text[at:] + text[:at]).partition(b"\n")[2] if head > size else text[:at]
    return boot, f"{tag:08x}", sequence, text.split(b"\n"), True


def slot_lines(header, n, slots, size):
    """The same of version 2."""
    _, sequence, tag, boot = RING_HALF.unpack_from(header, RING_HEAD.size + n * RING_HALF.size)
    if not boot or len(slots) != size or size % RING_SLOT.size:
        return None
    records = [(number, text[:length]) for number, _, _, length, text in RING_SLOT.iter_unpack(slots)
               if 0 < length < len(text)]  # fmt: skip
    return boot, f"{tag:08x}", sequence, [text for _, text in sorted(records)], False


def decode_ring(decoder, path):
    """False when there is none."""
    found = False
    with open(path, "rb") as file:
        for offset, boots, halves in find_rings(file):
            found = True
            for boot, tag, written, lines, dense in halves:
                kept = sum(1 for line in lines if line)
                decoder.pushed_out += max(0, written - kept)
                if not decoder.options.json and not decoder.options.summary:
                    which = "the last boot" if boot == boots else "the boot before"
                    decoder.out.write(f"---- ring at offset {offset:#x}: boot {boot} ({which}), tag {tag}, the last {kept} of"
                                      f" {written} records, and the first of each kind ----\n")  # fmt: skip
                verifier = Verifier(tag)
                for line in lines:
                    for record, at_start in records_of(line):
                        verifier.tag = None if record and record.event == "log-start" and record.tag == tag else tag
                        verifier.seen = False
                        if not dense:
                            verifier.expected = None  # newer ones have taken the place of others
                        decoder.take(verifier, record, at_start)
                decoder.end(verifier)
    return found


# ---- The command -----------------------------------------------------------------------------------------------------


def duration(text):
    match = DURATION.match(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: say 1500 (microseconds), 20ms, 1.5s, 2m or 1h")
    return int(float(match[1]) * UNITS[match[2]])


def tag_type(text):
    if not re.match(r"[0-9a-f]{8}\Z", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no tag: eight of 0-9 and a-f")
    return text


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="log_decode.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("files", metavar="FILE", nargs="*", help="captured console; - or none is standard input")
    add("--summary", action="store_true", help="what happened, in tables")
    add("--all", action="store_true", help="with --summary: every row of every table")
    add("--json", action="store_true", help="one JSON object a line")
    add("--ring", metavar="DUMP", help="read the ring in a memory dump instead")
    add("--follow", action="store_true", help="go on reading as the last FILE grows")
    add("--class", dest="klass", action="append", metavar="CLASS", help="only this class (may be given again)")
    add("--event", action="append", metavar="EVENT", help="only this event (may be given again)")
    add("--level", choices=LEVELS, help="only this level and above")
    add("--cpu", type=int, help="only this CPU")
    add("--since", type=duration, metavar="TIME", help="only from TIME on: microseconds, or 20ms, 1.5s, 2m, 1h")
    add("--until", type=duration, metavar="TIME", help="only up to TIME")
    add("--key", help="only records about this key (a register, device, call or cause)")
    add("--grep", metavar="TEXT", help="only records whose event or fields have TEXT")
    add("--tag", type=tag_type, help="the tag, for a capture that does not begin with a boot")
    add("--trust-starts", action="store_true", help="believe every log-start (captures joined together)")
    return parser.parse_args(arguments)


def decode(options, decoder):
    if options.ring:
        if not decode_ring(decoder, options.ring):
            print(f"log_decode: {options.ring}: no log ring in it (want raw memory: QEMU's pmemsave 0x41f00000 0x100000"
                  ' "FILE", or dump-guest-memory without -z)', file=sys.stderr)  # fmt: skip
            return 2
        return decoder.finish()
    for name in options.files or ["-"]:
        if name == "-":
            decoder.capture(sys.stdin.buffer)
        else:
            with open(name, "rb") as stream:
                decoder.capture(stream)
    status = decoder.finish()
    if decoder.summary.records == 0 and status == 0:
        filters = ("klass", "event", "level", "cpu", "since", "until", "key", "grep")
        filtered = any(getattr(options, name) is not None for name in filters)
        print("log_decode: no record" + (" passes the filters" if filtered else " in it"), file=sys.stderr)
        return 2
    return status


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        status = decode(options, Decoder(options, sys.stdout))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except InputError as error:
        print(f"log_decode: the input is {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"log_decode: {error.filename or 'input'}: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
