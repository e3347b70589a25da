# SPDX-License-Identifier: Apache-2.0
"""The tables of ariel's headers, read without a compiler: causes, calls, devices, registers, fields of syndromes.

A table is an X-macro: `#define CAUSE_TABLE(CAUSE) CAUSE(WFI, 0x01, "wfi", ...) ...`. The headers lie beside this package
in the source tree and in a release's archive alike."""

import functools
import pathlib
import re

from .errors import TablesError

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include" / "hv"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[(),]|[^(),"]+')
ESCAPE = re.compile(r"\\(.)")


def cell_of(parts):
    """A cell's text: of string literals what they say, else the words as they stand."""
    words = [part.strip() for part in parts if part.strip()]
    if words and all(word[0] == '"' for word in words):
        return "".join(ESCAPE.sub(lambda match: match[1], word[1:-1]) for word in words)
    return "".join(words)


def parse_rows(text, table):
    """The rows of the X-macro `table` in a header's text, each a list of its cells' texts. Cells in brackets of their own,
    such as lists, are one cell. None when there is no such macro."""
    found = re.search(rf"^#define {table}\((\w+)\)((?:.*\\\n)*.*)$", text, re.M)
    if found is None:
        return None
    body = re.sub(r"/\*.*?\*/", " ", found[2].replace("\\\n", "\n"), flags=re.S)
    rows, depth, name = [], 0, ""
    for token in TOKEN.findall(body):
        if token == "(":
            depth += 1
            if depth == 1:
                if name.strip() == found[1]:
                    rows.append([[]])
                continue
        if token == ")":
            depth -= 1
            if depth == 0:
                name = ""
                continue
        if depth == 0:
            name = token
        elif depth == 1 and token == ",":
            rows[-1].append([])
        else:
            rows[-1][-1].append(token)
    return [[cell_of(cell) for cell in row] for row in rows]


@functools.lru_cache(maxsize=None)
def read_header(header):
    """The text of include/hv/<header>. TablesError when it is not there."""
    path = INCLUDE / header
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TablesError(f"{path}: {error.strerror}: its tables are needed; run ariel in its source tree or release") from None


@functools.lru_cache(maxsize=None)
def read_rows(header, table):
    """The rows of a table of include/hv/<header>. TablesError when the header or the table is not there."""
    rows = parse_rows(read_header(header), table)
    if rows is None:
        raise TablesError(f"{INCLUDE / header}: has no table {table}; this package belongs to another version of ariel")
    return rows


def read_numbers(header):
    """{name: value} of the plain numbers that include/hv/<header> defines."""
    return {name: int(value, 0) for name, value in
            re.findall(r"^#define (\w+) +(0x[0-9a-fA-F]+|\d+)(?: *//.*)?$", read_header(header), re.M)}


def causes():
    """The rows (ID, class, name, control, sentence) of cause_table.h."""
    return read_rows("cause_table.h", "CAUSE_TABLE")


def key_names():
    """(names, groups): the names of all keys in the order of their numbers (event_key.h), and the number of the first
    call, device and register."""
    names = [row[2] for row in causes()]
    groups = {"call": len(names)}
    names += [row[2] for row in read_rows("call_table.h", "HVC_CALL_TABLE")] + ["hvc-unknown", "hvc-immediate"]
    names += [row[2] for row in read_rows("call_table.h", "SMCCC_CALL_TABLE")] + ["smccc-unknown", "smc-immediate"]
    groups["device"] = len(names)
    names += [row[1] for row in read_rows("device_table.h", "DEVICE_TABLE")] + ["no-device", "guest-ram"]
    groups["register"] = len(names)
    names += [row[0] for row in read_rows("arch/sysreg_table.h", "SYSREG_TABLE")] + ["sysreg-unknown"]
    return names, groups


def request_names():
    """The names of virtio requests by number (virtio_request_table.h)."""
    return [row[1] for row in read_rows("virtio_request_table.h", "VIRTIO_REQUEST_TABLE")]


# The names of enum policy_action and enum trap_result by number: policy_action_name, trap_result_name
VERDICTS = ["allow", "emulate", "raz-wi", "deny", "pause", "stop"]
RESULTS = ["done", "retry", "undef", "abort", "reflect", "stop"]
