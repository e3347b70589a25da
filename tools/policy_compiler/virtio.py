# SPDX-License-Identifier: Apache-2.0
"""The [[virtio]] rows: which devices, transports, requests and sectors they name, and which of them can be reached."""
import re

from .model import listed, nearest

SECTOR_END = (1 << 64) - 1  # POLICY_VIRTIO_SECTOR_END
ALIASES = {"entropy": "rng"}  # VIRTIO's own word for it
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
REQUESTS_MAX = 1_000_000  # a second
KINDS = {"read_only": bool, "read-only": bool, "mac": str, "bytes": str, "requests": str, "sectors": str}


class Virtio:
    """What one row says, as struct policy_virtio of include/hv/policy_virtio.h has it."""

    def __init__(self, row, tables):
        self.row = row
        self.types = list(tables["types"])  # names
        self.transports = set(range(tables["transports"]))
        self.requests = None  # names; None: all
        self.sectors = None  # (first, last), inclusive; None: all, and what names no sectors
        self.action = row.action if row.action in ("emulate", "deny") else "deny"
        self.read_only = self.mac = False
        self.bytes = self.rate_requests = 0  # a second; 0: no limit
        self.rate = None  # number of its buckets

    @property
    def part(self):
        """Whether it is about some requests of a device, not about the device."""
        return self.requests is not None or self.sectors is not None

    def named(self, tables):
        """The requests that it names, without "all": those of its types, and only those with sectors where it has some."""
        names = tables["requests"] if self.requests is None else self.requests
        mine = [name for name in names if tables["requests"][name]["type"] in self.types + ["none"]]
        return [name for name in mine if self.sectors is None or tables["requests"][name]["sectors"]]


def options(row):
    """What a row says beyond what it is about, as the monitor shows it."""
    fields = row.fields
    words = ["read-only"] * (fields.get("read_only") is True or fields.get("read-only") is True)
    words += [f"{name} {fields[name]}" for name in ("mac", "bytes", "requests") if name in fields]
    return f" ({', '.join(words)})" if words else ""


def match_virtio(policy, row):
    """One row of the source, checked; policy.virtio gets it."""
    tables = policy.numbers["virtio"]
    row.directions = ()
    what = row.virtio = Virtio(row, tables)
    if row.action not in (None, "emulate", "deny") and isinstance(row.action, str):
        policy.error(row.at("action"), f"{row.text}: {row.action} is not possible: emulate (the device works, and ariel sees "
                     "each request) or deny")
    for name, kind in KINDS.items():
        if name in row.fields and type(row.fields[name]) is not kind:
            word = {bool: "true or false", str: "a string"}[kind]
            policy.error(row.at(name), f"{name} must be {word}, not {row.fields[name]!r}")
    match_types(policy, row, what, tables)
    match_transports(policy, row, what, tables)
    match_requests(policy, row, what, tables)
    match_sectors(policy, row, what, tables)
    match_options(policy, row, what)
    policy.virtio.append(what)


def match_types(policy, row, what, tables):
    if "device" not in row.fields:
        policy.error(row.line, f"virtio: needs device: {', '.join(tables['types'])}, a list of them, or \"*\"")
        return
    values = listed(row.fields["device"])
    if not values or not all(isinstance(value, str) and value for value in values):
        policy.error(row.at("device"), f"device must be a name or a list of names, not {row.fields['device']!r}")
        return
    if values == ["*"]:
        return
    what.types = []
    for value in values:
        name = ALIASES.get(value, value)
        if name not in tables["types"]:
            policy.error(row.at("device"), f"unknown virtio device \"{value}\"{nearest(value, tables['types'])} "
                         f"(devices: {', '.join(tables['types'])})")
        elif name not in what.types:
            what.types.append(name)


def match_transports(policy, row, what, tables):
    if "transport" not in row.fields:
        return
    values, last = listed(row.fields["transport"]), tables["transports"] - 1
    wrong = [value for value in values if type(value) is not int or not 0 <= value <= last]
    if not values or wrong:
        policy.error(row.at("transport"), f"transport {wrong[0] if wrong else values!r} is not a number from 0 to {last}, or a "
                     "list of them")
        return
    what.transports = set(values)


def match_requests(policy, row, what, tables):
    if "request" not in row.fields:
        return
    values = listed(row.fields["request"])
    known = [name for name, request in tables["requests"].items() if request["type"] != "none"]
    if not values or not all(isinstance(value, str) and value for value in values):
        policy.error(row.at("request"), f"request must be a name or a list of names, not {row.fields['request']!r}")
        return
    what.requests = []
    for value in values:
        if value not in known:
            policy.error(row.at("request"), f"unknown request \"{value}\"{nearest(value, known)} "
                         f"(requests: {', '.join(known)})")
            continue
        kind = tables["requests"][value]["type"]
        others = [name for name in what.types if name != kind]
        if others:
            own = [name for name in known if tables["requests"][name]["type"] == others[0]]
            has = f"its requests are {', '.join(own)}" if own else "ariel tells none of its requests from another"
            policy.error(row.at("request"), f"{row.text}: \"{value}\" is a request of {kind}, not of {others[0]}; {has}")
        what.requests.append(value)


def match_sectors(policy, row, what, tables):
    text = row.fields.get("sectors")
    if not isinstance(text, str):
        return
    match = re.fullmatch(r"([0-9]{1,20})\.\.([0-9]{0,20})", text)
    first, last = (int(match[1]), int(match[2]) if match[2] else SECTOR_END) if match else (0, SECTOR_END)
    others = [name for name in what.types if name != "block"]
    without = [name for name in what.requests or () if name in tables["requests"] and not tables["requests"][name]["sectors"]]
    if not match:
        policy.error(row.at("sectors"), f"sectors \"{text}\" is not \"first..last\" or \"first..\", in sectors of 512 bytes "
                     "(the last is one of them)")
    elif max(first, last) > SECTOR_END:
        policy.error(row.at("sectors"), f"sectors \"{text}\": {max(first, last)} is more than {SECTOR_END}")
    elif last < first:
        policy.error(row.at("sectors"), f"sectors \"{text}\" are backwards: the last, {last}, is before the first, {first}")
    elif others:
        policy.error(row.at("sectors"), f"{row.text}: sectors are a block device's, not {others[0]}'s")
    elif without:
        policy.error(row.at("sectors"), f"{row.text}: \"{without[0]}\" names no sectors; give it a row of its own")
    else:
        what.sectors = (first, last)


def match_options(policy, row, what):
    fields = row.fields
    if "read_only" in fields and "read-only" in fields:
        policy.error(row.at("read-only"), "read-only and read_only are the same; give one")
    name = "read_only" if "read_only" in fields else "read-only"
    if fields.get(name) is True:
        what.read_only = check_option(policy, row, what, name, "block", "would be written")
    if isinstance(fields.get("mac"), str):
        if fields["mac"] != "pinned":
            policy.error(row.at("mac"), f"mac \"{fields['mac']}\" is not \"pinned\": the guest sends from the address that its "
                         "device has, and from no other")
        else:
            what.mac = check_option(policy, row, what, "mac", "net", "is sent")
    what.bytes = read_rate(policy, row, "bytes", UNITS, policy.numbers["RATE_MAX"])
    what.rate_requests = read_rate(policy, row, "requests", {"": 1}, REQUESTS_MAX)
    for name in ("bytes", "requests"):
        if name in fields and row.action == "deny":
            policy.error(row.at(name), f"{row.text}: {name} with action = \"deny\": what is refused has no rate")


def check_option(policy, row, what, name, kind, verb):
    others = [other for other in what.types if other != kind]
    if others:
        policy.error(row.at(name), f"{row.text}: {name} is for device = \"{kind}\", not for {others[0]}")
    elif what.part:
        policy.error(row.at(name), f"{row.text}: {name} is about the whole device: give it to a row without request and "
                     f"sectors; what {verb} is refused there")
    elif row.action == "deny":
        policy.error(row.at(name), f"{row.text}: {name} with action = \"deny\": the guest has no such device")
    else:
        return True
    return False


def read_rate(policy, row, name, units, most):
    """N of "20M/s"."""
    text = row.fields.get(name)
    if not isinstance(text, str):
        return 0
    letters = "".join(units)
    match = re.fullmatch(r"([0-9]{1,20})([A-Za-z]*)/s", text)
    bound = f"{most} a second"
    if not match or match[2] not in units:
        form = "\"N/s\", \"NK/s\", \"NM/s\" or \"NG/s\" (K, M, G: 1024, its square, its cube)" if letters else "\"N/s\""
        policy.error(row.at(name), f"{name} \"{text}\" is not {form}")
        return 0
    number = int(match[1]) * units[match[2]]
    if not 1 <= number <= most:
        policy.error(row.at(name), f"{name} \"{text}\" is not from 1 to {bound}"
                     + ("; action = \"deny\" refuses all" if number == 0 else ""))
        return 0
    return number


# ---- All rows together

def fold_virtio(policy):
    """Adds the default, numbers the rates, and refuses what can never be reached."""
    tables = policy.numbers["virtio"]
    default = policy.rows[0]
    last = Virtio(default, tables)
    last.action = "emulate" if default.action in ("allow", "emulate") else "deny"
    if default.action in ("raz-wi", "pause", "stop"):
        default.changed[f"{default.action} becomes deny: a virtio device is there or not"] = list(tables["types"])
    rows = policy.virtio = policy.virtio + [last]
    most = policy.numbers["VIRTIO_ROW_MAX"]
    if len(rows) > most:
        row = rows[most - 1].row
        policy.error(row.line, f"too many virtio rows: {len(rows)} with the default, at most {most}; join rows with lists")
    rated = [what for what in rows if what.bytes or what.rate_requests]
    for number, what in enumerate(rated):
        what.rate = number
    if len(rated) > policy.numbers["VIRTIO_RATE_MAX"]:
        row = rated[policy.numbers["VIRTIO_RATE_MAX"]].row
        policy.error(row.line, f"too many virtio rows with bytes or requests: {len(rated)}, at most "
                     f"{policy.numbers['VIRTIO_RATE_MAX']}")
    if policy.whole and policy.sound(*(row for row in policy.rows if row.table in ("default", "mmio"))):
        check_transports(policy, rows[:-1])
    known = policy.whole and policy.sound(*(what.row for what in rows))
    for number, what in enumerate(rows[:-1]):
        if policy.sound(what.row):
            check_reached(policy, what, [other for other in rows[:number] if policy.sound(other.row)])
        if what.part and known:
            check_device(policy, what, [other for other in rows if not other.part])


def check_transports(policy, rows):
    """A device is of no use behind a transport whose registers the guest cannot reach."""
    ranges = [item for item in policy.ranges if item["key"].id == "VIRTIO_MMIO"]
    reached = [item for item in ranges if all(v["action"] in ("emulate", "pause") for v in item["verdicts"])]
    what = next((what for what in rows if what.action == "emulate" and not what.part), None)
    if what is not None and not reached:
        row = ranges[0]["verdicts"][0]["row"]
        policy.error(what.row.line, f"{what.row.text}: the transports are {ranges[0]['verdicts'][0]['action']}, by line "
                     f"{row.line} ({row.text}); give [[mmio]] device = \"virtio-mmio\" action = \"emulate\"")


def covers(earlier, what):
    """Whether no request that what could match gets past earlier, as far as sectors are concerned."""
    if earlier.sectors is None:
        return True
    first, last = what.sectors or (0, SECTOR_END)
    inside = earlier.sectors[0] <= first and last <= earlier.sectors[1]
    return inside and (earlier.action == "deny" or what.action == "emulate" or earlier.sectors == (0, SECTOR_END))


def cells(what, tables):
    """What it is about: (type, transport, request)."""
    for name in what.named(tables):
        kind = tables["requests"][name]["type"]
        for found in what.types if kind == "none" else [kind]:
            for transport in what.transports:
                yield found, transport, name


def check_reached(policy, what, before):
    tables, first = policy.numbers["virtio"], None
    for kind, transport, request in cells(what, tables):
        cover = next((other for other in before if kind in other.types and transport in other.transports
                      and request in other.named(tables) and covers(other, what)), None)
        if cover is None:
            return
        first = first or cover
    if first is not None:
        policy.error(what.row.line, f"{what.row.text}: never reached: line {first.row.line} ({first.row.text}) comes first")


def check_device(policy, what, devices):
    """A row about requests is of no use where the guest has no such device."""
    deciding = [next(other for other in devices if kind in other.types and transport in other.transports)
                for kind in what.types for transport in what.transports]
    if what.action == "emulate" and all(other.action == "deny" for other in deciding):
        row = deciding[0].row
        policy.error(what.row.line, f"{what.row.text}: the guest has no such device, by line {row.line} ({row.text}): add a row "
                     "with action = \"emulate\" that has the device, and neither request nor sectors")
