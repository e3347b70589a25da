# SPDX-License-Identifier: Apache-2.0
"""Names for a guest's addresses.

    from ariel.symbols import Symbols

    symbols = Symbols.load("Image")             # or vmlinuz, System.map, vmlinux, any AArch64 ELF file
    symbols.solve(vbar_el1=0xffffb5d308210800)  # KASLR: where does it run?
    print(symbols.lookup(0xffffb5d3081802ac))   # kallsyms_lookup_name+0xa8

Errors are SymbolsError, and ImageError where a kernel cannot be unwrapped; both are ArielError, in one line.
"""

from ..errors import SymbolsError
from .calls import caller_of
from .symbols import Place, Symbols

__all__ = ["Place", "Symbols", "SymbolsError", "caller_of"]
