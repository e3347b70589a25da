# SPDX-License-Identifier: Apache-2.0
"""What the addresses of one guest mean, wherever KASLR has put it: functions of code addresses, and classes of values.

Two runs of one kernel use other addresses for the same things. Code is compared by function; without symbols by address,
and the addresses of the second run are moved by the distance between the two kernels. Of a value the class is compared
where it says nothing in itself: an address, a time, a random number."""

import re

import numpy

from ..symbols.symbols import addresses_of

USER = "EL0"                        # stands for all of a program at EL0
UPPER = numpy.uint64(1 << 55)       # set: TTBR1_EL1 translates the address (DDI 0487 D8.2.4): the kernel's half
KERNEL_START = numpy.uint64(0xffff << 48)
ERRORS_START = numpy.uint64((1 << 64) - (1 << 32))  # small negative numbers, such as NOT_SUPPORTED, are no addresses
USER_START, USER_END = numpy.uint64(1 << 32), numpy.uint64(1 << 52)
ADDRESS_MASK = numpy.uint64((1 << 48) - 2)          # TTBRn_EL1 without ASID and CnP (DDI 0487 D19.2.155)
IMAGE_REACH = 1 << 27               # bytes around its vectors that are the kernel's own, when there are no symbols
PAGE = 0xfff
CLONE = re.compile(r"(\.(isra|constprop|part|cold|lto_priv|llvm)(\.\d+)?)+$")  # a compiler's copies of a function

# Classes of values: EXACT is compared as a number, IMAGE as a place in the kernel; the others say all there is to compare.
EXACT, IMAGE, KERNEL, RAM, PROGRAM, TIME, RANDOM, MANY = range(8)
CLASS_TEXTS = ("", "", "an address of the kernel's", "guest RAM", "an address of a program's", "a time", "a random number",
               "many values")
TIMES = re.compile(r"CNT.*|PMCCNTR_EL0|PMEVCNTR.*|pl031")
RANDOMS = re.compile(r"RNDR(RS)?|AP[DIG][AB]?KEY(HI|LO)_EL1", re.I)
# Registers and operations whose values are addresses; queues of virtio transports have some, too
TABLES = re.compile(r"TTBR[01]_EL1")
ADDRESSES = re.compile(r"TTBR[01]_EL1|FAR_EL1|VBAR_EL1|ELR_EL1|SP_EL0|TPIDR.*|PAR_EL1|DBG[BW]VR\d+_EL1|DC_.*|IC_IVAU|AT_.*|"
                       r"TLBI_.*|CONTEXTIDR_EL1|virtio-mmio")


def matching(names, pattern):
    """An array of bool: which of a list of names match a pattern; False behind the last."""
    return numpy.array([pattern.fullmatch(name) is not None for name in names] + [False])


def best_shift(traces, boots):
    """How far the kernel of the second trace runs above that of the first one, each in its boot, as their VBAR_EL1 and the PCs
    of their exits tell: the distance of two of their vectors at which most PCs are the same. 0 when nothing tells."""
    pcs = [addresses_of(trace, boot)[0] for trace, boot in zip(traces, boots)]
    kernel = [values[values >= KERNEL_START] for values in pcs]
    vectors = [sorted({int(header["vbar_el1"]) for header in trace.headers(boot)})[-8:] for trace, boot in zip(traces, boots)]
    distances = {0} | {above - below for below in vectors[0] for above in vectors[1] if below and above}

    def same(distance):
        return len(numpy.intersect1d(kernel[0], kernel[1] - numpy.uint64(distance % (1 << 64)), assume_unique=True))
    return max(sorted(distances, key=abs), key=same)


class Guest:
    """boot: trace.Boot. symbols: of ariel.symbols, their place solved, or None; then shift: what is taken from addresses of
    the kernel's half, and vectors: a VBAR_EL1 of this guest's."""

    def __init__(self, boot, symbols, shift=0, vectors=0):
        self.symbols, self.shift, self.vectors = symbols, shift, vectors
        names = boot.meta["keys"]
        self.times, self.randoms = matching(names, TIMES), matching(names, RANDOMS)
        self.addresses, self.tables = matching(names, ADDRESSES), matching(names, TABLES)
        self.ram = [(int(base, 0), int(size, 0)) for vm in boot.meta["vms"] for base, size in vm.get("ram", [])]

    def place(self, address, behind=0):
        """(function, text) of a code address of the kernel's. behind: bytes behind the instruction that it stands for."""
        if self.symbols is not None:
            found = self.symbols.lookup(address - behind)
            if found is not None:
                name = CLONE.sub("", found.name)
                module = f" [{found.module}]" if found.module and found.name != f"[{found.module}]" else ""
                return name + module, f"{name}+{found.offset + behind:#x}{module}"
        if address & int(UPPER):
            near = abs(address - self.vectors) < IMAGE_REACH if self.vectors else True
            if self.symbols is None and near:
                address = (address - self.shift) % (1 << 64)
            else:  # a module's: they are loaded to pages at random
                return f"a module, 0x..{address & PAGE:03x}", f"a module, 0x..{address & PAGE:03x}"
        return f"{address:#x}", f"{address:#x}"

    def values(self, records):
        """(classes, numbers) of an array of records: u8 and u64. A number is 0 but for EXACT and IMAGE."""
        values, keys = records["value"], numpy.minimum(records["key"], len(self.times) - 1)
        wide = (values >= KERNEL_START) & (values < ERRORS_START)
        image, numbers = self.in_image(values)
        image &= wide
        classes = numpy.where(wide, numpy.where(image, IMAGE, KERNEL), EXACT).astype("u1")
        held = self.addresses[keys] & ~wide
        if held.any():
            part = numpy.where(self.tables[keys], values & ADDRESS_MASK, values)
            classes[held & (part >= USER_START) & (part < USER_END)] = PROGRAM
            for base, size in self.ram:
                classes[held & (part >= numpy.uint64(base)) & (part - numpy.uint64(base) < numpy.uint64(size))] = RAM
        classes[self.times[keys]] = TIME
        classes[self.randoms[keys]] = RANDOM
        return classes, numpy.where(classes == EXACT, values, numpy.where(classes == IMAGE, numbers, numpy.uint64(0)))

    def in_image(self, values):
        """(which of an array of kernel addresses are in the kernel's image, the values as a kernel has them that KASLR did not
        move)."""
        if self.symbols is None:
            near = numpy.abs((values - numpy.uint64(self.vectors)).view("i8")) < IMAGE_REACH
            return near & bool(self.vectors), values - numpy.uint64(self.shift % (1 << 64))
        link, size = numpy.uint64(self.symbols.table.link), numpy.uint64(self.symbols.table.size)
        linked = values - numpy.uint64(self.symbols.slide % (1 << 64))
        return linked - link < size, linked

    def value_text(self, kind, number):
        """What a value is called: of a class its words, of a place in the kernel's image its symbol."""
        if kind == IMAGE:
            if self.symbols is not None:
                place = self.symbols.table.find(number)
                if place is not None:
                    offset = number - int(self.symbols.table.addresses[place])
                    return CLONE.sub("", self.symbols.table.names[place]) + (f"+{offset:#x}" if offset else "")
            return f"the kernel's {number:#x}"
        return f"{number:#x}" if kind == EXACT else CLASS_TEXTS[kind]
