# SPDX-License-Identifier: Apache-2.0
"""The policy that a trace was made under, and what could be seen under it.

A trace has exits only. What its policy lets through without a trap is in none, so that "not seen" says nothing about it. The
policy's file, named by the places of the rows in the trace, is compiled again to know what trapped."""

import pathlib
import sys

from ..errors import ArielError

TOOLS = pathlib.Path(__file__).resolve().parents[2]
ROOT = TOOLS.parent


def compiler():
    """The modules of the policy compiler, which lies beside this package: (compiler, controls, headers, model)."""
    if str(TOOLS) not in sys.path:
        sys.path.append(str(TOOLS))
    from policy_compiler import compiler as parts, controls, headers, model
    return parts, controls, headers, model


def read_tables(cc="cc"):
    """The keys and numbers of this tree's headers. ArielError without a C compiler."""
    _, _, headers, model = compiler()
    try:
        return headers.read_tables(cc, (str(ROOT / "include"),))
    except model.PolicyError as error:
        raise ArielError(error.args[0][0]) from None


def compile_text(path, data, tables):
    """The policy that the bytes `data` are; path: for messages. ArielError with its first error."""
    parts, _, _, model = compiler()
    try:
        return parts.compile_data(str(path), data, tables)
    except model.PolicyError as error:
        raise ArielError(error.args[0][0]) from None


def find_policy(meta, given, trace_name):
    """The path of the policy that a trace was made under. given: of --under, or None. ArielError when it is not there."""
    if given is not None:
        return pathlib.Path(given)
    place = next((str(row.get("place", "")) for row in meta["rows"] if row.get("text") != "unknown"), "")
    name = place.rpartition(":")[0]
    for folder in (ROOT, pathlib.Path()):
        if name and not name.startswith("...") and (folder / name).is_file():
            return folder / name
    raise ArielError(f"{trace_name}: was made under the policy {name or 'of no name'!r}, which is not here: what it let through "
                     "unseen cannot be told; name its file with --under FILE")


def load_policy(meta, given, trace_name, tables):
    """The compiled policy of a trace. ArielError when its file is another one than the one that the trace was made with."""
    path = find_policy(meta, given, trace_name)
    try:
        policy = compile_text(path, path.read_bytes(), tables)
    except OSError as error:
        raise ArielError(f"{path}: {error.strerror}: {trace_name} was made under it; name it with --under FILE") from None
    mine = [(row.line, row.text, row.action) for row in policy.rows]
    for place, row in enumerate(meta["rows"]):
        line = str(row.get("place", "")).rpartition(":")[2]
        theirs = (int(line) if line.isdecimal() else 0, row.get("text"), row.get("action", ""))
        if row.get("text") != "unknown" and (place >= len(mine) or mine[place] != theirs):
            raise ArielError(f"{path}: is not the policy that {trace_name} was made under: its row {place} is "
                             f"{theirs[1]!r:.60} in line {theirs[0]} there; name the right file with --under FILE")
    if len(mine) != len(meta["rows"]):
        raise ArielError(f"{path}: is not the policy that {trace_name} was made under: it has {len(mine)} rows, there were "
                         f"{len(meta['rows'])}; name the right file with --under FILE")
    return policy


def is_seen(policy, key, way):
    """Whether each access to a key in a direction (0 read, 1 write or call) is an exit under a compiled policy."""
    _, controls, _, _ = compiler()
    if key.group == "device" and key.base is not None:
        blind = {"DIRECT": (0, 1), "SHADOW": (0,)}
        return not any(way in blind.get(item["mapping"], ()) for item in policy.ranges if item["key"] is key)
    return controls.traps(key, way, policy.bits)


def unseen(policy):
    """{(group, name, way): action} of what the policy lets through without an exit."""
    found = {}
    for (key, way), verdict in policy.verdicts.items():
        real = key.group != "sysreg" or way in key.directions
        if real and verdict["action"] in ("allow", "emulate") and not is_seen(policy, key, way):
            found[key.group, key.name, way] = verdict["action"]
    return found
