# SPDX-License-Identifier: Apache-2.0
"""Symbols of an ELF file for AArch64: a bare-metal program, vmlinux, the diagnostic guest, ariel itself."""

import io

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from ..errors import SymbolsError
from .table import Table

SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")])
NOTYPE, OBJECT, FUNC = 0, 1, 2      # the lower half of info
LOCAL, GLOBAL, WEAK = 0, 1, 2       # the upper half
UNDEFINED, RESERVED = 0, 0xff00     # section numbers; from RESERVED on they are no section's
ALLOCATED, EXECUTABLE = 2, 4        # SHF_ALLOC, SHF_EXECINSTR


def symbols_of(elf, name):
    """(the symbols of .symtab as an array, their strings)"""
    section = elf.get_section_by_name(".symtab")
    if section is None or section["sh_type"] != "SHT_SYMTAB":
        raise SymbolsError(f"{name}: an ELF file without .symtab: it was stripped; give one with symbols")
    strings = elf.get_section(section["sh_link"]).data()
    data = section.data()
    return np.frombuffer(data, SYMBOL, len(data) // SYMBOL.itemsize), strings


def text_at(strings, offset):
    end = strings.find(b"\0", offset)
    return strings[offset:end if end >= 0 else None].decode("utf-8", "replace")


def nm_types(symbols, sections):
    """nm's letters, as far as they matter: t and T for code, d and D for the rest, w and W for weak code."""
    flags = np.array([section["sh_flags"] for section in sections], np.uint64)
    code = flags[np.minimum(symbols["section"], len(flags) - 1)] & np.uint64(EXECUTABLE) != 0
    letters = np.where(code, np.where(symbols["info"] >> 4 == WEAK, b"w", b"t"), b"d").astype("S1")
    return np.where(symbols["info"] >> 4 == LOCAL, letters, np.char.upper(letters)).astype("S1")


def code_of(elf):
    """(address, words) of the first section of code; (0, None): the file has none."""
    for section in elf.iter_sections():
        if section["sh_flags"] & EXECUTABLE and section["sh_type"] == "SHT_PROGBITS":
            data = section.data()
            return section["sh_addr"], np.frombuffer(data, "<u4", len(data) // 4)
    return 0, None


def wanted(symbols, strings, sections):
    """Symbols that name memory of the program's: defined in a section that is loaded, and not the assembler's own marks
    ($x, $d: ELF for the Arm 64-bit Architecture, 5.5.5)."""
    loaded = np.array([section["sh_flags"] & ALLOCATED != 0 for section in sections] + [False])
    place = np.where(symbols["section"] < RESERVED, np.minimum(symbols["section"], len(sections)), len(sections))
    first = np.frombuffer(strings + b"\0", "u1")[np.minimum(symbols["name"], len(strings))]
    kinds = symbols["info"] & 15
    return loaded[place] & (kinds <= FUNC) & (first != 0) & (first != ord("$"))


def load(data, name):
    """The Table of an ELF file. SymbolsError when it has no symbols, or is for another machine."""
    try:
        elf = ELFFile(io.BytesIO(data))
        if elf["e_machine"] != "EM_AARCH64" or elf.elfclass != 64 or not elf.little_endian:
            raise SymbolsError(f"{name}: e_machine={elf['e_machine']}: symbols are read from little-endian AArch64 files")
        symbols, strings = symbols_of(elf, name)
        sections = list(elf.iter_sections())
        types = nm_types(symbols, sections)
        link, code = code_of(elf)
    except (ELFError, OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError, ArithmeticError,
            AssertionError) as error:                       # whatever pyelftools makes of a damaged file
        reason = error if isinstance(error, ELFError) and str(error) else "its headers and tables contradict each other"
        raise SymbolsError(f"{name}: a damaged ELF file: {reason}") from None
    keep = wanted(symbols, strings, sections)
    symbols, types = symbols[keep], types[keep]
    kinds = np.where(symbols["info"] & 15 == FUNC, 0, 1)    # a function's name before a label's at the same address
    order = np.lexsort((kinds, symbols["value"]))
    symbols, types = symbols[order], types[order]
    if not len(symbols):
        raise SymbolsError(f"{name}: no symbols in .symtab")
    names = [text_at(strings, offset) for offset in symbols["name"].tolist()]
    end = int((symbols["value"] + symbols["size"]).max())
    return Table(symbols["value"].astype(np.uint64), names, types, link=link, code=code, size=max(end - link, 0), kind="ELF")
