# SPDX-License-Identifier: Apache-2.0
"""python3 -m ariel pull: the trace out of QEMU's monitor of either kind, out of a core, out of raw memory; and what is said
when it is not there. tests/qemu/test_trace.py pulls it out of real machines."""

import json
import re
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
from ariel.commands import pull  # noqa: E402

NUMBERS = pull.board_numbers("virt")
ADDRESS, SIZE = NUMBERS["TRACE_PA"], NUMBERS["TRACE_SIZE"]


def ariel(*words):
    return subprocess.run([sys.executable, "-m", "ariel", "pull", *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          timeout=120)


def refused(*words):
    done = ariel(*words)
    assert done.returncode == 1 and done.stdout == "", done
    assert done.stderr.startswith("ariel: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def rings(count=3):
    """Memory of the trace with so many chunks."""
    data = bytearray(SIZE)
    for place in range(count):
        struct.pack_into("<IHH", data, place * 0x10000, 0x52545241, 1, 0)
    return bytes(data)


class Qemu(threading.Thread):
    """Answers as one of QEMU's monitors does, once. answer: "save", or the words of an error."""

    def __init__(self, folder, qmp, answer="save", data=None):
        super().__init__(daemon=True)
        self.address = folder / "sock"
        self.qmp, self.answer, self.data = qmp, answer, rings() if data is None else data
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.address))
        self.server.listen()
        self.seen = []
        self.start()

    def save(self, address, size, path):
        self.seen = [int(str(address), 0), int(str(size), 0)]
        Path(path).write_bytes(self.data)

    def serve_qmp(self, file):
        file.write(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
        file.flush()
        for line in file:
            request = json.loads(line)
            answer = {"return": {}}
            if request["execute"] == "pmemsave":
                file.write(b'{"event": "RESUME", "timestamp": {}}\r\n')
                if self.answer == "save":
                    self.save(*(request["arguments"][name] for name in ("val", "size", "filename")))
                else:
                    answer = {"error": {"class": "GenericError", "desc": self.answer}}
            file.write(json.dumps(answer).encode() + b"\r\n")
            file.flush()

    def serve_hmp(self, file):
        file.write(b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ")
        file.flush()
        line = file.readline().decode()
        file.write(b"p\x1b[K\x1b[Dpm\x1b[K" + line.strip().encode() + b"\r\n")
        found = re.fullmatch(r'pmemsave (\S+) (\S+) "(.*)"\n', line)
        if self.answer == "save":
            self.save(found[1], found[2], re.sub(r"\\(.)", r"\1", found[3]))
        else:
            file.write(f"Error: {self.answer}\r\n".encode())
        file.write(b"(qemu) ")
        file.flush()

    def run(self):
        connection, _ = self.server.accept()
        with connection, connection.makefile("rwb") as file:
            if self.qmp is None:
                file.read(1)  # says nothing
            else:
                (self.serve_qmp if self.qmp else self.serve_hmp)(file)


@pytest.mark.parametrize("qmp", [True, False])
def test_qemu_saves_the_rings(tmp_path, qmp):
    (tmp_path / 'a "strange\\ folder').mkdir()
    qemu, output = Qemu(tmp_path, qmp), tmp_path / 'a "strange\\ folder' / "out"
    done = ariel(f"unix:{qemu.address}", "-o", output)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{output}: 3 chunks\n")
    assert output.read_bytes() == rings() and qemu.seen == [ADDRESS, SIZE]
    assert [path.name for path in output.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("qmp", [True, False])
def test_what_qemu_cannot_do_is_said(tmp_path, qmp):
    qemu = Qemu(tmp_path, qmp, "Could not open 'x': Permission denied")
    assert "QEMU says: " in (said := refused(f"unix:{qemu.address}", "-o", tmp_path / "out")) and "Permission denied" in said
    assert not (tmp_path / "out").exists()


def test_memory_without_a_trace_is_no_trace(tmp_path):
    qemu = Qemu(tmp_path, True, data=bytes(SIZE))
    assert f"no chunk of a trace at {ADDRESS:#x}" in refused(f"unix:{qemu.address}", "-o", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["sock"]


def test_short_memory_is_told(tmp_path):
    qemu = Qemu(tmp_path, False, data=rings()[:-1])
    assert "not 8388608: is the disk full?" in refused(f"unix:{qemu.address}", "-o", tmp_path / "out")


def test_who_does_not_answer_is_not_waited_for_long(tmp_path):
    qemu = Qemu(tmp_path, None)
    assert "no answer of QEMU's monitor in 0.3 s" in refused(f"unix:{qemu.address}", "-o", tmp_path / "out", "--timeout", 0.3)


def test_raw_memory_and_cores(tmp_path):
    raw, core, output = tmp_path / "raw", tmp_path / "core", tmp_path / "out"
    raw.write_bytes(b"x" * 0x1000 + rings(5) + b"y" * 10)
    assert ariel(raw, "-o", output, "--base", hex(ADDRESS - 0x1000)).stdout == f"{output}: 5 chunks\n"
    assert output.read_bytes() == rings(5)
    said = refused(raw, "-o", output)
    assert f"the trace's memory is at {ADDRESS:#x} to {ADDRESS + SIZE:#x}, and this file has 0x40000000 to " in said
    # An ELF core: its header, two segments, of which the second has the rings
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 183, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    parts = [struct.pack("<IIQQQQQQ", 1, 0, 0x1000, 0, 0x1000, 16, 16, 0),
             struct.pack("<IIQQQQQQ", 1, 0, 0x2000, 0, ADDRESS - 0x800, SIZE + 0x800, SIZE + 0x800, 0)]
    data = head + b"".join(parts)
    core.write_bytes(data.ljust(0x2800, b"z") + rings(2))
    assert ariel(core, "-o", output).stdout == f"{output}: 2 chunks\n"
    core.write_bytes(data.ljust(0x2800, b"z") + rings(2)[:-1])
    assert "save all of RAM" in refused(core, "-o", output)
    core.write_bytes(b"\x7fELF damaged")
    assert "a damaged ELF core" in refused(core, "-o", output)
    assert output.read_bytes() == rings(2)


@pytest.mark.parametrize("words, why", [
    (["unix:nowhere", "-o", "x"], "unix:nowhere: No such file"),
    (["nowhere", "-o", "x"], "nowhere: No such file"),
    (["tests", "-o", "x"], "tests: no file of memory; a socket is written as unix:tests"),
    (["unix:x", "-o", "x", "--platform", "../x"], "--platform ../x: no such board; there are: versal virt"),
    (["tcp:0", "-o", "x"], "tcp:0: write unix:path or tcp:port"),
])
def test_wrong_words(words, why):
    assert why in refused(*words)
