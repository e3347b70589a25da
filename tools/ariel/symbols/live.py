# SPDX-License-Identifier: Apache-2.0
"""A running guest, asked by ariel's monitor (docs/MONITOR.md, "For programs"): where its kernel runs, and its modules."""

from ..errors import CommandError, SymbolsError
from . import kaslr, modules

READ_MAX = 4096     # bytes that one command reads


def reader(monitor):
    """read(address, size) for modules.read_modules."""
    def read(address, size):
        data = b""
        while len(data) < size:
            command = f"mem read -k {(address + len(data)) % (1 << 64):#x} {min(size - len(data), READ_MAX)} 1"
            try:
                rows = monitor.command(command).rows
            except CommandError as error:
                raise SymbolsError(f"{monitor.address}: {error}") from None
            more = b"".join(bytes.fromhex(row["data"]) for row in rows if "data" in row)
            if not more:
                raise SymbolsError(f"{monitor.address}: {command}: no bytes")
            data += more
        return data
    return read


def solve(symbols, monitor):
    """Finds where the kernel runs by VBAR_EL1 of each vCPU, and its modules: symbols has both then. SymbolsError."""
    count = monitor.command("status")["vcpus"]
    values = [vbar_of(monitor, vcpu) for vcpu in range(count)]
    good = next((value for value in values if kaslr.by_vectors(symbols.table, value) is not None), values[0])
    symbols.solve(vbar_el1=good)
    if symbols.is_kernel():
        symbols.modules = modules.read_modules(symbols, reader(monitor))


def vbar_of(monitor, vcpu):
    """VBAR_EL1 of a vCPU; it is chosen and then vCPU 0 is again."""
    monitor.command(f"vcpu {vcpu}")
    try:
        return int(monitor.command("sr VBAR_EL1")["value"], 16)
    finally:
        monitor.command("vcpu 0")
