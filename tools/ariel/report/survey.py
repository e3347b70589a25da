# SPDX-License-Identifier: Apache-2.0
"""One pass over a trace: what its tables count, and the columns of the records that the page holds one by one.

Memory depends on how many different keys, addresses and durations there are and on `limit`, not on the length of the
trace. Counts are of all records; only the timeline and the list of records end at the limit.
"""

import numpy as np

from ..distribution import Distribution
from ..numbering import Numbering, TupleNumbering
from .series import Series

TYPE_EXIT, TYPE_VIRTIO = 1, 3

# The fields that describe what kind of exit it was. Records of a boot have a few hundred different combinations.
KIND = ("type", "vm", "vcpu", "key", "row", "cause", "verdict", "result", "write", "width", "syndrome", "pstate")


class Survey:
    """Feed batches of records in order of entry time to add(); then read the attributes.

    origin: CNTPCT_EL0 that counts as time 0. names: of the trace (names.py). owners: Owners. limit: how many records are
    kept one by one.
    """

    def __init__(self, origin, names, owners, limit):
        self.origin, self.names, self.calls, self.owners, self.limit = origin, names, names.calls, owners, limit
        self.sleeping = np.array(names.sleeping, np.uint16)
        self.interrupt_causes = np.array(names.interrupt_causes, np.uint8)
        self.exits = self.requests = 0
        self.end = 0                  # ticks after the origin at which the last record ended
        self.kinds = TupleNumbering(len(KIND))
        self.places = Numbering()     # addresses of code: PCs, owners and callers
        self.pcs = Numbering()        # numbers in places of those that are PCs
        self.addresses = Numbering()  # IPAs, function numbers, INTIDs, sectors
        self.contexts = Numbering()   # address spaces
        self.kind_counts, self.kind_ticks = np.zeros(0, np.int64), np.zeros(0)
        self.vcpus = {}               # (vm, vcpu): what VcpuCount says
        self.sites = TupleNumbering(3)  # (key and direction, verdict and row, place that it is charged to)
        self.site_counts, self.site_ticks = np.zeros(0, np.int64), np.zeros(0)
        self.site_first = []          # the first record of each site
        self.interrupts = {}          # INTID: exits
        self.durations, self.request_durations = Distribution(), Distribution()
        self.request_kinds = TupleNumbering(3)  # (key of the device, transport, kind of request)
        self.request_bytes, self.request_counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.by_key, self.by_place = Series(), Series()
        self.columns = {name: [] for name in ("time", "duration", "kind", "place", "owner", "caller", "address",
                                              "value", "context", "sequence")}
        self.arguments = []           # x0 to x3 of kept calls and requests
        self.kept = 0

    def add(self, batch):
        """Counts a batch: exits and virtio requests; other records are passed over."""
        batch = batch[(batch["type"] == TYPE_EXIT) | (batch["type"] == TYPE_VIRTIO)]
        if not len(batch):
            return
        keys = self.names.numbers(batch["key"], batch["syndrome"])
        if keys is not batch["key"]:
            batch["key"] = keys
        times = batch["entry"] - np.uint64(self.origin)
        durations = np.where(batch["exit"] > batch["entry"], batch["exit"] - batch["entry"], np.uint64(0))
        self.end = max(self.end, int((times + durations).max()))
        kinds = self.kinds.number([batch[field] for field in KIND])
        self.kind_counts = add_counts(self.kind_counts, kinds)
        self.kind_ticks = add_counts(self.kind_ticks, kinds, durations)
        places = self.places.number(batch["pc"])
        self.pcs.number(places)
        owners = self.places.number(self.owners.of(batch))
        exits = batch["type"] == TYPE_EXIT
        if exits.all():
            self._add_exits(batch, times, durations, owners)
        else:
            self._add_exits(batch[exits], times[exits], durations[exits], owners[exits])
            self._add_requests(batch[~exits], durations[~exits])
        steps = self._sequence_steps(batch, times, exits)
        if self.kept < self.limit:
            self._keep(batch, {"time": times, "duration": durations, "kind": kinds, "place": places, "sequence": steps,
                               "owner": np.where(owners == places, 0, owners + 1)})

    def _add_exits(self, batch, times, durations, places):
        if not len(batch):
            return
        self.exits += len(batch)
        known = len(self.sites)
        keys = batch["key"].astype(np.uint64)
        sites = self.sites.number([keys << np.uint64(1) | (batch["write"] != 0),
                                   batch["verdict"].astype(np.uint64) << np.uint64(16) | batch["row"], places])
        self._remember_first(batch, sites, known)
        self.site_counts = add_counts(self.site_counts, sites)
        self.site_ticks = add_counts(self.site_ticks, sites, durations)
        awake = ~np.isin(batch["key"], self.sleeping)
        self.durations.add(batch["key"][awake], durations[awake])
        self.by_key.add(batch["key"], times)
        self.by_place.add(places, times)
        interrupts = batch["address"][np.isin(batch["cause"], self.interrupt_causes)]
        for intid, count in zip(*np.unique(interrupts, return_counts=True)):
            self.interrupts[int(intid)] = self.interrupts.get(int(intid), 0) + int(count)

    def _remember_first(self, batch, sites, known):
        new = np.flatnonzero(sites >= known)
        numbers, first = np.unique(sites[new], return_index=True)
        order = np.argsort(numbers)
        self.site_first.extend(batch[new[first[order]]])

    def _add_requests(self, batch, durations):
        self.requests += len(batch)
        kinds = self.request_kinds.number([batch["key"], batch["x"][:, 0], batch["x"][:, 1]])
        self.request_counts = add_counts(self.request_counts, kinds)
        self.request_bytes = add_counts(self.request_bytes, kinds, batch["value"].astype(np.float64))
        self.request_durations.add(kinds, durations)

    def _keep(self, batch, columns):
        count = min(len(batch), self.limit - self.kept)
        batch, self.kept = batch[:count], self.kept + count
        callers = np.where(batch["caller"] != 0, batch["caller"], batch["lr"])
        columns = {**columns, "caller": self.places.number(callers), "address": self.addresses.number(batch["address"]),
                   "value": batch["value"].copy(), "context": self.contexts.number(batch["context"])}
        for name, values in columns.items():
            self.columns[name].append(values[:count])
        self.arguments.append(batch["x"][has_arguments(batch["type"], batch["key"], self.calls)].copy())

    def _sequence_steps(self, batch, times, exits):
        """How many exits are missing before each record: its sequence number minus the one before on its vCPU minus 1."""
        steps = np.zeros(len(batch), np.uint64)
        vcpus = batch["vm"].astype(np.uint32) << np.uint32(8) | batch["vcpu"]
        for vcpu in np.unique(vcpus[exits]):
            mine = np.flatnonzero((vcpus == vcpu) & exits)
            count = self.vcpus.setdefault((int(vcpu) >> 8, int(vcpu) & 0xff), VcpuCount(int(times[mine[0]])))
            numbers = batch["sequence"][mine]
            steps[mine] = np.diff(numbers, prepend=np.uint64(count.sequence)) - np.uint64(1)
            count.add(numbers, steps[mine], times[mine])
        return steps


class VcpuCount:
    """What is known of one vCPU: times (ticks) of its first and last exit, and how many of its exits are not here."""

    def __init__(self, first):
        self.first = self.last = first
        self.exits = 0
        self.before = None          # exits before the first that is here
        self.missing = 0            # exits that are missing between those that are here
        self.sequence = (1 << 64) - 1  # of the last exit

    def add(self, numbers, steps, times):
        """Counts exits with these sequence numbers, each `steps` exits behind the one before."""
        if self.before is None:
            self.before = int(numbers[0])
            steps = steps[1:]
        self.missing += int(steps[steps < np.uint64(1 << 63)].sum())
        self.exits, self.last, self.sequence = self.exits + len(numbers), int(times[-1]), int(numbers[-1])


def has_arguments(types, keys, calls):
    """Of which records x0 to x3 are kept: calls, and virtio requests."""
    return (types == TYPE_VIRTIO) | (keys >= calls[0]) & (keys < calls[1])


def add_counts(counts, numbers, weights=None):
    """counts (one for each number), with those of an array of numbers added; grown if need be."""
    more = np.bincount(numbers, weights=weights, minlength=len(counts))
    more[:len(counts)] += counts.astype(more.dtype)
    return more
