#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles a policy (TOML) into the const tables that include/hv/policy.h declares, or shows what it means.

policy_compile.py --policy policy/diag.toml --output build/generated/policy_tables.c
policy_compile.py --policy policy/diag.toml --show [--json]

The source format is docs/POLICY.md. Names, keys, addresses and control bits come from the headers through the C
preprocessor, so that nothing stands twice. First match wins, row by row in the order of the file. All errors of a file
are reported in one run, one line each: file:line: what, the value, what to do.
"""
import argparse
import ast
import csv
import difflib
import fnmatch
import json
import os
import re
import subprocess
import sys
import tomllib

ACTIONS = ("allow", "emulate", "raz-wi", "deny", "pause", "stop")
DIRECTIONS = {"r": (0,), "w": (1,), "rw": (0, 1)}
SUBJECTS = {  # table of the source -> its fields beyond the common ones
    "sysreg": ("name", "class", "access"), "mmio": ("device", "base", "offset", "size", "access", "width"),
    "hypercall": ("name", "number"), "smccc": ("name", "number"), "smc": (), "wfi": (), "wfe": (), "trap": ("name",)}
COMMON = ("action", "log", "count", "limit", "why")
TOP = ("name", "description", "default")
OWNED = ("GICD", "GICR", "PL011")  # devices that EL2 itself drives, and emulates for the guest
PASSABLE = ("HW", "VA", "SET_WAY", "MDSCR", "TIMER", "DIR")  # emulations that are the access itself (sysreg_read, sysreg_write)
# Causes that a row can name, by what ariel can do about them; the others have keys of their own (hvc, sysreg, dabt).
IDLE = ("WFI", "WFE")
DIRECT = ("FP", "BREAKPOINT", "WATCHPOINT", "BRK", "PAC")
ABSENT = ("SVE", "SME", "LS64")
FAULT = ("UNKNOWN", "BTI", "ILLEGAL", "IABT", "PC_ALIGN", "SERROR")
CAUSE_ACTIONS = {**dict.fromkeys(IDLE, ("allow", "emulate", "deny", "pause", "stop")),
                 **dict.fromkeys(DIRECT, ("allow", "deny", "stop")),
                 **dict.fromkeys(ABSENT, ("deny", "stop")), **dict.fromkeys(FAULT, ("deny", "stop"))}
CALL_ACTIONS = ("emulate", "deny", "pause", "stop")
# Bits that let through when set. What is in neither list traps when set.
LETS_THROUGH = ("HCR_EL2_APK", "HCR_EL2_API", "CNTHCTL_EL2_EL1PCTEN", "CNTHCTL_EL2_EL1PCEN")
BASE = ("HCR_EL2_VM", "HCR_EL2_AMO", "HCR_EL2_IMO", "HCR_EL2_FMO")  # the design's, whatever the policy
NEVER_SET = ("HCR_EL2_ATA", "HCR_EL2_ENSCXT", "MDCR_EL2_E2PB", "HCRX_EL2_EnALS", "ALWAYS")
# smc never reaches the firmware; SVE, trace and what is implementation defined are no part of the guest's CPU
ALWAYS_SET = ("HCR_EL2_TSC", "HCR_EL2_TIDCP", "CPTR_EL2_TZ", "CPTR_EL2_TTA")
REGISTERS = ("HCR_EL2", "MDCR_EL2", "CPTR_EL2", "HSTR_EL2", "CNTHCTL_EL2", "ICH_HCR_EL2")
PAGE = 4096


class PolicyError(Exception):
    """The policy cannot be compiled; the messages are its lines."""


# ---- The headers -----------------------------------------------------------------------------------------------------

PROBE = """
#include <hv/event_key.h>
#include <hv/memory_map.h>
#include <hv/policy.h>
#define ROW_(table, id, ...) @@ table #id #__VA_ARGS__
#define CAUSE_ROW(id, ...) ROW_("cause", id, __VA_ARGS__)
#define HVC_ROW(id, ...) ROW_("hvc", id, __VA_ARGS__)
#define SMCCC_ROW(id, ...) ROW_("smccc", id, __VA_ARGS__)
#define DEVICE_ROW(id, ...) ROW_("device", id, __VA_ARGS__)
#define SYSREG_ROW(id, ...) ROW_("sysreg", id, __VA_ARGS__)
CAUSE_TABLE(CAUSE_ROW) HVC_CALL_TABLE(HVC_ROW) SMCCC_CALL_TABLE(SMCCC_ROW) DEVICE_TABLE(DEVICE_ROW)
SYSREG_TABLE(SYSREG_ROW)
#define NUMBER_(name, ...) @@ "number" #name #__VA_ARGS__
#define NUMBER(name, value) NUMBER_(name, value)
NUMBER(ROW_MAX, POLICY_ROW_MAX) NUMBER(RAM_BASE, GUEST_RAM_IPA) NUMBER(RAM_SIZE, GUEST_RAM_SIZE)
"""


class Key:
    """One row of one of the tables: what a verdict is about."""

    def __init__(self, group, ident, name):
        self.group, self.id, self.name = group, ident, name
        self.enum = {"cause": "KEY_CAUSE_", "hvc": "KEY_HVC_", "device": "KEY_DEVICE_"}.get(group, "KEY_") + ident
        self.number = self.control = self.kind = self.cls = None
        self.directions = (0, 1)


def preprocess(cc, include, text):
    command = cc.split() + ["-E", "-P", "-x", "c", *(f"-I{path}" for path in include), "-"]
    prefix = f"{command[0]}: cannot preprocess the headers"
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PolicyError([f"{prefix}: {error.strerror}; name a compiler with --cc"]) from None
    if done.returncode != 0:
        raise PolicyError([f"{prefix}: {line}" for line in done.stderr.splitlines()[:3]])
    return done.stdout


def read_tables(cc="cc", include=("include",)):
    """The keys of event_key.h in their groups, and the numbers that bound a policy."""
    groups = {name: [] for name in ("cause", "hvc", "smccc", "device", "sysreg")}
    numbers = {}
    pattern = r'@@ "(\w+)" "(\w+)" ("(?:[^"\\]|\\.)*")'
    for group, ident, rest in re.findall(pattern, preprocess(cc, include, PROBE)):
        fields = next(csv.reader([ast.literal_eval(rest)], skipinitialspace=True, escapechar="\\"))
        if group == "number":
            numbers[ident] = int(fields[0], 0)
            continue
        key = Key(group, ident, ident)
        if group == "cause":
            key.name, key.control = fields[1], fields[2].replace(".", "_")
        elif group == "device":
            key.name, key.base, key.size, key.kind = fields[0], int(fields[1], 0), int(fields[2], 0), fields[3]
        elif group == "sysreg":
            key.encoding = tuple(int(field) for field in fields[:5])
            key.cls, access, key.control, key.kind = fields[5:9]
            key.directions = {"RO": (0,), "WO": (1,), "RW": (0, 1)}[access]
        else:
            key.number, key.name = int(fields[0], 0), fields[1]
        groups[group].append(key)
    extra = (("hvc", "KEY_HVC_UNKNOWN", "hvc-unknown"), ("hvc", "KEY_HVC_IMMEDIATE", "hvc-immediate"),
             ("smccc", "KEY_SMCCC_UNKNOWN", "smccc-unknown"), ("smc", "KEY_SMC_IMMEDIATE", "smc-immediate"),
             ("device", "KEY_DEVICE_NONE", "no-device"), ("device", "KEY_GUEST_RAM", "guest-ram"),
             ("sysreg", "KEY_SYSREG_UNKNOWN", "sysreg-unknown"))
    for group, enum, name in extra:
        key = Key(group, enum[4:], name)
        key.enum, key.kind, key.cls, key.control = enum, "UNDEF", "UNKNOWN", "ALWAYS"
        key.base = key.size = None
        groups.setdefault(group, []).append(key)
    return groups, numbers


# ---- Lines: where rows and their fields stand in the text (tomllib tells values only) -------------------------------

TOKEN = re.compile(r'''"""(?:\\.|[^\\])*?"{3,5}
                       | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' | \#[^\n]* | \n | [^"'#\n]''',
                   re.S | re.X)


def split_statements(text):
    """(line, tokens) of each statement of a valid TOML text: strings are one token, comments are gone."""
    line, start, depth, tokens = 1, 1, 0, []
    for token in TOKEN.findall(text):
        if token == "\n" and depth == 0 or token == "\n" and not tokens:
            if "".join(tokens).strip():
                yield start, tokens
            tokens, start = [], line + 1
        elif not token.startswith("#"):
            header = "".join(tokens).strip() in ("", "[") and "=" not in tokens
            tokens.append(token)
            if "=" in tokens or not header and depth:
                depth += (token in "[{") - (token in "]}") if len(token) == 1 else 0
        line += token.count("\n")
    if "".join(tokens).strip():
        yield start, tokens


def unquote(text):
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def locate_rows(text):
    """{(table, index): (line, {field: line})}; fields before any table belong to ("", 0)."""
    found, counts, current = {("", 0): (1, {})}, {}, ("", 0)
    for line, tokens in split_statements(text.replace("\r\n", "\n")):
        joined = "".join(tokens).strip()
        if joined.startswith("["):
            name = unquote(joined.strip("[] \t"))
            current = (name, counts.get(name, 0))
            counts[name] = current[1] + 1
            found[current] = (line, {})
            continue
        key = unquote("".join(tokens[:tokens.index("=")])) if "=" in tokens else joined
        found[current][1].setdefault(key.split(".")[0], line)
        if current == ("", 0):
            offset, depth, index = 0, 0, 0
            for token in tokens[tokens.index("=") + 1:] if "=" in tokens else ():
                if token == "{" and depth == 1:  # sysreg = [ {...}, {...} ]
                    found[(key, index)] = (line + offset, {})
                    index += 1
                depth += (token in "[{") - (token in "]}") if len(token) == 1 else 0
                offset += token.count("\n")
    return found


# ---- Rows ------------------------------------------------------------------------------------------------------------


class Row:
    """One row of the source, in the order of the file; row 0 is the default."""

    def __init__(self, table, line, fields, lines):
        self.table, self.line, self.fields, self.lines = table, line, fields, lines
        self.action = fields.get("action")
        self.log, self.count = fields.get("log", False), fields.get("count", False)
        self.why, self.limit = fields.get("why", ""), 0
        self.directions = (0, 1)
        self.targets = []  # (key, direction) or, for mmio, (base, end, direction)
        self.exact = False  # names single things: then it must be possible as it stands
        self.changed, self.bits, self.index = {}, set(), 0

    @property
    def text(self):
        fields = self.fields
        subject = next((fields[name] for name in ("name", "class", "device", "number", "base") if name in fields), "")
        if isinstance(subject, list):
            subject = ", ".join(map(str, subject))
        subject = f"{subject:#x}" if isinstance(subject, int) else subject
        if "offset" in fields:
            subject += f"+{fields['offset']:#x}"
        return f"{self.table} {subject}".strip()

    def at(self, field=None):
        return self.lines.get(field, self.line)


def nearest(word, words):
    match = difflib.get_close_matches(str(word).lower(), [w.lower() for w in words], 1, 0.5)
    return f"; did you mean \"{next(w for w in words if w.lower() == match[0])}\"?" if match else ""


def some(names, most=4):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class Compiler:
    """From text to folded verdicts. Errors are collected; check() raises them."""

    def __init__(self, path, text, groups, numbers):
        self.path, self.groups, self.numbers, self.errors = path, groups, numbers, []
        self.keys = [key for group in groups.values() for key in group]
        self.rows, self.verdicts, self.bits, self.notes = [], {}, set(), []
        try:
            self.source = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            where = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
            line = int(where[1]) if where else max(1, len(text.splitlines()))
            raise PolicyError([f"{path}:{line}: not TOML: {str(error).split(' (at')[0]}"]) from None
        self.lines = locate_rows(text)
        self.read_source()
        self.match_rows()
        self.check()
        self.fold()
        self.fold_ranges()
        self.derive_controls()
        self.check()

    def error(self, line, message):
        self.errors.append((line, f"{self.path}:{line}: {message}"))

    def check(self):
        if self.errors:
            raise PolicyError([text for _, text in sorted(dict.fromkeys(self.errors))])

    # -- reading

    def read_source(self):
        top = self.lines[("", 0)][1]
        for name in self.source:
            if name not in TOP and name not in SUBJECTS:
                line = top.get(name) or self.lines.get((name, 0), (1,))[0]
                self.error(line, f"unknown table or field \"{name}\"{nearest(name, TOP + tuple(SUBJECTS))}")
        for name in ("name", "description"):
            if not isinstance(self.source.get(name, ""), str):
                self.error(top.get(name, 1), f"{name} must be a string")
        self.read_default(top)
        found = []
        for table in SUBJECTS:
            value = self.source.get(table, [])
            if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                self.error(top.get(table) or self.lines.get((table, 0), (1,))[0],
                           f"{table} must be an array of tables: write [[{table}]]")
                continue
            for index, fields in enumerate(value):
                line, lines = self.lines.get((table, index), (1, {}))
                found.append(Row(table, line, fields, lines))
        self.rows += sorted(found, key=lambda row: row.line)
        if len(self.rows) > self.numbers["ROW_MAX"]:
            row = self.rows[self.numbers["ROW_MAX"]]
            self.error(row.line, f"too many rows: {len(self.rows)} with the default, at most "
                       f"{self.numbers['ROW_MAX']}; join rows with lists or classes")
        for index, row in enumerate(self.rows):
            row.index = index
            self.check_fields(row, COMMON + SUBJECTS.get(row.table, ()))

    def read_default(self, top):
        fields = self.source.get("default")
        line, lines = self.lines.get(("default", 0), (top.get("default", 1), {}))
        if fields is None:
            self.error(1, "no default: write one, such as default = { action = \"deny\", log = true }")
            fields = {"action": "deny"}
        elif not isinstance(fields, dict):
            self.error(line, "default must be a table: default = { action = \"deny\", log = true }")
            fields = {"action": "deny"}
        self.rows.append(Row("default", line, fields, lines))

    def check_fields(self, row, allowed):
        kinds = {"log": bool, "count": bool, "why": str, "limit": str, "action": str, "access": str, "base": int,
                 "offset": int, "size": int}
        for name, value in row.fields.items():
            if name not in allowed:
                self.error(row.at(name), f"unknown field \"{name}\" in {row.table}{nearest(name, allowed)}")
            elif name in kinds and type(value) is not kinds[name]:
                word = {bool: "true or false", str: "a string", int: "an integer"}[kinds[name]]
                self.error(row.at(name), f"{name} must be {word}, not {value!r}")
        if "action" not in row.fields:
            self.error(row.line, f"{row.text}: no action; one of {', '.join(ACTIONS)}")
        elif isinstance(row.action, str) and row.action not in ACTIONS:
            self.error(row.at("action"), f"unknown action \"{row.action}\"{nearest(row.action, ACTIONS)} "
                       f"(actions: {', '.join(ACTIONS)})")
        access = row.fields.get("access", "rw")
        if isinstance(access, str) and access not in DIRECTIONS:
            self.error(row.at("access"), f"access \"{access}\" is not \"r\", \"w\" or \"rw\"")
        row.directions = DIRECTIONS.get(access if isinstance(access, str) else "rw", (0, 1))
        limit = row.fields.get("limit")
        if isinstance(limit, str):
            match = re.fullmatch(r"([0-9]{1,5})/s", limit)
            if not match or not 1 <= int(match[1]) <= 65535:
                self.error(row.at("limit"), f"limit \"{limit}\" is not \"N/s\" with N from 1 to 65535")
            elif not row.log:
                self.error(row.at("limit"), "limit without log = true: there is nothing to limit")
            else:
                row.limit = int(match[1])

    # -- matching

    def match_rows(self):
        match = {"sysreg": self.match_sysreg, "mmio": self.match_mmio, "hypercall": self.match_call,
                 "smccc": self.match_call, "smc": self.match_fixed, "wfi": self.match_fixed, "wfe": self.match_fixed,
                 "trap": self.match_trap}
        taken = {}
        for row in self.rows[1:]:
            match[row.table](row)
            if row.table == "mmio":
                self.check_ranges(row)
            elif row.targets and all(target in taken for target in row.targets):
                first = taken[row.targets[0]]
                self.error(row.line, f"{row.text}: never reached: line {first.line} ({first.text}) comes first")
            for target in row.targets:
                taken.setdefault(target, row)

    def words(self, row, field):
        """The strings of a field that is a string or a list of strings."""
        value = row.fields.get(field, [])
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(word, str) and word for word in values):
            self.error(row.at(field), f"{field} must be a name or a list of names, not {value!r}")
            return []
        return values

    def one_of(self, row, *fields):
        given = [field for field in fields if field in row.fields]
        if len(given) != 1:
            self.error(row.line, f"{row.table}: {'one' if given else 'needs one'} of {' or '.join(fields)}"
                       f"{', not both' if given else ''}")
            return None
        return given[0]

    def match_sysreg(self, row):
        field = self.one_of(row, "name", "class")
        keys = self.groups["sysreg"]
        classes = sorted({key.cls for key in keys})
        for word in self.words(row, field) if field else ():
            glob = any(letter in word for letter in "*?[")
            pool = (lambda key: key.cls) if field == "class" else (lambda key: key.name)
            hit = [key for key in keys if fnmatch.fnmatchcase(pool(key).upper(), word.upper())]
            if not hit and glob:
                hit = [key for key in keys if fnmatch.fnmatchcase(key.name.upper(), word.upper())]
            if not hit:
                known = classes if field == "class" else [key.name for key in keys]
                kind = "class" if field == "class" else "register"
                self.error(row.at(field), f"unknown {kind} \"{word}\"{nearest(word, known)}")
            if field == "name" and not glob:
                row.exact = True
                self.check_access(row, hit)
            row.targets += [(key, way) for key in hit for way in row.directions]

    def check_access(self, row, keys):
        for key in keys:
            if "access" in row.fields and not set(row.directions) <= set(key.directions):
                word = "read" if key.directions == (0,) else "written"
                self.error(row.at("access"), f"{key.name} can only be {word}; access = \"{row.fields['access']}\"")

    def match_call(self, row):
        field = self.one_of(row, "name", "number")
        keys = self.groups["hvc" if row.table == "hypercall" else "smccc"]
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
                self.error(row.at(field), f"unknown {row.table} {shown}{hint}")
            row.targets += [(key, way) for key in hit for way in (0, 1)]

    def match_fixed(self, row):
        row.exact = True
        key = self.groups["smc"][0] if row.table == "smc" else self.find_cause(row.table)
        row.targets = [(key, 0), (key, 1)]

    def find_cause(self, name):
        return next((key for key in self.groups["cause"] if key.name == name and key.id in CAUSE_ACTIONS), None)

    def match_trap(self, row):
        known = [key.name for key in self.groups["cause"] if key.id in CAUSE_ACTIONS] + ["guest-ram"]
        row.exact = True
        for word in self.words(row, "name"):
            key = self.groups["device"][-1] if word == "guest-ram" else self.find_cause(word)
            if key is None:
                own = any(key.name == word for key in self.groups["cause"])
                hint = "; it has rows of its own (sysreg, mmio, hypercall, smccc)" if own else nearest(word, known)
                self.error(row.at("name"), f"unknown trap \"{word}\"{hint}")
            else:
                row.targets += [(key, 0), (key, 1)]

    def match_mmio(self, row):
        field = self.one_of(row, "device", "base")
        self.check_width(row)
        if any(name in row.fields and not isinstance(row.fields[name], int) for name in ("base", "offset", "size")):
            return
        row.exact = True
        if field == "base":
            if "offset" in row.fields or "size" not in row.fields:
                self.error(row.line, "mmio: base needs size, and no offset")
            else:
                self.add_range(row, row.fields["base"], row.fields["size"], "base")
        for word in self.words(row, "device") if field == "device" else ():
            key = next((key for key in self.groups["device"] if key.name == word), None)
            if key is None or key.id == "GUEST_RAM":
                known = [device.name for device in self.groups["device"][:-1]]
                self.error(row.at("device"), f"unknown device \"{word}\"{nearest(word, known)}")
            elif key.base is None:
                row.targets += [(key, way) for way in row.directions]
            else:
                offset = row.fields.get("offset", 0)
                size = row.fields.get("size", max(key.size - offset, 0))
                if not 0 <= offset < key.size or offset + size > key.size:
                    self.error(row.at("size" if "size" in row.fields else "offset"),
                               f"{word}: offset {offset:#x} size {size:#x} runs past its {key.size:#x} bytes")
                else:
                    self.add_range(row, key.base + offset, size, "size")

    def check_width(self, row):
        width = row.fields.get("width", [1, 2, 4, 8])
        widths = width if isinstance(width, list) else [width]
        if not widths or any(isinstance(value, bool) or value not in (1, 2, 4, 8) for value in widths):
            self.error(row.at("width"), f"width {width!r} is not 1, 2, 4 or 8, or a list of them")
            widths = [1, 2, 4, 8]
        row.widths = sum({value: value for value in widths}.values())

    def add_range(self, row, base, size, field):
        ram, end = self.numbers["RAM_BASE"], base + size
        if size <= 0:
            self.error(row.at("size"), f"{row.text}: the range is empty (size {size:#x})")
        elif base < 0 or end > 1 << 64:
            self.error(row.at(field), f"{row.text}: {base:#x} + {size:#x} wraps past 64 bits")
        elif base % 4 or size % 4:
            self.error(row.at(field), f"{row.text}: {base:#x} size {size:#x} is not a multiple of 4 bytes")
        elif base < ram + self.numbers["RAM_SIZE"] and end > ram:
            self.error(row.at(field), f"{row.text}: {base:#x} .. {end:#x} is over guest RAM "
                       f"({ram:#x} .. {ram + self.numbers['RAM_SIZE']:#x}); policies are about devices")
        else:
            row.targets += [(base, end, way) for way in row.directions]

    def check_ranges(self, row):
        mine = [target for target in row.targets if len(target) == 3]
        for other in self.rows[1:row.index]:
            for base, end, way in mine:
                theirs = (target for target in other.targets if len(target) == 3 and target[2] == way)
                hit = next((target for target in theirs if target[0] < end and base < target[1]), None)
                if hit:
                    covered = hit[0] <= base and end <= hit[1]
                    word = "never reached: covered by" if covered else "overlaps"
                    self.error(row.line, f"{row.text}: {word} line {other.line} ({other.text}) at "
                               f"{max(base, hit[0]):#x}")
                    return

    # -- folding: one verdict for each key and direction

    def possible(self, key, action, log):
        """The action that ariel can do for key where a row asks for action; and why it differs, or None."""
        if key.group in ("hvc", "smccc", "smc"):
            if action == "allow":
                return "emulate", "a guest's call is never passed on to the firmware; emulate answers it"
            no_zero = "a call has no zero to read; deny returns NOT_SUPPORTED"
            return (action, None) if action in CALL_ACTIONS else ("deny", no_zero)
        if key.group == "cause":
            return self.possible_cause(key, action, log)
        if key.group == "device":
            return self.possible_device(key, action)
        if key.kind == "UNDEF" and action in ("allow", "emulate", "pause"):
            return "deny", "it is no part of the guest's CPU: ariel does not virtualize it; deny, raz-wi or stop"
        if key.kind in ("ID", "SGI") and action == "allow":
            reason = "would offer the guest what ariel does not virtualize" if key.kind == "ID" else "always traps"
            return "emulate", f"allow {reason}; use emulate"
        if key.kind == "NONE" and (action in ("emulate", "pause") or action == "allow" and log):
            return "allow", "EL2 cannot do it in the guest's place: allow without log or count, raz-wi, deny or stop"
        if action == "allow" and (log or key.control in ALWAYS_SET) and key.kind not in PASSABLE:
            return "emulate", None  # the hardware is not asked: ariel's own answer is the one there is
        return action, None

    def possible_cause(self, key, action, log):
        allowed = CAUSE_ACTIONS[key.id]
        if action not in allowed or action == "allow" and log and key.id in DIRECT:
            instead = allowed[0]
            return instead, f"possible: {', '.join(allowed)}" + \
                (" (allow without log or count: it is then not trapped)" if key.id in DIRECT else "")
        return action, None

    def possible_device(self, key, action):
        if key.base is None:
            nothing = "there is nothing to pass it on to"
            return ("deny", nothing) if action in ("allow", "emulate") else (action, None)
        if key.id in OWNED and action == "allow":
            return "emulate", "EL2 drives this device itself; emulate gives the guest one of its own"
        if key.kind == "MASTER" and action == "allow":
            return "deny", ("it is a bus master: it would write at PA what the guest means as IPA; "
                            "deny, raz-wi, pause or stop")
        if action == "emulate" and key.id not in OWNED:
            return "deny", "ariel has no emulation of it; allow, raz-wi or deny"
        return action, None

    def verdict(self, key, way, row):
        observed = row.log or row.count
        action, reason = self.possible(key, row.action, observed)
        if reason and row.exact:
            self.error(row.at("action"), f"{row.text}: {row.action}{' with log' if row.log else ''} is not possible"
                       f"{'' if len(row.targets) < 3 else ' for ' + key.name}: {reason}")
        elif reason:
            word = f"becomes {action}" if action != row.action else "is not logged or counted"
            names = row.changed.setdefault(f"{row.action} {word}: {reason}", [])
            if key.name not in names:
                names.append(key.name)
        direct = key.kind == "NONE" if key.group == "sysreg" else key.group == "cause" and key.id in DIRECT
        mute = action == "allow" and direct
        log = row.log and not mute
        trapped = action != "allow" or (log or row.count and not mute)
        return {"action": action, "log": log, "row": row, "trapped": trapped}

    def fold(self):
        owner = {}
        for row in self.rows[1:]:
            for target in row.targets:
                if len(target) == 2:
                    owner.setdefault(target, row)
        fixed = Row("default", self.rows[0].line, {"action": "emulate"}, {})
        for key in self.keys:
            for way in (0, 1):
                if key.group == "cause" and key.id not in CAUSE_ACTIONS:
                    self.verdicts[key, way] = {"action": "emulate", "log": False, "row": fixed, "trapped": False}
                elif key.group == "sysreg" and way not in key.directions:
                    row = owner.get((key, way), self.rows[0])
                    self.verdicts[key, way] = {"action": "deny", "log": row.log, "row": row, "trapped": False}
                elif key.group != "device" or key.base is None:
                    self.verdicts[key, way] = self.verdict(key, way, owner.get((key, way), self.rows[0]))

    # -- the address space

    def device_at(self, address):
        return next((key for key in self.devices if key.base <= address < key.base + key.size), None)

    def row_at(self, address, way):
        return next((row for row in self.rows[1:] for target in row.targets
                     if len(target) == 3 and target[2] == way and target[0] <= address < target[1]), self.rows[0])

    def fold_ranges(self):
        self.devices = [key for key in self.groups["device"] if key.base is not None]
        edges = {edge for key in self.devices for edge in (key.base, key.base + key.size)}
        edges |= {edge for row in self.rows[1:] for target in row.targets if len(target) == 3 for edge in target[:2]}
        none, self.ranges = self.groups["device"][-2], []
        edges = sorted(edges)
        for base, end in zip(edges, edges[1:]):
            rows = [self.row_at(base, way) for way in (0, 1)]
            key = self.device_at(base)
            if key is None and rows == [self.rows[0]] * 2:
                continue
            key = key or none
            verdicts = [self.verdict(key, way, rows[way]) for way in (0, 1)]
            item = {"base": base, "size": end - base, "key": key, "widths": self.join_widths(rows, verdicts),
                    "verdicts": verdicts}
            item["direct"] = int(not any(v["trapped"] for v in verdicts) and base % PAGE == 0 and end % PAGE == 0
                                 and item["widths"] == 15)
            last = self.ranges[-1] if self.ranges else None
            same = last and all(last[name] == item[name] for name in ("key", "widths", "verdicts", "direct"))
            if same and last["base"] + last["size"] == base:
                last["size"] += end - base
            else:
                self.ranges.append(item)
        for item in reversed(self.ranges):
            for way in (0, 1):
                if item["key"] is not none:
                    self.verdicts[item["key"], way] = item["verdicts"][way]

    def join_widths(self, rows, verdicts):
        widths = [getattr(row, "widths", 15) if v["action"] != "deny" else None for row, v in zip(rows, verdicts)]
        known = [width for width in widths if width is not None]
        if len(set(known)) > 1:
            self.error(max(row.line for row in rows),
                       "reads and writes of one range have different width; give both the same")
        return known[0] if known else 15

    # -- what the verdicts need trapped

    def derive_controls(self):
        wanted, members = {}, {}
        for (key, way), verdict in self.verdicts.items():
            for bit in self.bits_of(key, way):
                members.setdefault(bit, []).append((key, way))
                if verdict["trapped"]:
                    wanted.setdefault(bit, []).append((key, way))
                    verdict["row"].bits.add(bit)
        if "MDCR_EL2_TPM" in wanted and "MDCR_EL2_TPMCR" in wanted:
            wanted["MDCR_EL2_TPM"] += wanted.pop("MDCR_EL2_TPMCR")
        if "MDCR_EL2_TPM" in wanted:
            members["MDCR_EL2_TPM"] += members["MDCR_EL2_TPMCR"]
        if "MDCR_EL2_TDE" in wanted:  # "behaves as if" (DDI 0487 D19.3, MDCR_EL2.TDE)
            for bit in ("MDCR_EL2_TDA", "MDCR_EL2_TDOSA", "MDCR_EL2_TDRA"):
                wanted[bit] = wanted.get(bit, []) + wanted["MDCR_EL2_TDE"]
        for bit, wants in wanted.items():
            self.drag(bit, wants, members[bit])
        self.bits = {bit for bit in wanted if bit not in LETS_THROUGH + NEVER_SET} | set(ALWAYS_SET)
        self.bits |= {bit for bit in LETS_THROUGH if bit not in wanted}

    @staticmethod
    def bits_of(key, way):
        if key.group == "cause" and key.id not in CAUSE_ACTIONS or key.group not in ("cause", "sysreg"):
            return ()
        if key.control.upper() == "ALWAYS" or key.control in BASE:
            return ()
        if key.group == "sysreg" and way not in key.directions:
            return ()
        if key.control == "HCR_EL2_TVM" and way == 0:
            return ("HCR_EL2_TRVM",)
        return (key.control,) if re.match("|".join(REGISTERS), key.control) else ()

    def drag(self, bit, wants, members):
        """The others that a coarse bit traps along: they are passed on, each with its own verdict."""
        along = [(key, way) for key, way in members if not self.verdicts[key, way]["trapped"]]
        for key, way in along:
            verdict = self.verdicts[key, way]
            if key.kind == "NONE" or key.group == "cause" and bit not in LETS_THROUGH and key.id in DIRECT:
                first = self.verdicts[wants[0]]["row"]
                self.error(first.line, f"{first.text}: {wants[0][0].name} needs {bit}, which traps {key.name} "
                           "too, and that cannot be passed on; give both the same verdict")
            elif key.group == "sysreg" and key.kind not in PASSABLE:
                verdict["action"] = "emulate"
        if along:
            names = some(sorted({key.name for key, _ in along}))
            self.notes.append(f"{bit} traps {names} along; passed on")


# ---- Output ----------------------------------------------------------------------------------------------------------


def quote(text):
    """A C string literal: printable ASCII as it is, other bytes in octal."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def verdict_text(verdict, key, way):
    # The shorter way of an exit (arch/aarch64/trap_quick.c) takes no registers but the ID registers, read.
    quick = verdict["action"] == "emulate" and not verdict["log"] and (key.group != "sysreg" or (key.kind, way) == ("ID", 0))
    flags = ["POLICY_FLAG_LOG"] * verdict["log"] + ["POLICY_FLAG_DEFAULT"] * (verdict["row"].index == 0)
    flags += ["POLICY_FLAG_QUICK"] * quick
    action = verdict["action"].upper().replace("-", "_")
    return f"{{POLICY_{action}, {' | '.join(flags) or '0'}, {verdict['row'].index}}}"


def lookup_pages(keys):
    """sysreg_page and sysreg_page_key of hv/arch/sysreg.h: page 0 is all unknown."""
    index, pages = [0] * 1024, [{}]
    for key in keys:
        if key.enum == "KEY_SYSREG_UNKNOWN":
            continue
        op0, op1, crn, crm, op2 = key.encoding
        slot = crm >> 3 << 9 | op0 << 7 | op1 << 4 | crn
        if not index[slot]:
            index[slot] = len(pages)
            pages.append({})
        pages[index[slot]][(crm & 7) << 3 | op2] = key.enum
    return index, pages


def wrap(items, width=110):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line)
            line = ""
        line += (" " if line else "") + item + ","
    return "\n".join("    " + text for text in lines + [line])


def generate(policy):
    name = policy.source.get("name") or os.path.splitext(os.path.basename(policy.path))[0]
    out = [f"// Made by tools/policy_compile.py from {policy.path}. Do not edit.",
           "#include <hv/arch/fields.h>\n#include <hv/arch/sysreg.h>\n#include <hv/policy.h>\n",
           f"const char policy_name[] = {quote(name)};\n",
           "const struct policy_verdict policy_verdicts[KEY_COUNT][2] = {"]
    out += [f"    [{key.enum}] = {{{', '.join(verdict_text(policy.verdicts[key, way], key, way) for way in (0, 1))}}},"
            for key in policy.keys]
    out += ["};\n", "const struct policy_row policy_rows[] = {"]
    out += [f"    {{{quote(policy.path)}, {quote(row.text)}, {quote(row.why)}, {min(row.line, 65535)}, {row.limit}}},"
            for row in policy.rows]
    out += ["};\n", f"const unsigned int policy_row_count = {len(policy.rows)};\n",
            "const struct policy_range policy_ranges[] = {"]
    out += [f"    {{{r['base']:#x}, {r['size']:#x}, {r['key'].enum}, {r['widths']}, {r['direct']}, "
            f"{{{', '.join(verdict_text(r['verdicts'][way], r['key'], way) for way in (0, 1))}}}}}," for r in policy.ranges]
    out += ["};\n", f"const unsigned int policy_range_count = {len(policy.ranges)};\n",
            "const uint8_t policy_range_hint[POLICY_RANGE_HINTS] = {"]
    hints = [next((i for i, r in enumerate(policy.ranges) if r["base"] + r["size"] > slot << 24), len(policy.ranges))
             for slot in range(64)]
    out += [wrap(map(str, hints)), "};\n", "const struct policy_controls policy_controls = {"]
    for register in REGISTERS:
        bits = sorted(bit for bit in policy.bits if bit.startswith(register + "_"))
        out.append(f"    .{register.lower()} = {' | '.join(bits) or '0'},")
    index, pages = lookup_pages(policy.groups["sysreg"])
    out += ["};\n", "const uint8_t sysreg_page[1024] = {",
            wrap(f"[{i}] = {page}" for i, page in enumerate(index) if page), "};\n",
            "const uint16_t sysreg_page_key[][64] = {"]
    for page in pages:
        out += ["    {", wrap(page.get(slot, "KEY_SYSREG_UNKNOWN") for slot in range(64)), "    },"]
    ids = pages[index[3 << 7]]
    out += ["};\n", "const uint16_t sysreg_id_key[64] = {",
            wrap(ids.get(slot, "KEY_SYSREG_UNKNOWN") for slot in range(64)), "};\n"]
    return "\n".join(out)


def row_cost(policy, row):
    if row.table == "mmio":
        mine = [r for r in policy.ranges if any(v["row"] is row for v in r["verdicts"])]
        return "no trap (mapped)" if mine and all(r["direct"] for r in mine) else "stage 2 fault"
    if row.table in ("hypercall", "smccc", "smc"):
        return "HCR_EL2.TSC for smc" if row.table != "hypercall" else "hvc"
    dotted = sorted(re.sub(r"^([A-Z]+(?:_HCR)?_EL2)_", r"\1.", bit) for bit in row.bits)
    shown = ", ".join(("no " if bit.replace(".", "_") in LETS_THROUGH + NEVER_SET else "") + bit for bit in dotted)
    trapped = any(verdict["trapped"] for verdict in policy.verdicts.values() if verdict["row"] is row)
    return shown or ("always traps" if trapped else "no trap")


def describe(policy):
    rows = [{"row": row.index, "line": row.line, "subject": row.text,
             "access": "".join("rw"[way] for way in row.directions), "action": row.action, "log": row.log,
             "limit": row.limit, "cost": row_cost(policy, row), "why": row.why,
             "notes": [f"{some(names)}: {note}" for note, names in row.changed.items()]} for row in policy.rows]
    controls = {register: sorted(bit[len(register) + 1:] for bit in policy.bits if bit.startswith(register + "_"))
                for register in REGISTERS}
    ranges = [{"base": r["base"], "size": r["size"], "device": r["key"].name, "direct": bool(r["direct"]),
               "read": r["verdicts"][0]["action"], "write": r["verdicts"][1]["action"]} for r in policy.ranges]
    return {"policy": policy.source.get("name", ""), "file": policy.path, "rows": rows, "controls": controls,
            "ranges": ranges, "notes": policy.notes}


def show(policy):
    data = describe(policy)
    print(f"policy {data['policy']} ({data['file']}): {policy.source.get('description', '')}")
    head = ("row", "line", "subject", "rw", "action", "log", "cost", "why")
    table = [head] + [(str(r["row"]), str(r["line"]), r["subject"], r["access"], r["action"],
                       (f"{r['limit']}/s" if r["limit"] else "yes") if r["log"] else "-", r["cost"], r["why"])
                      for r in data["rows"]]
    widths = [min(max(len(line[column]) for line in table), 44) for column in range(len(head) - 1)]
    for line, row in zip(table, [None] + data["rows"]):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths + [0])).rstrip())
        for note in row["notes"] if row else ():
            print(f"{'':10}note: {note}")
    print("\ncontrols (beyond what ariel always sets)")
    for register, bits in data["controls"].items():
        print(f"  {register:<12} {' '.join(bits) or '-'}")
    print("  set bits of HCR_EL2.APK, API and CNTHCTL_EL2 let the guest through; all others trap")
    for note in data["notes"]:
        print(f"  note: {note}")


def compile_file(path, cc="cc", include=("include",)):
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise PolicyError([f"{path}:1: not UTF-8: {error.reason} at byte {error.start}"]) from None
    except OSError as error:
        raise PolicyError([f"{path}: cannot read the policy: {error.strerror}"]) from None
    return Compiler(path, text, *read_tables(cc, include))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Compiles a policy into C tables, or shows what it means.")
    parser.add_argument("--policy", required=True, metavar="FILE", help="the policy, a TOML file")
    parser.add_argument("--output", metavar="FILE.c", help="write the tables here")
    parser.add_argument("--show", action="store_true", help="print the effective policy as a table")
    parser.add_argument("--json", action="store_true", help="with --show: as JSON")
    parser.add_argument("--cc", default="cc", help="C compiler whose preprocessor reads the headers (default cc)")
    parser.add_argument("--include", action="append", metavar="FOLDER", help="where the headers are (default include)")
    options = parser.parse_args(arguments)
    if not options.output and not options.show:
        parser.error("nothing to do: give --output FILE.c or --show")
    try:
        policy = compile_file(options.policy, options.cc, options.include or ("include",))
        if options.output:
            with open(options.output, "w", encoding="ascii", newline="\n") as file:
                file.write(generate(policy))
    except PolicyError as error:
        print("\n".join(error.args[0]), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.output}: cannot write: {error.strerror}", file=sys.stderr)
        return 1
    if options.show:
        print(json.dumps(describe(policy), indent=1)) if options.json else show(policy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
