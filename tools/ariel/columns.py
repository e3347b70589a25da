# SPDX-License-Identifier: Apache-2.0
"""Words for what records say in numbers, for whole arrays at once: names of keys, functions, verdicts and so on.

All words are printable (printable.py): a trace's names may have come through many hands."""

import numpy

from . import esr
from .printable import printable
from .trace_format import TYPE_VIRTIO

ACCESSES = ("read", "write", "call", "trap")
CALLS = {"hvc", "smc"}  # causes whose records have a caller


def lookup(names):
    """A function that gives the names of an array of numbers; "?" for a number that has none."""
    table = numpy.array([printable(str(name)) for name in names] + ["?"], object)
    return lambda numbers: table[numpy.minimum(numbers, len(table) - 1)]


def base_name(place):
    """The function's name of a place such as "start_kernel+0x9c"."""
    return place.partition("+")[0]


class Columns:
    """Words for the records of one trace.Boot. symbols: of its guest (ariel.symbols), or None. All methods take an array of
    trace.RECORD and return an array of str of the same length."""

    def __init__(self, boot, symbols=None):
        meta = boot.meta
        self.boot, self.symbols, self.names = boot, symbols, meta["keys"]
        self._keys, self.causes_of = lookup(meta["keys"]), lookup(meta["causes"])
        self._verdicts, self._results = lookup(meta["verdicts"]), lookup(meta["results"])
        self._requests, self._statuses = lookup(meta.get("requests", [])), lookup(meta.get("statuses", []))
        self._places = lookup([row.get("place", "") for row in meta["rows"]] + ["none"])
        self.row_count = len(meta["rows"])
        self.unknown = meta["keys"].index("sysreg-unknown") if "sysreg-unknown" in meta["keys"] else None
        self.irq = meta["keys"].index("irq") if "irq" in meta["keys"] else None
        self._labels = lookup([text for key in range(len(meta["keys"])) for text in self.both_ways(key)])
        self.calls = numpy.array([name in CALLS for name in meta["causes"]] + [False])
        self.callers = {}

    def both_ways(self, key):
        """What reading and writing of a key is called: registers and devices are read and written, all else just happens."""
        name = self.names[key]
        if key < self.boot.meta["groups"].get("device", 0):
            return name, name
        return f"read {name}", f"write {name}"

    def accesses(self, records):
        """Numbers of ACCESSES: registers and devices are read or written, calls are made, all else just traps."""
        groups = self.boot.meta["groups"]
        call, device = groups.get("call", 0), groups.get("device", 0)
        keys = records["key"]
        return numpy.where(keys >= device, (records["write"] != 0).astype("u1"), numpy.where(keys >= call, 2, 3)).astype("u1")

    def keys(self, records):
        """Names of keys; of registers that no table names their encodings, as S3_7_C15_C15_7."""
        names = self._keys(records["key"])
        self.fill(names, records["key"] == self.unknown, records["syndrome"], esr.encoded_name)
        return names

    def labels(self, records):
        """What happened, short: "read ID_AA64PFR0_EL1", "irq 27", "wfi", "psci-cpu-on", "virtio-mmio write"."""
        names = self._labels(numpy.minimum(records["key"].astype("u4") * 2 + (records["write"] != 0), 2 * len(self.names)))
        for write, word in ((0, "read"), (1, "write")):
            self.fill(names, (records["key"] == self.unknown) & ((records["write"] != 0) == write), records["syndrome"],
                      lambda value, word=word: f"{word} {esr.encoded_name(value)}")
        self.fill(names, records["key"] == self.irq, records["address"], lambda number: f"irq {number}")
        requests = numpy.flatnonzero(records["type"] == TYPE_VIRTIO)
        names[requests] = [f"{key} {request}" for key, request in
                           zip(self._keys(records["key"][requests]), self.requests(records)[requests])]
        return names

    @staticmethod
    def fill(names, where, numbers, name):
        """Puts name(number) into some places; it is called once for each different number."""
        places = numpy.flatnonzero(where)
        if len(places):
            different, which = numpy.unique(numbers[places], return_inverse=True)
            names[places] = numpy.array([name(int(number)) for number in different] + [""], object)[which]

    def causes(self, records):
        return self.causes_of(records["cause"])

    def verdicts(self, records):
        return self._verdicts(records["verdict"])

    def results(self, records):
        return self._results(records["result"])

    def requests(self, records):
        """Of virtio records: the kinds of their requests."""
        return self._requests(records["x"][:, 1])

    def statuses(self, records):
        """Of virtio records: how they ended."""
        return self._statuses(records["x"][:, 2])

    def places(self, records):
        """Where the rows stand that decided: "policy/linux.toml:12"; "none" where no row did."""
        return self._places(numpy.minimum(records["row"], self.row_count))

    def functions(self, records):
        """Where the guest was: "start_kernel+0x9c", "" where no symbol is known. Of a call it is who made it, since all calls
        of a kernel are one instruction in one function (ariel.symbols.calls)."""
        names = numpy.full(len(records), "", object)
        if self.symbols is None:
            return names
        names[:] = self.symbols.names(records["pc"], records["pstate"])
        for place in numpy.flatnonzero(self.calls[numpy.minimum(records["cause"], len(self.calls) - 1)]).tolist():
            names[place] = self.caller(records[place]) or names[place]
        return names

    def caller(self, record):
        """The nearest function that called, and that is more than a way to EL2; "" when the PC tells it."""
        from .symbols.calls import KNOWN, caller_of
        key = int(record["pc"]), int(record["lr"]), int(record["caller"])
        if key not in self.callers:
            if len(self.callers) > 1 << 16:
                self.callers.clear()
            texts = [printable(text) for text in caller_of(record, self.symbols)]
            real = [text for text in texts if base_name(text) not in KNOWN]
            self.callers[key] = (real or texts or [""])[0]
        return self.callers[key]
