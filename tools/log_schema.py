#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the reference part of docs/LOG.md from include/hv/log_schema.h and from the calls in the code.

  python3 tools/log_schema.py            says what does not agree; exit status 1 when something does not
  python3 tools/log_schema.py --write    and writes docs/LOG.md anew
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import c_source  # noqa: E402
from rooms import FOLDERS  # noqa: E402

BEGIN = "<!-- made by tools/log_schema.py: begin -->\n"
END = "<!-- made by tools/log_schema.py: end -->\n"
FIXED = ("seq", "t", "cpu", "level", "class", "event", "cut", "hidden", "tag")

# The functions that write a record, and their arguments up to the format; see c_source.calls
WRITERS = {"log_record": ("level", "class", "EVENT", "FORMAT"), "log_limited": ("limit", "class", "EVENT", "FORMAT"),
           "log_allowed": ("limit", "class", "EVENT", "FORMAT"), "log_routine": ("class", "EVENT", "FORMAT"),
           "log_panic": ("EVENT", "FORMAT")}
FIELD_NAME = re.compile(r"(?:^|\s)([A-Za-z0-9_%]+)=")


def read_schema():
    events = [(name, klass.lower(), fields.split(), words) for name, klass, fields, words in
              c_source.rows("hv/log_schema.h", "LOG_EVENT_TABLE")]
    return events, [tuple(row) for row in c_source.rows("hv/log_schema.h", "LOG_FIELD_TABLE")]


def field_names(text):
    """The names in a format."""
    return [re.sub(r"%\w+", "*", name) for name in FIELD_NAME.findall(text)]


def levels_of(function, words):
    """What a call's first argument says about the level of its record."""
    if function in ("log_panic", "log_routine"):
        return ("ERROR",) if function == "log_panic" else ("INFO",)
    return tuple(re.findall(r"LOG_(DEBUG|INFO|WARN|ERROR)\b", words)) or ("INFO", "WARN", "ERROR")


def is_declaration(arguments):
    return any(re.match(r"(enum|struct|const char) ", argument) for argument in arguments)


def read_calls():
    """(place, event, class, levels, fields) of every call, and the places of calls that could not be read."""
    found, unread = [], []
    paths = sorted(str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.c"))
    for path, line, function, arguments in c_source.calls(paths, WRITERS):
        if is_declaration(arguments):
            continue
        named = dict(zip(WRITERS[function], arguments))
        event, text = c_source.text_of(named["EVENT"]), c_source.text_of(named["FORMAT"])
        klass = named.get("class", "LOG_PANIC").removeprefix("LOG_").lower()
        if event is None or text is None or not klass.isalpha():
            unread.append(f"{path}:{line}")
            continue
        held = ["held"] if function == "log_limited" else []  # which it adds by itself
        found.append((f"{path}:{line}", event, klass, levels_of(function, arguments[0]), field_names(text) + held))
    return found, unread


def disagreements(events, fields, calls, unread):
    known = {(name, klass): row for name, klass, row, _ in events}
    described = {name for name, _ in fields}
    for where in unread:
        yield f"{where}: a log call whose class, event or format is not a constant"
    for where, event, klass, _, names in calls:
        row = known.get((event, klass))
        if row is None:
            yield f"{where}: event {event} of class {klass} has no row in include/hv/log_schema.h"
            continue
        allowed = {name.strip("[]") for name in row}
        needed = {name for name in row if not name.startswith("[")}
        for name in sorted(set(names) - allowed):
            yield f"{where}: event {event} has no field {name} in include/hv/log_schema.h"
        for name in sorted(needed - set(names)):
            yield f"{where}: event {event} is written without its field {name}"
    for event, klass in sorted(set(known) - {(call[1], call[2]) for call in calls}):
        yield f"include/hv/log_schema.h: nobody writes event {event} of class {klass}"
    used = {name.strip("[]") for row in known.values() for name in row}
    for name in sorted(used - described):
        if "*" not in name and not re.match(r"x\d+\Z", name):
            yield f"include/hv/log_schema.h: field {name} has no FIELD row"
    for name in sorted(described - used):
        yield f"include/hv/log_schema.h: no event has the field {name}"


def reference(events, fields, calls):
    """The part of docs/LOG.md between the marks."""
    order = ("DEBUG", "INFO", "WARN", "ERROR")
    lines = ["| class | event | level | fields | what happened |", "|---|---|---|---|---|"]
    for name, klass, row, words in events:
        levels = {level for call in calls if (call[1], call[2]) == (name, klass) for level in call[3]}
        text = ", ".join(level.lower() for level in order if level in levels)
        shown = " ".join(field.replace("[", "\\[").replace("]", "\\]").replace("*", "\\*") for field in row)
        lines.append(f"| {klass} | `{name}` | {text} | {shown} | {words} |")
    lines += ["", "| field | meaning |", "|---|---|"]
    lines += [f"| {name} | {words} |" for name, words in fields]
    return "\n".join(lines) + "\n"


def document(text, events, fields, calls):
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + reference(events, fields, calls) + END + after


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/LOG.md anew")
    options = parser.parse_args()
    events, fields = read_schema()
    calls, unread = read_calls()
    problems = list(disagreements(events, fields, calls, unread))
    path = ROOT / "docs/LOG.md"
    old = path.read_text(encoding="utf-8")
    new = document(old, events, fields, calls)
    if new != old and options.write:
        path.write_text(new, encoding="utf-8")
    elif new != old:
        problems.append("docs/LOG.md: out of date; run python3 tools/log_schema.py --write")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
