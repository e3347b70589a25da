# SPDX-License-Identifier: Apache-2.0
"""One of the traces that are compared: what its guest did, as numbers of kinds of exits, and each vCPU's exits in order.

A kind is what two runs can be held to: which register, device or call, in which direction, from which function, what became
of it, and the value or its class. Memory grows by 8 bytes for each record, and with the number of kinds."""

import numpy

from ..columns import Columns, lookup
from ..distribution import Distribution
from ..errors import TraceError
from ..numbering import Numbering, TupleNumbering
from ..owners import Owners
from ..trace_format import TEXT_CONSOLE, TYPE_EXIT, TYPE_VIRTIO, choose
from .guest import EXACT, MANY, USER

KINDS_MAX = 500_000
VALUES_MAX = 64               # different values of one register that are told apart while a trace is read
FRAME = numpy.uint64(0x20000)  # of a redistributor: RD_base and SGI_base (IHI 0069 12.10); each CPU has one
ENCODING = numpy.uint64(0xfffffc1e)  # of ESR_EL2: class and encoding of a register, without Rt and direction (DDI 0487 D19.2.37)
ASKED = ("psci-features", "smccc-arch-features")  # calls that ask about another one, which x1 names
UNNUMBERED = ("hvc-unknown", "smccc-unknown", "hvc-immediate", "smc-immediate")  # whose function number says what was called
SLEEPS = ("wfi", "wfe")
INTERRUPTS = ("irq", "fiq")
FIELDS = ("access", "operand", "function", "decided", "class", "number")  # of a kind


def numbers_of(names, wanted):
    """An array of bool: which of a list of names are among the wanted ones; False behind the last."""
    return numpy.array([name in wanted for name in names] + [False])


class Side:
    """Reads one boot of a trace. trace: an open Trace; boot: place in its boots; guest: guest.Guest. Then:

    kinds: (columns of FIELDS, one row for each kind). counts: {(vm, vcpu): exits of each kind}. streams: {(vm, vcpu): (kinds
    in order, lower 32 bits of their sequence numbers)}. first: a record of each kind, its first one. durations: by access."""

    def __init__(self, trace, boot, guest):
        self.trace, self.place, self.boot, self.guest = trace, boot, trace.boot(boot), guest
        meta = self.boot.meta
        self.names, groups = meta["keys"], meta["groups"]
        self.words = Columns(self.boot, guest.symbols)
        self.starts = groups.get("call", 0), groups.get("device", 0), groups.get("register", 0)
        self.owners = Owners(guest.symbols, self.starts[:2])
        self.asked, self.unnumbered = numbers_of(self.names, ASKED), numbers_of(self.names, UNNUMBERED)
        self.sleeps, self.interrupts = numbers_of(self.names, SLEEPS), numbers_of(self.names, INTERRUPTS)
        self.redistributors, self.bases = numbers_of(self.names, ("gicr",)), self.device_bases(meta)
        self.holes = numbers_of(self.names, ("no-device", "guest-ram"))
        self.verdicts, self.results = lookup(meta["verdicts"]), lookup(meta["results"])
        self.places, self.functions, self.function_of = Numbering(), {USER: 0}, numpy.zeros(0, "u4")
        self.numbering, self.registers, self.seen = TupleNumbering(len(FIELDS)), Numbering(), {}
        self.first, self.parts, self.durations = [], {}, Distribution()
        self.exits = self.requests = 0
        self.begin = self.end = None
        for records in trace.batches(boot, {TYPE_EXIT, TYPE_VIRTIO}):
            self.add(records)
        self.finish()

    def device_bases(self, meta):
        """Where each key's device begins, by number of the key; 0 for those without a place."""
        bases = numpy.zeros(len(self.names) + 1, "u8")
        for device in meta["devices"]:
            if device.get("name") in self.names:
                bases[self.names.index(device["name"])] = int(device.get("base", "0x0"), 0)
        return bases

    # ---- One batch

    def add(self, records):
        """Counts an array of exits and virtio requests."""
        exits = records["type"] == TYPE_EXIT
        access = records["key"].astype("u8") << numpy.uint64(2) | (records["write"] != 0).astype("u8")
        access[~exits] |= numpy.uint64(2)
        classes, numbers = self.guest.values(records)
        numbers[~exits] = 0  # bytes of a request: that it was one is compared, not how long
        classes[~exits] = MANY
        operands = self.operands(records, exits)
        self.limit(access, operands, classes, numbers)
        decided = records["verdict"].astype("u8") << numpy.uint64(8) | records["result"]
        known = len(self.numbering)
        tokens = self.numbering.number([access, operands, self.charged(records, exits), decided, classes, numbers])
        if len(self.numbering) > KINDS_MAX:
            raise TraceError(f"{self.trace.path}: more than {KINDS_MAX} different kinds of exits: a guest that tries everything "
                             "out cannot be compared")
        self.remember(records, tokens, known)
        self.add_times(records, access, exits)
        owner = records["vm"].astype("u4") << numpy.uint32(8) | records["vcpu"]
        for number in numpy.unique(owner).tolist():
            mine = (owner == number) & exits
            parts = self.parts.setdefault((number >> 8, number & 0xff), ([], []))
            parts[0].append(tokens[mine])
            parts[1].append(records["sequence"][mine].astype("u4"))
        self.exits, self.requests = self.exits + int(exits.sum()), self.requests + int((~exits).sum())
        if not exits.all():
            self.add_requests(owner[~exits], tokens[~exits])

    def add_requests(self, owner, tokens):
        """Requests have counts and no order: several are under way at a time."""
        for number in numpy.unique(owner).tolist():
            parts = self.parts.setdefault((number >> 8, number & 0xff), ([], []))
            parts[0].append(tokens[owner == number])
            parts[1].append(numpy.zeros(int((owner == number).sum()), "u4"))

    def add_times(self, records, access, exits):
        """Durations of what does not sleep, and from when to when the trace is."""
        ends = numpy.maximum(records["entry"], records["exit"])
        self.begin = int(records["entry"][0]) if self.begin is None else self.begin
        self.end = max(self.end or 0, int(ends.max()))
        awake = exits & ~self.sleeps[numpy.minimum(records["key"], len(self.names))]
        self.durations.add(access[awake], (ends - records["entry"])[awake])

    def operands(self, records, exits):
        """What tells accesses of one key apart: a device's register, an interrupt's number, the call that is asked about, the
        encoding of a register without a name, the kind of a request."""
        keys = numpy.minimum(records["key"], len(self.names))
        found = numpy.zeros(len(records), "u8")
        device = (keys >= self.starts[1]) & (keys < self.starts[2])
        found[device] = records["address"][device] - self.bases[keys[device]]
        frames = self.redistributors[keys]
        found[frames] %= FRAME
        holes = self.holes[keys]
        found[holes] = records["address"][holes] & ~numpy.uint64(0xfff)
        for which, values in ((self.interrupts, "address"), (self.unnumbered, "address")):
            found[which[keys]] = records[values][which[keys]]
        found[self.asked[keys]] = records["x"][self.asked[keys], 1] & numpy.uint64(0xffffffff)
        if self.words.unknown is not None:
            unknown = keys == self.words.unknown
            found[unknown] = records["syndrome"][unknown].astype("u8") & ENCODING
        found[~exits] = records["x"][~exits, 0] << numpy.uint64(16) | records["x"][~exits, 1] & numpy.uint64(0xffff)
        return found

    def charged(self, records, exits):
        """Numbers in functions: who did it. An interrupt comes anywhere, so it is nobody's; so are requests to devices."""
        owners = self.owners.of(records)
        known = len(self.places)
        places = self.places.number(owners)
        if len(self.places) > known:
            self.name(owners, places, known, records)
        functions = self.function_of[places]
        functions[records["pstate"] & numpy.uint32(0xf) == 0] = 0
        functions[self.interrupts[numpy.minimum(records["key"], len(self.names))] | ~exits] = self.number_of("")
        return functions

    def number_of(self, function):
        return self.functions.setdefault(function, len(self.functions))

    def name(self, owners, places, known, records):
        """Names the functions of code addresses that are new."""
        new, where = numpy.unique(places, return_index=True)
        added = []
        for place, at in zip(new.tolist(), where.tolist()):
            if place >= known:
                behind = 4 if owners[at] != records["pc"][at] else 0  # of a call it is a return address
                added.append(self.number_of(self.guest.place(int(owners[at]), behind)[0]))
        self.function_of = numpy.concatenate([self.function_of, numpy.array(added, "u4")])

    def limit(self, access, operands, classes, numbers):
        """Registers with many values have one class for all from then on, so that a counter is no million kinds."""
        if len(self.registers) > KINDS_MAX:
            raise TraceError(f"{self.trace.path}: more than {KINDS_MAX} different registers and addresses: a guest that tries "
                             "everything out cannot be compared")
        registers = self.registers.number(access << numpy.uint64(48) ^ operands)
        exact = numpy.flatnonzero(classes == EXACT)
        pairs, first = numpy.unique(registers[exact].astype("u8") << numpy.uint64(40) ^ numbers[exact] * numpy.uint64(0x9e3779b1),
                                    return_index=True)
        for at in exact[first].tolist() if len(pairs) else ():
            values = self.seen.setdefault(int(registers[at]), set())
            if len(values) <= VALUES_MAX:
                values.add(int(numbers[at]))
        many = numpy.zeros(len(self.registers), bool)
        many[[register for register, values in self.seen.items() if len(values) > VALUES_MAX]] = True
        late = many[registers] & (classes == EXACT)
        classes[late], numbers[late] = MANY, 0

    def remember(self, records, tokens, known):
        """Keeps the first record of each kind that is new."""
        new = numpy.flatnonzero(tokens >= known)
        if len(new):
            numbers, first = numpy.unique(tokens[new], return_index=True)
            self.first.extend(choose(records, new[first]))

    # ---- The whole

    def finish(self):
        """Makes the attributes of what was read."""
        self.kinds = self.numbering.values() if len(self.numbering) else [numpy.zeros(0, "u8")] * len(FIELDS)
        self.streams, self.counts = {}, {}
        for owner, (tokens, sequences) in sorted(self.parts.items()):
            tokens, sequences = numpy.concatenate(tokens), numpy.concatenate(sequences)
            self.counts[owner] = numpy.bincount(tokens, minlength=len(self.numbering))
            exits = (self.kinds[0][tokens] & numpy.uint64(2)) == 0
            self.streams[owner] = tokens[exits], sequences[exits]
        self.parts = None
        self.function_names = list(self.functions)
        self.lines = [(text.vm, text.text) for text in self.trace.texts(self.place) if text.kind == TEXT_CONSOLE]

    def seconds(self):
        """How long the trace is."""
        return (self.end - self.begin) / self.boot.meta["hz"] if self.begin is not None else 0.0
