# SPDX-License-Identifier: Apache-2.0
"""What the rows name: keys in both directions, or ranges of addresses."""
import fnmatch

from .model import CAUSE_ACTIONS, listed, nearest
from .source import unread
from .untrapped import why_untrapped
from .virtio import match_virtio


def match_rows(policy):
    match = {"sysreg": match_sysreg, "mmio": match_mmio, "hypercall": match_call, "smccc": match_call,
             "smc": match_fixed, "wfi": match_fixed, "wfe": match_fixed, "trap": match_trap,
             "virtio": match_virtio}
    for row in policy.rows[1:]:
        if not unread(policy, row):
            match[row.table](policy, row)
    policy.settle()
    taken = {}
    for row in policy.rows[1:]:
        if not policy.sound(row):
            continue
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
    values = listed(value)
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
            policy.error(row.at(field), unknown_sysreg(word, field, keys, classes))
        if field == "name" and not glob:
            row.exact = True
            check_access(policy, row, hit)
        row.targets += [(key, way) for key in hit for way in row.directions]


def unknown_sysreg(word, field, keys, classes):
    """What to say of a word that names no register, or no class, of the table."""
    names = [key.name for key in keys]
    if field == "class":
        other = next((name for name in names if name.upper() == word.upper()), None)
        return f"unknown class \"{word}\"" + (f": it is a register; write name = \"{other}\"" if other else nearest(word, classes))
    if word.upper() in classes:
        return f"unknown register \"{word}\": it is a class; write class = \"{word.upper()}\""
    return why_untrapped(word, keys) or f"unknown register \"{word}\"{nearest(word, names)}"


def check_access(policy, row, keys):
    for key in keys:
        if "access" in row.fields and not set(row.directions) <= set(key.directions):
            word = "read" if key.directions == (0,) else "written"
            policy.error(row.at("access"), f"{key.name} can only be {word}; access = \"{row.fields['access']}\"")


def match_call(policy, row):
    field = one_of(policy, row, "name", "number")
    keys = policy.groups["hvc" if row.table == "hypercall" else "smccc"]
    kind = int if field == "number" else str
    values = listed(row.fields[field]) if field else []
    if field and (not values or not all(type(value) is kind for value in values)):
        policy.error(row.at(field), f"{field} must be {'a number' if kind is int else 'a name'} or a list of them, not "
                     f"{row.fields[field]!r}")
        return
    for value in values:
        prefix = "hvc-" if row.table == "hypercall" else "smccc-"
        hit = [key for key in keys if (key.number if field == "number" else key.name) == value
               or field == "name" and key.name == f"{prefix}{value}"]
        if not hit and field == "name" and any(letter in value for letter in "*?["):
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
    if any(name in row.fields and type(row.fields[name]) is not int for name in ("base", "offset", "size")):
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
    widths = listed(width)
    if not widths or any(type(value) is not int or value not in (1, 2, 4, 8) for value in widths):
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
    for other in filter(policy.sound, policy.rows[1:row.index]):
        for base, end, way in mine:
            theirs = (target for target in other.targets if len(target) == 3 and target[2] == way)
            hit = next((target for target in theirs if target[0] < end and base < target[1]), None)
            if hit:
                covered = hit[0] <= base and end <= hit[1]
                word = "never reached: covered by" if covered else "overlaps"
                policy.error(row.line, f"{row.text}: {word} line {other.line} ({other.text}) at "
                             f"{max(base, hit[0]):#x}")
                return
