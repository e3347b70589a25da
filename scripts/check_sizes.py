#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes: functions at most 70 lines (median 15, 95th percentile 45 aimed at), .c and .S 600, headers 200. Tables
(*_table.h, fields.h) are exempt. Each file begins with its licence; no tab in C, no trailing blank; 120 columns in C (but
not where clang-format is off), 140 elsewhere."""

import glob
import json
import re
import statistics
import subprocess
import sys

from rooms import FOLDERS

FUNCTION_MAX, SOURCE_MAX, HEADER_MAX = 70, 600, 200
PARAMETER_MAX = 5
TABLES = ("_table.h", "/fields.h", "/log_schema.h")
CODE = (*FOLDERS, "include", "guest")


def sources(folders, endings):
    return sorted(path for folder in folders for path in glob.glob(f"{folder}/**/*", recursive=True)
                  if path.endswith(endings))


def functions(paths):
    """[(lines, "file:line name", parameters, takes a va_list)] of every C function."""
    command = ["ctags", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--output-format=json", "--fields=+neS",
               "-f", "-", "-I", "GUARDED_BY+,REQUIRES+,ACQUIRES+,RELEASES+", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "end" in tag:
            signature = tag.get("signature", "()")
            parameters = 0 if signature in ("()", "(void)") else signature.count(",") + 1
            lines = tag["end"] - tag["line"] + 1
            found.append((lines, f"{tag['path']}:{tag['line']} {tag['name']}", parameters, "va_list" in signature))
    return sorted(found)


def file_faults(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    faults = []
    limit = HEADER_MAX if path.endswith(".h") else SOURCE_MAX
    columns = 120 if path.endswith((".c", ".h")) else 140
    table = False
    if len(lines) - 1 > limit and not path.endswith(TABLES + (".py",)) and not path.startswith("tests/"):
        faults.append(f"{path}: {len(lines) - 1} lines, {limit} at most")
    if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
        faults.append(f"{path}:1: no SPDX-License-Identifier: Apache-2.0")
    for number, line in enumerate(lines, 1):
        table = "clang-format off" in line or table and "clang-format on" not in line
        if len(line) > columns and not table:
            faults.append(f"{path}:{number}: {len(line)} columns, {columns} at most")
        if line != line.rstrip():
            faults.append(f"{path}:{number}: blank at the end of the line")
        if "\t" in line and path.endswith((".c", ".h", ".S")):
            faults.append(f"{path}:{number}: tab")
    if path.endswith(".h") and not re.search(r"^#pragma once$", "\n".join(lines), re.M):
        faults.append(f"{path}: no #pragma once")
    return faults


def main():
    code = sources(CODE, (".c", ".h", ".S"))
    text = sources(("tests", "scripts", "tools"), (".c", ".h", ".py", ".awk", "bootstrap"))
    faults = [fault for path in code + text for fault in file_faults(path)]
    found = functions([path for path in code if path.endswith((".c", ".h"))])
    for lines, name, parameters, variadic in found:
        if lines > FUNCTION_MAX:
            faults.append(f"{name}: {lines} lines, {FUNCTION_MAX} at most")
        if parameters > PARAMETER_MAX and not variadic:
            faults.append(f"{name}: {parameters} parameters, {PARAMETER_MAX} at most")
    for fault in faults:
        print(fault)
    sizes = [lines for lines, *_ in found] or [0]
    p95 = sizes[min(len(sizes) - 1, len(sizes) * 95 // 100)]
    print(f"sizes: {len(found)} functions, median {statistics.median(sizes):g} lines (aim 15), 95th percentile {p95} "
          f"(aim 45), longest {sizes[-1]}; {len(code) + len(text)} files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
