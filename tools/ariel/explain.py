# SPDX-License-Identifier: Apache-2.0
"""Why an exit happened and what became of it, in sentences: what the monitor's `explain` says (monitor/cmds/explain.c), from
the same tables, for a record of a trace or for a bare value of ESR_EL2."""

import functools

from . import esr, tables
from .printable import printable
from .trace_format import TYPE_TEXT, TYPE_VIRTIO

NO_ROW = {"place": "none", "text": "none", "why": "no row decides about it: EL2 handles it by itself"}


@functools.lru_cache(maxsize=None)
def causes_by_name():
    """{name: (control, sentence)} of cause_table.h."""
    return {name: (control, sentence) for _, _, name, control, sentence in tables.causes()}


@functools.lru_cache(maxsize=None)
def controls_by_register():
    """{register: the bit that traps it, as the manual writes it}: HCR_EL2_TVM in sysreg_table.h is HCR_EL2.TVM."""
    found = {}
    for name, *_, control, _ in tables.read_rows("arch/sysreg_table.h", "SYSREG_TABLE"):
        found[name] = "always" if control == "ALWAYS" else ".".join(control.rsplit("_", 1))
    return found


def name_at(names, number):
    """A name by its number; "?" for a number that has none."""
    return printable(names[number]) if number < len(names) else "?"


def syndrome_line(value):
    """The line "esr": a syndrome's fields by their names, the fault that it reports, and the register that it names."""
    name, fields = esr.classes().get(esr.exception_class(value), ("reserved exception class", []))
    words = [f"esr  0x{value:08x} {name}"]
    for field, high, low in fields:
        number = esr.bits(value, high, low)
        if high != low:
            words.append(f" {field}={number}")
        elif number:
            words.append(f" {field}")
    if esr.exception_class(value) in esr.FAULT_CLASSES:
        fault, level = esr.fault_of(value)
        words.append(f": {fault}" + (f" level={level}" if level is not None else ""))
    if esr.names_register(value):
        register = esr.register_name(value) or esr.encoded_name(value)
        words.append(f" register={register} direction={'read' if value & esr.READ else 'write'}")
    return "".join(words)


def explain_esr(value):
    """The lines about a bare value of ESR_EL2, an int of 64 bits, as a crash report has one."""
    lines = [syndrome_line(value)]
    register = esr.register_name(value) if esr.names_register(value) else None
    for _, number, _, control, sentence in tables.causes():
        if number.startswith("0x") and int(number, 16) == esr.exception_class(value):
            lines.append(f"why  {controls_by_register().get(register, control)} traps {sentence}")
            break
    return lines


def event_name(meta, record):
    """What a record is about, in one word: its key's name, or the encoding of a register that has none."""
    name = name_at(meta["keys"], int(record["key"]))
    return esr.encoded_name(int(record["syndrome"])) if name == "sysreg-unknown" else name


def policy_row(meta, record):
    """The policy's row that decided about a record: an object of meta.rows, or NO_ROW."""
    number = int(record["row"])
    return meta["rows"][number] if number < len(meta["rows"]) else NO_ROW


def explain_record(boot, record, symbols=None):
    """The lines about one record (an element of trace.RECORD) of a trace.Boot: who, what, esr, why, got. symbols: of the
    guest (ariel.symbols), to name the function."""
    meta = boot.meta
    if record["type"] == TYPE_TEXT:
        return ["a piece of a line of the console or the log: it is no exit; `records` shows the line"]
    microseconds = int(boot.nanoseconds(record["entry"])) // 1000
    spent = int(boot.duration_ns(record["exit"] - record["entry"] if record["exit"] >= record["entry"] else 0))
    row = {name: printable(str(policy_row(meta, record).get(name, ""))) for name in ("place", "text", "why")}
    verdict = name_at(meta["verdicts"], int(record["verdict"]))
    by = f"verdict={verdict} by {row['place']} {row['text']} {row['why']}"
    if record["type"] == TYPE_VIRTIO:
        transport, request, status, queue = (int(word) for word in record["x"])
        return [f"who  vcpu={record['vcpu']} us={microseconds}",
                f"what a virtio request: {name_at(meta.get('requests', []), request)} key={event_name(meta, record)} "
                f"transport={transport} queue={queue} sector={record['address']} bytes={record['value']}",
                f"why  {by}", f"got  status={name_at(meta.get('statuses', []), status)} ns={spent}"]
    name = event_name(meta, record)
    control, sentence = causes_by_name().get(name_at(meta["causes"], int(record["cause"])), ("?", "?"))
    got = name_at(meta["results"], int(record["result"]))
    value = f" value={int(record['value']):#x}" if not record["write"] and got == "done" else ""
    where = str(symbols.lookup(int(record["pc"])) or "") if symbols is not None else ""
    where = f" <{printable(where)}>" if where else ""
    return [f"who  vcpu={record['vcpu']} seq={record['sequence']} pc={int(record['pc']):#x}{where} us={microseconds}",
            f"what {sentence}: {'write or call' if record['write'] else 'read'} key={name} "
            f"address={int(record['address']):#x} value={int(record['value']):#x}",
            syndrome_line(int(record["syndrome"])),
            f"why  {controls_by_register().get(name, control)} traps it; {by}",
            f"got  {got}{value} ns={spent}"]
