# SPDX-License-Identifier: Apache-2.0
"""The symbol table that a Linux kernel carries in its own Image (CONFIG_KALLSYMS), found and decoded.

The kernel's build (scripts/kallsyms.c of Linux) writes eight arrays into .rodata:

  num_syms        u32: how many symbols there are, n
  names           n entries: a length, then so many bytes, each the number of a token. From 6.1 on a length of 128 or more
                  takes two bytes, seven bits each, the lower first. Put together, a symbol's tokens are a letter for its
                  type, as nm prints it, and its name
  markers         u32 for every 256th symbol: where its entry begins in names
  token_table     256 texts, each with a 0 behind it
  token_index     u16 for each of them: where it begins in token_table
  offsets         u32 for each symbol, in order of address
  relative_base   u64: what the offsets count from
  seqs_of_names   3 bytes for each symbol: their order by name

Nothing says where they are, and their order and alignment depend on the version. So no version is asked for: each array is
found by a property that it alone has, and each one that was found narrows down where the next can be.

  layout        kernels        order
  "base first"  up to 6.3      offsets relative_base num_syms names markers [seqs_of_names] token_table token_index
  "base last"   6.4 to 6.19    num_syms names markers token_table token_index offsets relative_base seqs_of_names
  "no base"     7.0 and later  as before, without relative_base: an offset counts from the place where it stands itself

An Image is foreign data: whatever it holds, the answer is a table or a SymbolsError, in time and memory that are bounded by
its size.
"""

from typing import NamedTuple

import numpy as np

from ..errors import SymbolsError

TOKENS = 256
BLOCK = 256                 # symbols for each marker
SYMBOL_BYTES_MAX = 600      # of a symbol in names: KSYM_NAME_LEN is 512, and two bytes of length
SYMBOL_TEXT_MAX = 1024      # of a symbol's text
TOKEN_TABLE_MAX = 1 << 14
SYMBOLS_MAX = 1 << 22
CANDIDATES_MAX = 1 << 12    # places that look like the beginning of an array: an Image has a handful
ALIGNMENTS = (8, 4)         # of the arrays: up to 6.19, and from 7.0 on


class Kallsyms(NamedTuple):
    """What was found, in order of address."""
    offsets: np.ndarray     # int64, ascending. "no base": from the Image's first byte; else from the first symbol
    names: list             # of str
    types: np.ndarray       # of bytes, "S1": nm's letters
    base: int               # the address that the offsets count from; None: it is not in these arrays
    layout: str


class Names(NamedTuple):
    """Where the arrays are of which the names are made. Places are offsets in the Image."""
    first: int              # num_syms
    start: int              # names
    count: int
    markers: np.ndarray


def align(place, to):
    return -(-place // to) * to


def view(data, kind, start=0):
    """data from start on as numbers of a kind ("<u4"), without a copy; the odd bytes at its end are left out."""
    size = np.dtype(kind).itemsize
    return np.frombuffer(data, kind, max(len(data) - start, 0) // size, start)


# ---- Tokens ----------------------------------------------------------------------------------------------------------


def token_table_before(data, at, index):
    """The place of the table that the index at `at` is of; None: there is none. The last token ends before the index, less
    than an alignment away, and each token but the first begins behind the 0 of the one before."""
    end = at
    while end > 0 and at - end < max(ALIGNMENTS) and data[end - 1] == 0:
        end -= 1
    for zeros in range(1, max(ALIGNMENTS) + 1):     # of those behind the last token one is its own, the others fill up
        stop = end + zeros
        last = data.rfind(b"\0", 0, end) + 1
        start = last - int(index[-1])
        if stop > at or start < 0 or start % min(ALIGNMENTS) or last < end - SYMBOL_TEXT_MAX:
            continue
        ends = np.flatnonzero(view(data[start:last], "u1") == 0)
        if len(ends) == TOKENS - 1 and np.array_equal(ends + 1, index[1:]):
            return start
    return None


def find_tokens(data):
    """[(place of token_table, place of token_index, [token])]: 256 numbers from 0 on, each larger than the one before, and
    right before them the texts that they count."""
    numbers = view(data, "<u2")
    if len(numbers) < TOKENS:
        return []
    count = (len(numbers) - TOKENS) // 2 + 1
    first, second, last = (numbers[n:][:2 * count:2][:count] for n in (0, 1, TOKENS - 1))
    places = np.flatnonzero((first == 0) & (second >= 2) & (second < SYMBOL_TEXT_MAX) & (last > TOKENS) &
                            (last < TOKEN_TABLE_MAX)) * 2
    found = []
    for place in places[:CANDIDATES_MAX].tolist():
        index = numbers[place:place + TOKENS].astype(np.int64)
        if np.all(np.diff(index) >= 2):
            start = token_table_before(data, 2 * place, index)
            if start is not None:
                texts = data[start:2 * place].split(b"\0")[:TOKENS]
                found.append((start, 2 * place, texts))
    return found


# ---- Names -----------------------------------------------------------------------------------------------------------


def walk(data, position, steps):
    """Goes on so many symbols from each of the positions, all at once: (the positions where the symbols' entries begin, as
    an array of steps x positions; where the walks have ended). Positions beyond the data stay there."""
    bytes_ = view(data, "u1")
    limit = len(bytes_) - 2
    rows = np.empty((steps, len(position)), np.int64)
    for step in range(steps):
        position = np.minimum(position, limit)
        rows[step] = position
        size = bytes_[position].astype(np.int64)
        long = size >= 0x80
        size = np.where(long, (size & 0x7f | bytes_[position + 1].astype(np.int64) << 7) + 1, size)
        position = position + size + 1
    return rows, position


def is_names(data, names, end):
    """Whether the markers count the symbols of names, which end where the markers begin, at `end`."""
    begins = names.start + names.markers
    _, after = walk(data, begins[:-1], BLOCK)
    if not np.array_equal(after, begins[1:]):
        return False
    _, after = walk(data, begins[-1:], names.count - BLOCK * (len(begins) - 1))
    return 0 <= end - int(after[0]) < max(ALIGNMENTS)


def find_names_before(data, markers_at, run, reach):
    """The Names whose markers begin at markers_at: run has them, and maybe numbers more. reach: the place of token_table."""
    numbers = view(data, "<u4")
    for count in range(len(run), max(len(run) - 3, 0), -1):
        last = int(run[count - 1])
        low = max(markers_at - last - BLOCK * SYMBOL_BYTES_MAX - 8, 0) // 4
        high = max(markers_at - last - 4, 0) // 4
        symbols = numbers[low:high].astype(np.int64)
        for at in np.flatnonzero((symbols + BLOCK - 1) // BLOCK == count)[:CANDIDATES_MAX].tolist():
            total = int(symbols[at])
            for alignment in ALIGNMENTS:
                place = 4 * (low + at)
                names = Names(place, place + alignment, total, run[:count].astype(np.int64))
                behind = align(markers_at + 4 * count, alignment)
                if place % alignment == 0 and reach in (behind, align(behind + 3 * total, alignment)) and \
                        total <= SYMBOLS_MAX and is_names(data, names, markers_at):
                    return names
    return None


def find_names(data, reach):
    """The Names before the token table at reach; None: there are none. The markers are numbers from 0 on, of which each is
    larger than the one before by what 256 symbols take."""
    numbers = view(data, "<u4")[:reach // 4]
    if len(numbers) < 3:
        return None
    least, most = 2 * BLOCK, SYMBOL_BYTES_MAX * BLOCK
    step = np.subtract(numbers[1:], numbers[:-1])           # modulo 2^32: a step down is a large one
    good = (step >= least) & (step <= most)
    places = np.flatnonzero((numbers[:-1] == 0) & good)
    bad = np.append(np.flatnonzero(~good), len(good))
    for place in places[::-1][:CANDIDATES_MAX].tolist():    # those next to the token table first
        run = numbers[place:int(bad[np.searchsorted(bad, place)]) + 1]
        names = find_names_before(data, 4 * place, run, reach)
        if names:
            return names
    return None


def expand(data, names, tokens):
    """([name], their types): each byte of names becomes its token."""
    begins = names.start + names.markers
    rows, _ = walk(data, begins, BLOCK)
    places = rows.T.reshape(-1)[:names.count]
    end = int(places[-1]) + SYMBOL_BYTES_MAX
    codes = view(data[names.start:end], "u1").astype(np.int16)
    places = places - names.start
    sizes = codes[places].astype(np.int64)
    long = sizes >= 0x80
    sizes = np.where(long, sizes & 0x7f | codes[np.minimum(places + 1, len(codes) - 1)].astype(np.int64) << 7, sizes)
    codes = codes[:int(places[-1] + sizes[-1] + 1 + long[-1])]
    separator = TOKENS                                      # stands where a symbol's length stood
    codes[places] = separator
    keep = np.ones(len(codes), bool)
    keep[places[long] + 1] = False
    codes = codes[keep]
    lengths = np.array([len(token) for token in tokens] + [1], np.int64)[codes]
    ends = np.cumsum(lengths)
    text_sizes = np.diff(np.append(ends[codes == separator], ends[-1] + 1))
    if text_sizes.max() > SYMBOL_TEXT_MAX or text_sizes.min() < 2:
        raise SymbolsError(f"kallsyms: a symbol of {int(text_sizes.max()) - 1} characters: 1 to {SYMBOL_TEXT_MAX - 1}; "
                           "the Image is damaged")
    table = [*tokens, b"\0"]
    text = b"".join([table[code] for code in codes.tolist()]).decode("latin-1")
    whole = text.split("\0")[1:]
    return [name[1:] for name in whole], np.array([name[:1] for name in whole], "S1")


# ---- Addresses -------------------------------------------------------------------------------------------------------


def are_places(offsets, size):
    """Whether they can be the symbols' places in an Image of so many bytes in memory: ascending, and of some variety."""
    return bool(np.all(np.diff(offsets) >= 0)) and 0 <= offsets[0] and offsets[-1] <= size and \
        (len(offsets) < BLOCK or len(np.unique(offsets)) > len(offsets) // 8)


def find_offsets(data, names, behind, size):
    """(offsets, what they count from as far as it can be read, layout). behind: the end of token_index."""
    count = names.count
    length = 4 * count
    for alignment in ALIGNMENTS:
        base_at = names.first - 8
        start = base_at - align(length, alignment)
        if start >= 0 and start % 4 == 0:
            offsets = np.frombuffer(data, "<u4", count, start).astype(np.int64)
            if are_places(offsets, size):
                return offsets, int.from_bytes(data[base_at:base_at + 8], "little"), "base first"
    start = behind
    if start + length > len(data):
        raise SymbolsError(f"kallsyms: the addresses of {count} symbols at {start:#x}: the Image ends at {len(data):#x}; is it "
                           "cut short?")
    raw = np.frombuffer(data, "<i4", count, start)
    offsets = raw.view("<u4").astype(np.int64)
    base_at = align(start + length, 8)
    if are_places(offsets, size) and base_at + 8 <= len(data):
        return offsets, int.from_bytes(data[base_at:base_at + 8], "little"), "base last"
    offsets = raw.astype(np.int64) + start + 4 * np.arange(count)
    if are_places(offsets, size):
        return offsets, None, "no base"
    raise SymbolsError(f"kallsyms: {count} names and no addresses for them: a layout that is not known here "
                       "(CONFIG_KALLSYMS_BASE_RELATIVE=n?), or a damaged Image; give System.map or vmlinux")


def decode(data, size):
    """The Kallsyms of an arm64 Image, as bytes. size: of the Image in memory, from its header. SymbolsError when it has
    none."""
    for table, index, tokens in find_tokens(data):
        names = find_names(data, table)
        if names is None:
            continue
        offsets, base, layout = find_offsets(data, names, index + 2 * TOKENS, size)
        texts, types = expand(data, names, tokens)
        return Kallsyms(offsets, texts, types, base if base and base >> 48 == 0xffff else None, layout)
    raise SymbolsError("no kallsyms in it: built without CONFIG_KALLSYMS, damaged, or of a layout that is not known here; "
                       "give System.map or vmlinux")
