# SPDX-License-Identifier: Apache-2.0
"""The file: rows as TOML, for the person who has to judge them."""

import re
import textwrap

from . import rows as parts
from ..printable import printable

WIDTH = 118
FUNCTIONS = 3  # of a key that are named
HEADINGS = {
    parts.SEEN: "What the guest was seen to do.",
    parts.BLIND: "What no trace could see, since the policy that it was made under lets it through without an exit. It is left as it "
                 "was. Judge it, or learn again from traces under policy/learn.toml.",
    parts.REFUSED: "What was refused in the traces, too. Known, and so not in the log: a record of the default is news."}
NUMBERED = re.compile(r"(.*?)(\d+)(_EL\d)?$")


def quote(text):
    """A TOML basic string of a printable text."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def value_text(name, value):
    """`name = value`, a list over several lines where it is long."""
    if isinstance(value, list):
        items = [quote(item) if isinstance(item, str) else str(item) for item in value]
        line = f"{name} = [{', '.join(items)}]"
        if len(line) <= WIDTH:
            return line
        return f"{name} = [\n" + textwrap.fill(", ".join(items), WIDTH, initial_indent="    ", subsequent_indent="    ",
                                             break_on_hyphens=False) + ",\n]"
    return f"{name} = {quote(value) if isinstance(value, str) else value}"


def comment(text):
    return textwrap.fill(printable(text), WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def fact_line(fact):
    """How often, what, from where: one line of a row's comment."""
    names = [(name, count) for name, count in fact.functions.most_common() if name]
    shown = ", ".join(f"{printable(name)} {count}" if len(names) > 1 else printable(name) for name, count in names[:FUNCTIONS])
    more = f" and {len(names) - FUNCTIONS} more" if len(names) > FUNCTIONS else ""
    what = ("read", "write")[fact.way] if fact.key.group in ("sysreg", "device") else "call" if fact.key.group != "cause" else ""
    notes = [f"{fact.user} from EL0"] if fact.user else []
    notes += [f"{fact.refused} refused"] if fact.refused and fact.actions else []
    tail = f"  ({', '.join(notes)})" if notes else ""
    count = "once" if fact.count == 1 else str(fact.count)
    return f"# {count:>8} {what:<5} {fact.key.name:<24} {shown}{more}{tail}".rstrip()


def row_text(row):
    lines = [f"[[{row.table}]]", *(fact_line(fact) for fact in row.facts)]
    lines += [value_text(name, value) for name, value in row.fields.items()]
    return "\n".join([*lines, value_text("why", row.why)])


def shorten(names):
    """Names of registers that differ in their number, next to each other, as one: DBGBVR6_EL1 .. DBGBVR15_EL1."""
    runs = []
    for name in dict.fromkeys(names):
        match = NUMBERED.match(name)
        kind = (match[1], match[3]) if match and match[1] else None
        last = next((run for run in reversed(runs) if kind and run["kind"] == kind), None)
        if last and int(match[2]) == last["number"] + 1:
            last.update(end=name, number=int(match[2]))
        else:
            runs.append({"kind": kind, "first": name, "end": None, "number": int(match[2]) if kind else 0})
    return [f"{run['first']} .. {run['end']}" if run["end"] else run["first"] for run in runs]


def make_text(name, sources, rows, idle, partial):
    """The file's text. name: of the policy. sources: a line about each trace. idle: of rows.not_exercised. partial: why
    traces are not whole, a sentence each."""
    lines = [comment(f"Learned by `ariel learn`: what a guest was seen to do is let through, all else is denied. Nobody has judged it "
                     f"yet. From"), *(f"#   {printable(source)}" for source in sources)]
    if partial:
        lines += ["#", comment("INCOMPLETE (--partial): the guest did more than these rows know of:"),
                  *(f"#   {printable(reason)}" for reason in partial)]
    lines += ["#", comment("Each line of a row's comment says how often, what, and from which function."),
              value_text("name", name), value_text("description", "learned from traces: what was seen is let through, all else is "
                                                   "denied and logged"),
              'default = { action = "deny", log = true, limit = "10/s", why = "not seen in the traces that this policy was learned '
              'from" }', ""]
    for section, heading in HEADINGS.items():
        mine = [row for row in rows if row.section == section]
        if mine:
            lines += [f"# ---- {section}", comment(heading), ""]
            lines += [row_text(row) + "\n" for row in mine]
    lines += ["# ---- not exercised", comment("What could have been seen and was not. The default denies it; a guest that does more "
                                              "than in the traces may need some of it."), "#"]
    lines += [comment(f"{what}: {', '.join(shorten(names))}") for what, names in idle.items()]
    return "\n".join(lines) + "\n"


def explain_lines(facts, count):
    """For each key and direction, why its row is as it is. count: of traces."""
    for fact in parts.by_count(facts.seen.values()):
        ways = ("read", "write")[fact.way] if fact.key.group in ("sysreg", "device") else "call"
        numbers = ", ".join(f"{fact.counts[number]} in trace {number}" for number in range(count))
        actions = ", ".join(f"{action} {times}" for action, times in fact.actions.most_common())
        reason = f"answered ({actions})" if fact.actions else "never answered"
        more = f", {fact.refused} refused" if fact.refused else ""
        yield f"{fact.action:<8} {ways:<5} {fact.key.name:<24} {reason}{more}; {numbers}"
