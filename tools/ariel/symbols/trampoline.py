# SPDX-License-Identifier: Apache-2.0
"""The second place of a kernel's trampoline.

A kernel that hides itself from its programs (KPTI) leaves a few pages mapped while a program runs: the vectors that VBAR_EL1
holds then, and the way back to the program. Both write TTBR1_EL1, to make the kernel appear and disappear. The pages lie in
the kernel's Image like all code, and are mapped once more in the fixmap, at an address that KASLR does not move. There they
run, so records have addresses there (Linux, arch/arm64/kernel/entry.S: tramp_vectors, tramp_exit).

Evidence for the place, all of which has to agree:
  VBAR_EL1     of a chunk's header, when a program ran as the chunk was opened: one of the trampoline's blocks of vectors
  PCs          of the records with a write of TTBR1_EL1 near that address: at each of them the Image, moved by so many pages,
               has an MSR to TTBR1_EL1, and only for one number of pages
  vectors      at VBAR_EL1, moved so, each of the eight vectors that the trampoline uses has such an MSR
"""

from typing import NamedTuple

import numpy as np

PAGE = 0x1000                       # the smallest one; a kernel with larger ones moves its pages by multiples of it, too
MSR_TTBR1, RT = 0xd5182020, 0x1f    # A64 MSR (register) to TTBR1_EL1, op0..op2 = 3 0 2 0 1 (DDI 0487, C6.2 and D24.2)
VECTORS_SIZE = 0x800                # all vectors from VBAR_EL1 on (DDI 0487, D1.3.1); bits 10:0 of VBAR_EL1 are 0
LOWER_EL, VECTOR_SIZE = 0x400, 0x80     # those for exceptions from EL0 are the upper eight
BLOCKS_MAX = 8                      # of vectors: Linux has one for each way to clear branch history, four in 6.1
NEAR = BLOCKS_MAX * VECTORS_SIZE + PAGE     # from VBAR_EL1 to any other instruction of the trampoline, at most
CHUNKS_MAX = 256                    # of those with VBAR_EL1 in the trampoline are looked at
WRITES_MAX = 4096                   # MSR to TTBR1_EL1 in an Image; Linux 6.1 has some fifty
KERNEL_START = 0xffff << 48
EL_MASK, EL0 = 0xf, 0               # in PSTATE
TYPE_EXIT = 1                       # of a trace's record (include/hv/trace.h)


class Trampoline(NamedTuple):
    """start, end: addresses as the guest uses them. linked: the address in the file that start is. vectors_end: the address
    in the file behind the last block of vectors."""
    start: int
    end: int
    linked: int
    vectors_end: int

    def to_file(self, address):
        """The address in the file, of one from start to end."""
        return address - self.start + self.linked

    def own_name(self, linked):
        """(name, offset) at an address of the file where the file itself has no symbol for it: a kernel built without
        KALLSYMS_ALL names no symbol outside its code proper. The names are Linux's for the two parts."""
        if linked < self.vectors_end:
            return "tramp_vectors", linked - self.linked
        return "tramp_exit", linked - self.vectors_end


def is_msr(words):
    """Which of an array of u4 are MSR TTBR1_EL1, Xt."""
    return words & np.uint32(0xffffffff ^ RT) == MSR_TTBR1


def is_vectors(table, address):
    """Whether a block of the trampoline's vectors is at an address of the file."""
    first = (address + LOWER_EL - table.link) // 4
    words = table.code[max(first, 0):max(first, 0) + (VECTORS_SIZE - LOWER_EL) // 4]
    if first < 0 or len(words) < (VECTORS_SIZE - LOWER_EL) // 4:
        return False
    return bool(is_msr(words).reshape(-1, VECTOR_SIZE // 4).any(axis=1).all())


def distances(table, vbar_el1, pcs, writes):
    """By how much the trampoline may have been moved: the numbers that bring each of the PCs to one of the writes, addresses
    of the file with an MSR of TTBR1_EL1, and VBAR_EL1 to vectors."""
    pc = min(pcs, default=0)
    moved = [pc - place for place in sorted(writes) if pcs and (pc - place) % PAGE == 0]
    return [distance for distance in moved
            if all(other - distance in writes for other in pcs) and is_vectors(table, vbar_el1 - distance)]


def from_distance(table, vbar_el1, distance):
    """The Trampoline: all blocks of vectors around the one that is known, to the end of the page of what is behind them."""
    linked = vectors_end = vbar_el1 - distance
    while is_vectors(table, linked - VECTORS_SIZE) and vectors_end - linked < BLOCKS_MAX * VECTORS_SIZE:
        linked -= VECTORS_SIZE
    while is_vectors(table, vectors_end) and vectors_end - linked < BLOCKS_MAX * VECTORS_SIZE:
        vectors_end += VECTORS_SIZE
    end = vectors_end // PAGE * PAGE + PAGE
    return Trampoline(linked + distance, end + distance, linked, vectors_end)


def seen_by_el2(trace, vbar_of_kernel, boot):
    """{VBAR_EL1: PCs that wrote TTBR1_EL1 near it} of the chunks of a boot in whose headers VBAR_EL1 is not the kernel's own."""
    key, found, looked = trace.boot(boot).meta["keys"].index("TTBR1_EL1"), {}, 0
    for header, chunk in trace.openings(boot):
        vbar_el1 = int(header["vbar_el1"])
        if vbar_el1 < KERNEL_START or vbar_el1 % VECTORS_SIZE or vbar_el1 == vbar_of_kernel:
            continue
        records = trace.records_of(chunk)
        pcs = records["pc"]
        near = (pcs - np.uint64(vbar_el1) + np.uint64(NEAR)) < 2 * NEAR     # modulo 2^64
        near &= (records["key"] == key) & (records["type"] == TYPE_EXIT) & (records["write"] != 0)
        near &= (records["pstate"] & EL_MASK != EL0) & (pcs % 4 == 0)
        found.setdefault(vbar_el1, set()).update(np.unique(pcs[near]).tolist())
        looked += 1
        if looked == CHUNKS_MAX:
            break
    return found


def find(table, trace, vbar_of_kernel, boot=-1):
    """The Trampoline of the kernel of a trace's boot, or None: it has none, or the trace does not prove where. vbar_of_kernel: its
    own vectors where it runs, or None."""
    if table.code is None or "TTBR1_EL1" not in trace.boot(boot).meta.get("keys", ()):
        return None
    writes = {table.link + 4 * place for place in np.flatnonzero(is_msr(table.code))[:WRITES_MAX].tolist()}
    for vbar_el1, pcs in seen_by_el2(trace, vbar_of_kernel, boot).items():
        fitting = distances(table, vbar_el1, pcs, writes)
        if len(fitting) == 1:
            return from_distance(table, vbar_el1, fitting[0])
    return None
