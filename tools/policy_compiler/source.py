# SPDX-License-Identifier: Apache-2.0
"""The TOML text: where rows and their fields stand (tomllib tells values only), and what their fields may be."""
import re

from .model import ACTIONS, BUDGET, COMMON, DIRECTIONS, RATE_MAX, SHADOWED, SUBJECTS, TOP, Row, listed, nearest, quoted

NO_DEVICE = "no-device"
KEEP_ONLY = ": it is for [[mmio]] rows that name a whole device, of which the guest's device tree has a node; leave it out"
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
            parent, _, field = name.partition(".")
            if field and counts.get(parent):  # [sysreg.x] after [[sysreg]]: a field of that row
                found[parent, counts[parent] - 1][1].setdefault(unquote(field.split(".")[0]), line)
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


def read_source(policy):
    top = policy.lines[("", 0)][1]
    for name in policy.source:
        if name not in TOP and name not in SUBJECTS:
            line = top.get(name) or policy.lines.get((name, 0), (1,))[0]
            policy.whole = policy.whole and not isinstance(policy.source[name], (list, dict))
            policy.error(line, f"unknown table or field \"{name}\"{nearest(name, TOP + tuple(SUBJECTS))}")
    for name in ("name", "description"):
        if not isinstance(policy.source.get(name, ""), str):
            policy.error(top.get(name, 1), f"{name} must be a string")
    read_default(policy, top)
    found = []
    for table in SUBJECTS:
        value = policy.source.get(table, [])
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            policy.error(top.get(table) or policy.lines.get((table, 0), (1,))[0],
                         f"{table} must be an array of tables: write [[{table}]]")
            policy.whole = False
        for index, fields in enumerate(listed(value)):
            line, lines = policy.lines.get((table, index), (top.get(table, 1), {}))
            if isinstance(fields, dict):
                found.append(Row(table, line, fields, lines))
    policy.rows += sorted(found, key=lambda row: row.line)
    find_ends(policy)
    if len(policy.rows) > policy.numbers["ROW_MAX"]:
        row = policy.rows[policy.numbers["ROW_MAX"]]
        policy.error(row.line, f"too many rows: {len(policy.rows)} with the default, at most "
                     f"{policy.numbers['ROW_MAX']}; join rows with lists or classes")
        del policy.rows[policy.numbers["ROW_MAX"]:]  # the rest is not looked at
    for index, row in enumerate(policy.rows):
        row.index = index
        common = COMMON if row.table != "virtio" else tuple(name for name in COMMON if name not in ("count", "trace"))
        check_fields(policy, row, common + SUBJECTS.get(row.table, ()))
    read_log_budget(policy, top)
    policy.whole = policy.whole and not policy.unread


def find_ends(policy):
    """Where each row ends: at the next header or row, whatever it is called."""
    starts = sorted({line for line, _ in policy.lines.values()})
    for row in policy.rows:
        last = max([row.line, *row.lines.values()])
        row.end = next((line for line in starts if line > row.line), max([last, *policy.unread]) + 1)
        if row.table == "default" and not row.lines:
            row.end = row.line + 1  # default = { ... }


def read_default(policy, top):
    fields = policy.source.get("default")
    line, lines = policy.lines.get(("default", 0), (top.get("default", 1), {}))
    if fields is None:
        if not policy.unread:  # it may stand in what could not be read
            policy.error(1, "no default: write one, such as default = { action = \"deny\", log = true }")
        fields = {"action": "deny"}
    elif not isinstance(fields, dict):
        policy.error(line, "default must be a table: default = { action = \"deny\", log = true }")
        fields = {"action": "deny"}
    policy.rows.append(Row("default", line, fields, lines))


def read_rate(text):
    """N of "N/s", 0 for "unlimited", None for anything else."""
    match = re.fullmatch(r"([0-9]{1,5})/s", text)
    if match:
        return int(match[1]) if 1 <= int(match[1]) <= RATE_MAX else None
    return 0 if text == "unlimited" else None


def read_log_budget(policy, lines):
    """What all keys together may write a second. By itself it grows with the highest limit of a row, so that no key can
    take more than half of it."""
    policy.log_budget = max([BUDGET] + [2 * row.limit for row in policy.rows])
    given = policy.source.get("log_budget")
    if given is None:
        return
    number = read_rate(given) if isinstance(given, str) else None
    if type(given) is int:
        policy.error(lines.get("log_budget", 1), wrong_kind("log_budget", given, str))
    elif number is None:
        policy.error(lines.get("log_budget", 1), f"log_budget {given!r} is not \"N/s\" with N from 1 to {RATE_MAX}, or "
                     "\"unlimited\"")
    else:
        policy.log_budget = number


def unread(policy, row):
    """Whether a line of a row is no TOML: then what seems to be missing may stand there."""
    return any(row.line <= line < row.end for line in policy.unread)


def wrong_kind(name, value, kind):
    """What to say of a field that is not of its kind."""
    if name in ("limit", "log_budget") and type(value) is int:
        fits = f"write \"{value}/s\"" if 1 <= value <= RATE_MAX else f"write \"N/s\" with N from 1 to {RATE_MAX}"
        return f"{name} must be a string, not {value!r}: {fits} (records a second), or \"unlimited\""
    word = {bool: "true or false", str: "a string", int: "an integer"}[kind]
    cure = ""
    if kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        cure = f"; write {value.lower()} without quotes"
    elif kind is int and isinstance(value, str):
        cure = "; write it without quotes, such as 0x9010000"
    return f"{name} must be {word}, not {value!r}{cure}"


def check_fields(policy, row, allowed):
    kinds = {"log": bool, "count": bool, "trace": bool, "shadow": bool, "keep": bool, "why": str, "limit": str, "action": str,
             "access": str, "base": int, "offset": int, "size": int}
    for name, value in row.fields.items():
        if name not in allowed:
            policy.error(row.at(name), f"unknown field \"{name}\" in {row.table}"
                         f"{KEEP_ONLY if name == 'keep' else nearest(name, allowed) or ' (fields: ' + ', '.join(allowed) + ')'}")
        elif name in kinds and type(value) is not kinds[name]:
            policy.error(row.at(name), wrong_kind(name, value, kinds[name]))
    if "action" not in row.fields and not unread(policy, row):
        policy.error(row.line, f"{row.text}: no action; one of {', '.join(ACTIONS)}")
    elif isinstance(row.action, str) and row.action not in ACTIONS:
        policy.error(row.at("action"), f"unknown action \"{row.action}\"{nearest(row.action, ACTIONS)} "
                     f"(actions: {', '.join(ACTIONS)})")
    access = row.fields.get("access", "rw")
    if isinstance(access, str) and access not in DIRECTIONS:
        policy.error(row.at("access"), f"access \"{access}\" is not \"r\", \"w\" or \"rw\"")
    row.directions = DIRECTIONS.get(access if isinstance(access, str) else "rw", (0, 1))
    limit = row.fields.get("limit")
    if isinstance(limit, str):
        number = read_rate(limit)
        if number is None:
            policy.error(row.at("limit"), f"limit \"{limit}\" is not \"N/s\" with N from 1 to {RATE_MAX}, or \"unlimited\"")
        elif not row.log:
            policy.error(row.at("limit"), "limit without log = true: there is nothing to limit")
        else:
            row.limit, row.unlimited = number, number == 0
    length = len(quoted(row.why)) if isinstance(row.why, str) else 0
    if length > policy.numbers["WHY_MAX"]:
        policy.error(row.at("why"), f"why takes {length} bytes of a log record, quoted and escaped: at most "
                     f"{policy.numbers['WHY_MAX']}; shorten {row.why!r}")
    if row.shadow is True:
        check_shadow(policy, row)
    if row.keep and row.table == "mmio":
        check_keep(policy, row)


def check_keep(policy, row):
    """The node of a device stays in the guest's tree although its reads are refused: there must be such a node."""
    if "device" not in row.fields or {"offset", "size"} & set(row.fields) or NO_DEVICE in listed(row.fields["device"]):
        policy.error(row.at("keep"), f"{row.text}: keep{KEEP_ONLY}")
    elif row.fields.get("access", "rw") == "w":
        policy.error(row.at("keep"), f"{row.text}: keep with access = \"w\": reads decide whether the guest sees a device; "
                     "leave access out, or write \"r\"")
    elif row.action in ACTIONS and row.action != "deny":
        policy.error(row.at("keep"), f"{row.text}: keep needs action = \"deny\", not {row.action!r}: it leaves a device that is "
                     "refused in the guest's device tree; leave keep out")


def check_shadow(policy, row):
    """What is read from the page is not seen, and is ariel's answer: the row must want that, of the whole device."""
    if row.fields.get("device") != SHADOWED or {"offset", "size", "width", "access"} & set(row.fields):
        policy.error(row.at("shadow"), f"{row.text}: shadow is for a row with device = \"{SHADOWED}\" and without "
                     "offset, size, width and access")
    elif row.action != "emulate" or row.seen:
        policy.error(row.at("shadow"), f"{row.text}: shadow needs action = \"emulate\" without log, count and trace: what is "
                     "read from the page is not seen")
