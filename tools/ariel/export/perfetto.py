# SPDX-License-Identifier: Apache-2.0
"""A trace for Perfetto (ui.perfetto.dev): a process for each VM, a thread for each vCPU with a slice for each exit, tracks
for the virtio requests of each transport, for the console and for the log. Times are nanoseconds since the log began.

Exits of one vCPU follow each other, so that their slices stand side by side. Requests overlap: each has a track on which
no other one is under way, and tracks of one name are shown together."""

import numpy

from ..columns import Columns
from ..lines import Lines
from ..printable import printable
from ..trace_format import TEXT_CONSOLE, TYPE_EXIT, TYPE_VIRTIO, choose
from .perfetto_proto import INSTANT, NEEDS_STATE, SLICE_BEGIN, SLICE_END, STATE_CLEARED, Form, Trace

SEQUENCE = 1  # all packets are of one writer
CATEGORIES = ("exit", "virtio", "console", "log")
# Bytes of numbers: 9 for times (63 bits), 10 for what has 64 bits, 4 for the numbers of names
TIME, WORD, NAME = 9, 10, 4
EXIT_NOTES = (("function", "string"), ("pc", "pointer"), ("address", "pointer"), ("value", "pointer"), ("verdict", "string"),
              ("result", "string"), ("row", "string"), ("sequence", "uint"))
REQUEST_NOTES = (("sector", "uint"), ("bytes", "uint"), ("status", "string"), ("verdict", "string"), ("row", "string"),
                 ("queue", "uint"))
NOTE_NAMES = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in EXIT_NOTES + REQUEST_NOTES), 1)}


def begin_form(category, notes):
    """The packets with which slices of a category begin, with their annotations."""
    columns = {"timestamp": TIME, "track": WORD, "name": NAME}
    columns.update({f"note_{name}": NAME if kind == "string" else WORD for name, kind in notes})

    def fill(packet, holders):
        packet.timestamp, packet.trusted_packet_sequence_id, packet.sequence_flags = holders["timestamp"], SEQUENCE, NEEDS_STATE
        event = packet.track_event
        event.type, event.track_uuid, event.name_iid = SLICE_BEGIN, holders["track"], holders["name"]
        event.category_iids.append(1 + CATEGORIES.index(category))
        for name, kind in notes:
            note = event.debug_annotations.add(name_iid=NOTE_NAMES[name])
            setattr(note, "string_value_iid" if kind == "string" else f"{kind}_value", holders[f"note_{name}"])

    return Form(fill, columns)


def end_form():
    """The packets with which slices end."""
    def fill(packet, holders):
        packet.timestamp, packet.trusted_packet_sequence_id = holders["timestamp"], SEQUENCE
        packet.track_event.type, packet.track_event.track_uuid = SLICE_END, holders["track"]

    return Form(fill, {"timestamp": TIME, "track": WORD})


class Names:
    """Words that packets name by number."""

    def __init__(self):
        self.numbers, self.fresh = {}, []

    def of(self, words):
        """The numbers of an array of words, from 1 on."""
        words = words.tolist()
        for word in set(words) - self.numbers.keys():
            self.numbers[word] = len(self.numbers) + 1
            self.fresh.append((self.numbers[word], word))
        return numpy.array([self.numbers[word] for word in words], "u8")

    def take(self):
        fresh, self.fresh = self.fresh, []
        return fresh


class Lanes:
    """Tracks for requests that overlap: of each transport the first one that is free."""

    def __init__(self):
        self.ends = {}  # (vm, transport): when the last request on each lane ends

    def find(self, owner, begin, end):
        """The lane for a request. Requests come in the order in which they begin."""
        lanes = self.ends.setdefault(owner, [])
        for lane, busy in enumerate(lanes):
            if busy <= begin:
                lanes[lane] = end
                return lane
        lanes.append(end)
        return len(lanes) - 1


class Writer:
    """Writes the packets of one boot."""

    def __init__(self, boot, symbols, output):
        self.boot, self.output, self.words, self.lines = boot, output, Columns(boot, symbols), Lines()
        self.exits, self.requests, self.ends = begin_form("exit", EXIT_NOTES), begin_form("virtio", REQUEST_NOTES), end_form()
        self.events, self.strings, self.lanes, self.tracks = Names(), Names(), Lanes(), {}
        trace = Trace()
        first = trace.packet.add(trusted_packet_sequence_id=SEQUENCE, sequence_flags=STATE_CLEARED, first_packet_on_sequence=True)
        for number, name in enumerate(CATEGORIES, 1):
            first.interned_data.event_categories.add(iid=number, name=name)
        for name, number in NOTE_NAMES.items():
            first.interned_data.debug_annotation_names.add(iid=number, name=name)
        output.write(trace.SerializeToString())

    def track(self, *what):
        """The number of a track: ("vm", n), ("vcpu", vm, n), ("console", vm), ("log", vm) or ("virtio", vm, transport, lane).
        It is described when it is first asked for."""
        if what not in self.tracks:
            kind, vm = what[:2]
            parent = self.track("vm", vm) if kind != "vm" else 0
            self.tracks[what] = len(self.tracks) + 1
            trace = Trace()
            made = trace.packet.add(trusted_packet_sequence_id=SEQUENCE).track_descriptor
            made.uuid = self.tracks[what]
            if kind == "vm":
                vms = self.boot.meta["vms"]
                made.process.pid = vm + 1
                made.process.process_name = printable(str(vms[vm].get("name", f"vm{vm}"))) if vm < len(vms) else f"vm{vm}"
            elif kind == "vcpu":
                made.parent_uuid = parent
                made.thread.pid, made.thread.tid, made.thread.thread_name = vm + 1, (vm + 1) * 1000 + what[2], f"vCPU {what[2]}"
            else:
                made.parent_uuid, made.name = parent, f"virtio transport {what[2]}" if kind == "virtio" else kind
            self.output.write(trace.SerializeToString())
        return self.tracks[what]

    def write_names(self):
        """The names that have no number yet in the file."""
        events, strings = self.events.take(), self.strings.take()
        if not events and not strings:
            return
        trace = Trace()
        data = trace.packet.add(trusted_packet_sequence_id=SEQUENCE, sequence_flags=NEEDS_STATE).interned_data
        for number, word in events:
            data.event_names.add(iid=number, name=word)
        for number, word in strings:
            data.debug_annotation_string_values.add(iid=number, str=word.encode())
        self.output.write(trace.SerializeToString())

    def write_slices(self, form, records, columns):
        """A beginning and an end for each of the records."""
        begin = numpy.maximum(self.boot.nanoseconds(records["entry"]), 0)
        end = begin + self.boot.duration_ns(numpy.maximum(records["exit"], records["entry"]) - records["entry"])
        self.write_names()
        first = form.packets(len(records), {"timestamp": begin, **columns})
        last = self.ends.packets(len(records), {"timestamp": end, "track": columns["track"]})
        self.output.write(numpy.hstack((first, last)).tobytes())

    def common(self, records):
        """The columns that exits and requests share."""
        words, strings = self.words, self.strings
        return {"name": self.events.of(words.labels(records)), "note_verdict": strings.of(words.verdicts(records)),
                "note_row": strings.of(words.places(records))}

    def write_exits(self, records):
        owners = records["vm"].astype("u4") << 8 | records["vcpu"]
        different, which = numpy.unique(owners, return_inverse=True)
        tracks = numpy.array([self.track("vcpu", owner >> 8, owner & 0xff) for owner in different.tolist()], "u8")
        columns = {"track": tracks[which], "note_function": self.strings.of(self.words.functions(records)),
                   "note_result": self.strings.of(self.words.results(records))}
        columns.update({f"note_{name}": records[name] for name in ("pc", "address", "value", "sequence")})
        self.write_slices(self.exits, records, {**columns, **self.common(records)})

    def write_requests(self, records):
        tracks = []
        ends = numpy.maximum(records["exit"], records["entry"]).tolist()
        for vm, transport, begin, end in zip(records["vm"].tolist(), records["x"][:, 0].tolist(), records["entry"].tolist(),
                                             ends):
            tracks.append(self.track("virtio", vm, transport, self.lanes.find((vm, transport), begin, end)))
        columns = {"track": numpy.array(tracks, "u8"), "note_sector": records["address"], "note_bytes": records["value"],
                   "note_status": self.strings.of(self.words.statuses(records)), "note_queue": records["x"][:, 3]}
        self.write_slices(self.requests, records, {**columns, **self.common(records)})

    def write_lines(self, lines):
        trace = Trace()
        for line in lines:
            kind = "console" if line.kind == TEXT_CONSOLE else "log"
            packet = trace.packet.add(trusted_packet_sequence_id=SEQUENCE, sequence_flags=NEEDS_STATE)
            packet.timestamp = max(int(self.boot.nanoseconds(line.entry)), 0)
            event = packet.track_event
            event.type, event.track_uuid, event.name = INSTANT, self.track(kind, line.vm), line.text or " "
            event.category_iids.append(1 + CATEGORIES.index(kind))
        self.output.write(trace.SerializeToString())


def write(trace, symbols, output, boot=-1):
    """Writes a boot. output: a binary file. symbols: of the guest, or None."""
    writer = Writer(trace.boot(boot), symbols, output)
    for records in trace.batches(boot):
        for kind, function in ((TYPE_EXIT, writer.write_exits), (TYPE_VIRTIO, writer.write_requests)):
            chosen = choose(records, records["type"] == kind)
            if len(chosen):
                function(chosen)
        writer.write_lines(text for _, text in writer.lines.feed(records))
    writer.write_lines(writer.lines.rest())
