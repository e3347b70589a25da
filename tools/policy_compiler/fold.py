# SPDX-License-Identifier: Apache-2.0
"""Rows folded into verdicts: one for each key and direction, and one for each range of the address space."""
from .model import ALWAYS_SET, CALL_ACTIONS, CAUSE_ACTIONS, DIRECT, PAGE, PASSABLE, Row


def possible(key, action, way, row):
    """The action that ariel can do for key in direction way where row asks for action; and why it differs, or None."""
    seen = row.seen
    if key.group in ("hvc", "smccc", "smc"):
        if action == "allow":
            return "emulate", "a guest's call is never passed on to the firmware; emulate answers it"
        no_zero = "a call has no zero to read; deny returns NOT_SUPPORTED"
        return (action, None) if action in CALL_ACTIONS else ("deny", no_zero)
    if key.group == "cause":
        return possible_cause(key, action, seen)
    if key.group == "device":
        return possible_device(key, action, way, row.exact)
    if key.kind == "UNDEF" and action in ("allow", "emulate", "pause"):
        return "deny", "it is no part of the guest's CPU: ariel does not virtualize it; deny, raz-wi or stop"
    if key.kind in ("ID", "SGI") and action == "allow":
        reason = "would offer the guest what ariel does not virtualize" if key.kind == "ID" else "always traps"
        return "emulate", f"allow {reason}; use emulate"
    if key.kind == "NONE" and (action in ("emulate", "pause") or action == "allow" and seen):
        return "allow", "EL2 cannot do it in the guest's place: allow without log, count or trace, raz-wi, deny or stop"
    if action == "allow" and (seen or key.control in ALWAYS_SET) and key.kind not in PASSABLE:
        return "emulate", None  # the hardware is not asked: ariel's own answer is the one there is
    return action, None


def possible_cause(key, action, seen):
    allowed = CAUSE_ACTIONS[key.id]
    if action not in allowed or action == "allow" and seen and key.id in DIRECT:
        instead = allowed[0]
        return instead, f"possible: {', '.join(allowed)}" + \
            (" (allow without log, count or trace: it is then not trapped)" if key.id in DIRECT else "")
    return action, None


def possible_device(key, action, way, exact):
    if key.base is None:
        nothing = "there is nothing to pass it on to"
        return ("deny", nothing) if action in ("allow", "emulate") else (action, None)
    if action == "emulate" and not key.emulated:
        passed = "" if key.kind == "MASTER" else "allow of reads, " if key.kind == "LASTING" else "allow, "
        return "deny", f"ariel has no emulation of it; {passed}raz-wi or deny"
    if action != "allow" or key.kind == "PLAIN":
        return action, None
    return possible_pass(key, way, exact)


def possible_pass(key, way, exact):
    """An allow of a device that the guest may not have as it is."""
    nearest_action = "emulate" if key.emulated else "deny"
    cure = "; emulate gives the guest one of its own" if key.emulated else "; deny, raz-wi, pause or stop"
    if key.kind == "OWNED":
        return nearest_action, f"EL2 drives this device itself{cure}"
    if key.kind == "MASTER":
        return nearest_action, f"it is a bus master: it would write at PA what the guest means as IPA{cure}"
    if way == 1:
        boots = " and the machine may boot from it" if key.id == "FLASH" else ""
        return nearest_action, (f"what is written there outlives the guest and a reset{boots}"
                                f"{cure}; allow is for its reads alone (access = \"r\")")
    if key.emulated and not exact:
        return nearest_action, "its writes can only be emulated, and it is to read back what was written"
    return "allow", None


def verdict(policy, key, way, row):
    action, reason = possible(key, row.action, way, row)
    if reason and row.exact and row not in policy.doubtful:
        with_what = " with log" if row.log else " with trace" if row.trace else ""
        policy.error(row.at("action"), f"{row.text}: {row.action}{with_what} is not possible"
                     f"{'' if len(row.targets) < 3 else ' for ' + key.name}: {reason}")
    elif reason:
        word = f"becomes {action}" if action != row.action else "is not logged, counted or traced"
        names = row.changed.setdefault(f"{row.action} {word}: {reason}", [])
        if key.name not in names:
            names.append(key.name)
    direct = key.kind == "NONE" if key.group == "sysreg" else key.group == "cause" and key.id in DIRECT
    mute = action == "allow" and direct
    return {"action": action, "log": row.log and not mute, "trace": row.trace and not mute, "row": row,
            "trapped": action != "allow" or row.seen and not mute}


def fold_keys(policy):
    owner = {}
    for row in policy.rows[1:]:
        for target in row.targets:
            if len(target) == 2:
                owner.setdefault(target, row)
    fixed = Row("default", policy.rows[0].line, {"action": "emulate"}, {})
    for key in policy.keys:
        for way in (0, 1):
            if key.group == "cause" and key.id not in CAUSE_ACTIONS:
                policy.verdicts[key, way] = {"action": "emulate", "log": False, "trace": False, "row": fixed, "trapped": False}
            elif key.group == "sysreg" and way not in key.directions:
                row = owner.get((key, way), policy.rows[0])
                policy.verdicts[key, way] = {"action": "deny", "log": row.log, "trace": row.trace, "row": row, "trapped": False}
            elif key.group != "device" or key.base is None:
                policy.verdicts[key, way] = verdict(policy, key, way, owner.get((key, way), policy.rows[0]))


def device_at(devices, address):
    return next((key for key in devices if key.base <= address < key.base + key.size), None)


def row_at(policy, address, way):
    return next((row for row in policy.rows[1:] for target in row.targets
                 if len(target) == 3 and target[2] == way and target[0] <= address < target[1]), policy.rows[0])


def mapping(item):
    """enum policy_mapping of include/hv/policy.h"""
    pages = item["base"] % PAGE == 0 and item["size"] % PAGE == 0 and item["widths"] == 15
    if pages and not any(v["trapped"] for v in item["verdicts"]):
        return "DIRECT"
    return "SHADOW" if item["verdicts"][0]["row"].shadow else "TRAPPED"


def fold_ranges(policy):
    devices = [key for key in policy.groups["device"] if key.base is not None]
    edges = {edge for key in devices for edge in (key.base, key.base + key.size)}
    edges |= {edge for row in policy.rows[1:] for target in row.targets if len(target) == 3 for edge in target[:2]}
    none, edges = policy.groups["device"][-2], sorted(edges)
    for base, end in zip(edges, edges[1:]):
        rows = [row_at(policy, base, way) for way in (0, 1)]
        key = device_at(devices, base)
        if key is None and rows == [policy.rows[0]] * 2:
            continue
        key = key or none
        verdicts = [verdict(policy, key, way, rows[way]) for way in (0, 1)]
        item = {"base": base, "size": end - base, "key": key, "widths": join_widths(policy, rows, verdicts),
                "verdicts": verdicts}
        item["mapping"] = mapping(item)
        last = policy.ranges[-1] if policy.ranges else None
        same = last and all(last[name] == item[name] for name in ("key", "widths", "verdicts", "mapping"))
        if same and last["base"] + last["size"] == base:
            last["size"] += end - base
        else:
            policy.ranges.append(item)
    for item in policy.ranges:
        check_one_device(policy, item)
    for item in policy.ranges:  # an access of 8 bytes must not reach the next range
        if (item["base"] | item["size"]) % 8:
            item["widths"] &= 7
    for item in reversed(policy.ranges):
        for way in (0, 1):
            if item["key"] is not none:
                policy.verdicts[item["key"], way] = item["verdicts"][way]


def check_one_device(policy, item):
    """Reads of the real device and writes of the guest's own would not belong together."""
    rows = [v["row"] for v in item["verdicts"]]
    if {v["action"] for v in item["verdicts"]} == {"allow", "emulate"} and policy.sound(*rows):
        row = max(rows, key=lambda row: row.line)
        policy.error(row.at("action"), f"{row.text}: reads and writes of {item['key'].name} must be of the same device: "
                     "allow is the machine's, emulate the guest's own; give both emulate, or the writes raz-wi or deny")


def join_widths(policy, rows, verdicts):
    widths = [getattr(row, "widths", 15) if v["action"] != "deny" else None for row, v in zip(rows, verdicts)]
    known = [width for width in widths if width is not None]
    if len(set(known)) > 1 and policy.sound(*rows):
        policy.error(max(row.line for row in rows),
                     "reads and writes of one range have different width; give both the same")
    return known[0] if known else 15
