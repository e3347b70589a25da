# SPDX-License-Identifier: Apache-2.0
"""By how much a kernel runs away from where it was linked: the slide that KASLR has chosen at boot.

Evidence, the best first:
  VBAR_EL1     the kernel's vectors: VBAR_EL1 - `vectors`. A kernel that hides itself from its programs (KPTI) has other
               vectors in VBAR_EL1 while a program runs, so what does not fit is left alone
  VMCOREINFO   the text that a kernel leaves for crash dumps says KERNELOFFSET=
  PCs          the slide under which every address of an instruction is in the kernel's code, and every return address stands
               behind a call. Needs some twenty different ones, and the code (an Image or ELF, not System.map)
TTBR1_EL1 is a physical address: it says where the kernel lies in memory (`swapper_pg_dir`), not where it runs.
"""

import re

import numpy as np

from ..errors import SymbolsError

GRANULE = 0x10000               # of a slide: the largest page. Without EFI Linux slides by multiples of 2 MiB, the same or more
SLIDE_END = 3 << 45             # Linux draws a slide below it with 48 bits of addresses, and smaller ones with fewer
KERNEL_START = 0xffff << 48     # of the addresses that TTBR1_EL1 translates, at most 52 bits of them or less
TTBR_ADDRESS = (1 << 48) - 2    # TTBRn_EL1.BADDR (DDI 0487, D24.2 TTBR1_EL1); bit 0 is CnP
TABLES = ("swapper_pg_dir", "init_pg_dir", "tramp_pg_dir", "reserved_pg_dir")
PCS_MIN = 8                     # fewer different addresses prove nothing
PCS_MAX = 4096
MOST = 0.6                      # of the addresses fit where they are said to be; the others are of modules
# A64 (DDI 0487, C4.1.94): BL; BLR and its kin with pointer authentication; HVC and SMC, which EL2 sees as well
CALLS = ((0xfc000000, 0x94000000), (0xfefff000, 0xd63f0000), (0xffe0001f, 0xd4000002), (0xffe0001f, 0xd4000003))


def fits(table, slide):
    """Whether a kernel can run there: a multiple of its pages, and all of it among the kernel's addresses."""
    start = table.link + slide
    return slide % GRANULE == 0 and start >= KERNEL_START and start + table.size < 1 << 64


def by_vectors(table, vbar_el1):
    """The slide that VBAR_EL1 proves, or None: it does not hold this kernel's own vectors."""
    vectors = table.address_of("vectors")
    if vectors is None or not vbar_el1:
        return None
    slide = vbar_el1 - vectors
    return slide if 0 <= slide < SLIDE_END and fits(table, slide) else None


def by_vmcoreinfo(table, text):
    match = re.search(r"KERNELOFFSET=([0-9a-f]+)\s", text)
    if not match:
        raise SymbolsError("VMCOREINFO: no line KERNELOFFSET=")
    slide = int(match[1], 16)
    if not fits(table, slide):
        raise SymbolsError(f"VMCOREINFO: KERNELOFFSET={slide:#x}: not a multiple of {GRANULE:#x} that leaves {table.size:#x} "
                           "bytes above it: of another kernel?")
    return slide


def by_page_tables(table, ttbr1):
    """The physical address of _text that TTBR1_EL1 proves, or None."""
    for name in TABLES:
        address = table.address_of(name)
        if address is not None:
            base = (ttbr1 & TTBR_ADDRESS) - (address - table.link)
            if base >= 0 and base % GRANULE == 0:
                return base
    return None


def code_range(table):
    """(address of the first instruction of the kernel, address behind its last one)"""
    text = table.text()
    if not len(text):
        raise SymbolsError("no symbols of code: the slide cannot be told from addresses of instructions")
    start, end = table.address_of("_stext"), table.address_of("_einittext") or table.address_of("_etext")
    return start or int(table.addresses[text[0]]), end or table.end_of(int(text[-1]))


def follows_call(table, addresses):
    """For each address, as linked: does it stand behind a call?"""
    place = (addresses.astype(np.int64) - np.uint64(table.link).astype(np.int64)) // 4 - 1
    inside = (place >= 0) & (place < len(table.code))
    words = table.code[np.where(inside, place, 0)]
    found = np.zeros(len(addresses), bool)
    for mask, value in CALLS:
        found |= words & np.uint32(mask) == value
    return found & inside


def agrees(table, slide, pcs):
    """Whether most of the addresses of the kernel's instructions (array of u64) are in its code with that slide; true when
    there are too few to tell. Some are in modules."""
    pcs = pcs[pcs >= np.uint64(KERNEL_START)]
    start, end = code_range(table)
    inside = (pcs >= np.uint64(start + slide)) & (pcs < np.uint64(end + slide))
    return len(pcs) < PCS_MIN or int(inside.sum()) >= MOST * len(pcs)


def by_instructions(table, pcs, returns):
    """The slide that fits the addresses of instructions (pcs) and return addresses (returns, values of x30 among which
    others may be), arrays of u64. SymbolsError: too few, or several slides fit equally well."""
    kernel = np.uint64(KERNEL_START)
    pcs = np.unique(pcs[pcs >= kernel])[:PCS_MAX]
    returns = np.unique(returns[returns >= kernel])[:PCS_MAX]
    if len(pcs) < PCS_MIN or table.code is None:
        raise SymbolsError(f"{len(pcs)} different addresses of the kernel's instructions: {PCS_MIN} or more, and an Image or "
                           "vmlinux, can tell how far the kernel has moved itself")
    start, end = code_range(table)
    middle = int(pcs[len(pcs) // 2])
    first = -(-(middle - end) // GRANULE) * GRANULE
    best = []
    for slide in range(first, middle - start + 1, GRANULE):
        if not fits(table, slide):
            continue
        moved = pcs - np.uint64(slide % (1 << 64))
        inside = int(((moved >= np.uint64(start)) & (moved < np.uint64(end))).sum())
        calls = int(follows_call(table, returns - np.uint64(slide % (1 << 64))).sum())
        best.append((inside + calls, calls, slide))
    best.sort(reverse=True)
    if not best or best[0][0] < MOST * (len(pcs) + len(returns)) or (len(best) > 1 and best[1][0] >= best[0][0]):
        raise SymbolsError(f"{len(pcs)} addresses of instructions and {len(returns)} return addresses: no slide fits them "
                           "best: another kernel's?")
    return best[0][2]
