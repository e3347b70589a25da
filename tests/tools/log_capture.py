# SPDX-License-Identifier: Apache-2.0
"""Captures for the tests of tools/log_decode.py: records as EL2 writes them, and the decoder run on them."""

import importlib.util
import io
import json
import pathlib
import struct
import subprocess
import sys

from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "log_decode.py"
SPEC = importlib.util.spec_from_file_location("log_decode", TOOL)
log_decode = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(log_decode)

TAG = "d0330556"


def line(seq, event="vm-pause", fields="vcpus=1", tag=TAG, klass="vm", level="info", t=None, cpu=0):
    blank = " " if fields else ""
    t = 1000 * seq if t is None else t
    return f"ariel: seq={seq} t={t} cpu={cpu} level={level} class={klass} event={event}{blank}{fields} tag={tag}"


def secret_hash(secret):
    return f"{log_decode.siphash_word(int(secret[:16], 16), int(secret[16:], 16), log_decode.NEXT_WORD):016x}"


SECRET = "00112233445566778899aabbccddeeff"


def start(tag=TAG, boots=1, proof="none", secret=SECRET):
    fields = f"boots={boots} hz=62500000 rng=counter next={secret_hash(secret)} proof={proof}"
    return line(0, "log-start", fields, tag, "boot", t=1)


def run(data, *arguments, name=None):
    if isinstance(data, list):
        data = "\n".join(data) + "\n"
    if isinstance(data, str):
        data = data.encode()
    command = [sys.executable, str(TOOL), *arguments]
    return subprocess.run(command, input=data, capture_output=True, timeout=600)


def summary(data, *arguments):
    done = run(data, "--summary", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def session(count, **kwargs):
    return [start()] + [line(n, **kwargs) for n in range(1, count)]


def feed(data, *arguments):
    out = io.StringIO()
    options = log_decode.parse_arguments(list(arguments))
    decoder = log_decode.Decoder(options, out)
    decoder.capture(io.BytesIO(data))
    return decoder.finish(), out.getvalue()


# What a capture may be made of, and more.
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([text.encode() for text in session(6)]),
    st.sampled_from([b"\r\n", b"\n", b"\0", b"\x1b[2K", b"ariel: ", b"ariel: seq=1", b'"', b" tag=", b"ariel: seq=" * 50]),
    st.builds(lambda seq, text: line(seq, fields=f"why={text}").encode("utf-8", "replace"), st.integers(0, 2**64), st.text()),
)

HEADER, HALF = 256, 32640


def make_ring(boots, texts):
    """texts: boot -> (tag, lines); laid out as include/hv/log_ring.h says."""
    halves, areas = [struct.pack("<QQQII", 0, 0, 0, 0, 0)] * 2, [bytes(HALF)] * 2
    for boot, (tag, lines) in texts.items():
        text = "".join(f"{one}\n" for one in lines).encode()
        area = bytearray(HALF)
        for i, byte in enumerate(text):
            area[i % HALF] = byte
        halves[boot % 2] = struct.pack("<QQQII", len(text), 0, len(lines), int(tag, 16), boot)
        areas[boot % 2] = bytes(area)
    head = struct.pack("<8sIIIIIIQQ", b"arielLOG", 1, HEADER + 2 * HALF, HEADER, HALF, boots, 0, 1, 2) + b"".join(halves)
    return head.ljust(HEADER, b"\0") + b"".join(areas)
