# SPDX-License-Identifier: Apache-2.0
"""The table of a guest's functions that EL2 shows names from (include/hv/symbols.h): made of the kernel or program that is
booted, or of what SYMBOLS= names, and kept in build/symbols so that the next start costs nothing."""

import hashlib
import io
import os
import struct
from pathlib import Path
from typing import NamedTuple

from ariel.errors import ArielError, SymbolsError

MAGIC = int.from_bytes(b"arielSYM", "little")
VERSION = 1
HEADER = struct.Struct("<Q2I6Q")    # magic, version, count, size, link, vectors, span, load_ipa, left_out
FIXED = (1 << 64) - 1               # as vectors: it runs where it was linked
NAME_MAX = 48                       # characters of a name where there is no room for whole ones
OFF = "0"                           # SYMBOLS=0


class Loaded(NamedTuple):
    """A table for EL2. path: the file that QEMU loads, or None: there are none. check: symbols_sum of it. words: for the
    person."""
    path: Path
    size: int
    check: int
    words: str


def none(why):
    return Loaded(None, 0, 0, f"symbols: none: {why}; SYMBOLS=System.map (or vmlinux) names them")


# ---- The table -------------------------------------------------------------------------------------------------------


def entries(table):
    """([address], [name]) of functions in order of address, each address once; a name is "" where the code before it ends.
    A function's name is the first of its names, as the kernel itself has it."""
    found, names, text, open_end = [], [], set(table.text().tolist()), False
    last = None
    for number, address in enumerate(table.addresses.tolist()):
        if number in text and (address != last or not names[-1]):
            if address == last:
                found.pop(), names.pop()
            found.append(address)
            names.append(table.names[number])
            open_end = True
        elif number not in text and address != last and open_end:
            found.append(address)
            names.append("")
            open_end = False
        last = found[-1] if found else None
    return found, names


def pack_texts(names):
    """(places of the names, the text that has each of them once)"""
    places, text, known = [], bytearray(), {}
    for name in names:
        if name not in known:
            known[name] = len(text)
            text += name.encode("ascii", "replace") + b"\0"
        places.append(known[name])
    return places, bytes(text)


def size_of(names):
    """Bytes of the table of these names: words of 8 bytes, and a 0 at the end."""
    return (HEADER.size + 8 * len(names) + len(pack_texts(names)[1])) // 8 * 8 + 8


def pack(table, link, load_ipa, vectors, limit):
    """The table's bytes, at most limit of them, and the number of functions that are left out."""
    addresses, names = entries(table)
    whole = len(names)
    if size_of(names) > limit:
        names = [name if len(name) <= NAME_MAX else name[:NAME_MAX - 3] + "..." for name in names]
    while size_of(names) > limit:  # those at the end go, so that the others are right
        keep = max(len(names) * limit // size_of(names) - 2, 1)
        addresses, names = addresses[:keep + 1], [*names[:keep], ""]
    left_out = whole - len(names) + 1 if len(names) < whole else 0
    places, text = pack_texts(names)
    size = size_of(names)
    text = text.ljust(size - HEADER.size - 8 * len(names), b"\0")
    span = min(max(table.size, addresses[-1] - link + 4), (1 << 32) - 1)
    offsets = [address - link for address in addresses]
    return HEADER.pack(MAGIC, VERSION, len(names), size, link, vectors, span, load_ipa, left_out) + struct.pack(
        f"<{2 * len(names)}I", *offsets, *places) + text, left_out


def running_sum(data):
    """symbols_sum of include/hv/symbols.h."""
    total = running = 0
    for (word,) in struct.iter_unpack("<Q", data):
        running += word
        total += running
    return total % (1 << 64)


# ---- Where the guest runs --------------------------------------------------------------------------------------------


def program_place(data, symbols, entry):
    """(link, load_ipa) of an ELF file: its first function's address where it runs, and where it lies in guest RAM. entry: the
    IPA at which it is entered, which tells how far a program that can stand anywhere was moved."""
    from elftools.elf.elffile import ELFFile

    table = symbols.table
    first = int(table.addresses[table.text()[0]])
    elf = ELFFile(io.BytesIO(data))
    parts = [part for part in elf.iter_segments() if part["p_type"] == "PT_LOAD" and part["p_memsz"]]

    def physical(address):
        return next((address - part["p_vaddr"] + part["p_paddr"] for part in parts
                     if part["p_vaddr"] <= address < part["p_vaddr"] + part["p_memsz"]), address)
    moved = entry - physical(elf["e_entry"]) if elf["e_type"] == "ET_DYN" else 0
    return first, moved, physical(first) + moved


def make_table(source, guest, limit):
    """(table, left out, functions) for EL2. source: the file that has the symbols. guest: a guest_program.Program."""
    from ariel.symbols import Symbols  # numpy: not where the table is kept

    symbols = Symbols.load(source)
    table = symbols.table
    if not len(table.text()):
        raise SymbolsError(f"{source}: no functions among its {len(table)} symbols")
    vectors = table.address_of("vectors")
    if symbols.is_kernel() and vectors is not None:
        link, load_ipa, moved, vectors = table.link, guest.pieces[0].ipa, 0, vectors - table.link
    else:
        link, moved, load_ipa = program_place(Path(source).read_bytes(), symbols, guest.entry) if table.kind == "ELF" else (
            table.link, 0, guest.pieces[0].ipa)
        vectors = FIXED
    data, left_out = pack(table, link, load_ipa, vectors, limit)
    if moved:
        data = data[:24] + struct.pack("<Q", link + moved) + data[32:]
    return data, left_out


# ---- Kept tables -----------------------------------------------------------------------------------------------------


def key_of(source, guest):
    """What a kept table is named after: all that it was made of."""
    digest = hashlib.blake2b(f"{VERSION} {guest.entry:#x} {guest.pieces[0].ipa:#x} {NAME_MAX}".encode(), digest_size=16)
    with open(source, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def keep(folder, key, data):
    """Writes a table that was made into the folder, whole or not at all."""
    path = folder / f"{key}-{running_sum(data):016x}.symbols"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{key}.{os.getpid()}"
    part.write_bytes(data)
    os.replace(part, path)
    return path


def load(wish, source, guest, folder, limit):
    """The Loaded table for a guest. wish: what SYMBOLS= says: "", "0" or a file. source: the guest's own file. folder: a
    Path, where tables are kept. limit: bytes that EL2 has room for. ArielError when the file that SYMBOLS= names is no
    good; a guest without symbols of its own is none."""
    if wish == OFF:
        return Loaded(None, 0, 0, "symbols: none, as SYMBOLS=0 says")
    source = wish or source
    try:
        key = key_of(source, guest)
        kept = next(folder.glob(f"{key}-*.symbols"), None)
        if kept is None:
            kept = keep(folder, key, make_table(source, guest, limit)[0])
        head = HEADER.unpack(kept.read_bytes()[:HEADER.size])
    except ArielError as error:
        if wish:
            raise
        return none(str(error))
    except ImportError as error:
        return none(f"{error.name}: not installed; run scripts/bootstrap linux")
    left = f", {head[8]} left out: {limit:#x} bytes have room for no more" if head[8] else ""
    return Loaded(kept, head[3], int(kept.stem.split("-")[1], 16), f"symbols: {head[2]} functions of {source}{left}")
