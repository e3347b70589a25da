# SPDX-License-Identifier: Apache-2.0
"""The rows of the page's tables, made from a survey. Times are ticks from the trace's start until the template shows them."""

import collections

import numpy as np

from ..distribution import octaves, percentile
from .names import UNKNOWN_REGISTER
from .places import Places, is_user

FUNCTIONS_MAX = 1000  # functions with a row of their own
TOP = 3               # keys or functions named in a cell that sums many up
ASKED = ("deny", "pause", "stop")  # verdicts by which the guest did not get what it asked for


class Site:
    """One thing that one place of the guest did: an access or a call, by key, direction, verdict, row and PC."""

    def __init__(self, numbers, count, ticks, first, origin):
        direction, decided, self.place = (int(number) for number in numbers)
        self.key, self.write = direction >> 1, direction & 1
        self.verdict, self.row = decided >> 16, decided & 0xffff
        self.count, self.ticks = int(count), int(ticks)
        self.first = int(first["entry"]) - origin
        self.record = first


class Summary:
    """Everything that the page's tables say. survey: Survey, after the last batch; symbols: or None."""

    def __init__(self, survey, names, symbols):
        self.survey, self.names = survey, names
        columns = survey.sites.values() if len(survey.sites) else [[], [], []]
        self.sites = [Site(numbers, count, ticks, first, survey.origin) for numbers, count, ticks, first in
                      zip(zip(*columns), survey.site_counts, survey.site_ticks, survey.site_first)]
        user = {site.place for site in self.sites if is_user(int(site.record["pstate"]))}
        returns = set(range(len(survey.places))) - set(survey.pcs.values().tolist())
        self.places = Places(survey.places.values(), user, returns, symbols)
        self._place_of = {address: index for index, address in enumerate(self.places.addresses)}
        self.durations = survey.durations.by_key()
        self.bins = survey.by_key.used(survey.end)
        self.by_key = group_by(self.sites, lambda site: site.key)
        self.by_function = group_by(self.sites, self.function_of)
        self.by_row = group_by([site for site in self.sites if site.row < len(names.rows)], lambda site: site.row)

    def function_of(self, site):
        """The index of the function in which a site lies."""
        return self.places.function[site.place]

    def first_touches(self):
        """The first record of each key and direction, in order of time."""
        first = {}
        for site in self.sites:
            kept = first.setdefault((site.key, site.write), site)
            if site.first < kept.first:
                first[site.key, site.write] = site
        rows, before = [], None
        for site in sorted(first.values(), key=lambda site: site.first):
            same = [other for other in self.by_key[site.key] if other.write == site.write]
            rows.append({"site": site, "function": self.function_of(site), "repeated": self.function_of(site) == before,
                         "through": self._through(site),
                         "count": sum(other.count for other in same),
                         "functions": len({self.function_of(other) for other in same})})
            before = self.function_of(site)
        return rows

    def keys(self):
        """A row for each key that was touched, most exits first."""
        rows = []
        for key, sites in self.by_key.items():
            rows.append({"key": key, "group": self.names.group(key), "count": total(sites),
                         "writes": total(site for site in sites if site.write),
                         "functions": len({self.function_of(site) for site in sites}),
                         "verdicts": self.verdicts_of(sites), "ticks": sum(site.ticks for site in sites),
                         "sleeps": key in self.names.sleeping, "first": min(site.first for site in sites),
                         "line": self.survey.by_key.line([key], self.bins)})
        return sorted(rows, key=lambda row: -row["count"])

    def functions(self):
        """(rows for the functions with the most exits of their own doing, count of those without a row, their exits).
        An interrupt comes wherever the guest happens to be, and is no deed of that function: it counts apart."""
        rows = []
        for function, all_sites in self.by_function.items():
            sites = [site for site in all_sites if not self.is_interrupt(site)]
            if not sites:
                continue
            awake = [site for site in sites if site.key not in self.names.sleeping]
            rows.append({"function": function, "count": total(sites), "keys": self.top_keys(sites),
                         "interrupted": total(all_sites) - total(sites),
                         "verdicts": self.verdicts_of(sites),
                         "more": max(0, len({site.key for site in sites}) - TOP), "ticks": sum(site.ticks for site in awake),
                         "first": min(site.first for site in sites), "places": {site.place for site in sites}})
        rows.sort(key=lambda row: -row["count"])
        for row in rows[:FUNCTIONS_MAX]:
            row["line"] = self.survey.by_place.line(row["places"], self.survey.by_place.used(self.survey.end))
        return rows[:FUNCTIONS_MAX], len(rows[FUNCTIONS_MAX:]), sum(row["count"] for row in rows[FUNCTIONS_MAX:])

    def only_interrupted(self):
        """(functions that were interrupted and made no other exit, those interrupts)."""
        found = [total(sites) for sites in self.by_function.values() if all(self.is_interrupt(site) for site in sites)]
        return len(found), sum(found)

    def is_interrupt(self, site):
        """Whether the exit was an interrupt's."""
        return int(site.record["cause"]) in self.names.interrupt_causes

    def policy(self):
        """A row for each policy row, in the file's order, also for those that decided nothing."""
        rows = []
        for number, row in enumerate(self.names.rows):
            sites = self.by_row.get(number, [])
            rows.append({"row": number, "place": row.get("place", ""), "text": row.get("text", ""),
                         "why": row.get("why", ""), "action": row.get("action", ""), "count": total(sites),
                         "verdicts": [name for name, _ in self.verdicts_of(sites) if name != row.get("action")],
                         "keys": self.top_keys(sites), "more": max(0, len({site.key for site in sites}) - TOP),
                         "functions": len({self.function_of(site) for site in sites})})
        return rows

    def undecided(self):
        """Exits that no policy row decided: interrupts, and aborts on guest RAM."""
        sites = [site for site in self.sites if site.row >= len(self.names.rows)]
        return {"count": total(sites), "keys": self.top_keys(sites)}

    def latencies(self):
        """Time in EL2 by key, keys that sleep left out; the greatest total first."""
        rows = []
        for key, (values, counts) in self.durations.items():
            rows.append({"key": key, "count": int(counts.sum()), "minimum": int(values[0]), "maximum": int(values[-1]),
                         "median": percentile(values, counts, 0.5), "p99": percentile(values, counts, 0.99),
                         "ticks": int((values.astype(np.float64) * counts).sum()), "octaves": octaves(values, counts).tolist()})
        return sorted(rows, key=lambda row: -row["ticks"])

    def refused(self):
        """What the guest asked for and did not get, by key, direction and function; in order of time."""
        groups = group_by([site for site in self.sites if self.is_refused(site)],
                          lambda site: (site.key, site.write, self.function_of(site), site.verdict, site.row,
                                        int(site.record["result"])))
        rows = [{"key": key, "write": write, "function": function, "verdict": self.names.verdict(verdict), "row": row,
                 "result": self.names.result(result), "count": total(sites), "first": min(site.first for site in sites)}
                for (key, write, function, verdict, row, result), sites in groups.items()]
        return sorted(rows, key=lambda row: row["first"])

    def is_refused(self, site):
        """Whether a policy row denied it, paused or stopped the VM for it."""
        return site.row < len(self.names.rows) and self.names.verdict(site.verdict) in ASKED

    def answered(self):
        """(verdict, [(key, exits)]) for what the guest did get."""
        groups = {}
        for site in self.sites:
            if site.row < len(self.names.rows) and not self.is_refused(site):
                keys = groups.setdefault(self.names.verdict(site.verdict), collections.Counter())
                keys[site.key] += site.count
        return [(verdict, keys.most_common()) for verdict, keys in sorted(groups.items(), key=lambda item: -item[1].total())]

    def untouched(self):
        """(group, keys that no exit was about) for each group."""
        return [(group, [key for key in keys if key not in self.by_key and self.names.key(key) != UNKNOWN_REGISTER])
                for group, keys in self.names.group_keys()]

    def requests(self):
        """virtio requests by device and kind."""
        survey, rows = self.survey, []
        latencies = survey.request_durations.by_key()
        if not len(survey.request_kinds):
            return rows
        for number, (key, transport, kind) in enumerate(zip(*survey.request_kinds.values())):
            values, counts = latencies[number]
            rows.append({"key": int(key), "transport": int(transport), "kind": self.names.request(int(kind)),
                         "count": int(survey.request_counts[number]), "bytes": int(survey.request_bytes[number]),
                         "minimum": int(values[0]), "maximum": int(values[-1]),
                         "median": percentile(values, counts, 0.5), "p99": percentile(values, counts, 0.99)})
        return sorted(rows, key=lambda row: -row["count"])

    def vcpus(self):
        """A row for each vCPU: exits, ticks in EL2 and asleep, first and last exit."""
        survey, columns = self.survey, self.survey.kinds.values() if len(self.survey.kinds) else [[]] * 12
        asleep, awake = collections.Counter(), collections.Counter()
        for kind, vm, vcpu, key, ticks in zip(*columns[:4], survey.kind_ticks):
            if kind == 1:
                (asleep if int(key) in self.names.sleeping else awake)[int(vm), int(vcpu)] += int(ticks)
        return [{"vm": vm, "vcpu": vcpu, "exits": count.exits, "ticks": awake[vm, vcpu], "asleep": asleep[vm, vcpu],
                 "first": count.first, "last": count.last, "before": count.before, "missing": count.missing}
                for (vm, vcpu), count in sorted(survey.vcpus.items())]

    def verdicts_of(self, sites):
        """[(verdict, exits)] of the sites that a policy row decided, most exits first."""
        counts = collections.Counter()
        for site in sites:
            if site.row < len(self.names.rows):
                counts[self.names.verdict(site.verdict)] += site.count
        return counts.most_common()

    def top_keys(self, sites):
        """[(key, exits)] of the TOP keys with the most exits."""
        counts = collections.Counter()
        for site in sites:
            counts[site.key] += site.count
        return counts.most_common(TOP)

    def named_share(self):
        """The exits whose PC a symbol names, or that came from EL0, and all exits."""
        named = sum(site.count for site in self.sites if not self.places.functions[self.function_of(site)].startswith("0x"))
        return named, total(self.sites)

    def _through(self, site):
        """The function whose body is the call, where the site is charged to the one that called it; else ""."""
        pc = int(site.record["pc"])
        if pc == self.places.addresses[site.place]:
            return ""
        return self.places.functions[self.places.function[self._place_of[pc]]]


def total(sites):
    """The exits of all these sites."""
    return sum(site.count for site in sites)


def group_by(items, key):
    """{key(item): [items]} in order of first appearance."""
    groups = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
