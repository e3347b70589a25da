# SPDX-License-Identifier: Apache-2.0
"""Tables and constants of include/hv as a compiler sees them, for tests that hold documents to them."""

import ast
import csv
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def preprocess(text):
    command = ["gcc", "-E", "-P", "-x", "c", f"-I{ROOT / 'include'}", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def rows(header, table):
    """The rows of an X-macro table of a header, each a list of its cells: rows("hv/call_table.h", "HVC_CALL_TABLE").
    Strings are without their quotes, other cells as they are written."""
    text = preprocess(f"#include <{header}>\n#define ROW(...) @@ #__VA_ARGS__\n{table}(ROW)\n")
    found = re.findall(r'@@ ("(?:[^"\\]|\\.)*")', text)
    return [next(csv.reader([ast.literal_eval(row)], skipinitialspace=True, escapechar="\\")) for row in found]


def constants(header, *names):
    """{name: value} of #defines that are whole numbers."""
    text = preprocess(f"#include <{header}>\n" + "".join(f'@@ "{name}" {name}\n' for name in names))
    return {name: int(value.strip("()"), 0) for name, value in re.findall(r'@@ "(\w+)" (\S+)', text)}
