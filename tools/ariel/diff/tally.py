# SPDX-License-Identifier: Apache-2.0
"""The kinds of exits of two traces in words that both share, and how often each came: what is then compared.

A register here is anything that a guest touches in one direction: "read CTR_EL0", "write pl011+0x18", "psci-cpu-on", "irq 27".
A site is a register and the function that touches it."""

import collections

import numpy

from .. import esr, tables
from ..printable import printable
from .guest import EXACT, IMAGE, MANY
from .side import ENCODING

FEW = 16  # values of a register, in both traces together, that are compared one by one

# What a register, a site or a site's step is made of, in words
Kind = collections.namedtuple("Kind", "register function decided value")


class Register:
    """One register, device register, call or cause, in one direction. For each of the two traces: total, and Counters of its
    values, of what was decided (verdict, result), of functions, of vCPUs."""

    def __init__(self, name, key, group, direction):
        self.name, self.key, self.group, self.direction = name, key, group, direction
        self.total = [0, 0]
        self.values, self.decided, self.functions, self.vcpus = (
            [collections.Counter(), collections.Counter()] for _ in range(4))


def call_names():
    """{function number: name} of the calls that ariel knows."""
    return {int(row[1], 0): row[2] for row in tables.read_rows("call_table.h", "SMCCC_CALL_TABLE")}


class Namer:
    """Names the registers of one Side."""

    def __init__(self, side):
        self.side, self.calls = side, call_names()
        self.requests = side.boot.meta.get("requests", [])

    def group(self, key):
        """cause, call, device or register."""
        starts = self.side.starts
        return "cause" if key < starts[0] else "call" if key < starts[1] else "device" if key < starts[2] else "register"

    def direction(self, access):
        """read, write, call, request, or exit."""
        key, group = access >> 2, self.group(access >> 2)
        if access & 2:
            return "request"
        if group in ("call", "cause"):
            return {"call": "call", "cause": "exit"}[group]
        return "write" if access & 1 and key else "read"

    def name(self, access, operand):
        """Its name: of two traces the same for the same thing."""
        side, key = self.side, access >> 2
        base = printable(str(side.names[key])) if key < len(side.names) else f"key-{key}"
        if access & 2:
            kind = operand & 0xffff
            request = printable(self.requests[kind]) if kind < len(self.requests) else f"request {kind}"
            return f"{base} {operand >> 16}: {request}"
        if key == side.words.unknown:
            base = esr.encoded_name(operand & int(ENCODING))
        known = min(key, len(side.names))
        if side.interrupts[known]:
            return f"{base} {operand}"
        if side.asked[known]:
            return f"{base} of {self.calls.get(operand, f'{operand:#x}')}"
        if side.unnumbered[known]:
            return f"{base} {operand:#x}"
        group = self.group(key)
        if side.holes[known]:
            base += f" {operand:#x}"
        elif group == "device":
            base += f"+{operand:#x}"
        return f"{self.direction(access)} {base}" if group in ("device", "register") else base


class Tally:
    """The kinds of two Sides. registers: {name: Register}. kinds: ([Kind of each of A's kinds], [of B's]). numbers: the same
    as arrays of numbers that are equal for equal kinds. sites: {(register's name, function): [count in A, in B]}."""

    def __init__(self, sides):
        self.sides, self.registers, self.sites = sides, {}, collections.defaultdict(lambda: [0, 0])
        self.first = {}  # (which trace, site): the first record
        rows = [self.rows_of(side) for side in sides]
        many = self.registers_with_many(rows)
        self.kinds = tuple([self.kind_of(side, row, many) for row in part] for side, part in zip(sides, rows))
        known = {}
        self.numbers = tuple(numpy.array([known.setdefault(kind, len(known)) for kind in part], "i8") for part in self.kinds)
        self.all = list(known)
        for which, side in enumerate(sides):
            self.count(which, side, rows[which])

    def rows_of(self, side):
        """[(register's name, function, decided, class, number)] of a side's kinds."""
        namer, names = Namer(side), {}
        found = []
        for access, operand, function, decided, kind, number in zip(*(column.tolist() for column in side.kinds)):
            if (access, operand) not in names:
                names[access, operand] = name = namer.name(access, operand)
                if name not in self.registers:
                    self.registers[name] = Register(name, access >> 2, namer.group(access >> 2), namer.direction(access))
            found.append((names[access, operand], side.function_names[function], decided, kind, number))
        return found

    @staticmethod
    def registers_with_many(rows):
        """The names of registers with more than FEW different values."""
        values = collections.defaultdict(set)
        for part in rows:
            for name, _, _, kind, number in part:
                values[name].add((kind, number))
        return {name for name, some in values.items() if len(some) > FEW or any(kind == MANY for kind, _ in some)}

    def kind_of(self, side, row, many):
        name, function, decided, kind, number = row
        if name in many and kind in (EXACT, IMAGE):
            kind, number = MANY, 0
        verdict, result = decided >> 8, decided & 0xff
        words = str(side.verdicts(numpy.array([verdict]))[0]), str(side.results(numpy.array([result]))[0])
        return Kind(name, function, words, side.guest.value_text(kind, number))

    def count(self, which, side, rows):
        for owner, counts in side.counts.items():
            for number in numpy.flatnonzero(counts).tolist():
                kind, count = self.kinds[which][number], int(counts[number])
                register = self.registers[kind.register]
                register.total[which] += count
                register.values[which][kind.value] += count
                register.decided[which][kind.decided] += count
                register.functions[which][kind.function] += count
                register.vcpus[which][owner] += count
                self.sites[kind.register, kind.function][which] += count
        for number, record in enumerate(side.first):
            site = self.kinds[which][number][:2]
            if (which, site) not in self.first or self.first[which, site]["entry"] > record["entry"]:
                self.first[which, site] = record
