# SPDX-License-Identifier: Apache-2.0
"""A trace as Chrome's JSON (chrome://tracing, Perfetto, speedscope): a process for each VM and a thread for each vCPU, complete
events ("X") for exits, asynchronous ones ("b", "e") for virtio requests, which overlap, instants ("i") for the lines of console
and log. Times are microseconds since the log began, with three decimals."""

import json

import numpy

from ..columns import Columns
from ..lines import Lines
from ..printable import printable
from ..trace_format import TEXT_CONSOLE, TYPE_EXIT, TYPE_VIRTIO, choose
from .table import json_cell

EXIT = ('{"ph":"X","cat":"exit","name":%s,"pid":%d,"tid":%d,"ts":%d.%03d,"dur":%d.%03d,"args":{"function":%s,"pc":"0x%x",'
        '"address":"0x%x","value":"0x%x","verdict":%s,"result":%s,"row":%s,"sequence":%d}}')
REQUEST = ('{"ph":"b","cat":"virtio","name":%s,"pid":%d,"tid":%d,"id":%d,"ts":%d.%03d,"args":{"sector":%d,"bytes":%d,'
           '"status":%s,"verdict":%s,"row":%s,"transport":%d,"queue":%d}},\n'
           '{"ph":"e","cat":"virtio","name":%s,"pid":%d,"tid":%d,"id":%d,"ts":%d.%03d}')


def microseconds(nanoseconds):
    """Two lists for the format %d.%03d."""
    return [(nanoseconds // 1000).tolist(), (nanoseconds % 1000).tolist()]


class Writer:
    """Makes the events of one boot: lists of str."""

    def __init__(self, boot, symbols):
        self.boot, self.words, self.lines, self.known, self.requests = boot, Columns(boot, symbols), Lines(), set(), 0

    def cells(self, words):
        return map(json_cell, words.tolist())

    def times(self, records):
        """Beginning and duration in nanoseconds."""
        begin = numpy.maximum(self.boot.nanoseconds(records["entry"]), 0)
        return begin, self.boot.duration_ns(numpy.maximum(records["exit"], records["entry"]) - records["entry"])

    def exits(self, records):
        begin, spent = self.times(records)
        words = self.words
        return map(EXIT.__mod__, zip(
            self.cells(words.labels(records)), (records["vm"] + 1).tolist(), records["vcpu"].tolist(), *microseconds(begin),
            *microseconds(spent), self.cells(words.functions(records)), records["pc"].tolist(), records["address"].tolist(),
            records["value"].tolist(), self.cells(words.verdicts(records)), self.cells(words.results(records)),
            self.cells(words.places(records)), records["sequence"].tolist()))

    def requests_of(self, records):
        begin, spent = self.times(records)
        words = self.words
        names = list(self.cells(words.labels(records)))
        where = (records["vm"] + 1).tolist(), records["vcpu"].tolist(), range(self.requests, self.requests + len(records))
        self.requests += len(records)
        return map(REQUEST.__mod__, zip(
            names, *where, *microseconds(begin), records["address"].tolist(), records["value"].tolist(),
            self.cells(words.statuses(records)), self.cells(words.verdicts(records)), self.cells(words.places(records)),
            records["x"][:, 0].tolist(), records["x"][:, 3].tolist(), names, *where, *microseconds(begin + spent)))

    def texts(self, lines):
        for line in lines:
            nanoseconds = max(int(self.boot.nanoseconds(line.entry)), 0)
            kind = "console" if line.kind == TEXT_CONSOLE else "log"
            yield (f'{{"ph":"i","s":"p","cat":"{kind}","name":{json_cell(line.text)},"pid":{line.vm + 1},"tid":{line.vcpu},'
                   f'"ts":{nanoseconds // 1000}.{nanoseconds % 1000:03d}}}')

    def owners(self, records):
        """The names of processes and threads that were not seen before."""
        vms = self.boot.meta["vms"]
        for owner in numpy.unique(records["vm"].astype("u4") << 8 | records["vcpu"]).tolist():
            vm, vcpu = owner >> 8, owner & 0xff
            name = printable(str(vms[vm].get("name", f"vm{vm}"))) if vm < len(vms) else f"vm{vm}"
            for what, label, key in (("process_name", name, (vm, None)), ("thread_name", f"vCPU {vcpu}", (vm, vcpu))):
                if key not in self.known:
                    self.known.add(key)
                    yield json.dumps({"ph": "M", "name": what, "pid": vm + 1, "tid": vcpu, "args": {"name": label}})

    def events(self, records):
        exits, requests = choose(records, records["type"] == TYPE_EXIT), choose(records, records["type"] == TYPE_VIRTIO)
        yield from self.owners(exits)
        yield from self.exits(exits)
        yield from self.requests_of(requests)
        yield from self.texts(text for _, text in self.lines.feed(records))


def write(trace, symbols, output, boot=-1):
    """Writes a boot. output: a binary file. symbols: of the guest, or None."""
    writer = Writer(trace.boot(boot), symbols)
    output.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
    between = ""
    for records in trace.batches(boot):
        text = ",\n".join(writer.events(records))
        output.write((between + text).encode() if text else b"")
        between = ",\n" if text else between
    text = ",\n".join(writer.texts(writer.lines.rest()))
    output.write(((between + text) if text else "").encode() + b"\n]}\n")
