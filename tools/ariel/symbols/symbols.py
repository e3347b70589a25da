# SPDX-License-Identifier: Apache-2.0
"""The symbols of one guest: a file's table, and where the guest has put itself in memory."""

import collections
import difflib
import itertools
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import unwrap
from ..errors import ImageError, SymbolsError
from . import elf, image, kaslr, modules, systemmap, trampoline

IMAGE_HEADER = struct.Struct("<8x3Q24xI4x")     # text_offset, image_size, flags, magic (Linux, booting.rst)
IMAGE_MAGIC = 0x644d5241                        # "ARM\x64"
BIG_ENDIAN = 1                                  # in flags
USER_HALF = 1 << 55                             # clear: TTBR0_EL1 translates the address (DDI 0487, D8.2.4)
PSTATE_EL = 0xf
TYPE_EXIT = 1                                   # of a trace's record (include/hv/trace.h)
# Of a trace that has lost its meta chunk: where ariel's guests have their RAM (include/hv/memory_map.h)
ASSUMED_VM = {"guest": "Linux Image", "ram": [["0x40000000", "0x30000000"]]}
HEADERS_MAX, BATCHES_MAX = 4096, 16             # of a trace are looked at for where the kernel runs


class Place(NamedTuple):
    """What is at an address: so many bytes into a function or variable. module: the kernel module's name, or None."""
    name: str
    offset: int
    module: str = None

    def __str__(self):
        text = f"{self.name}+{self.offset:#x}" if self.offset else self.name
        return f"{text} [{self.module}]" if self.module and self.name != f"[{self.module}]" else text


def read_table(path):
    """(Table, text_offset) of a file of any kind that is known."""
    name = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SymbolsError(f"{name}: cannot read it: {error.strerror}") from None
    data, _ = unwrap.unwrap(data, name)
    if data.startswith(b"\x7fELF"):
        return elf.load(data, name), 0
    if systemmap.is_map(data):
        return systemmap.load(data, name), 0
    if len(data) < IMAGE_HEADER.size or IMAGE_HEADER.unpack_from(data)[3] != IMAGE_MAGIC:
        raise SymbolsError(f"{name}: neither an arm64 Image, nor an ELF file, nor System.map")
    text_offset, size, flags, _ = IMAGE_HEADER.unpack_from(data)
    if flags & BIG_ENDIAN:
        raise SymbolsError(f"{name}: image_flags={flags:#x}: a big-endian kernel; symbols are read from little-endian ones")
    if size > unwrap.UNWRAPPED_MAX:
        raise SymbolsError(f"{name}: image_size={size:#x}: at most {unwrap.UNWRAPPED_MAX:#x}; is the header damaged?")
    try:
        return image.load(data, max(size, len(data))), text_offset
    except SymbolsError as error:
        raise SymbolsError(f"{name}: {error}") from None


def addresses_of(trace, boot=-1):
    """(addresses of instructions, return addresses) of the first exits of a trace's boot, a few thousand different ones of
    each."""
    pcs, returns = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for batch in itertools.islice(trace.batches(boot, types={TYPE_EXIT}), BATCHES_MAX):
        pcs.append(np.unique(batch["pc"]))
        returns.append(np.unique(batch["lr"]))
        if sum(map(len, pcs)) > kaslr.PCS_MAX:
            break
    return np.unique(np.concatenate(pcs)), np.unique(np.concatenate(returns))


class Symbols:
    """slide: what KASLR adds to the file's addresses, 0 until it is solved. physical_base: the guest's physical address (IPA)
    of the kernel's first byte, where it runs before its MMU is on; None: not known. modules: [Module]. trampoline: the second
    place of the kernel's code for the way from and to programs (trampoline.py), or None."""

    def __init__(self, table, path="", text_offset=0):
        self.table, self.path, self.text_offset = table, str(path), text_offset
        self.slide = 0
        self.solved = False
        self.physical_base = None
        self.modules = []
        self.trampoline = None

    @classmethod
    def load(cls, path, modules_file=None):
        """The symbols of an Image (raw, or wrapped as unwrap.py knows), System.map, vmlinux or another ELF file.
        modules_file: text of the guest's /proc/modules. SymbolsError, ImageError."""
        table, text_offset = read_table(path)
        symbols = cls(table, path, text_offset)
        if modules_file is not None:
            try:
                text = Path(modules_file).read_text(errors="replace")
            except OSError as error:
                raise SymbolsError(f"{modules_file}: cannot read it: {error.strerror}") from None
            symbols.modules = modules.parse_modules(text, str(modules_file))
        return symbols

    def __len__(self):
        return len(self.table)

    def is_kernel(self):
        """A kernel's addresses are those that TTBR1_EL1 translates, and it may move. A bare-metal program stays."""
        return bool(int(self.table.addresses[-1]) & USER_HALF)

    # ---- Where it runs

    def solve(self, vbar_el1=None, ttbr1=None, physical_base=None, vmcoreinfo=None, pcs=None, returns=None):
        """Finds the slide from what is given (kaslr.py), and returns it. physical_base: IPA of _text; ttbr1, a TTBR1_EL1
        that the kernel has run on, tells it too. pcs, returns: arrays of u64. What does not fit is passed over as long as
        something else fits; SymbolsError when nothing does, and then the slide stays as it is."""
        if physical_base is None and ttbr1:
            physical_base = kaslr.by_page_tables(self.table, ttbr1)
        if physical_base is not None:
            self.physical_base = physical_base
        if not self.is_kernel():
            self.solved = True
            return self.slide
        slide = kaslr.by_vectors(self.table, vbar_el1) if vbar_el1 else None
        if slide is None and vmcoreinfo:
            slide = kaslr.by_vmcoreinfo(self.table, vmcoreinfo)
        if slide is None and pcs is not None:
            slide = kaslr.by_instructions(self.table, np.asarray(pcs, np.uint64),
                                          np.asarray([] if returns is None else returns, np.uint64))
        if slide is None and vbar_el1:
            raise SymbolsError(f"{self.path}: VBAR_EL1={vbar_el1:#x}: not the vectors of this kernel, wherever it has moved "
                               "itself: another kernel's, or the trampoline in which a program runs")
        if slide is not None:
            self.slide, self.solved = slide, True
        return self.slide

    def solve_trace(self, trace, boot=-1):
        """The same from one boot of an ariel.trace.Trace: from VBAR_EL1 of its chunks, if the addresses of its exits agree (at its very
        beginning a kernel runs where it was linked, and moves itself then), else from those addresses. A Linux Image is
        where ariel's loader puts it: text_offset above the start of guest RAM. One that never got as far as its MMU has only
        physical addresses: nothing is to be found out then. Finds the trampoline, too."""
        if not self.is_kernel():
            return self.solve()
        self._solve_kernel(trace, boot)
        self.trampoline = trampoline.find(self.table, trace, self.address_of("vectors"), boot)
        return self.slide

    def _solve_kernel(self, trace, boot):
        """Slide and physical base of a kernel. SymbolsError."""
        vms = trace.boot(boot).meta.get("vms") or [ASSUMED_VM]
        if vms[0].get("guest") == "Linux Image" and vms[0].get("ram"):
            self.physical_base = int(vms[0]["ram"][0][0], 0) + self.text_offset
        pcs, returns = addresses_of(trace, boot)
        if self.physical_base is not None and len(pcs) and int(pcs.max()) < kaslr.KERNEL_START:
            return  # its MMU was never on, and where it was loaded is all that names need
        headers = itertools.islice(trace.headers(boot), HEADERS_MAX)
        counts = collections.Counter(int(header["vbar_el1"]) for header in headers)
        for vbar_el1, _ in counts.most_common():
            slide = kaslr.by_vectors(self.table, vbar_el1)
            if slide is not None and kaslr.agrees(self.table, slide, pcs):
                self.solve(vbar_el1=vbar_el1)
                return
        self.solve(pcs=pcs, returns=returns)

    # ---- Names

    def to_file(self, address):
        """An address as the guest uses it, as the file has it."""
        base = self.physical_base
        if base is not None and base <= address < base + self.table.size:
            return address - base + self.table.link
        if self.in_trampoline(address):
            return self.trampoline.to_file(address)
        return (address - self.slide) % (1 << 64)

    def in_trampoline(self, address):
        """Whether an address is in the trampoline's second place."""
        return self.trampoline is not None and self.trampoline.start <= address < self.trampoline.end

    def lookup(self, address):
        """The Place of an address, or None."""
        module = modules.find_module(self.modules, address)
        if module is not None:
            return Place(f"[{module.name}]", address - module.start, module.name)
        linked = self.to_file(address)
        number = self.table.find(linked)
        if self.in_trampoline(address) and (number is None or int(self.table.addresses[number]) < self.trampoline.linked):
            return Place(*self.trampoline.own_name(linked))
        if number is None:
            return None
        return Place(self.table.names[number], linked - int(self.table.addresses[number]))

    def address_of(self, name):
        """The address of a symbol where the guest runs, or None."""
        address = self.table.address_of(name)
        return None if address is None else (address + self.slide) % (1 << 64)

    def address_of_number(self, number):
        """The address of the first (0), or last (-1), symbol where the guest runs."""
        return (int(self.table.addresses[number]) + self.slide) % (1 << 64)

    def near(self, name):
        """Words for an error about a name that there is not: names that are like it."""
        close = difflib.get_close_matches(name, [text for text in self.table.names if name[:3] in text], 3)
        return f"; there is {', '.join(close)}" if close else ""

    def names(self, addresses, pstate=None):
        """str(lookup(address)) for each of an array of u64, "" where there is none. pstate: SPSR_EL2 of each: the addresses
        of a program, at EL0, get no names of the kernel's."""
        addresses = np.asarray(addresses, np.uint64)
        different, which = np.unique(addresses, return_inverse=True)
        found = self.different_names(different)
        names = [found[n] for n in which.tolist()]
        if pstate is not None and self.is_kernel():
            el0 = (np.asarray(pstate) & PSTATE_EL == 0).tolist()
            names = ["" if user else name for name, user in zip(names, el0)]
        return names

    def different_names(self, addresses):
        """The names of addresses of which no two are equal."""
        linked = addresses - np.uint64(self.slide % (1 << 64))
        if self.physical_base is not None:
            base, size = np.uint64(self.physical_base), np.uint64(self.table.size)
            physical = (addresses >= base) & (addresses - base < size)
            linked = np.where(physical, addresses - base + np.uint64(self.table.link), linked)
        numbers = self.table.find_all(linked)
        offsets = linked - self.table.addresses[np.maximum(numbers, 0)]
        names = [str(Place(self.table.names[number], offset)) if number >= 0 else ""
                 for number, offset in zip(numbers.tolist(), offsets.tolist())]
        if self.trampoline is not None:
            start, end = np.uint64(self.trampoline.start), np.uint64(self.trampoline.end)
            for n in np.flatnonzero((addresses >= start) & (addresses < end)).tolist():
                names[n] = str(self.lookup(int(addresses[n])))
        for module in self.modules:
            inside = (addresses >= np.uint64(module.start)) & (addresses - np.uint64(module.start) < np.uint64(module.size))
            for n in np.flatnonzero(inside).tolist():
                names[n] = str(Place(f"[{module.name}]", int(addresses[n]) - module.start, module.name))
        return names


__all__ = ["ImageError", "Place", "Symbols", "SymbolsError"]
