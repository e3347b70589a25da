# SPDX-License-Identifier: Apache-2.0
"""What is in a trace: the machine, its boots, CPUs, records, losses, and what the guest did most."""

import collections

import numpy

from ..columns import Columns
from ..printable import printable
from ..trace import Trace
from ..trace_format import TYPE_EXIT, TYPE_TEXT, TYPE_VIRTIO

TOP = 10  # keys that are shown, and vCPUs whose exits are not all here


def add_arguments(parser):
    parser.add_argument("file", help="a trace: what TRACE=FILE wrote, or saved memory")


class Counts:
    """What one pass over a boot's records counts."""

    def __init__(self, trace, boot):
        self.types = numpy.zeros(256, "i8")
        self.keys = collections.Counter()  # (key, write): exits
        self.vcpus = {}                    # (vm, vcpu): [exits that are here, least and greatest of their sequence numbers]
        self.first = self.last = None
        for records in trace.batches(boot):
            self.types += numpy.bincount(records["type"], minlength=256)
            exits = records[records["type"] == TYPE_EXIT]
            both = exits["key"].astype("u4") << numpy.uint32(1) | (exits["write"] != 0)
            for place, count in zip(*(part.tolist() for part in numpy.unique(both, return_counts=True))):
                self.keys[place >> 1, place & 1] += count
            self.add_sequences(exits)
            self.first = int(records["entry"][0]) if self.first is None else self.first
            end = int(numpy.maximum(records["entry"], records["exit"]).max())
            self.last = end if self.last is None else max(self.last, end)

    def add_sequences(self, exits):
        vcpus = exits["vm"].astype("u4") << numpy.uint32(8) | exits["vcpu"]
        order = numpy.argsort(vcpus, kind="stable")
        vcpus, sequences = vcpus[order], exits["sequence"][order]
        begins = numpy.flatnonzero(numpy.diff(vcpus, prepend=~vcpus[:1]))
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(vcpus)]):
            number, part = int(vcpus[begin]), sequences[begin:end]
            count = self.vcpus.setdefault((number >> 8, number & 0xff), [0, int(part[0]), 0])
            count[:] = count[0] + len(part), min(count[1], int(part.min())), max(count[2], int(part.max()))

    def unseen(self):
        """[(vm, vcpu, exits before the first one here, exits between those here)] of vCPUs of which not all exits are here."""
        found = [(vm, vcpu, least, max(most - least + 1 - exits, 0)) for (vm, vcpu), (exits, least, most) in
                 sorted(self.vcpus.items())]
        return [row for row in found if row[2] or row[3]]


def show_boot(trace, place):
    """The lines about one boot."""
    boot, counts = trace.boots[place], Counts(trace, place)
    meta, losses = boot.meta, trace.losses(place)
    print(f"boot {place}: number {boot.number:016x}, ariel {printable(str(meta.get('ariel', 'unknown')))}, "
          f"board {printable(str(meta.get('board', 'unknown')))}, policy {printable(str(meta.get('policy', 'unknown')))}, "
          f"MIDR {printable(str(meta.get('midr', 'unknown')))}, {meta['cpus']} CPUs")
    for vm in meta["vms"]:
        print(f"  {printable(str(vm.get('name')))}: {printable(str(vm.get('guest')))}, {printable(str(vm.get('vcpus')))} vCPUs")
    print(f"  {int(counts.types.sum())} records: {counts.types[TYPE_EXIT]} exits, {counts.types[TYPE_TEXT]} pieces of text, "
          f"{counts.types[TYPE_VIRTIO]} virtio requests")
    if counts.first is not None:
        first, last = boot.nanoseconds([counts.first, counts.last]) / 1e9
        print(f"  from {first:.6f} s to {last:.6f} s")
    overwritten = trace.overwritten(place)
    for cpu, loss in losses.items():
        when = "in memory" if trace.is_memory else "before the reader came"
        more = f", {overwritten[cpu]} older ones overwritten {when}" if overwritten[cpu] else ""
        print(f"  cpu {cpu}: {loss.records} records, {loss.gaps} missing, {loss.drops} counted as dropped{more}")
    show_keys(boot, counts.keys)
    problems = trace.problems(place)
    for problem in problems:
        print(f"  damaged: {problem}")
    unseen = counts.unseen()
    for vm, vcpu, before, between in unseen[:TOP]:
        print(f"  vm {vm} vcpu {vcpu}: {before + between} exits have no record, {before} of them before the first one here: a filter "
              "left them out, the trace was off, or their records were lost")
    if len(unseen) > TOP:
        print(f"  {len(unseen) - TOP} more vCPUs have exits without a record")
    if not counts.types.any():
        print("  no records: nothing was traced; turn the trace on, or look at its filter (`trace` in the monitor)")
    elif not problems:
        also = ", and exits that have no record" if unseen else ""
        print(f"  complete but for what is counted as dropped{also}")


def show_keys(boot, keys):
    """The keys and directions with the most exits."""
    words = Columns(boot)
    for (key, write), count in sorted(keys.items(), key=lambda item: (-item[1], item[0]))[:TOP]:
        name = printable(words.both_ways(key)[write]) if key < len(boot.meta["keys"]) else f"key-{key}"
        print(f"  {count:>12} {name}")


def run(arguments):
    with Trace(arguments.file) as trace:
        kind = "saved memory" if trace.is_memory else "a file of EL2's"
        print(f"{arguments.file}: {kind}, {len(trace.chunks)} chunks, {trace.source.size} bytes")
        for place in range(len(trace.boots)):
            show_boot(trace, place)
    return 0
