# SPDX-License-Identifier: Apache-2.0
"""What was seen in traces: for each key and direction how often, how wide, from which functions, and what became of it."""

import collections

import numpy

from ..columns import Columns, base_name
from ..errors import ArielError
from ..export.counts import kinds
from ..printable import printable
from ..trace_format import TYPE_EXIT, TYPE_VIRTIO, choose

BATCH = 1 << 18            # records that are looked at together
PASSED = ("allow", "emulate", "raz-wi", "pause")   # verdicts under which the guest gets an answer
ANSWERED = ("done", "stop")                        # results of these: `stop` is that of SYSTEM_OFF and SYSTEM_RESET
TRANSPORT_SIZE, DEVICE_ID = 0x200, 8               # of a virtio-mmio transport (VIRTIO 1.2, 4.2.2)
VIRTIO_BASE = 0x0a000000


class Fact:
    """One key in one direction. key: of the policy compiler's tables. counts: accesses in each trace, by its number.
    actions: how often each action answered. refused: how many were refused. widths: bytes of accesses that were answered.
    functions: {name: accesses}. user: how many came from EL0."""

    def __init__(self, key, way):
        self.key, self.way = key, way
        self.counts, self.actions, self.functions = collections.Counter(), collections.Counter(), collections.Counter()
        self.refused, self.user, self.widths = 0, 0, set()

    @property
    def count(self):
        return sum(self.counts.values())

    @property
    def action(self):
        """What a policy must do for the guest to get what it got: most often the one action that was seen. Where traces
        differ, the most frequent. "deny" when nothing was ever answered."""
        return self.actions.most_common(1)[0][0] if self.actions else "deny"


class Facts:
    """All that was seen. tables: of under.read_tables. seen: {(group, name, way): Fact}. requests: {(virtio type,
    request): [answered, refused]}. present: types of the virtio devices that the guest found."""

    def __init__(self, tables):
        groups, numbers = tables
        self.keys = {key.name: key for group in groups.values() for key in group}
        self.virtio = numbers["virtio"]
        self.types = {number: name for name, number in self.virtio["types"].items()}
        self.seen, self.requests, self.present = {}, {}, set()

    def add(self, trace, place, number, symbols=None):
        """Reads one boot of a trace. number: which of the traces it is. symbols: of its guest, or None. Returns {(vm, vcpu):
        [exits, least and greatest of their sequence numbers]}. ArielError when it has keys that this tree does not know."""
        boot = trace.boot(place)
        words, sequences, transports = Columns(boot, symbols), {}, {}
        names = boot.meta["keys"]
        for records in trace.batches(place, {TYPE_EXIT, TYPE_VIRTIO}, BATCH):
            exits = choose(records, records["type"] == TYPE_EXIT)
            if len(exits):
                self.add_exits(exits, words, number, (trace.path, boot.meta))
                add_sequences(exits, sequences)
                if "virtio-mmio" in names:
                    find_devices(exits, names.index("virtio-mmio"), transports)
            requests = choose(records, records["type"] == TYPE_VIRTIO)
            if len(requests):
                self.add_requests(requests, boot.meta, transports)
        self.present |= {self.types[value] for value in transports.values() if value in self.types}
        return sequences

    def add_exits(self, exits, words, number, where):
        """Exits, not none. where: (name of the trace, its meta)."""
        name, meta = where
        called = words.calls[numpy.minimum(exits["cause"], len(words.calls) - 1)]
        places, sizes = kinds([exits["key"], exits["write"] != 0, exits["verdict"], exits["result"], exits["width"],
                               exits["pstate"] >> 2 & 3, exits["pc"], called, numpy.where(called, exits["lr"], 0),
                               numpy.where(called, exits["caller"], 0)])
        some = choose(exits, places)
        functions = words.functions(some)
        verdicts, results = words.verdicts(some), words.results(some)
        for place, size in enumerate(sizes.tolist()):
            record = some[place]
            if record["key"] >= len(meta["keys"]):
                raise ArielError(f"{name}: a record has the key {record['key']}, and the trace names {len(meta['keys'])}: it is "
                                 "damaged; `info` says where")
            key = self.keys.get(meta["keys"][record["key"]])
            if key is None:
                raise ArielError(f"{name}: has the key {printable(meta['keys'][record['key']])!r:.40}, which this tree does not "
                                 "know: use the tools of the ariel that wrote it")
            if results[place] == "retry":  # no access is over yet: an interrupt, or one that comes again
                continue
            way = int(record["write"] != 0) if key.group in ("device", "sysreg") and key.id != "GUEST_RAM" else 1
            fact = self.seen.setdefault((key.group, key.name, way), Fact(key, way))
            fact.counts[number] += size
            fact.functions[base_name(functions[place])] += size
            fact.user += size if record["pstate"] >> 2 & 3 == 0 else 0
            if verdicts[place] in PASSED and results[place] in ANSWERED:
                fact.actions["emulate" if verdicts[place] == "pause" else verdicts[place]] += size
                fact.widths.add(int(record["width"]))
            else:
                fact.refused += size

    def add_requests(self, requests, meta, transports):
        """Virtio requests. The type of a request that all types have is that of the device in its transport."""
        names, verdicts = meta.get("requests", []), meta["verdicts"]
        places, sizes = kinds([requests["x"][:, 0], requests["x"][:, 1], requests["verdict"]])
        for place, size in zip(places.tolist(), sizes.tolist()):
            transport, request, verdict = (int(requests["x"][place, 0]), int(requests["x"][place, 1]),
                                           int(requests["verdict"][place]))
            name = names[request] if request < len(names) else ""
            kind = self.virtio["requests"].get(name, {"type": "none"})["type"]
            kind = self.types.get(transports.get(transport), "") if kind == "none" else kind
            both = self.requests.setdefault((kind, name), [0, 0])
            passed = verdict < len(verdicts) and verdicts[verdict] in PASSED
            both[0 if passed else 1] += size


def add_sequences(exits, sequences):
    """Counts the exits of each vCPU, and finds their least and greatest number."""
    vcpus = exits["vm"].astype("u4") << numpy.uint32(8) | exits["vcpu"]
    for vcpu in numpy.unique(vcpus).tolist():
        mine = exits["sequence"][vcpus == vcpu]
        least, most = int(mine.min()), int(mine.max())
        count = sequences.setdefault((vcpu >> 8, vcpu & 0xff), [0, least, most])
        count[:] = count[0] + len(mine), min(count[1], least), max(count[2], most)


def find_devices(exits, key, transports):
    """Which device the guest found in which virtio-mmio transport: {number: DeviceID}, from what it read."""
    offsets = exits["address"] - numpy.uint64(VIRTIO_BASE)
    where = (exits["key"] == key) & (exits["write"] == 0) & (offsets % numpy.uint64(TRANSPORT_SIZE) == DEVICE_ID)
    for place in numpy.flatnonzero(where).tolist():
        transports[int(offsets[place]) // TRANSPORT_SIZE] = int(exits["value"][place])


def incomplete(trace, place, sequences):
    """Why a boot's records are not all of its exits: a sentence, or "" when they are."""
    lost = sum(loss.gaps for loss in trace.losses(place).values())
    if lost:
        return f"{lost} records were lost"
    if any(trace.overwritten(place).values()):
        return f"{sum(trace.overwritten(place).values())} older records were overwritten"
    problems = trace.problems(place)
    if problems:
        return problems[0]
    for (vm, vcpu), (count, least, most) in sorted(sequences.items()):
        missing = most + 1 - count
        if missing > 0:
            return f"{missing} exits of vm {vm} vcpu {vcpu} have no record (a filter, or the trace was off)"
    return "" if sequences else "it has no exits"
