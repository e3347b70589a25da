# SPDX-License-Identifier: Apache-2.0
"""Makes small arm64 Images with kallsyms as Linux's build writes it, in each layout that there has been. It shares nothing
with the decoder but what both know of Linux (scripts/kallsyms.c)."""

import collections
import random
import struct
from typing import NamedTuple

LINK = 0xffff_8000_8000_0000
SIZE = 0x400000         # image_size: the memory that the kernel takes
TEXT = 0x10000          # where the code begins
RODATA = 0x100000       # where what follows the code begins
R_AARCH64_RELATIVE = 1027


class Layout(NamedTuple):
    """How a version of Linux writes kallsyms."""
    order: tuple
    align: int = 8
    long_names: bool = True     # a length of 128 or more takes two bytes; before 6.1 none is as long
    text_only: bool = False     # CONFIG_KALLSYMS_ALL=n: no symbol of data, and none before _stext
    in_place: bool = False      # CONFIG_RELR: pointers stand in place, not in .rela.dyn


FIRST = ("offsets", "base", "count", "names", "markers")
TOKENS = ("token_table", "token_index")
LAST = ("count", "names", "markers", *TOKENS)
LAYOUTS = {
    "5.10": Layout((*FIRST, *TOKENS), long_names=False, text_only=True),
    "6.1": Layout((*FIRST, *TOKENS)),
    "6.2": Layout((*FIRST, "seqs", *TOKENS)),
    "6.6": Layout((*LAST, "offsets", "base", "seqs")),
    "6.12 relr": Layout((*LAST, "offsets", "base", "seqs"), in_place=True),
    "7.2": Layout((*LAST, "places", "seqs"), align=4),
}


def make_symbols(count, seed=1):
    """[(offset from _text, letter, name)] in order of address: code, then data."""
    draw = random.Random(seed)
    words = ["read", "write", "lock", "irq", "timer", "page", "sock", "dev", "alloc", "free", "init", "exit", "get", "put"]
    found, place = [(0, "T", "_text"), (TEXT, "T", "_stext"), (TEXT + 0x800, "T", "vectors")], TEXT + 0x1000
    for number in range(count - 8):
        letter = draw.choice("tTtTwW") if number < count * 2 // 3 else draw.choice("dDbBrR")
        if number == count * 2 // 3:
            found += [(RODATA - 4, "T", "_etext"), (RODATA + 0x100, "D", "sys_call_table")]
            place = RODATA + 0x80000
        found.append((place, letter, f"{draw.choice(words)}_{draw.choice(words)}_{number:x}"))
        place += draw.choice((0, 4, 8, 0x40, 0x9c, 0x100))
    found.insert(600, (found[599][0], "t", "an_alias_with_" + "a_very_long_name_" * 12))
    return [*found, (SIZE - 0x1000, "d", "swapper_pg_dir"), (SIZE, "B", "_end")]


def make_tokens(texts):
    """256 tokens: the letters that occur stand for themselves, and what is left for what occurs often."""
    letters = set("".join(texts))
    common = collections.Counter(text[at:at + size] for text in texts for size in (2, 3, 4) for at in range(len(text) - size))
    often = iter([text for text, _ in common.most_common(400) if len(text) > 1])
    return [chr(code) if chr(code) in letters else next(often) for code in range(256)]


def encode(text, tokens):
    """The codes of a symbol."""
    codes, at = [], 0
    by_size = sorted(((len(token), code) for code, token in enumerate(tokens)), reverse=True)
    while at < len(text):
        size, code = next((size, code) for size, code in by_size if text.startswith(tokens[code], at))
        codes.append(code)
        at += size
    return bytes(codes)


def entry(codes, long_names):
    if len(codes) < 0x80:
        return bytes([len(codes)]) + codes
    assert long_names
    return bytes([len(codes) & 0x7f | 0x80, len(codes) >> 7]) + codes


def make_arrays(symbols, layout):
    """{name of an array: its bytes}, but for what depends on where it lies."""
    texts = [letter + name for _, letter, name in symbols]
    tokens = make_tokens(texts)
    names, markers = b"", []
    for number, text in enumerate(texts):
        if number % 256 == 0:
            markers.append(len(names))
        names += entry(encode(text, tokens), layout.long_names)
    table, index = b"", []
    for token in tokens:
        index.append(len(table))
        table += token.encode() + b"\0"
    first = symbols[0][0]
    return {"count": struct.pack("<I", len(symbols)), "names": names, "markers": struct.pack(f"<{len(markers)}I", *markers),
            "token_table": table, "token_index": struct.pack("<256H", *index),
            "offsets": struct.pack(f"<{len(symbols)}I", *(offset - first for offset, _, _ in symbols)),
            "base": struct.pack("<Q", LINK + first if layout.in_place else 0),
            "places": bytes(4 * len(symbols)), "seqs": bytes(range(256)) * (3 * len(symbols) // 256) + bytes(
                3 * len(symbols) % 256)}


def make_code(symbols):
    """The Image up to its read-only data: branches to functions, as code has them."""
    code = bytearray(RODATA)
    functions = [offset for offset, letter, _ in symbols if letter in "tTwW"]
    draw = random.Random(2)
    for place in range(TEXT + 0x1000, RODATA - 0x100, 16):
        distance = (draw.choice(functions) - place) // 4
        struct.pack_into("<I", code, place, 0x94000000 | distance & 0x3ffffff)
    return code


def make_pointers(symbols, in_place):
    draw = random.Random(3)
    chosen = [draw.choice(symbols)[0] for _ in range(500)]
    if in_place:
        return b"".join(struct.pack("<2Q", LINK + offset, 7) for offset in chosen)
    return b"".join(struct.pack("<3Q", LINK + RODATA + 8 * number, R_AARCH64_RELATIVE, LINK + offset)
                    for number, offset in enumerate(chosen))


def make_image(version="6.6", count=1500):
    """(Image, [(address, letter, name)]): what a decoder has to say of it."""
    layout = LAYOUTS[version]
    symbols = make_symbols(count)
    code = make_code(symbols)
    if layout.text_only:
        symbols = [symbol for symbol in symbols if symbol[1] in "tTwW" and symbol[0] >= TEXT and len(symbol[2]) < 100]
    data = code + make_pointers(symbols, layout.in_place) + bytes(8)
    arrays = make_arrays(symbols, layout)
    for name in layout.order:
        align = 8 if name == "base" and layout.align == 8 else layout.align
        data += bytes(-len(data) % align)
        if name == "places":
            arrays[name] = struct.pack(f"<{len(symbols)}i", *(offset - len(data) - 4 * number
                                                              for number, (offset, _, _) in enumerate(symbols)))
        data += arrays[name]
    data += bytes(-len(data) % 4096)
    struct.pack_into("<2I3Q3QII", data, 0, 0x91005a4d, 0x14000000 | TEXT // 4, 0, SIZE, 0xa, 0, 0, 0, 0x644d5241, 0)
    return bytes(data), [(LINK + offset, letter, name) for offset, letter, name in symbols]
