# SPDX-License-Identifier: Apache-2.0
"""ariel.symbols.trampoline: the second place of KPTI's trampoline is found in a trace when VBAR_EL1, the PCs and the Image's
instructions agree, and its addresses have names then; where they do not agree, no address gets a name."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/tools")]
import trace_maker  # noqa: E402
from ariel import tables, trace_format as form  # noqa: E402
from ariel.commands import options  # noqa: E402
from ariel.symbols import Symbols  # noqa: E402
from ariel.symbols.table import Table  # noqa: E402
from ariel.trace import Trace  # noqa: E402
from kernel_maker import LINK, make_image  # noqa: E402

SLIDE = 0x2b5d_3020_0000
PLACE = 0x80000                         # of the trampoline in the Image: behind all functions that have names
FIXMAP = 0xffff_fbff_fdbf_6000          # where it runs
MSR = 0xd518203e                        # MSR TTBR1_EL1, X30
MSR_IN_VECTOR = (0x1c, 0x18, 0x20, 0x18)    # in a vector of each block
EXIT = 0x2000                           # behind four blocks of vectors
VBAR = FIXMAP + 0x1800                  # the last block
PCS = [FIXMAP + 0x1c18, FIXMAP + 0x1c98, FIXMAP + EXIT + 0x20]
KEY = tables.key_names()[0].index("TTBR1_EL1")
EL1, EL0 = 0x3c5, 0


def add_trampoline(image, place):
    for block, at in enumerate(MSR_IN_VECTOR):
        for vector in range(0x400, 0x800, 0x80):
            struct.pack_into("<I", image, place + 0x800 * block + vector + at, MSR)
    for at in (0x20, 0x58):
        struct.pack_into("<I", image, place + EXIT + at, MSR - 1)


def make_kernel(path, places=(PLACE,)):
    image = bytearray(make_image("6.6")[0])
    for place in places:
        add_trampoline(image, place)
    path.write_bytes(image)
    return Symbols.load(path)


def make_trace(path, vectors, vbars=(VBAR,), pcs=(), pstate=EL1, key=KEY):
    """A trace of a kernel whose vectors are where SLIDE has moved them, and of one chunk more for each VBAR_EL1 in which the
    exits from `pcs` are."""
    own = np.arange(LINK + SLIDE + 0x11000, LINK + SLIDE + 0x11400, 0x40, np.uint64)
    now = trace_maker.START
    with open(path, "wb") as file:
        file.write(trace_maker.meta_chunk(1, trace_maker.make_meta(1, 1)))
        first = 0
        for vbar, chosen in [(vectors + SLIDE, own), *((vbar, np.array(pcs, np.uint64)) for vbar in vbars)]:
            records = np.zeros(len(chosen), form.RECORD)
            records["pc"], records["type"], records["pstate"], records["key"] = chosen, form.TYPE_EXIT, pstate, key
            records["write"], records["sequence"] = 1, first + np.arange(len(chosen))
            records["entry"] = now + 10 + np.arange(len(chosen))
            records["exit"] = records["entry"] + np.uint64(1)
            head = trace_maker.header(1, 0, first, records, opened=now)
            head["vbar_el1"] = vbar
            file.write(head.tobytes() + records.tobytes())
            first, now = first + len(chosen), now + 10_000
    return path


def solved(symbols, path, **how):
    with Trace(make_trace(path, symbols.table.address_of("vectors"), **how)) as trace:
        assert symbols.solve_trace(trace) == SLIDE
    return symbols


def test_addresses_of_the_fixmap_are_named(tmp_path):
    symbols = make_kernel(tmp_path / "Image")
    assert symbols.lookup(PCS[0]) is None
    solved(symbols, tmp_path / "a", vbars=(0, VBAR), pcs=PCS)
    expected = {PCS[0]: "tramp_vectors+0x1c18", FIXMAP: "tramp_vectors", FIXMAP + EXIT: "tramp_exit",
                FIXMAP + EXIT + 0x24: "tramp_exit+0x24", FIXMAP + 0x2fff: "tramp_exit+0xfff", FIXMAP - 4: "",
                FIXMAP + 0x3000: ""}
    assert {address: str(symbols.lookup(address) or "") for address in expected} == expected
    assert dict(zip(expected, symbols.names(list(expected)))) == expected
    assert symbols.names(PCS[:1], pstate=[EL0]) == [""]
    assert symbols.table.word_at(symbols.to_file(PCS[0])) == MSR
    assert str(symbols.lookup(LINK + SLIDE + 0x10804)) == "vectors+0x4"


def test_the_names_are_the_files_own_where_it_has_them(tmp_path):
    table = make_kernel(tmp_path / "Image").table
    added = {LINK + PLACE: "tramp_vectors", LINK + PLACE + EXIT: "tramp_exit_native", LINK + PLACE + EXIT + 0x40: "tramp_exit_compat"}
    at = np.searchsorted(table.addresses, np.array([*added], np.uint64))
    names = np.insert(np.array(table.names, object), at, list(added.values())).tolist()
    symbols = Symbols(Table(np.insert(table.addresses, at, np.array([*added], np.uint64)), names, np.insert(table.types, at, b"t"),
                            link=table.link, code=table.code, size=table.size))
    solved(symbols, tmp_path / "a", pcs=PCS)
    assert symbols.names([PCS[0], PCS[2], FIXMAP + EXIT + 0x58]) == ["tramp_vectors+0x1c18", "tramp_exit_native+0x20",
                                                                    "tramp_exit_compat+0x18"]


@pytest.mark.parametrize("how", [
    {"pcs": [*PCS, FIXMAP + 0x1c1c]}, {"pcs": []}, {"pcs": PCS, "pstate": EL0}, {"pcs": PCS, "key": KEY - 1},
    {"pcs": PCS, "vbars": (VBAR + 0x1000,)}, {"pcs": PCS, "vbars": (VBAR + 0x80,)}, {"pcs": PCS, "vbars": ()},
    {"pcs": [pc - 0x100000 for pc in PCS]}],
    ids=["no MSR there", "no PC", "of a program", "another register", "no vectors", "no VBAR", "none", "far"])
def test_what_does_not_agree_names_nothing(tmp_path, how):
    symbols = solved(make_kernel(tmp_path / "Image"), tmp_path / "a", **how)
    assert symbols.trampoline is None and symbols.names(PCS) == ["", "", ""]


@pytest.mark.parametrize("places, pcs", [((), PCS), ((PLACE, PLACE + 0x10000), PCS), ((PLACE,), PCS[:1])],
                         ids=["no trampoline", "two", "two pages of one fit"])
def test_only_one_place_may_fit(tmp_path, places, pcs):
    symbols = solved(make_kernel(tmp_path / "Image", places), tmp_path / "a", pcs=pcs)
    assert symbols.trampoline is None and symbols.lookup(PCS[0]) is None


def test_a_file_without_instructions_has_no_trampoline(tmp_path):
    """System.map: nothing can be checked."""
    table = make_kernel(tmp_path / "Image").table
    symbols = Symbols(Table(table.addresses, table.names, table.types, link=table.link, size=table.size))
    assert solved(symbols, tmp_path / "a", pcs=PCS).trampoline is None


def test_an_option_names_the_trampoline_too(tmp_path):
    """As the commands load symbols: records and report have what solve_trace finds."""
    table = make_kernel(tmp_path / "Image").table
    with Trace(make_trace(tmp_path / "a", table.address_of("vectors"), pcs=PCS)) as trace:
        arguments = type("Arguments", (), {"image": str(tmp_path / "Image"), "boot": -1})()
        assert options.load_symbols(arguments, trace).names(PCS[2:]) == ["tramp_exit+0x20"]
        assert arguments.unplaced == ""
