# SPDX-License-Identifier: Apache-2.0
"""What is in a trace: the machine, its boots, CPUs, records, losses, and what the guest did most."""

import numpy

from ..columns import Columns
from ..printable import printable
from ..trace import Trace
from ..trace_format import TYPE_EXIT, TYPE_TEXT, TYPE_VIRTIO

TOP = 10  # keys that are shown


def add_arguments(parser):
    parser.add_argument("file", help="a trace: what TRACE=FILE wrote, or saved memory")


class Counts:
    """What one pass over a boot's records counts."""

    def __init__(self, trace, boot):
        self.types = numpy.zeros(256, "i8")
        self.keys = numpy.zeros((1 << 16, 2), "i8")
        self.first = self.last = None
        for records in trace.batches(boot):
            self.types += numpy.bincount(records["type"], minlength=256)
            exits = records[records["type"] == TYPE_EXIT]
            numpy.add.at(self.keys, (exits["key"], (exits["write"] != 0).astype("i8")), 1)
            self.first = int(records["entry"][0]) if self.first is None else self.first
            end = int(numpy.maximum(records["entry"], records["exit"]).max())
            self.last = end if self.last is None else max(self.last, end)


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
        more = f", {overwritten[cpu]} older ones overwritten in memory" if overwritten[cpu] else ""
        print(f"  cpu {cpu}: {loss.records} records, {loss.gaps} missing, {loss.drops} counted as dropped{more}")
    show_keys(boot, counts.keys)
    problems = trace.problems(place)
    for problem in problems:
        print(f"  damaged: {problem}")
    if not problems:
        print("  complete but for what is counted as dropped")


def show_keys(boot, keys):
    """The keys and directions with the most exits."""
    words = Columns(boot)
    for place in numpy.argsort(-keys.reshape(-1), kind="stable")[:TOP]:
        key, write = divmod(int(place), 2)
        if keys[key, write]:
            name = printable(words.both_ways(key)[write]) if key < len(boot.meta["keys"]) else f"key-{key}"
            print(f"  {keys[key, write]:>12} {name}")


def run(arguments):
    with Trace(arguments.file) as trace:
        kind = "saved memory" if trace.is_memory else "a file of EL2's"
        print(f"{arguments.file}: {kind}, {len(trace.chunks)} chunks, {trace.source.size} bytes")
        for place in range(len(trace.boots)):
            show_boot(trace, place)
    return 0
