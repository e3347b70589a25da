# SPDX-License-Identifier: Apache-2.0
"""What differs, as lines of text: the answer in one screen, or all of it."""

from .. import units
from ..printable import printable

WIDTH = 118
SHORT = 4     # rows of a part in the short text; the whole has all


def cut(text, width=WIDTH):
    """A line that fits the screen."""
    text = printable(text)
    return text if len(text) <= width else text[:width - 3] + "..."


def listed(words, most=3):
    """"a, b, c and 4 more"."""
    words = [str(word) for word in words]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def machine_line(name, machine):
    cpus = f"{machine['cpus']} CPU{'s' * (machine['cpus'] != 1)}"
    lost = f", {units.count(machine['lost'])} records LOST" if machine["lost"] else ""
    return (f"{name}  {machine['file']}: {cpus} {machine['cpu']}, {machine['kernel']}, policy {machine['policy']}, "
            f"{units.count(machine['exits'])} exits in {machine['seconds']:.2f} s{lost}")


def step_text(step):
    """One exit of the order."""
    if step is None:
        return "nothing more"
    at = f"exit {step['exit']}" + (f" at {step['seconds']:.6f} s" if "seconds" in step else "")
    where = f" in {step['place']}" if step.get("place") else ""
    value = f" = {step['value']}" if step["value"] != "0x0" or step["what"].startswith(("read", "write")) else ""
    return f"{at}: {step['what']}{value} ({step['decided']}){where}"


def first_rows(data):
    """Where each vCPU's order first differs."""
    for row in data["first"]:
        owner = f"vCPU {row['vcpu']}" + (f" of VM {row['vm']}" if row["vm"] else "")
        if not row["a"] and not row["b"]:
            yield f"{owner}: all {units.count(row['equal'])} steps are equal"
        elif not row["equal"] and not (row["a"] and row["b"]):
            which = "A" if row["a"] else "B"
            yield f"{owner}: only in {which}, from {step_text(row['a'] or row['b'])}"
        else:
            yield f"{owner}: {units.count(row['equal'])} steps are equal, then"
            yield f"  A {step_text(row['a'])}"
            yield f"  B {step_text(row['b'])}"


def value_rows(data):
    for row in data["answers"]:
        values = f"{listed(row['a']) or 'nothing more'} -> {listed(row['b']) or 'nothing more'}"
        yield f"{row['register']}: {values}" + (f": {', '.join(row['fields'])}" if row["fields"] else "")


def decided_rows(data):
    for row in data["decided"]:
        yield f"{row['register']}: {listed(row['a']) or 'not otherwise'} -> {listed(row['b']) or 'not otherwise'}"


def only_rows(groups):
    for group in groups:
        parts = [f"{row['register']} x{units.count(row['count'])}" + ("" if row["new"] else " (others do it in both)")
                 for row in group["registers"]]
        yield f"{group['function'] or 'interrupts, requests'}: {listed(parts)}"


def count_rows(data):
    for row in data["counts"]:
        who = listed([function for function in row["functions"] if function], 2)
        yield (f"{row['register']}: {units.count(row['a'])} -> {units.count(row['b'])} ({row['more']:+,}, x{row['factor']:g})"
               + (f" by {who}" if who else ""))


def latency_rows(data):
    for row in data["latencies"]:
        name = f"{'write ' if row['write'] else ''}{row['register']}"
        yield f"{name}: median {units.duration(row['a_ns'])} -> {units.duration(row['b_ns'])} (x{row['factor']:g})"


def noise_rows(data):
    for row in data["noise"]:
        where = f" in {row['function']}" if row.get("function") else ""
        yield f"{row['register']}{where}: {units.count(row['a'])} -> {units.count(row['b'])}"


PARTS = (("first", "order: first difference", first_rows), ("answers", "other values", value_rows),
         ("decided", "decided otherwise (verdict/result)", decided_rows),
         ("only_a", "only A", lambda data: only_rows(data["only_a"])), ("only_b", "only B", lambda data: only_rows(data["only_b"])),
         ("lines_a", "only A's console says", lambda data: iter(data["lines_a"])),
         ("lines_b", "only B's console says", lambda data: iter(data["lines_b"])),
         ("counts", "counts", count_rows), ("latencies", "time in EL2 (no difference by itself)", latency_rows),
         ("noise", "noise", noise_rows))


def short_share(parts):
    """How many rows each part shows so that all fit one screen of 25 lines: each its SHORT first, then what is left."""
    shown = {name: min(len(rows), 3 if name == "first" else SHORT if name != "noise" else 0) for name, rows in parts.items()}

    def lines():
        return 4 + sum(1 + shown[name] for name, rows in parts.items() if rows and name != "noise")
    while lines() > 25:
        name = max((name for name in shown if name != "first"), key=lambda name: shown[name])
        if not shown[name]:
            break
        shown[name] -= 1
    return shown


def lines_of(data, whole=False):
    """The lines. data: Comparison.as_dict(). whole: everything; else at most 25 lines."""
    parts = {name: list(rows(data)) for name, _, rows in PARTS}
    shown = {name: len(rows) for name, rows in parts.items()} if whole else short_share(parts)
    found = [cut(machine_line("A", data["a"]), 400 if whole else WIDTH), cut(machine_line("B", data["b"]), 400 if whole else WIDTH)]
    if not data["differ"]:
        found.append("Nothing differs" + (f" but for noise: {len(data['noise'])} counts." if data["noise"] else "."))
    for name, title, _ in PARTS:
        rows = parts[name]
        if not rows or not shown[name] and name == "noise":
            continue
        more = f" ({units.count(len(rows) - shown[name])} more lines: --all)" if shown[name] < len(rows) else ""
        found.append(f"{title}{more}:")
        found += [cut("  " + row, 400 if whole else WIDTH) for row in rows[:shown[name]]]
    found.append(cut(f"noise: {len(data['noise'])} counts; {data['rule']}", 400))
    return found
