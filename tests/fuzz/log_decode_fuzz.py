#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/log_decode.py with captures that hypothesis draws: a session of which some lines are lost, sent twice or
forged, with noise between them, is accounted for exactly; any bytes, any filter and any damage to a ring end without a
traceback, and what a filter shows is what the whole has of it. Without --time, a few examples of each."""

import argparse
import contextlib
import importlib.util
import io
import json
import pathlib
import random
import sys
import tempfile
import time

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("log_capture", ROOT / "tests/tools/log_capture.py")
world = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(world)

EXAMPLES = 100
LENGTH = 40
TAG = world.TAG.encode()
NOISE = st.binary(max_size=120).map(lambda noise: noise.replace(TAG, b"").replace(b"ariel: ", b""))
CLASSES = ("vm", "boot", "policy", "x")
FILTERS = st.lists(st.sampled_from([
    ["--class", "vm"], ["--level", "warn"], ["--cpu", "1"], ["--since", "5ms"], ["--until", "20ms"],
    ["--event", "vm-pause"], ["--grep", "cpu"], ["--key", "x"]]), max_size=3)


def accounts_for_all(draw):
    """What is lost, doubled and forged is told exactly."""
    lost = draw.draw(st.sets(st.integers(1, LENGTH - 2)))
    lines = [text.encode() for n, text in enumerate(world.session(LENGTH)) if n not in lost]
    forged, doubled = draw.draw(st.integers(0, 5)), draw.draw(st.integers(0, 4))
    for _ in range(forged):
        fake = world.line(draw.draw(st.integers(0, 2 * LENGTH)), tag=f"{draw.draw(st.integers(0, 0xcfffffff)):08x}")
        lines.insert(draw.draw(st.integers(1, len(lines))), fake.encode())
    for _ in range(doubled):
        at = draw.draw(st.integers(1, len(lines) - 1))
        if TAG in lines[at]:
            lines.insert(at + 1, lines[at])
        else:
            doubled -= 1
    for _ in range(draw.draw(st.integers(0, 5))):
        lines.insert(draw.draw(st.integers(1, len(lines))), draw.draw(NOISE))
    end = draw.draw(st.sampled_from([b"\n", b"\r\n", b"\r\r\n"]))
    status, text = world.feed(end.join(lines), "--summary", "--json")
    trouble = json.loads(text)["trouble"]
    assert (trouble["missing"], trouble["forged"], trouble["doubled"]) == (len(lost), forged, doubled), trouble
    assert status == (1 if lost or forged or doubled else 0)


def filters_only_leave_out(draw):
    """With a filter, the records are some of those without, in order."""
    lines = [world.start()]
    for n in range(1, LENGTH):
        lines.append(world.line(n, klass=draw.draw(st.sampled_from(CLASSES)), cpu=draw.draw(st.integers(0, 2)),
                                level=draw.draw(st.sampled_from(world.log_decode.LEVELS)),
                                fields=draw.draw(st.sampled_from(["", "key=x", 'why="a b"', "vcpus=1"]))))
    data = "\n".join(lines).encode()
    arguments = sum(draw.draw(FILTERS), [])
    everything = [json.loads(row) for row in world.feed(data, "--json")[1].splitlines()]
    some = [json.loads(row) for row in world.feed(data, "--json", *arguments)[1].splitlines()]
    rest = iter(everything)
    assert all(any(row == other for other in rest) for row in some)
    assert arguments or some == everything


def survives_anything(draw):
    """No bytes end in a traceback, and each way of reading says the same about trouble."""
    data = b"".join(draw.draw(st.lists(world.PIECES, max_size=30)))
    answers = {world.feed(data, *arguments)[0] for arguments in (["--summary"], ["--json"], [])}
    assert len(answers) == 1 and answers <= {0, 1}


def survives_a_damaged_ring(draw):
    ring = bytearray(world.make_ring(4, {3: ("0badcafe", world.session(5)), 4: (world.TAG, world.session(20))}))
    for at, byte in draw.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8)):
        ring[at] = byte
    cut = draw.draw(st.integers(0, len(ring)))
    before = draw.draw(st.binary(max_size=20))
    with tempfile.NamedTemporaryFile() as dump:
        dump.write(before + ring[: cut if cut > 300 else len(ring)])
        dump.flush()
        out = io.StringIO()
        options = world.log_decode.parse_arguments(["--ring", dump.name])
        world.log_decode.decode_ring(world.log_decode.Decoder(options, out), dump.name)


PROPERTIES = (accounts_for_all, filters_only_leave_out, survives_anything, survives_a_damaged_ring)


def run(check, number, examples):
    test = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
        seed(number)(given(st.data())(check)))
    with contextlib.redirect_stderr(io.StringIO()):  # what it says of each capture
        test()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=int, default=0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begin = shown = time.monotonic()
    number = options.seed if not options.time else random.SystemRandom().randrange(1 << 32)
    rounds = 0
    while rounds == 0 or time.monotonic() - begin < options.time:
        for check in PROPERTIES:
            try:
                run(check, number, EXAMPLES)
            except Exception:
                print(f"log_decode: {check.__name__} with --seed {number}:", file=sys.stderr)
                raise
        number += 1
        rounds += 1
        if options.time and time.monotonic() - shown >= 10:
            shown = time.monotonic()
            print(f"  log_decode: {min(shown - begin, options.time):.0f}/{options.time} s, "
                  f"{rounds * EXAMPLES * len(PROPERTIES)} examples", flush=True)
    print(f"  log_decode: {rounds * EXAMPLES * len(PROPERTIES)} examples", flush=True)


if __name__ == "__main__":
    main()
