# SPDX-License-Identifier: Apache-2.0
"""Addresses of a kernel or program by name, and names of addresses.

  sym Image                                       what symbols it has
  sym Image vectors start_kernel                  where they are, as linked
  sym --vbar 0xffffb5d308210800 Image 0xffffb5d3081802ac   what is there, in a kernel that KASLR has moved
  sym --trace boot.trace Image 0xffffb5d3081802ac          the same; the trace has VBAR_EL1
  sym --monitor unix:build/monitor.sock Image              of a guest that runs: the same, and where its modules are

IMAGE is an arm64 Image, raw or packed, with CONFIG_KALLSYMS; System.map; vmlinux; or any AArch64 ELF file."""

import re

from ..errors import SymbolsError
from ..printable import printable

NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}")


def number(text):
    """An address as an option has it: hexadecimal with 0x, or decimal, below 2^64."""
    value = int(text, 0)
    if not 0 <= value < 1 << 64:
        raise ValueError
    return value


number.__name__ = "address"  # in argparse's message


def add_arguments(parser):
    parser.add_argument("image", metavar="IMAGE", help="the kernel or program")
    parser.add_argument("what", metavar="NAME|ADDRESS", nargs="*", help="a symbol, or an address: 0x...")
    parser.add_argument("--vbar", type=number, metavar="ADDRESS", help="VBAR_EL1 of the guest: tells where KASLR put it")
    parser.add_argument("--ttbr1", type=number, metavar="VALUE", help="TTBR1_EL1: tells its physical address")
    parser.add_argument("--physical", type=number, metavar="IPA", help="where the kernel's first byte lies in guest RAM")
    parser.add_argument("--trace", metavar="FILE", help="a trace of that guest")
    parser.add_argument("--monitor", metavar="ADDRESS", help="a guest that runs: what MONITOR= was given")
    parser.add_argument("--memory", metavar="FILE", help="the guest's RAM as QEMU's pmemsave writes it; with --vbar, --ttbr1 "
                        "and --tcr: where its modules are")
    parser.add_argument("--tcr", type=number, metavar="VALUE", help="TCR_EL1, for --memory")
    parser.add_argument("--modules", metavar="FILE", help="text of the guest's /proc/modules")


def solve(symbols, arguments):
    """Finds where the guest runs from the options."""
    if arguments.trace:
        from ..trace import Trace  # only where it is asked for
        with Trace(arguments.trace) as trace:
            symbols.solve_trace(trace)
    if arguments.monitor:
        from ..client import connect
        from ..symbols import live
        with connect(arguments.monitor) as monitor:
            live.solve(symbols, monitor)
    if arguments.vbar is not None or arguments.ttbr1 is not None or arguments.physical is not None:
        symbols.solve(vbar_el1=arguments.vbar, ttbr1=arguments.ttbr1, physical_base=arguments.physical)
    if arguments.memory:
        from ..symbols import memory, modules
        if arguments.ttbr1 is None or arguments.tcr is None:
            raise SymbolsError(f"{arguments.memory}: --memory is read by --ttbr1 and --tcr: the monitor's sr says them")
        symbols.modules = modules.read_modules(symbols, memory.Memory(arguments.memory, arguments.ttbr1, arguments.tcr).read)


def describe(symbols):
    """What there is, in lines."""
    table = symbols.table
    print(f"{symbols.path}: {len(table)} symbols ({table.kind}), {len(table.text())} of them of code")
    print(f"linked at {table.link:#x}, {table.size:#x} bytes" + (f", runs {symbols.slide:#x} above" if symbols.slide else ""))
    if symbols.physical_base is not None:
        print(f"in guest RAM at {symbols.physical_base:#x}")
    for module in symbols.modules:
        print(f"module {printable(module.name)} at {module.start:#x}, {module.size:#x} bytes")


def run(arguments):
    from ..symbols import Symbols  # needs numpy, which other commands may do without

    symbols = Symbols.load(arguments.image, arguments.modules)
    solve(symbols, arguments)
    if not arguments.what:
        describe(symbols)
    for word in arguments.what:
        if NUMBER.fullmatch(word):
            place = symbols.lookup(int(word, 16))
            if place is None:
                raise SymbolsError(f"{arguments.image}: {word}: no symbol is there; its symbols are of "
                                   f"{symbols.address_of_number(0):#x} to {symbols.address_of_number(-1):#x}")
            print(f"{word} {printable(str(place))}")
        else:
            address = symbols.address_of(word)
            if address is None:
                raise SymbolsError(f"{arguments.image}: {printable(word)}: no such symbol{symbols.near(word)}")
            print(f"{address:#x} {printable(word)}")
    return 0
