# SPDX-License-Identifier: Apache-2.0
"""The meta text of a trace (docs/TRACE.md): read and checked once, here, so that whoever uses it later meets only what the
format allows: types, bounds, and text that can be written to any output."""

import functools
import json
import re

from . import tables
from . import trace_format as form
from .errors import TraceError

NAMES = ("keys", "causes", "verdicts", "results")  # lists of names that a meta object must have
MORE_NAMES = ("types", "requests", "statuses")     # and those that it may have
REQUIRED = {"hz": int, "keys": list, "groups": dict, "causes": list, "verdicts": list, "results": list, "rows": list,
            "vms": list, "devices": list, "cpus": int}
TEXTS = ("ariel", "board", "midr", "policy", "boot")
OBJECTS = {"rows": ("place", "text", "why", "action"), "vms": ("name", "guest"), "devices": ("name",)}  # their texts
ROWS_MAX = 1024            # POLICY_ROW_MAX
HZ_MAX = 1_000_000_000     # of the counter: DDI 0487 D12.1.1 has 1 GHz since Armv8.6, less before
CPUS_MAX = 1 << 16         # `cpu` of a chunk has 16 bits
VCPUS_MAX = 1 << 8         # `vcpu` of a record has 8
KEYS_MAX = 1 << 16         # `key` of a record has 16
NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}")  # an address or a size, as EL2 writes it
LAYOUT = [list(field) for field in form.RECORD_FIELDS if field[0] != "spare"]


@functools.cache
def assumed_meta():
    """A meta object for a boot whose own is lost: the names are those of this version of ariel, and the rate of the
    counter is QEMU's. Its key "assumed" says so."""
    keys, groups = tables.key_names()
    return {"format": "ariel-trace", "version": form.VERSION, "assumed": True, "hz": 62_500_000, "keys": keys,
            "groups": groups, "causes": [row[2] for row in tables.causes()], "verdicts": tables.VERDICTS,
            "results": tables.RESULTS, "types": ["", "exit", "text", "virtio"], "requests": tables.request_names(),
            "rows": [], "vms": [], "devices": [], "cpus": 0}


def read_meta(text, where):
    """The meta object of a meta chunk's bytes. where: words for an error. TraceError when it is no JSON, or not as docs/TRACE.md
    has it."""
    try:
        meta = json.loads(text)
        json.dumps(meta, ensure_ascii=False).encode()  # a lone surrogate (\ud800) cannot be written as UTF-8
    except UnicodeEncodeError:
        raise TraceError(f"{where}: the meta text has half a surrogate pair, which is no character") from None
    except ValueError as error:
        raise TraceError(f"{where}: the meta text is no JSON: {error}") from None
    except RecursionError:
        raise TraceError(f"{where}: the meta text is nested too deep; ariel's has 4 levels") from None
    return check_meta(meta, where)


def check_meta(meta, where):
    """meta, with rows for those that had no room. TraceError when a field that the tools use is missing, of another type or
    out of its bounds."""
    if not isinstance(meta, dict) or meta.get("format") != "ariel-trace":
        raise TraceError(f"{where}: the meta text is no object of format ariel-trace")
    for name, kind in REQUIRED.items():
        if not isinstance(meta.get(name), kind):
            raise TraceError(f"{where}: meta has no {name} of type {kind.__name__}, but {meta.get(name)!r:.40}")
    check_names(meta, where)
    if not is_number(meta["hz"], 1, HZ_MAX):
        raise TraceError(f"{where}: meta.hz is {meta['hz']!r:.40}; the counter's rate is from 1 to {HZ_MAX} Hz")
    if not is_number(meta["cpus"], 0, CPUS_MAX):
        raise TraceError(f"{where}: meta.cpus is {meta['cpus']!r:.40}; it is a number from 0 to {CPUS_MAX}")
    start = meta.get("start", 0)
    if not is_number(start, 0, (1 << 63) - 1):
        raise TraceError(f"{where}: meta.start is {start!r:.40}; it is a number below 2^63")
    if "record" in meta and layout_of(meta["record"]) != LAYOUT:
        raise TraceError(f"{where}: its records have another layout than version {form.VERSION}; use the tools of the ariel "
                         "that wrote it")
    for name, texts in OBJECTS.items():
        check_objects(meta[name], texts, f"{where}: meta.{name}")
    for vm in meta["vms"]:
        check_vm(vm, where)
    for device in meta["devices"]:
        if not all(is_hex(device.get(name, "0x0")) for name in ("base", "size")):
            raise TraceError(f"{where}: meta.devices has a base or a size that is no number of 64 bits as \"0x9000000\"")
    missing = meta.get("rows_missing", 0)  # of the policy, for which the chunk had no room
    if not is_number(missing, 0, ROWS_MAX):
        raise TraceError(f"{where}: meta.rows_missing is {missing!r:.40}; it is a number from 0 to {ROWS_MAX}")
    first = len(meta["rows"])
    meta["rows"] += [{"place": f"row {first + n}", "text": "unknown", "why": "its words had no room in the trace"}
                     for n in range(missing)]
    return meta


def check_names(meta, where):
    """TraceError when a list of names, a text or the groups are something else."""
    for name in NAMES + MORE_NAMES:
        words = meta.get(name, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise TraceError(f"{where}: meta.{name} has something else than names")
    for name in TEXTS:
        if not isinstance(meta.get(name, ""), str):
            raise TraceError(f"{where}: meta.{name} is {meta[name]!r:.40}; it is a text")
    for name, value in meta["groups"].items():
        if not isinstance(value, int):
            raise TraceError(f"{where}: meta.groups has something else than numbers")
        if not is_number(value, 0, KEYS_MAX):
            raise TraceError(f"{where}: meta.groups has {name!r:.40} at {value!r:.40}; a key is a number from 0 to {KEYS_MAX - 1}")


def check_objects(objects, texts, where):
    """TraceError when a list has something else than objects, or one of their texts is none."""
    if not all(isinstance(one, dict) for one in objects):
        raise TraceError(f"{where} has something else than objects")
    for one in objects:
        for name in texts:
            if not isinstance(one.get(name, ""), str):
                raise TraceError(f"{where} has a {name} that is no text, but {one[name]!r:.40}")


def check_vm(vm, where):
    """TraceError when the vCPUs or the RAM of a VM are not as the format has them."""
    if not is_number(vm.get("vcpus", 0), 0, VCPUS_MAX):
        raise TraceError(f"{where}: meta.vms has {vm['vcpus']!r:.40} vCPUs; it is a number from 0 to {VCPUS_MAX}")
    ram = vm.get("ram", [])
    if not isinstance(ram, list) or not all(isinstance(pair, list) and len(pair) == 2 and all(map(is_hex, pair))
                                            for pair in ram):
        raise TraceError(f"{where}: meta.vms has the ram {ram!r:.40}; it is a list of [base, size], numbers of 64 bits as "
                         "\"0x40000000\"")


def is_number(value, least, most):
    """Whether a value of a JSON text is an integer within these bounds, both included."""
    return type(value) is int and least <= value <= most


def is_hex(value):
    """Whether a value of a JSON text is a number of 64 bits as EL2 writes it."""
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


def layout_of(fields):
    """The layout of records as LAYOUT has it; None for what is none."""
    try:
        return [[name, re.sub(r"\[(\d+)\]", r"x\1", kind), offset] for name, kind, offset in fields if name != "spare"]
    except (TypeError, ValueError):
        return None
