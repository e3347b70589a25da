# SPDX-License-Identifier: Apache-2.0
"""The rows of a policy that allows what was seen: a list of Row, in the order of the file."""

import collections

# table: of the policy file. fields: {name: value} but for `why`. facts: those that it is about, with the greatest number
# first. section: of the file.
Row = collections.namedtuple("Row", "section table fields facts why")

TABLES = {"hvc": "hypercall", "smccc": "smccc", "smc": "smc", "sysreg": "sysreg", "device": "mmio", "cause": "trap"}
IDLE = ("wfi", "wfe")
ACCESS = {(0,): "r", (1,): "w", (0, 1): "rw"}
SEEN, REFUSED, BLIND = "seen", "refused", "could not be seen"
NO_ROW = ("irq", "fiq", "hvc", "smc", "sysreg", "dabt", "step")  # causes that no row is about
REFUSED_WHY = "learned: refused while it was watched, and the guest went on"
BLIND_WHY = "learned: the traces' policy lets it through without an exit, so nobody knows"


def make_rows(facts, unseen, tables):
    """facts: facts.Facts. unseen: {(group, name, way): action} of what no trace could see. tables: of under.read_tables."""
    groups, _ = tables
    seen = [fact for fact in facts.seen.values() if fact.key.name not in NO_ROW or fact.key.group != "cause"]
    answered = [fact for fact in seen if fact.actions]
    rows = register_rows(answered, groups["sysreg"]) + call_rows(answered) + idle_rows(answered) + device_rows(answered, unseen)
    rows += virtio_rows(facts)
    known = {(fact.key.group, fact.key.name, fact.way) for fact in answered}
    rows += blind_rows({name: action for name, action in unseen.items() if name not in known}, facts, rows)
    return rows + refused_rows([fact for fact in seen if not fact.actions])


def said(facts):
    """The words of `why` for accesses that were seen."""
    count = sum(fact.count for fact in facts)
    names = sorted({name for fact in facts for name in fact.functions if name},
                   key=lambda name: (-sum(fact.functions[name] for fact in facts), name))
    by = f", by {names[0][:40]}" if names else ""
    by += f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"learned: seen {'once' if count == 1 else f'{count} times'}{by}"


def by_count(facts):
    return sorted(facts, key=lambda fact: (-fact.count, fact.key.name, fact.way))


def name_field(names):
    return names[0] if len(names) == 1 else names


def register_rows(facts, registers):
    """One row for each class, direction and action."""
    order = {key.name: place for place, key in enumerate(registers)}
    classes = list(dict.fromkeys(key.cls for key in registers))
    ways = collections.defaultdict(dict)  # (register's name, action) -> {way: fact}
    for fact in facts:
        if fact.key.group == "sysreg":
            ways[fact.key.name, fact.action][fact.way] = fact
    groups = collections.defaultdict(list)
    for (name, action), mine in ways.items():
        key = next(iter(mine.values())).key
        groups[classes.index(key.cls), tuple(sorted(mine)), action].append((name, list(mine.values())))
    rows = []
    for (place, access, action), members in sorted(groups.items()):
        members.sort(key=lambda member: order[member[0]])
        names = [name for name, _ in members]
        mine = by_count(fact for _, some in members for fact in some)
        whole = [key.name for key in registers if key.cls == classes[place] and set(key.directions) & set(access)]
        subject = {"class": classes[place]} if names == whole else {"name": name_field(names)}
        rows.append(Row(SEEN, "sysreg", {**subject, "access": ACCESS[access], "action": action}, mine, said(mine)))
    return rows


def call_rows(facts):
    """One row for each kind of call and action."""
    rows = []
    for group in ("hvc", "smccc", "smc"):
        for action in ("emulate", "raz-wi"):
            mine = [fact for fact in facts if fact.key.group == group and fact.action == action]
            if mine:
                subject = {} if group == "smc" else {"name": name_field([fact.key.name for fact in sorted(
                    mine, key=lambda fact: (fact.key.number or 0, fact.key.name))])}
                rows.append(Row(SEEN, TABLES[group], {**subject, "action": action}, by_count(mine), said(mine)))
    return rows


def idle_rows(facts):
    return [Row(SEEN, fact.key.name, {"action": fact.action}, [fact], said([fact])) for fact in facts
            if fact.key.group == "cause" and fact.key.name in IDLE]


def device_rows(facts, unseen):
    """One row for each device and action. The widths of reads and writes are those of both: a range has one set of them."""
    devices = collections.defaultdict(dict)
    for fact in facts:
        if fact.key.group == "device" and fact.key.base is not None:
            devices[fact.key.name][fact.way] = fact
    rows = []
    for name, ways in sorted(devices.items(), key=lambda item: next(iter(item[1].values())).key.base):
        blind = [way for way in (0, 1) if way not in ways and ("device", name, way) in unseen]
        widths = sorted({width for fact in ways.values() for width in fact.widths})
        known = widths and 0 not in widths and not blind
        for action in sorted({fact.action for fact in ways.values()}):
            mine = [fact for fact in ways.values() if fact.action == action]
            access = tuple(sorted([fact.way for fact in mine] + [way for way in blind if unseen["device", name, way] == action]))
            fields = {"device": name, "access": ACCESS[access], **({"width": name_field(widths)} if known else {}),
                      "action": action}
            rows.append(Row(SEEN, "mmio", fields, by_count(mine), said(mine)))
    return rows


def virtio_rows(facts):
    """For each device that answered requests: a row that refuses the requests that were not seen, and one that has it."""
    rows = []
    for kind in sorted({kind for (kind, _), (passed, _) in facts.requests.items() if passed and kind}):
        mine = {name: both[0] for (other, name), both in facts.requests.items() if other == kind and both[0]}
        others = [name for name, request in facts.virtio["requests"].items() if request["type"] == kind and name not in mine]
        if others:
            rows.append(Row(SEEN, "virtio", {"device": kind, "request": name_field(others), "action": "deny"}, [],
                            "learned: requests of this device that were not seen"))
        words = ", ".join(f"{name} {count}" for name, count in sorted(mine.items()))
        rows.append(Row(SEEN, "virtio", {"device": kind, "action": "emulate"}, [], f"learned: requests seen: {words}"[:100]))
    return rows


def blind_rows(unseen, facts, rows):
    """What no trace could see is let through as it was. rows: those so far, whose devices have their row already."""
    taken = {row.fields["device"] for row in rows if row.table == "mmio"}
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for (group, name, way), action in unseen.items():
        if group == "sysreg":
            found["sysreg", action][name].append(way)
        elif group == "device" and name not in taken:
            found["mmio", action][name].append(way)
        elif group == "cause":
            found[name if name in IDLE else "trap", action][name].append(way)
    made = []
    for (table, action), names in found.items():
        by_access = collections.defaultdict(list)
        for name, ways in names.items():
            by_access[ACCESS[tuple(sorted(ways))]].append(name)
        for access, some in sorted(by_access.items()):
            some.sort(key=list(facts.keys).index)
            fields = {} if table in IDLE else {"device" if table == "mmio" else "name": name_field(some)}
            fields.update({"access": access} if table in ("sysreg", "mmio") else {})
            made.append(Row(BLIND, table, {**fields, "action": action}, [], BLIND_WHY))
    return made


def refused_rows(facts):
    """What was refused in the traces is refused again, by rows that are not logged: the default's records are then about
    what is new."""
    found = collections.defaultdict(list)
    for fact in facts:
        table = "trap" if fact.key.id == "GUEST_RAM" else fact.key.name if fact.key.name in IDLE else TABLES[fact.key.group]
        access = ACCESS[(fact.way,)] if table in ("sysreg", "mmio") else None
        found[table, access].append(fact)
    rows = []
    for (table, access), some in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        names = name_field(sorted(fact.key.name for fact in some))
        fields = {} if table in IDLE or table == "smc" else {"device" if table == "mmio" else "name": names}
        fields.update({"access": access} if access else {})
        rows.append(Row(REFUSED, table, {**fields, "action": "deny"}, by_count(some), REFUSED_WHY))
    return rows


def not_exercised(facts, unseen, tables):
    """{what: [names]} of all that could have been seen and was not: what the default now denies."""
    groups, _ = tables
    found = {}

    def note(what, key, way):
        place = key.group, key.name, way
        if place not in facts.seen and place not in unseen:
            found.setdefault(what, []).append(key.name)
    for key in groups["sysreg"]:
        for way in key.directions:
            if key.kind != "UNDEF":
                note(f"{('reads', 'writes')[way]} of class {key.cls}", key, way)
    for group, what in (("hvc", "hypercalls"), ("smccc", "PSCI and SMCCC calls"), ("smc", "other calls")):
        for key in groups[group]:
            note(what, key, 1)
    for key in groups["device"]:
        for way in (0, 1) if key.base is not None else ():
            note(f"{('reads', 'writes')[way]} of devices", key, way)
    absent = sorted(facts.present - {kind for (kind, _), both in facts.requests.items() if both[0]})
    return {**found, **({"virtio devices that were there": absent} if absent else {})}
