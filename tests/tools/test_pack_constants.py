# SPDX-License-Identifier: Apache-2.0
"""What scripts/pack_constants.py packs comes out again as it was, and takes less room."""

import pathlib
import random
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from pack_constants import pack, unpack  # noqa: E402

TABLE = (ROOT / "include/hv/arch/sysreg_table.h").read_bytes()


@pytest.mark.parametrize("text", [b"", b"a", b"ab\0", b"\0" * 1000, b"abcabcabcabcabc", bytes(range(256)) * 3, b"\xff" * 9, TABLE])
def test_texts_come_out_as_they_went_in(text):
    assert unpack(pack(text)) == text


@pytest.mark.parametrize("seed", range(20))
def test_random_texts_come_out_as_they_went_in(seed):
    chance = random.Random(seed)
    words = [bytes(chance.randrange(chance.choice((128, 256))) for _ in range(chance.randrange(1, 14)))
             for _ in range(40)]
    text = b"".join(chance.choices(words, k=600))
    packed = pack(text)
    assert unpack(packed) == text
    assert len(packed) < len(text)


@pytest.mark.parametrize("length, reach, size", [(8, 0x7ff, 2), (8, 0x800, 3), (8, 0x7fff, 3), (8, 0x8000, None), (3, 0x7ff, 2),
                                                 (3, 0x800, None), (17, 0x7ff, 2), (17, 0x7fff, 3)])
def test_a_copy_reaches_as_far_as_its_form_says(length, reach, size):
    """size: of the copy's code; None: nothing is gained by one."""
    word = bytes(range(0x30, 0x30 + length))
    data = word + bytes([1, 2] * 0x4000)[:reach - length] + word
    assert unpack(pack(data)) == data
    assert len(pack(data)) - len(pack(data[:-length])) == (size or length)
