# SPDX-License-Identifier: Apache-2.0
"""Where the kernel has put its modules: from the text of /proc/modules, or from the kernel's own list in its memory.

The list is `modules`, a ring of struct list_head in each struct module. How struct module is laid out depends on version and
configuration; the Image's BTF says it. A kernel without CONFIG_KALLSYMS_ALL names no variable: then the address of the list is
taken from the code that searches it, find_module_all, and believed when a ring is there."""

import re
import struct
from typing import NamedTuple

from ..errors import SymbolsError
from .btf import Types

LINE = re.compile(r"^(\S+) (\d+) \d+ \S+ \S+ 0x([0-9a-fA-F]+)", re.MULTILINE)


class Module(NamedTuple):
    name: str
    start: int
    size: int   # bytes


def parse_modules(text, name):
    """[Module] in order of address, of what /proc/modules said. SymbolsError when it says nothing, or hides the addresses."""
    found = sorted((Module(match[1], int(match[3], 16), int(match[2])) for match in LINE.finditer(text)),
                   key=lambda module: module.start)
    if not found:
        raise SymbolsError(f"{name}: no line of it is one of /proc/modules")
    if not any(module.start for module in found):
        raise SymbolsError(f"{name}: every address is 0: /proc/modules shows them to root only, see kernel.kptr_restrict")
    return found


def find_module(modules, address):
    return next((module for module in modules if module.start <= address < module.start + module.size), None)


# ---- The kernel's own list -------------------------------------------------------------------------------------------

MODULES_MAX = 4096
NAME_SIZE = 56              # MODULE_NAME_LEN: 64 bytes less an address
POINTER = struct.Struct("<Q")


class Layout(NamedTuple):
    """Offsets in struct module, in bytes."""
    list: int
    name: int
    base: int   # of its code
    size: int   # u32


def module_layout(image):
    """The Layout of a kernel's struct module, from its Image's bytes."""
    try:
        types = Types(image)
        module = types.struct("module")
        memory = module.get("mem") or module.get("core_layout")     # from 6.4 on, and before
        parts = types.members(types.element(memory.type)) if memory else {}
    except (struct.error, IndexError):
        raise SymbolsError("BTF: a type reaches beyond it: the Image is damaged") from None
    if not {"list", "name"} <= module.keys() or not {"base", "size"} <= parts.keys():
        raise SymbolsError("BTF: struct module has no list, name, or place that is known here")
    return Layout(module["list"].offset, module["name"].offset, memory.offset + parts["base"].offset,
                  memory.offset + parts["size"].offset)


def signed(value, bits):
    return (value ^ 1 << bits - 1) - (1 << bits - 1)


def addresses_in(table, function):
    """The addresses that a function forms or loads from (DDI 0487, C6.2: ADRP, then ADD, LDR with an offset, LDR with
    pre-index), as linked, in order."""
    start = table.address_of(function)
    number = table.find(start) if start is not None else None
    held, found = {}, []            # what a register holds
    for address in range(start, table.end_of(number), 4) if number is not None else ():
        word = table.word_at(address) or 0
        target, base = word & 31, held.get(word >> 5 & 31)
        if word & 0x9f000000 == 0x90000000:
            held[target] = (address & ~0xfff) + (signed((word >> 5 & 0x7ffff) << 2 | word >> 29 & 3, 21) << 12)
        elif base is not None and word & 0xff800000 == 0x91000000:
            held[target] = base + ((word >> 10 & 0xfff) << (12 if word >> 22 & 1 else 0))
            found.append(held[target])
        elif base is not None and word & 0xffc00000 == 0xf9400000:
            found.append(base + (word >> 10 & 0xfff) * 8)
        elif base is not None and word & 0xffe00c00 == 0xf8400c00:
            found.append(base + signed(word >> 12 & 0x1ff, 9))
    return found


def find_list(symbols, read):
    """The address of the list's head where the kernel runs."""
    linked = symbols.table.address_of("modules")
    candidates = [linked] if linked is not None else addresses_in(symbols.table, "find_module_all")
    for address in candidates:
        head = (address + symbols.slide) % (1 << 64)
        try:
            first, = POINTER.unpack(read(head, 8))
            if first >> 55 and POINTER.unpack(read(first + 8, 8))[0] == head:   # an address of the kernel's; its prev
                return head
        except SymbolsError:                                    # no address of a list
            continue
    raise SymbolsError("the kernel's list of modules is not found: no symbol modules, and none in find_module_all")


def read_modules(symbols, read):
    """[Module] in order of address, from the kernel's own list. symbols: of its Image, solved. read(address, size): bytes of
    the guest's memory by the kernel's addresses, or SymbolsError."""
    if symbols.table.code is None:
        raise SymbolsError(f"{symbols.path}: modules are found by an Image, which has BTF")
    layout = module_layout(symbols.table.code.tobytes())
    head = find_list(symbols, read)
    node, found = POINTER.unpack(read(head, 8))[0], []
    while node != head:
        if len(found) == MODULES_MAX:
            raise SymbolsError(f"the kernel's list of modules has more than {MODULES_MAX}: damaged?")
        start = (node - layout.list) % (1 << 64)
        name = read(start + layout.name, NAME_SIZE).split(b"\0")[0].decode("latin-1")
        base, = POINTER.unpack(read(start + layout.base, 8))
        size, = struct.unpack("<I", read(start + layout.size, 4))
        found.append(Module(name, base, size))
        node, = POINTER.unpack(read(node, 8))
    return sorted(found, key=lambda module: module.start)
