# SPDX-License-Identifier: Apache-2.0
"""What differs between two traces, and what is noise.

What follows the clock and the scheduler (interrupts, waits, context switches, page faults, the UART's polling, requests to
devices, what programs do) comes in other numbers and another order in each run of several CPUs. Such a count differs here only
when it is beyond chance: more than CHANCE standard deviations of two counts (the square root of their sum), and by FACTOR at
least. All else is what the kernel does because of what it found, and any difference counts. With exact=True everything is
held to everything: two runs under -icount with the same SEED= are equal so, too."""

import collections
import re

import numpy

from .. import units
from ..distribution import percentile
from ..trace_format import TYPE_EXIT
from .guest import USER
from .machine import changed_fields, core_name, kernel_of
from .tally import Tally

FACTOR, CHANCE = 1.5, 4.0   # of counts that follow clock and scheduler
LATENCY_FACTOR, LATENCY_NS, LATENCY_EXITS = 1.5, 100, 20  # medians that are shown
RARE = 20                   # exits of one site that may be there by chance
NOISY = re.compile(r"(read |write )?(TTBR[01]_EL1|CONTEXTIDR_EL1|FAR_EL1|ESR_EL1|AFSR\d_EL1|TPIDR.*|CNT.*|ICC_.*|PM.*|TLBI_.*|"
                   r"[DI]C_.*|CTR_EL0|DCZID_EL0|pl011.*|pl031.*|virtio.*|guest-ram.*)")
CONSTANTS = re.compile(r"read (CTR_EL0|DCZID_EL0)")  # only how often they are read is noise
NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9a-f]*\d[0-9a-f]*", re.I)
STAMP = re.compile(r"^\[ *\d+\.\d+\]( \[ *[TC]\d+\])? ?")


def is_noisy(register):
    """Whether how often it is touched follows the clock and the scheduler."""
    return register.group == "cause" or register.direction == "request" or NOISY.fullmatch(register.name) is not None


def by_chance(first, second):
    """Whether two counts of what is noisy may be two runs of the same."""
    apart = abs(first - second)
    return apart <= CHANCE * (first + second) ** 0.5 or max(first, second) < FACTOR * min(first, second)


def median_ns(side, access):
    """(exits, median, p99 in nanoseconds) of what was in EL2, or None."""
    found = side.durations.by_key().get(access)
    if found is None:
        return None
    times = side.boot.duration_ns(numpy.array([percentile(*found, share) for share in (0.5, 0.99)], "u8"))
    return int(found[1].sum()), int(times[0]), int(times[1])


class Comparison:
    """sides: (Side of A, Side of B). Attributes: answers, decided, only (of A, of B), counts, noise, latencies, lines (only
    A's, only B's), first; each a list of dicts as --json shows them. differ: whether any of them but latencies and noise is
    not empty."""

    def __init__(self, sides, exact=False):
        self.sides, self.exact, self.tally = sides, exact, Tally(sides)
        self.noise = []
        registers = list(self.tally.registers.values())
        self.noisy = set() if exact else {register.name for register in registers if is_noisy(register)}
        self.answers = [row for register in registers for row in self.values_of(register)]
        self.decided = [row for register in registers for row in self.decisions_of(register)]
        self.counts = [row for register in registers for row in self.counts_of(register)]
        self.counts.sort(key=lambda row: (row["noisy"], -abs(row["a"] - row["b"])))
        self.only = self.only_of(0), self.only_of(1)
        self.lines = self.console()
        self.latencies = self.slower()
        self.first = self.divergences()
        one_cpu = all(len(side.streams) <= 1 for side in sides)  # several make what they share in any order
        self.differ = bool(self.answers or self.decided or self.counts or any(self.only) or any(self.lines)
                           or (exact or one_cpu) and any(row["a"] or row["b"] for row in self.first))

    # ---- What is different, register by register

    def values_of(self, register):
        """A row when both traces touch a register and saw, or wrote, other values."""
        first, second = (set(values) for values in register.values)
        constant = register.name not in self.noisy or CONSTANTS.fullmatch(register.name)
        if not all(register.total) or first == second or not constant:
            return
        fields = []
        if register.group == "register" and len(first) == len(second) == 1 and all(value.startswith("0x") for value in first | second):
            fields = changed_fields(register.name.split()[-1], *(int(value, 16) for value in (*first, *second)))
        yield {"register": register.name, "a": sorted(first - second), "b": sorted(second - first), "both": sorted(first & second),
               "fields": fields, "functions": sorted(set(register.functions[0]) | set(register.functions[1]))}

    @staticmethod
    def decisions_of(register):
        """A row when the same was decided otherwise: allowed in one, denied in the other."""
        first, second = (set(values) for values in register.decided)
        if all(register.total) and first != second:
            yield {"register": register.name, "a": sorted("/".join(pair) for pair in first - second),
                   "b": sorted("/".join(pair) for pair in second - first)}

    def counts_of(self, register):
        """A row when a register that both touch is touched more often in one; what may be chance goes to noise."""
        first, second = register.total
        if first == second or not first or not second:
            return
        noisy = register.name in self.noisy
        row = {"register": register.name, "a": first, "b": second, "more": second - first,
               "factor": round(max(first, second) / min(first, second), 3), "noisy": noisy,
               "functions": [function for function, _ in (register.functions[0] + register.functions[1]).most_common(3)]}
        if noisy and by_chance(first, second):
            self.noise.append(row)
        else:
            yield row

    def only_of(self, which):
        """Rows for the sites that only one trace has, those of the same function together, in order of time."""
        found = collections.defaultdict(list)
        for (name, function), counts in self.tally.sites.items():
            if counts[1 - which] or not counts[which]:
                continue
            row = {"register": name, "function": function, "count": counts[which],
                   "new": not self.tally.registers[name].total[1 - which]}
            entry = int(self.tally.first[which, (name, function)]["entry"])
            if (name in self.noisy or function == USER and not self.exact) and counts[which] < RARE:
                self.noise.append({**row, "a": counts[0], "b": counts[1], "noisy": True})
            elif name in self.noisy and self.tally.registers[name].total[1 - which] and by_chance(*self.tally.registers[name].total):
                self.noise.append({**row, "a": counts[0], "b": counts[1], "noisy": True})
            else:
                found[function].append((entry, row))
        groups = sorted((sorted(rows, key=lambda pair: pair[0]) for rows in found.values()), key=lambda rows: rows[0][0])
        known = {function for side_which, function in self.function_sides() if side_which != which}
        return [{"function": rows[0][1]["function"], "new_function": rows[0][1]["function"] not in known,
                 "registers": [row for _, row in rows], "count": sum(row["count"] for _, row in rows)} for rows in groups]

    def function_sides(self):
        """(which trace, function) of all sites."""
        for (_, function), counts in self.tally.sites.items():
            for which in (0, 1):
                if counts[which]:
                    yield which, function

    def console(self):
        """(lines that only A's console has, only B's): without time stamps, and unless exact without regard to numbers."""
        kept = [{}, {}]
        for which, side in enumerate(self.sides):
            for vm, line in side.lines:
                text = STAMP.sub("", line).rstrip()
                if text:
                    kept[which].setdefault((vm, text if self.exact else NUMBERS.sub("#", text)), text)
        exact = [set(lines.values()) for lines in kept]
        both = [[text for key, text in lines.items() if key not in kept[1 - which] and text not in exact[1 - which]]
                for which, lines in enumerate(kept)]
        # A line about one part of a kernel differs in a number alone that names it, such as an erratum's.
        for which, side in enumerate(self.sides):
            other = {STAMP.sub("", line).rstrip() for _, line in self.sides[1 - which].lines}
            for _, line in side.lines:
                text = STAMP.sub("", line).rstrip()
                if "detected:" in text and text not in other and text not in both[which]:
                    both[which].append(text)
        return tuple(both)

    def slower(self):
        """Rows for what took longer in one: medians by LATENCY_FACTOR and LATENCY_NS apart, of LATENCY_EXITS or more."""
        rows, seen = [], [dict.fromkeys(side.kinds[0].tolist()) for side in self.sides]
        names = [{side.names[access >> 2]: access >> 2 for access in part} for side, part in zip(self.sides, seen)
                 if all(access >> 2 < len(side.names) for access in part)]
        if len(names) < 2:
            return rows
        for name in sorted(set(names[0]) & set(names[1])):
            for write in (0, 1):
                both = [median_ns(side, keys[name] << 2 | write) for side, keys in zip(self.sides, names)]
                if None in both or min(both[0][0], both[1][0]) < LATENCY_EXITS:
                    continue
                low, high = sorted((both[0][1], both[1][1]))
                if high >= LATENCY_FACTOR * low and high - low >= LATENCY_NS:
                    rows.append({"register": name, "write": bool(write), "a_ns": both[0][1], "b_ns": both[1][1],
                                 "a_p99_ns": both[0][2], "b_p99_ns": both[1][2], "factor": round(high / max(low, 1), 2)})
        return sorted(rows, key=lambda row: -abs(row["a_ns"] - row["b_ns"]))

    # ---- Order

    def divergences(self):
        """A row for each vCPU: how many exits are equal from the beginning, and what each does then (None: nothing more). What
        is noisy, and what programs do, is left out, and what is repeated at once counts once."""
        steady = numpy.array([kind.register not in self.noisy and (self.exact or kind.function != USER)
                              for kind in self.tally.all] + [False])
        rows, wanted = [], ([], [])
        for owner in sorted(set(self.sides[0].streams) | set(self.sides[1].streams)):
            parts = [self.steps(which, owner, steady) for which in (0, 1)]
            length = min(len(parts[0][0]), len(parts[1][0]))
            apart = numpy.flatnonzero(parts[0][0][:length] != parts[1][0][:length])
            equal = int(apart[0]) if len(apart) else length
            row = {"vm": owner[0], "vcpu": owner[1], "equal": equal, "a": None, "b": None}
            for which, (kinds, sequences) in enumerate(parts):
                if equal < len(kinds):
                    kind = self.tally.all[int(kinds[equal])]
                    row["ab"[which]] = {"exit": int(sequences[equal]), "what": kind.register, "function": kind.function,
                                        "value": kind.value, "decided": "/".join(kind.decided)}
                    wanted[which].append((owner, row["ab"[which]]))
            rows.append(row)
        for side, steps in zip(self.sides, wanted):
            add_times(side, steps)
        return rows

    def steps(self, which, owner, steady):
        """(kinds, sequence numbers) of one vCPU's steady exits."""
        side = self.sides[which]
        if owner not in side.streams:
            return numpy.zeros(0, "i8"), numpy.zeros(0, "u4")
        tokens, sequences = side.streams[owner]
        kinds = self.tally.numbers[which][tokens]
        keep = steady[kinds]
        kinds, sequences = kinds[keep], sequences[keep]
        if not self.exact:
            again = numpy.diff(kinds, prepend=-1) != 0
            kinds, sequences = kinds[again], sequences[again]
        return kinds, sequences

    # ---- All of it

    def machine(self, which):
        """What ran on which machine."""
        side = self.sides[which]
        meta = side.boot.meta
        return {"file": side.trace.path, "cpu": core_name(meta.get("midr", "unknown")), "midr": meta.get("midr", "unknown"),
                "cpus": meta["cpus"], "kernel": kernel_of(text for _, text in side.lines) or
                ", ".join(str(vm.get("guest", "a guest")) for vm in meta["vms"]), "policy": meta.get("policy", "unknown"),
                "board": meta.get("board", "unknown"), "ariel": meta.get("ariel", "unknown"), "exits": side.exits,
                "requests": side.requests, "seconds": round(side.seconds(), 6),
                "lost": sum(loss.gaps for loss in side.trace.losses(side.place).values())}

    def as_dict(self):
        """Everything, for JSON."""
        return {"a": self.machine(0), "b": self.machine(1), "differ": self.differ, "exact": self.exact, "rule": self.rule(),
                "first": self.first, "answers": self.answers, "decided": self.decided, "only_a": self.only[0],
                "only_b": self.only[1], "counts": self.counts, "latencies": self.latencies, "lines_a": self.lines[0],
                "lines_b": self.lines[1], "noise": self.noise}

    def rule(self):
        """The sentence that says what is noise."""
        if self.exact:
            return "exact: every count, value and order is held to the other"
        return (f"what follows clock and scheduler differs only beyond {CHANCE:g} standard deviations and by {FACTOR:g} times; "
                f"medians by {LATENCY_FACTOR:g} times and {units.duration(LATENCY_NS)} are shown, and are no difference")


def add_times(side, steps):
    """Adds time (seconds) and place of an exit to [((vm, vcpu), step)], in one pass that ends at the last of them."""
    left = {(owner, step["exit"]): step for owner, step in steps}
    for records in side.trace.batches(side.place, {TYPE_EXIT}):
        if not left:
            return
        low = records["sequence"].astype("u4")
        for place in numpy.flatnonzero(numpy.isin(low, [number for _, number in left])).tolist():
            record = records[place]
            step = left.pop(((int(record["vm"]), int(record["vcpu"])), int(low[place])), None)
            if step is not None:
                step["exit"] = int(record["sequence"])
                step["seconds"] = round(float(side.boot.nanoseconds([record["entry"]])[0]) / 1e9, 9)
                step["place"] = side.guest.place(int(record["pc"]))[1]
