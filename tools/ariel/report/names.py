# SPDX-License-Identifier: Apache-2.0
"""The names that a trace's meta gives to its numbers; a number that it does not name reads "key 700", never an error."""

import numpy as np

from .. import esr

GROUPS = ("cause", "call", "device", "register")
UNKNOWN_REGISTER = "sysreg-unknown"
KEY_MAX = 0xffff  # of a record


class Names:
    """What meta (docs/TRACE.md) says of keys, causes, verdicts, results, policy rows and requests."""

    def __init__(self, meta):
        self.keys = list(meta.get("keys", []))
        self.known = len(self.keys)
        self._encodings = {}  # of a register without a key: the number that it gets here
        self.causes = list(meta.get("causes", []))
        self.verdicts = list(meta.get("verdicts", []))
        self.results = list(meta.get("results", []))
        self.requests = list(meta.get("requests", []))
        self.statuses = list(meta.get("statuses", []))
        self.rows = list(meta.get("rows", []))
        groups = meta.get("groups", {})
        self.starts = [0, *(groups.get(name, len(self.keys)) for name in GROUPS[1:]), len(self.keys)]
        self.calls = (self.starts[1], self.starts[2])  # keys whose x0 to x3 are arguments
        self.sleeping = [self.keys.index(name) for name in ("wfi", "wfe") if name in self.keys]  # may sleep in EL2
        self.interrupt_causes = [self.causes.index(name) for name in ("irq", "fiq") if name in self.causes]

    def numbers(self, keys, syndromes):
        """The keys of exits. A register without a key of its own gets one here, named by its encoding (S3_7_C15_C15_7): who
        reads which of them is a question that one key for all would not answer."""
        if UNKNOWN_REGISTER not in self.keys[:self.known]:
            return keys
        unknown = np.flatnonzero(keys == self.keys.index(UNKNOWN_REGISTER))
        if not len(unknown):
            return keys
        keys = keys.copy()
        for place in unknown:
            name = esr.encoded_name(int(syndromes[place]))
            if name not in self._encodings and self.known + len(self._encodings) <= KEY_MAX:
                self._encodings[name] = self.known + len(self._encodings)
                self.keys.append(name)
            keys[place] = self._encodings.get(name, keys[place])
        return keys

    def key(self, number):
        """The name of a key, as policy files spell it."""
        return name_of(self.keys, number, "key")

    def verdict(self, number):
        """allow, emulate, raz-wi, deny, pause or stop."""
        return name_of(self.verdicts, number, "verdict")

    def result(self, number):
        """done, retry, undef, abort, reflect or stop."""
        return name_of(self.results, number, "result")

    def request(self, number):
        """The kind of a virtio request."""
        return name_of(self.requests, number, "request")

    def group(self, key):
        """cause, call, device or register."""
        for name, end in zip(GROUPS, self.starts[1:]):
            if key < end:
                return name
        return GROUPS[-1]

    def group_keys(self):
        """(group, its keys' numbers) for each group."""
        return [(name, range(start, end)) for name, start, end in zip(GROUPS, self.starts, self.starts[1:])]


def name_of(names, number, what):
    """names[number], or "what number" when there is none."""
    return names[number] if number < len(names) else f"{what} {number}"
