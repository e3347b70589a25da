# SPDX-License-Identifier: Apache-2.0
"""A guest's RAM in a file, read by its kernel's addresses: as QEMU's monitor saves it, also of a machine that has died.

    (qemu) pmemsave 0x42000000 0x30000000 ram.bin       GUEST_RAM_PA and GUEST_RAM_SIZE of the board"""

import mmap

from ..errors import SymbolsError

RAM_IPA = 0x40000000            # GUEST_RAM_IPA (include/hv/memory_map.h)
GRANULES = {1: 14, 2: 12, 3: 16}    # bits of a page by TCR_EL1.TG1 (DDI 0487, D24.2 TCR_EL1)
ADDRESS = (1 << 48) - 1         # of a descriptor; LPA and LPA2 (52 bits) are not known here
TABLE, BLOCK = 3, 1             # bits 1:0 of a descriptor (DDI 0487, D8.3)


class Memory:
    """ttbr1, tcr: TTBR1_EL1 and TCR_EL1 of a vCPU that was in the kernel. SymbolsError."""

    def __init__(self, path, ttbr1, tcr):
        self.path, self.table = path, ttbr1 & ADDRESS & ~1
        self.page_bits, self.bits = GRANULES.get(tcr >> 30 & 3), 64 - (tcr >> 16 & 0x3f)
        if self.page_bits is None or not 25 <= self.bits <= 48:
            raise SymbolsError(f"{path}: TCR_EL1={tcr:#x}: TG1 is reserved, or T1SZ is not 16 to 39")
        try:
            with open(path, "rb") as file:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SymbolsError(f"{path}: cannot read it: {getattr(error, 'strerror', None) or error}") from None

    def physical(self, address, size):
        """size bytes at an IPA."""
        at = address - RAM_IPA
        if at < 0 or at + size > len(self.data):
            raise SymbolsError(f"{self.path}: {size} bytes at IPA {address:#x}: the file has {RAM_IPA:#x} to "
                               f"{RAM_IPA + len(self.data):#x}")
        return self.data[at:at + size]

    def translate(self, address):
        """The IPA of a kernel's address: the walk of DDI 0487, D8.2."""
        if address >> self.bits != (1 << 64 - self.bits) - 1:
            raise SymbolsError(f"{self.path}: {address:#x}: not one of the kernel's {self.bits}-bit addresses")
        index_bits = self.page_bits - 3
        shift = self.page_bits + (self.bits - self.page_bits - 1) // index_bits * index_bits
        table, width = self.table, self.bits - shift
        while True:
            index = address >> shift & (1 << width) - 1
            entry = int.from_bytes(self.physical(table + 8 * index, 8), "little")
            low = (1 << shift) - 1
            if entry & 3 == TABLE and shift > self.page_bits:
                table, shift, width = entry & ADDRESS & ~((1 << self.page_bits) - 1), shift - index_bits, index_bits
            elif entry & 3 == (BLOCK if shift > self.page_bits else TABLE):
                return entry & ADDRESS & ~low | address & low
            else:
                raise SymbolsError(f"{self.path}: {address:#x} is not mapped in the tables at {self.table:#x}")

    def read(self, address, size):
        """size bytes at an address of the kernel's, page by page."""
        data = b""
        while len(data) < size:
            here = address + len(data)
            part = min(size - len(data), (1 << self.page_bits) - (here & (1 << self.page_bits) - 1))
            data += self.physical(self.translate(here), part)
        return data
