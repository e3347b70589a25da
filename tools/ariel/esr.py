# SPDX-License-Identifier: Apache-2.0
"""ESR_ELx in words (DDI 0487 D19.2.37), from the tables of which the monitor's explain is made too."""

import functools
import re

from . import tables

SYSREG = 0x18
ACCESSES = {0x03: 15, 0x04: 15, 0x05: 14, 0x08: 10, 0x0c: 14}  # AArch32's classes, and the coprocessor that each is about
PAIRS = {0x04, 0x0c}  # MCRR and MRRC
FAULT_CLASSES = {0x20, 0x21, 0x24, 0x25}
READ = 1  # ESR_ELx.ISS.Direction of an access to a register


def bits(value, high, low):
    return value >> low & (1 << (high - low + 1)) - 1


def exception_class(esr):
    return bits(esr, 31, 26)


@functools.lru_cache(maxsize=None)
def classes():
    """{class: (name, [(field, high, low)])} for all exception classes that have a name."""
    found = {}
    for first, last, name, *fields in tables.read_rows("arch/esr_table.h", "ESR_CLASS_TABLE"):
        parts = re.findall(r'\{"(\w+)",(\d+),(\d+)\}', ",".join(fields))
        row = name, [(field, int(high), int(low)) for field, high, low in parts]
        found.update(dict.fromkeys(range(int(first, 16), int(last, 16) + 1), row))
    return found


def fault_of(esr):
    """(name, level) of IFSC or DFSC; the level is None where the code has none."""
    status = bits(esr, 5, 0)
    for first, last, by_level, name in tables.read_rows("arch/esr_table.h", "FAULT_STATUS_TABLE"):
        if int(first, 16) <= status <= int(last, 16):
            return name, status & 3 if by_level == "1" else None
    return "unknown", None


def names_register(esr):
    """Whether the class is that of an access to a register: MSR, MRS, or AArch32's to a coprocessor."""
    return exception_class(esr) == SYSREG or exception_class(esr) in ACCESSES


def encoded_name(esr):
    """The name that assemblers take for any register, S3_0_C12_C11_5: op0, op1, CRn, CRm, op2 (DDI 0487 C5.1.2). Those of
    AArch32 have their coprocessor and its operands, CP15_0_C9_C14_4, and those of 64 bits no CRn and no opc2."""
    op1, crn, crm, op2 = bits(esr, 16, 14), bits(esr, 13, 10), bits(esr, 4, 1), bits(esr, 19, 17)
    kind = exception_class(esr)
    if kind in PAIRS:
        return f"CP{ACCESSES[kind]}_{bits(esr, 19, 16)}_C{crm}"
    if kind in ACCESSES:
        return f"CP{ACCESSES[kind]}_{op1}_C{crn}_C{crm}_{op2}"
    return f"S{bits(esr, 21, 20)}_{op1}_C{crn}_C{crm}_{op2}"


@functools.lru_cache(maxsize=None)
def registers():
    """{(op0, op1, CRn, CRm, op2): name} of sysreg_table.h."""
    return {tuple(map(int, row[1:6])): row[0] for row in tables.read_rows("arch/sysreg_table.h", "SYSREG_TABLE")}


@functools.lru_cache(maxsize=None)
def class_numbers():
    """{"ESR_EC_CP15": 3, ...}: the names of exception classes in fields.h."""
    return {name: value for name, value in tables.read_numbers("arch/fields.h").items() if name.startswith("ESR_EC_")}


@functools.lru_cache(maxsize=None)
def coprocessor_registers():
    """{(class, operands): name} of the registers that AArch32 has in a place of their own."""
    found = {}
    for kind, _, name, place in tables.read_rows("arch/aarch32_table.h", "AARCH32_SINGLE_TABLE"):
        found[class_numbers()[kind], tuple(int(number) for number in re.findall(r"\d+", place))] = name
    return found


def register_name(esr):
    """The name in sysreg_table.h of the register that a syndrome names; None when the table does not have it."""
    op1, crn, crm, op2 = bits(esr, 16, 14), bits(esr, 13, 10), bits(esr, 4, 1), bits(esr, 19, 17)
    kind = exception_class(esr)
    if kind == SYSREG:
        return registers().get((bits(esr, 21, 20), op1, crn, crm, op2))
    place = (bits(esr, 19, 16), crm) if kind in PAIRS else (op1, crn, crm, op2)
    if (kind, place) in coprocessor_registers():
        return coprocessor_registers()[kind, place]
    for name, *numbers in tables.read_rows("arch/aarch32_table.h", "AARCH32_BLOCK_TABLE"):
        opc1, at_crn, first, last, to_op0, to_op1 = map(int, numbers)
        if (class_numbers()[name], opc1, at_crn) == (kind, op1, crn) and first <= crm <= last:
            return registers().get((to_op0, to_op1, crn, crm, op2))
    return None
