# SPDX-License-Identifier: Apache-2.0
"""What the rows name: keys in both directions, or ranges of addresses."""
import fnmatch

from .model import CAUSE_ACTIONS, nearest
from .virtio import match_virtio


def match_rows(policy):
    match = {"sysreg": match_sysreg, "mmio": match_mmio, "hypercall": match_call, "smccc": match_call,
             "smc": match_fixed, "wfi": match_fixed, "wfe": match_fixed, "trap": match_trap,
             "virtio": match_virtio}
    taken = {}
    for row in policy.rows[1:]:
        match[row.table](policy, row)
        if row.table == "mmio":
            check_ranges(policy, row)
        elif row.targets and all(target in taken for target in row.targets):
            first = taken[row.targets[0]]
            policy.error(row.line, f"{row.text}: never reached: line {first.line} ({first.text}) comes first")
        for target in row.targets:
            taken.setdefault(target, row)


def words(policy, row, field):
    """The strings of a field that is a string or a list of strings."""
    value = row.fields.get(field, [])
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(word, str) and word for word in values):
        policy.error(row.at(field), f"{field} must be a name or a list of names, not {value!r}")
        return []
    return values


def one_of(policy, row, *fields):
    given = [field for field in fields if field in row.fields]
    if len(given) != 1:
        policy.error(row.line, f"{row.table}: {'one' if given else 'needs one'} of {' or '.join(fields)}"
                     f"{', not both' if given else ''}")
        return None
    return given[0]


def match_sysreg(policy, row):
    field = one_of(policy, row, "name", "class")
    keys = policy.groups["sysreg"]
    classes = sorted({key.cls for key in keys})
    for word in words(policy, row, field) if field else ():
        glob = any(letter in word for letter in "*?[")
        pool = (lambda key: key.cls) if field == "class" else (lambda key: key.name)
        hit = [key for key in keys if fnmatch.fnmatchcase(pool(key).upper(), word.upper())]
        if not hit and glob:
            hit = [key for key in keys if fnmatch.fnmatchcase(key.name.upper(), word.upper())]
        if not hit:
            known = classes if field == "class" else [key.name for key in keys]
            kind = "class" if field == "class" else "register"
            policy.error(row.at(field), f"unknown {kind} \"{word}\"{nearest(word, known)}")
        if field == "name" and not glob:
            row.exact = True
            check_access(policy, row, hit)
        row.targets += [(key, way) for key in hit for way in row.directions]


def check_access(policy, row, keys):
    for key in keys:
        if "access" in row.fields and not set(row.directions) <= set(key.directions):
            word = "read" if key.directions == (0,) else "written"
            policy.error(row.at("access"), f"{key.name} can only be {word}; access = \"{row.fields['access']}\"")


def match_call(policy, row):
    field = one_of(policy, row, "name", "number")
    keys = policy.groups["hvc" if row.table == "hypercall" else "smccc"]
    values = row.fields.get(field, []) if field else []
    for value in values if isinstance(values, list) else [values]:
        prefix = "hvc-" if row.table == "hypercall" else "smccc-"
        hit = [key for key in keys if (key.number if field == "number" else key.name) == value
               or field == "name" and key.name == f"{prefix}{value}"]
        if not hit and field == "name" and isinstance(value, str) and any(letter in value for letter in "*?["):
            hit = [key for key in keys if fnmatch.fnmatchcase(key.name, value)]
        else:
            row.exact = True
        if not hit:
            shown = f"{value:#x}" if isinstance(value, int) else f"\"{value}\""
            hint = nearest(value, [key.name for key in keys]) if field == "name" else \
                f"; what call_table.h does not have is \"{prefix}unknown\""
            policy.error(row.at(field), f"unknown {row.table} {shown}{hint}")
        row.targets += [(key, way) for key in hit for way in (0, 1)]


def match_fixed(policy, row):
    row.exact = True
    key = policy.groups["smc"][0] if row.table == "smc" else find_cause(policy, row.table)
    row.targets = [(key, 0), (key, 1)]


def find_cause(policy, name):
    return next((key for key in policy.groups["cause"] if key.name == name and key.id in CAUSE_ACTIONS), None)


def match_trap(policy, row):
    known = [key.name for key in policy.groups["cause"] if key.id in CAUSE_ACTIONS] + ["guest-ram"]
    row.exact = True
    for word in words(policy, row, "name"):
        key = policy.groups["device"][-1] if word == "guest-ram" else find_cause(policy, word)
        if key is None:
            own = any(key.name == word for key in policy.groups["cause"])
            hint = "; it has rows of its own (sysreg, mmio, hypercall, smccc)" if own else nearest(word, known)
            policy.error(row.at("name"), f"unknown trap \"{word}\"{hint}")
        else:
            row.targets += [(key, 0), (key, 1)]


def match_mmio(policy, row):
    field = one_of(policy, row, "device", "base")
    check_width(policy, row)
    if any(name in row.fields and not isinstance(row.fields[name], int) for name in ("base", "offset", "size")):
        return
    row.exact = True
    if field == "base":
        if "offset" in row.fields or "size" not in row.fields:
            policy.error(row.line, "mmio: base needs size, and no offset")
        else:
            add_range(policy, row, row.fields["base"], row.fields["size"], "base")
    for word in words(policy, row, "device") if field == "device" else ():
        key = next((key for key in policy.groups["device"] if key.name == word), None)
        if key is None or key.id == "GUEST_RAM":
            known = [device.name for device in policy.groups["device"][:-1]]
            policy.error(row.at("device"), f"unknown device \"{word}\"{nearest(word, known)}")
        elif key.base is None:
            row.targets += [(key, way) for way in row.directions]
        else:
            offset = row.fields.get("offset", 0)
            size = row.fields.get("size", max(key.size - offset, 0))
            if not 0 <= offset < key.size or offset + size > key.size:
                policy.error(row.at("size" if "size" in row.fields else "offset"),
                             f"{word}: offset {offset:#x} size {size:#x} runs past its {key.size:#x} bytes")
            else:
                add_range(policy, row, key.base + offset, size, "size")


def check_width(policy, row):
    width = row.fields.get("width", [1, 2, 4, 8])
    widths = width if isinstance(width, list) else [width]
    if not widths or any(isinstance(value, bool) or value not in (1, 2, 4, 8) for value in widths):
        policy.error(row.at("width"), f"width {width!r} is not 1, 2, 4 or 8, or a list of them")
        widths = [1, 2, 4, 8]
    row.widths = sum({value: value for value in widths}.values())


def add_range(policy, row, base, size, field):
    ram, end = policy.numbers["RAM_BASE"], base + size
    if size <= 0:
        policy.error(row.at("size"), f"{row.text}: the range is empty (size {size:#x})")
    elif base < 0 or end > 1 << 64:
        policy.error(row.at(field), f"{row.text}: {base:#x} + {size:#x} wraps past 64 bits")
    elif base % 4 or size % 4:
        policy.error(row.at(field), f"{row.text}: {base:#x} size {size:#x} is not a multiple of 4 bytes")
    elif base < ram + policy.numbers["RAM_SIZE"] and end > ram:
        policy.error(row.at(field), f"{row.text}: {base:#x} .. {end:#x} is over guest RAM "
                     f"({ram:#x} .. {ram + policy.numbers['RAM_SIZE']:#x}); policies are about devices")
    else:
        row.targets += [(base, end, way) for way in row.directions]


def check_ranges(policy, row):
    mine = [target for target in row.targets if len(target) == 3]
    for other in policy.rows[1:row.index]:
        for base, end, way in mine:
            theirs = (target for target in other.targets if len(target) == 3 and target[2] == way)
            hit = next((target for target in theirs if target[0] < end and base < target[1]), None)
            if hit:
                covered = hit[0] <= base and end <= hit[1]
                word = "never reached: covered by" if covered else "overlaps"
                policy.error(row.line, f"{row.text}: {word} line {other.line} ({other.text}) at "
                             f"{max(base, hit[0]):#x}")
                return
