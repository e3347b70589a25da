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


def test_a_copy_reaches_as_far_as_eleven_bits_say():
    word = b"far away"
    for gap, copied in ((0x7ff - len(word), True), (0x800 - len(word), False)):
        text = word + bytes(random.Random(1).choices(range(1, 128), k=gap)) + word
        assert unpack(pack(text)) == text
        assert (pack(text)[-4] >= 0x80) == copied


def test_the_longest_copy_never_looks_like_a_verbatim_byte():
    word = b"0123456789abcdefgh"
    for gap in (0x6ff - len(word), 0x700 - len(word)):
        data = word + bytes(random.Random(1).choices(range(1, 48), k=gap)) + word
        assert unpack(pack(data)) == data
