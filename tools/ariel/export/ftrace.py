# SPDX-License-Identifier: Apache-2.0
"""A trace as trace.dat of trace-cmd and KernelShark, version 6 of the format (trace-cmd.dat.v6(5)).

A vCPU is a CPU of the file, and a task of its own. Its data are pages of the kernel's ring buffer: a page's header has a time
and how many bytes are used; an event's header, in 32 bits, how long it is and how many nanoseconds it comes after the one
before. All events here are equally long, so that whole pages are filled in by numpy. The file tells the number of CPUs before
their data: pages are gathered in temporary files first, beside the output's own data in the folder for such."""

import re
import shutil
import struct
import tempfile

import numpy

from ..columns import ACCESSES, Columns
from ..lines import Lines
from ..printable import printable
from ..trace_format import TEXT_CONSOLE, TYPE_EXIT, TYPE_TEXT, TYPE_VIRTIO, choose

PAGE, PAGE_HEADER = 4096, 16
PAYLOAD = 72                                    # bytes of an event behind its header
EVENT = 4 + PAYLOAD
EVENTS = (PAGE - PAGE_HEADER) // EVENT          # in a page
DELTA_MAX = (1 << 27) - 1                       # nanoseconds that an event's header can hold
STEP = 4096                                     # events that are laid out at once
TEXT = PAYLOAD - 8                              # bytes of text in an event, with the zero byte at its end
COMMON = (("unsigned short", "common_type", 0, 2), ("unsigned char", "common_flags", 2, 1),
          ("unsigned char", "common_preempt_count", 3, 1), ("int", "common_pid", 4, 4))
# name, id, fields as (C type, name, offset, size)
EXIT = ("exit", 1, (("unsigned long", "pc", 8, 8), ("unsigned long", "lr", 16, 8), ("u64", "address", 24, 8),
                    ("u64", "value", 32, 8), ("u64", "sequence", 40, 8), ("u64", "ns", 48, 8), ("u32", "syndrome", 56, 4),
                    ("u16", "key", 60, 2), ("u16", "row", 62, 2), ("u8", "cause", 64, 1), ("u8", "verdict", 65, 1),
                    ("u8", "result", 66, 1), ("u8", "access", 67, 1), ("u8", "el", 68, 1), ("u8", "width", 69, 1)))
VIRTIO = ("virtio", 2, (("u64", "sector", 8, 8), ("u64", "bytes", 16, 8), ("u64", "ns", 24, 8), ("u16", "transport", 32, 2),
                        ("u16", "request", 34, 2), ("u16", "status", 36, 2), ("u16", "queue", 38, 2), ("u16", "key", 60, 2),
                        ("u16", "row", 62, 2), ("u8", "verdict", 65, 1)))
CONSOLE = ("console", 3, (("char", f"text[{TEXT}]", 8, TEXT),))
LOG = ("log", 4, CONSOLE[2])
HEADER_PAGE = """\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;
"""
HEADER_EVENT = """# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
"""


def payload_type(event):
    """The numpy dtype of an event's payload."""
    _, _, fields = event
    whole = COMMON + fields
    kinds = [f"S{size}" if kind == "char" else f"<{'i' if kind == 'int' else 'u'}{size}" for kind, _, _, size in whole]
    return numpy.dtype({"names": [name.partition("[")[0] for _, name, _, _ in whole], "formats": kinds,
                        "offsets": [offset for _, _, offset, _ in whole], "itemsize": PAYLOAD})


def symbolic(field, names):
    """The C-like words that show a number by its name."""
    plain = [re.sub(r"[^A-Za-z0-9_./:-]", "_", str(name)) for name in names or ("none",)]
    rows = ", ".join(f'{{ {number}, "{name}" }}' for number, name in enumerate(plain))
    return f"__print_symbolic(REC->{field}, {rows})"


def event_format(event, print_format):
    """The text that describes an event, as in the kernel's events/*/*/format."""
    name, number, fields = event
    lines = [f"name: {name}", f"ID: {number}", "format:"]
    for part in (COMMON, fields):
        lines += [f"\tfield:{kind} {field};\toffset:{offset};\tsize:{size};\tsigned:{int(kind in ('int', 'char'))};"
                  for kind, field, offset, size in part] + [""]
    return "\n".join(lines) + f"\nprint fmt: {print_format}\n"


def formats(meta):
    """The texts for all events."""
    row_names = [row.get("place", "") for row in meta["rows"]] + ["none"]
    verdict, row, key = symbolic("verdict", meta["verdicts"]), symbolic("row", row_names), symbolic("key", meta["keys"])
    access = symbolic("access", ACCESSES)
    yield event_format(EXIT, '"%s %s pc=%pS lr=%pS address=0x%llx value=0x%llx %s %s row=%s ns=%llu seq=%llu esr=0x%x el=%d", '
                       f'{access}, {key}, (void *)REC->pc, (void *)REC->lr, REC->address, REC->value, {verdict}, '
                       f'{symbolic("result", meta["results"])}, {row}, REC->ns, REC->sequence, REC->syndrome, REC->el')
    yield event_format(VIRTIO, '"%s %s transport=%d queue=%d sector=%llu bytes=%llu %s %s row=%s ns=%llu", '
                       f'{key}, {symbolic("request", meta.get("requests", []))}, REC->transport, REC->queue, REC->sector, '
                       f'REC->bytes, {symbolic("status", meta.get("statuses", []))}, {verdict}, {row}, REC->ns')
    yield event_format(CONSOLE, '"%s", REC->text')
    yield event_format(LOG, '"%s", REC->text')


class Functions:
    """The functions in which the guest was, for the file's list of symbols. A viewer takes an address for a part of the
    symbol before it: so each function is followed by one called "unknown", behind the last address that is its own."""

    def __init__(self, symbols):
        self.symbols, self.seen = symbols, {}  # address of a function: [name, last address seen]

    def add(self, addresses):
        if self.symbols is None:
            return
        different = numpy.unique(addresses)
        for address, name in zip(different.tolist(), self.symbols.names(different)):
            name, plus, offset = printable(name).partition("+")
            if name:
                start = address - (int(offset, 16) if plus else 0)
                last = self.seen.setdefault(start, [name, address])
                last[1] = max(last[1], address)

    def text(self):
        ends = {last + 4: "unknown" for _, last in self.seen.values()}
        known = {**ends, **{start: re.sub(r"[^A-Za-z0-9_.$]", "_", name) for start, (name, _) in self.seen.items()}}
        return "".join(f"{address:x} T {known[address]}\n" for address in sorted(known))


class Pages:
    """The pages of one vCPU, in a temporary file."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()
        self.times, self.events = numpy.zeros(0, "i8"), numpy.zeros((0, PAYLOAD), "u1")
        self.last = 0

    def add(self, times, events):
        """Events in the order of their times, in nanoseconds."""
        times = numpy.maximum.accumulate(numpy.maximum(times, self.last))
        self.last = int(times[-1]) if len(times) else self.last
        times, events = numpy.concatenate((self.times, times)), numpy.concatenate((self.events, events))
        done = 0
        while len(times) - done >= STEP:
            done += self.write(times[done:done + STEP], events[done:done + STEP], False)
        self.times, self.events = times[done:].copy(), events[done:].copy()

    def finish(self):
        self.write(self.times, self.events, True)
        return self.file

    def write(self, times, events, whole):
        """Writes pages of these events, all but the last page's if it may have more, and returns how many are written."""
        if not len(times):
            return 0
        deltas = numpy.diff(times, prepend=times[0])
        # A page begins where the time is too far away for an event's header, and where the page before is full.
        starts = numpy.flatnonzero(numpy.append(True, deltas[1:] > DELTA_MAX))
        place = numpy.arange(len(times)) - numpy.repeat(starts, numpy.diff(numpy.append(starts, len(times))))
        begins = place % EVENTS == 0
        page = numpy.cumsum(begins) - 1
        count = len(times) if whole else int(numpy.flatnonzero(begins)[-1]) or len(times)
        page, slot, deltas = page[:count], place[:count] % EVENTS, numpy.where(begins, 0, deltas)[:count]
        pages = numpy.zeros((int(page[-1]) + 1, PAGE), "u1")
        body = numpy.zeros((len(pages), EVENTS, EVENT), "u1")
        body[page, slot, :4] = (deltas.astype("<u4") << numpy.uint32(5) | numpy.uint32(PAYLOAD // 4)).view("u1").reshape(-1, 4)
        body[page, slot, 4:] = events[:count]
        used = numpy.bincount(page).astype("<u8") * numpy.uint64(EVENT)
        pages[:, :8] = times[:count][begins[:count]].astype("<u8").view("u1").reshape(-1, 8)
        pages[:, 8:16] = used.view("u1").reshape(-1, 8)
        pages[:, PAGE_HEADER:PAGE_HEADER + EVENTS * EVENT] = body.reshape(len(pages), -1)
        self.file.write(pages.tobytes())
        return count


class Writer:
    """Gathers one boot's pages."""

    def __init__(self, boot, symbols):
        self.boot, self.words, self.lines, self.functions = boot, Columns(boot, symbols), Lines(), Functions(symbols)
        self.pages = {}  # (vm << 8 | vcpu): Pages

    def fresh(self, event, count, pid):
        made = numpy.zeros(count, payload_type(event))
        made["common_type"], made["common_pid"] = event[1], pid
        return made

    def exits(self, records, pid):
        made = self.fresh(EXIT, len(records), pid)
        for name in ("pc", "lr", "address", "value", "sequence", "syndrome", "key", "cause", "verdict", "result", "width"):
            made[name] = records[name]
        made["access"], made["el"] = self.words.accesses(records), records["pstate"] >> 2 & 3
        self.functions.add(numpy.concatenate((records["pc"], records["lr"])))
        return made

    def requests(self, records, pid):
        made = self.fresh(VIRTIO, len(records), pid)
        made["sector"], made["bytes"] = records["address"], records["value"]
        for place, name in enumerate(("transport", "request", "status", "queue")):
            made[name] = records["x"][:, place]
        made["key"], made["verdict"] = records["key"], records["verdict"]
        return made

    def add(self, records, texts):
        """Records of one vCPU, and the lines that end in them, by their places."""
        pid, times = self.pid(records), numpy.maximum(self.boot.nanoseconds(records["entry"]), 0)
        payload, when = [numpy.zeros((0, PAYLOAD), "u1")], [numpy.zeros(0, "i8")]
        for kind, make in ((TYPE_EXIT, self.exits), (TYPE_VIRTIO, self.requests)):
            places = numpy.flatnonzero(records["type"] == kind)
            chosen = choose(records, places)
            made = make(chosen, pid)
            made["ns"] = self.boot.duration_ns(numpy.maximum(chosen["exit"], chosen["entry"]) - chosen["entry"])
            made["row"] = numpy.minimum(chosen["row"], self.words.row_count)
            payload.append(made.view("u1").reshape(-1, PAYLOAD))
            when.append(times[places])
        for place, text in texts:
            pieces = self.text(text, pid)
            payload.append(pieces)
            when.append(numpy.full(len(pieces), times[place]))
        when, payload = numpy.concatenate(when), numpy.concatenate(payload)
        order = numpy.argsort(when, kind="stable")
        owner = int(records["vm"][0]) << 8 | int(records["vcpu"][0])
        self.pages.setdefault(owner, Pages()).add(when[order], payload[order])

    def text(self, text, pid):
        """A line as events, of which each has as much as fits."""
        data, pieces = text.text.encode("ascii", "backslashreplace"), []
        for begin in range(0, len(data) or 1, TEXT - 1):
            pieces.append(data[begin:begin + TEXT - 1])
        made = self.fresh(CONSOLE if text.kind == TEXT_CONSOLE else LOG, len(pieces), pid)
        made["text"] = pieces
        return made.view("u1").reshape(-1, PAYLOAD)

    @staticmethod
    def pid(records):
        return (int(records["vm"][0]) + 1) * 1000 + int(records["vcpu"][0])


def owners_of(records):
    """Whose each record is: vm << 8 | vcpu. A text record has its VM in `row`."""
    return numpy.where(records["type"] == TYPE_TEXT, records["row"], records["vm"]).astype("u4") << 8 | records["vcpu"]


def add_batch(writer, records):
    ended = dict(writer.lines.feed(records))
    owners = owners_of(records)
    for owner in numpy.unique(owners).tolist():
        places = numpy.flatnonzero(owners == owner)
        mine = choose(records, places).copy()
        mine["vm"] = numpy.uint16(owner >> 8)
        texts = [(place, ended[at]) for place, at in enumerate(places.tolist()) if at in ended]
        writer.add(mine, texts)


def sized(text, form):
    data = text.encode()
    return struct.pack(form, len(data)) + data


def header(writer, tables):
    """The file up to the list of CPUs."""
    names = "".join(f"{(owner >> 8) * 1000 + 1000 + (owner & 0xff)} vm{owner >> 8}-vcpu{owner & 0xff}\n"
                    for owner in writer.pages)
    parts = [b"\x17\x08\x44tracing6\0\0\x08", struct.pack("<I", PAGE), b"header_page\0", sized(HEADER_PAGE, "<Q"),
             b"header_event\0", sized(HEADER_EVENT, "<Q"), struct.pack("<I", 0), struct.pack("<I", 1), b"ariel\0",
             struct.pack("<I", len(tables)), *(sized(text, "<Q") for text in tables),
             sized(writer.functions.text(), "<I"), sized("", "<I"), sized(names, "<Q"),
             struct.pack("<I", len(writer.pages)), b"options  \0", struct.pack("<H", 0), b"flyrecord\0"]
    return b"".join(parts)


def write(trace, symbols, output, boot=-1):
    """Writes a boot. output: a binary file. symbols: of the guest, or None."""
    chosen = trace.boot(boot)
    writer = Writer(chosen, symbols)
    for records in trace.batches(boot):
        add_batch(writer, records)
    files = [pages.finish() for pages in writer.pages.values()]
    begin = header(writer, list(formats(chosen.meta)))
    place = -(-(len(begin) + 16 * len(files)) // PAGE) * PAGE
    index = []
    for file in files:
        index.append(struct.pack("<QQ", place, file.tell()))
        place += file.tell()
    begin += b"".join(index)
    output.write(begin.ljust(-(-len(begin) // PAGE) * PAGE, b"\0"))
    for file in files:
        file.seek(0)
        shutil.copyfileobj(file, output, 1 << 20)
        file.close()
