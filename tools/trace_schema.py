#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of docs/TRACE.md from include/hv/trace_schema.h.

  python3 tools/trace_schema.py            says what does not agree; exit status 1 when something does not
  python3 tools/trace_schema.py --write    and writes docs/TRACE.md anew
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import c_source  # noqa: E402

HEADER = "hv/trace_schema.h"
SLOT = 128  # bytes of a chunk's header, and of a record
BEGIN = "<!-- made by tools/trace_schema.py: begin -->\n"
END = "<!-- made by tools/trace_schema.py: end -->\n"
TYPE = re.compile(r"u(8|16|32|64)(?:x(\d+))?")


def size_of(kind):
    """Bytes of a field by its type, such as "u16" or "u64x4"; ValueError when there is no such type."""
    found = TYPE.fullmatch(kind)
    if found is None:
        raise ValueError(f"type {kind} is none of u8, u16, u32, u64 and arrays of them such as u64x4")
    return int(found[1]) // 8 * int(found[2] or 1)


def read_schema():
    """{"CHUNK": rows, "RECORD": rows}, each row (name, type, offset, sentence)."""
    return {table: [(name, kind, int(offset), words) for name, kind, offset, words in
                    c_source.rows(HEADER, f"TRACE_{table}_TABLE")] for table in ("CHUNK", "RECORD")}


def disagreements(schema):
    """What is wrong with the tables themselves: a sentence each."""
    for table, rows in schema.items():
        end = 0
        for name, kind, offset, words in rows:
            size = size_of(kind)
            element = size_of(kind.split("x")[0])
            if offset < end:
                yield f"{HEADER}: {table}: {name} at {offset} overlaps the field before it, which ends at {end}"
            if offset % element:
                yield f"{HEADER}: {table}: {name} at {offset} is no multiple of {element}"
            if not words:
                yield f"{HEADER}: {table}: {name} has no sentence"
            end = offset + size
        if end > SLOT:
            yield f"{HEADER}: {table}: ends at {end}, and has {SLOT} bytes"


def shown(kind):
    """A type as the document writes it: u64x4 is u64[4]."""
    return re.sub(r"x(\d+)$", r"[\1]", kind)


def reference(schema):
    """The part of docs/TRACE.md between the marks."""
    lines = []
    for table, title in (("CHUNK", "The header of a chunk"), ("RECORD", "A record")):
        lines += [f"**{title}**, {SLOT} bytes:", "", "| offset | type | name | meaning |", "|---|---|---|---|"]
        lines += [f"| {offset} | {shown(kind)} | `{name}` | {words} |" for name, kind, offset, words in schema[table]]
        lines.append("")
    return "\n".join(lines)


def document(text, schema):
    """docs/TRACE.md as it should be; text: as it is."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + reference(schema) + END + after


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say what does not agree (as without options)")
    parser.add_argument("--write", action="store_true", help="write docs/TRACE.md anew")
    options = parser.parse_args()
    schema = read_schema()
    problems = list(disagreements(schema))
    path = ROOT / "docs/TRACE.md"
    old = path.read_text(encoding="utf-8")
    new = document(old, schema)
    if new != old and options.write and not options.check:
        path.write_text(new, encoding="utf-8")
    elif new != old:
        problems.append("docs/TRACE.md: out of date; run python3 tools/trace_schema.py --write")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
