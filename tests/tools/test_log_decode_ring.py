# SPDX-License-Identifier: Apache-2.0
"""tools/log_decode.py --ring: the records that a dump of a dead machine holds, in both versions of their layout."""

import io
import json
import pathlib
import struct
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import c_source  # noqa: E402
from log_capture import TAG, line, log_decode, make_ring, run, session, start, summary  # noqa: E402


def test_ring_in_a_dump(tmp_path):
    ring = make_ring(4, {3: ("0badcafe", [start("0badcafe", 3), line(1, tag="0badcafe")]), 4: (TAG, session(5))})
    dump = tmp_path / "dump"
    for before in (0, 1, (1 << 20) - 4, (1 << 20) - 8, 3 << 20):  # also across the pieces in which it is read
        dump.write_bytes(b"\xa5" * before + b"arielLOG nothing" + ring + b"\x5a" * 100)
        done = run(b"", "--ring", str(dump))
        text = done.stdout.decode()
        assert done.returncode == 0, done.stderr
        assert "boot 3 (the boot before), tag 0badcafe" in text
        assert "boot 4 (the last boot), tag d0330556" in text
        assert text.count("log-start") == 2
        assert text.count("vm-pause") == 5


HEADER_2, SLOTS = 3136, 990


def make_slots(boots, texts):
    """The same in version 2: a slot for each line, in any order."""
    halves, areas = [struct.pack("<QQII", 0, 0, 0, 0)] * 2, [bytes(SLOTS * 528)] * 2
    for n, (boot, (tag, lines)) in enumerate(sorted(texts.items())):
        slots = [struct.pack("<QHHI512s", int(one.split("seq=")[1].split()[0]), 3, 0, len(one), one.encode() + b"\n")
                 for one in reversed(lines)]  # fmt: skip
        halves[n] = struct.pack("<QQII", 0, len(lines), int(tag, 16), boot)
        areas[n] = b"".join(slots).ljust(SLOTS * 528, b"\0")
    head = struct.pack("<8sIIIIIIQQ", b"arielLOG", 2, HEADER_2 + 2 * SLOTS * 528, HEADER_2, SLOTS * 528, boots, 1, 1, 2)
    return (head + b"".join(halves)).ljust(HEADER_2, b"\0") + b"".join(areas)


def test_slots_in_a_dump(tmp_path):
    """Records of which newer ones have taken the others' places are in order, and none of them is missing."""
    texts = {3: ("0badcafe", [start("0badcafe", 3), line(1, tag="0badcafe")]), 9: (TAG, session(900)[::3])}
    dump = tmp_path / "dump"
    for before in (0, (1 << 20) - 4, 3 << 20):
        dump.write_bytes(b"\xa5" * before + make_slots(9, texts) + b"\x5a" * 100)
        done = run(b"", "--ring", str(dump))
        text = done.stdout.decode()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "boot 3 (the boot before), tag 0badcafe" in text
        assert "boot 9 (the last boot), tag d0330556" in text
        numbers = [int(one.split()[0]) for one in text.partition("boot 9 (")[2].splitlines()[1:] if "----" not in one]
        assert numbers == list(range(0, 900, 3))


def test_damaged_slots_never_crash_it(tmp_path):
    ring = bytearray(make_slots(4, {4: (TAG, session(50))}))
    dump = tmp_path / "dump"
    for at in (*range(8, 120, 3), *range(HEADER_2, HEADER_2 + 600, 7)):
        damaged = bytearray(ring)
        damaged[at] ^= 0xFF
        dump.write_bytes(damaged)
        options = log_decode.parse_arguments(["--ring", str(dump)])
        assert log_decode.decode(options, log_decode.Decoder(options, io.StringIO())) in (0, 1, 2)


def test_full_ring_and_panic(tmp_path):
    lines = session(2000) + [line(2000, "panic", 'reason="a bug"', klass="panic", level="error")]
    dump = tmp_path / "dump"
    dump.write_bytes(make_ring(1, {1: (TAG, lines)}))
    done = run(b"", "--summary", "--json", "--ring", str(dump))
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert 300 < result["records"] < 500
    assert "panic/panic" in result["events"]


def test_no_ring(tmp_path):
    dump = tmp_path / "dump"
    dump.write_bytes(b"arielLOG" + bytes(70000))
    done = run(b"", "--ring", str(dump))
    assert done.returncode == 2
    assert b"no log ring" in done.stderr


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(8, 300), st.integers(0, 255)), max_size=30))
def test_damaged_ring_never_crashes_it(tmp_path_factory, damage):
    ring = bytearray(make_ring(4, {4: (TAG, session(50))}))
    for at, byte in damage:
        ring[at] = byte
    dump = tmp_path_factory.getbasetemp() / "damaged"
    dump.write_bytes(ring)
    options = log_decode.parse_arguments(["--ring", str(dump)])
    assert log_decode.decode(options, log_decode.Decoder(options, io.StringIO())) in (0, 1, 2)


def test_ring_layout_is_the_headers():
    """The numbers above and in the decoder are those of the C headers."""
    number = c_source.constants("hv/log_ring.h", "LOG_SLOTS", "LOG_RING_VERSION", "LOG_SLOT_TEXT", "LOG_RING_MAGIC",
                                "LOG_RING_SIZE", "LOG_LINE_MAX")
    assert number["LOG_SLOTS"] == SLOTS
    assert number["LOG_RING_VERSION"] == 2
    assert log_decode.RING_SLOT.size == 16 + number["LOG_SLOT_TEXT"]
    assert number["LOG_RING_SIZE"] == HEADER_2 + 2 * SLOTS * log_decode.RING_SLOT.size
    assert number["LOG_RING_MAGIC"] == int.from_bytes(b"arielLOG", "little")
    assert number["LOG_LINE_MAX"] == log_decode.RECORD_MAX
