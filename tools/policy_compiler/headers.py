# SPDX-License-Identifier: Apache-2.0
"""The tables of causes, registers, calls and devices, read from the headers through the C preprocessor."""
import ast
import csv
import re
import subprocess

from .model import Key, PolicyError

PROBE = """
#include <hv/event_key.h>
#include <hv/memory_map.h>
#include <hv/policy_virtio.h>
#define ROW_(table, id, ...) @@ table #id #__VA_ARGS__
#define CAUSE_ROW(id, ...) ROW_("cause", id, __VA_ARGS__)
#define HVC_ROW(id, ...) ROW_("hvc", id, __VA_ARGS__)
#define SMCCC_ROW(id, ...) ROW_("smccc", id, __VA_ARGS__)
#define DEVICE_ROW(id, ...) ROW_("device", id, __VA_ARGS__)
#define SYSREG_ROW(id, ...) ROW_("sysreg", id, __VA_ARGS__)
#define TYPE_ROW(id, ...) ROW_("virtio_type", id, __VA_ARGS__)
#define REQUEST_ROW(id, ...) ROW_("virtio_request", id, __VA_ARGS__)
VIRTIO_TYPE_TABLE(TYPE_ROW) VIRTIO_REQUEST_TABLE(REQUEST_ROW)
CAUSE_TABLE(CAUSE_ROW) HVC_CALL_TABLE(HVC_ROW) SMCCC_CALL_TABLE(SMCCC_ROW) DEVICE_TABLE(DEVICE_ROW)
SYSREG_TABLE(SYSREG_ROW)
#define NUMBER_(name, ...) @@ "number" #name #__VA_ARGS__
#define NUMBER(name, value) NUMBER_(name, value)
NUMBER(ROW_MAX, POLICY_ROW_MAX) NUMBER(PLACE_MAX, POLICY_PLACE_MAX) NUMBER(WHY_MAX, POLICY_WHY_MAX)
NUMBER(VIRTIO_ROW_MAX, POLICY_VIRTIO_ROW_MAX) NUMBER(VIRTIO_RATE_MAX, POLICY_VIRTIO_RATE_MAX)
NUMBER(RATE_SHIFT, RATE_MAX_SHIFT) NUMBER(TRANSPORTS, POLICY_VIRTIO_TRANSPORTS)
NUMBER(RAM_BASE, GUEST_RAM_IPA) NUMBER(RAM_SIZE, GUEST_RAM_SIZE)
"""


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
    numbers, virtio = {}, {"types": {}, "requests": {}}
    pattern = r'@@ "(\w+)" "(\w+)" ("(?:[^"\\]|\\.)*")'
    for group, ident, rest in re.findall(pattern, preprocess(cc, include, PROBE)):
        fields = next(csv.reader([ast.literal_eval(rest)], skipinitialspace=True, escapechar="\\"))
        if group == "number":
            numbers[ident] = int(fields[0], 0)
            continue
        if group.startswith("virtio"):
            add_virtio(virtio, ident, fields)
            continue
        key = Key(group, ident, ident)
        if group == "cause":
            key.name, key.control = fields[1], fields[2].replace(".", "_")
        elif group == "device":
            key.name, key.base, key.size, key.kind = fields[0], int(fields[1], 0), int(fields[2], 0), fields[3]
            key.emulated = fields[4] != "none"
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
    numbers["RATE_MAX"] = 1 << numbers.pop("RATE_SHIFT")
    numbers["virtio"] = {**virtio, "transports": numbers.pop("TRANSPORTS")}
    return groups, numbers


def add_virtio(virtio, ident, fields):
    """A row of virtio_request_table.h: a type by its name, with its number; or a request."""
    if len(fields) == 2:
        virtio["types"][fields[0]] = int(fields[1])
        return
    ids = {"NONE": "none", **{name.upper(): name for name in virtio["types"]}}
    virtio["requests"][fields[0]] = {"enum": f"VIRTIO_REQUEST_{ident}", "type": ids[fields[1]],
                                     "sectors": fields[2] != "OTHER"}
