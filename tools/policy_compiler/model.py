# SPDX-License-Identifier: Apache-2.0
"""What the parts of the compiler share: the words of a policy, the keys it decides about, its rows, its errors."""
import difflib

ACTIONS = ("allow", "emulate", "raz-wi", "deny", "pause", "stop")
DIRECTIONS = {"r": (0,), "w": (1,), "rw": (0, 1)}
SUBJECTS = {  # table of the source -> its fields beyond the common ones
    "sysreg": ("name", "class", "access"), "mmio": ("device", "base", "offset", "size", "access", "width",
                                                                "shadow", "keep"),
    "hypercall": ("name", "number"), "smccc": ("name", "number"), "smc": (), "wfi": (), "wfe": (), "trap": ("name",),
    "virtio": ("device", "transport", "request", "sectors", "read_only", "read-only", "mac", "bytes", "requests")}
COMMON = ("action", "log", "count", "trace", "limit", "why")
TOP = ("name", "description", "default", "log_budget")
KEY_LIMIT = 10  # LOG_LIMIT_PER_SECOND of log_budget.h: where a row has no limit
RATE_MAX = 65534  # one below POLICY_LOG_UNLIMITED of policy.h
SUBJECT_MAX = 150  # bytes of a row's list of names in records and at the monitor; a longer list is told by its first
BUDGET = 100  # records a second of all keys, at least; see Policy.log_budget in source.py
OWNED = ("GICD", "GICR", "PL011")  # devices that EL2 itself drives, and emulates for the guest
SHADOWED = "pl011"  # the one whose registers are kept as they read, in a page that can be shown to the guest
# emulations that are the access itself (sysreg_read, sysreg_write)
PASSABLE = ("HW", "VA", "SET_WAY", "MDSCR", "OSLOCK", "TIMER", "DIR", "DIDR")
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
# smc never reaches the firmware; SVE, trace and what is implementation defined are no part of the guest's CPU; and the
# OS double lock would turn the monitor's step off
ALWAYS_SET = ("HCR_EL2_TSC", "HCR_EL2_TIDCP", "CPTR_EL2_TZ", "CPTR_EL2_TTA", "MDCR_EL2_TDOSA")
REGISTERS = ("HCR_EL2", "MDCR_EL2", "CPTR_EL2", "HSTR_EL2", "CNTHCTL_EL2", "ICH_HCR_EL2")
PAGE = 4096


class PolicyError(Exception):
    """The policy cannot be compiled; the messages are its lines."""


class Key:
    """One row of one of the tables: what a verdict is about."""

    def __init__(self, group, ident, name):
        self.group, self.id, self.name = group, ident, name
        self.enum = {"cause": "KEY_CAUSE_", "hvc": "KEY_HVC_", "device": "KEY_DEVICE_"}.get(group, "KEY_") + ident
        self.number = self.control = self.kind = self.cls = None
        self.directions = (0, 1)
        self.emulated = False


def quoted(text):
    """text as a value of a log record: what %pQ of printf.h makes of it."""
    if text and all(0x20 < byte < 0x7f and byte not in b'"=' for byte in text.encode(errors="surrogateescape")):
        return text
    escapes = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n"}
    return '"' + "".join(escapes.get(byte) or (chr(byte) if 0x20 <= byte < 0x7f else f"\\x{byte:02x}")
                         for byte in text.encode(errors="surrogateescape")) + '"'


def place_of(path, line, most):
    """Where a row stands, "file:line", in at most so many bytes of a record: a long path is without its beginning."""
    place = f"{path}:{line}"
    if len(quoted(place)) <= most:
        return place
    ends = [place[at:] for at in range(len(path)) if len(quoted("..." + place[at:])) <= most]
    return "..." + next((end for end in ends if end.startswith("/")), ends[0])


class Row:
    """One row of the source, in the order of the file; row 0 is the default."""

    def __init__(self, table, line, fields, lines):
        self.table, self.line, self.fields, self.lines = table, line, fields, lines
        self.action = fields.get("action")
        self.log, self.count, self.trace = (fields.get(name, False) for name in ("log", "count", "trace"))
        self.shadow, self.keep = fields.get("shadow", False), fields.get("keep") is True
        self.why, self.limit, self.unlimited = fields.get("why", ""), 0, False
        self.directions, self.end = (0, 1), line + 1  # end: the first line after it
        self.targets = []  # (key, direction) or, for mmio, (base, end, direction)
        self.exact = False  # names single things: then it must be possible as it stands
        self.changed, self.bits, self.index = {}, set(), 0

    @property
    def seen(self):
        """Whether EL2 has to see each access, also one that is allowed."""
        return self.log or self.count or self.trace

    @property
    def text(self):
        fields = self.fields
        subject = next((fields[name] for name in ("name", "class", "device", "number", "base") if name in fields), "")
        if isinstance(subject, list):
            names = list(map(str, subject))
            subject = ", ".join(names)
            subject = subject if len(subject) <= SUBJECT_MAX else some(names)
        subject = f"{subject:#x}" if type(subject) is int else str(subject)
        if type(fields.get("offset")) is int:
            subject += f"+{fields['offset']:#x}"
        if self.table == "virtio":
            parts = [shown(name, fields[name]) for name in ("transport", "request", "sectors") if name in fields]
            subject = " ".join([subject, *parts])
        return f"{self.table} {subject}".strip()

    def at(self, field=None):
        return self.lines.get(field, self.line)


def shown(name, value):
    """A field of a virtio row as a part of its subject."""
    text = some(list(map(str, value)), 8) if isinstance(value, list) else str(value)
    return text if name == "request" else f"{name} {text}"


def nearest(word, words):
    match = difflib.get_close_matches(str(word).lower(), [w.lower() for w in words], 1, 0.5)
    return f"; did you mean \"{next(w for w in words if w.lower() == match[0])}\"?" if match else ""


def listed(value):
    return value if isinstance(value, list) else [value]


def some(names, most=4):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
