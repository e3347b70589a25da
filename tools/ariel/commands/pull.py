# SPDX-License-Identifier: Apache-2.0
"""Saves the rings of the trace out of a machine's memory: of one that runs, is stopped or is dead, with or without TRACE=.

SOURCE is QEMU's own monitor, unix:PATH or tcp:PORT (QMP or the one for people; QEMU_EXTRA="-qmp
unix:build/qmp.sock,server=on,wait=off" gives it), or a file of memory: an ELF core by dump-guest-memory, or RAM as it is."""

import json
import os
import re
import time
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .. import trace_format as form
from ..client import open_socket
from ..errors import PullError

ROOT = Path(__file__).resolve().parents[3]
DEFINE = re.compile(r"^#define (\w+) +(0[xX][0-9a-fA-F]+|\d+)\b", re.M)
CHUNK_SIZE = 1 << 16
PROMPT = b"(qemu) "
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def add_arguments(parser):
    parser.add_argument("source", metavar="SOURCE", help="unix:PATH, tcp:PORT or a file of memory")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where the rings go")
    parser.add_argument("--platform", default="virt", help="the board: a name in platform/ (virt)")
    parser.add_argument("--base", type=lambda text: int(text, 0), metavar="ADDRESS",
                        help="physical address of a raw file's first byte; without it, where the board's RAM begins")
    parser.add_argument("--timeout", type=float, default=30, metavar="SECONDS", help="how long QEMU may take to answer (30)")


def board_numbers(platform):
    """{name: number} of include/hv/memory_map.h and platform/<platform>.h. PullError when there is no such board."""
    header = ROOT / "platform" / f"{platform}.h"
    if not re.fullmatch(r"[\w-]+", platform) or not header.is_file():
        boards = " ".join(sorted(path.stem for path in (ROOT / "platform").glob("*.h")))
        raise PullError(f"--platform {platform}: no such board; there are: {boards}")
    text = (ROOT / "include/hv/memory_map.h").read_text(encoding="utf-8") + header.read_text(encoding="utf-8")
    return {name: int(number, 0) for name, number in DEFINE.findall(text)}


# ---- QEMU's monitor


class Qemu:
    """QEMU's monitor at an address (unix:PATH or tcp:PORT), whichever of the two kinds answers there. Close it, or use it in
    a with statement. timeout: seconds that an answer may take."""

    def __init__(self, address, timeout):
        self.address, self.timeout = address, timeout
        self.received = b""
        self.socket = open_socket(address, timeout)
        try:
            self.speaks_qmp = self._greeting()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def save(self, address, size, path):
        """Has QEMU save size bytes of memory at a physical address in the file path, which is absolute. PullError."""
        if self.speaks_qmp:
            self._execute("pmemsave", val=address, size=size, filename=path)
            return
        quoted = path.replace("\\", "\\\\").replace('"', '\\"')
        self.socket.sendall(f'pmemsave {address:#x} {size:#x} "{quoted}"\n'.encode())
        said = ESCAPES.sub(b"", self._read_to(PROMPT)).decode("utf-8", "replace").splitlines()
        errors = [line.strip() for line in said[1:] if line.strip()]  # behind the echo of the command
        if errors:
            raise PullError(f"{self.address}: QEMU says: {errors[0]}")

    def _greeting(self):
        """Reads what QEMU says first; whether it is QMP."""
        limit = time.monotonic() + self.timeout
        while not self.received.lstrip()[:1]:
            self._receive(limit)
        if self.received.lstrip()[:1] != b"{":
            self._read_to(PROMPT)
            return False
        self._read_line(limit)
        self._execute("qmp_capabilities")
        return True

    def _receive(self, limit):
        left = limit - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            data = self.socket.recv(65536)
        except TimeoutError:
            raise PullError(f"{self.address}: no answer of QEMU's monitor in {self.timeout:g} s; is another client "
                            "connected, or is this ariel's own monitor (MONITOR=)?") from None
        except OSError as error:
            raise PullError(f"{self.address}: {error.strerror or error}") from None
        if not data:
            raise PullError(f"{self.address}: the connection has ended: QEMU is gone")
        self.received += data

    def _read_to(self, mark):
        limit = time.monotonic() + self.timeout
        while mark not in self.received:
            self._receive(limit)
        before, _, self.received = self.received.partition(mark)
        return before

    def _read_line(self, limit):
        while b"\n" not in self.received:
            self._receive(limit)
        line, _, self.received = self.received.partition(b"\n")
        return line

    def _execute(self, command, **arguments):
        """Runs a command of QMP. What comes before its answer are events."""
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        limit = time.monotonic() + self.timeout
        while True:
            line = self._read_line(limit)
            try:
                answer = json.loads(line)
            except ValueError:
                raise PullError(f"{self.address}: {line[:60]!r} is no answer of QEMU's monitor") from None
            if "error" in answer:
                raise PullError(f"{self.address}: {command}: QEMU says: {answer['error'].get('desc', answer['error'])}")
            if "return" in answer:
                return


def pull_live(source, timeout, where, part):
    """Has QEMU at source save where = (address, size) in the file part, and returns the bytes."""
    address, size = where
    path = os.path.abspath(part)
    with Qemu(source, timeout) as qemu:
        qemu.save(address, size, path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise PullError(f"{part}: QEMU wrote the memory there, and it cannot be read: {error.strerror}; QEMU must run on this "
                        "machine") from None
    if len(data) != size:
        raise PullError(f"{part}: QEMU has written {len(data)} bytes, not {size}: is the disk full?")
    return data


# ---- A file of memory


def core_segments(file, path):
    """[(physical address, offset, size)] of an ELF core's memory."""
    try:
        elf = ELFFile(file)
        if elf.header["e_type"] != "ET_CORE":
            raise PullError(f"{path}: an ELF file, but no core; QEMU writes one by dump-guest-memory")
        return [(part["p_paddr"], part["p_offset"], part["p_filesz"]) for part in elf.iter_segments("PT_LOAD")]
    except (ELFError, ValueError, KeyError) as error:
        raise PullError(f"{path}: a damaged ELF core: {error}") from None


def pull_file(path, base, where):
    """The bytes of where = (address, size) in a file of memory, whose first byte is at base when it is no ELF core."""
    address, size = where
    try:
        with open(path, "rb") as file:
            is_elf = file.read(4) == b"\x7fELF"
            segments = core_segments(file, path) if is_elf else [(base, 0, os.fstat(file.fileno()).st_size)]
            for start, offset, length in segments:
                if start <= address and address + size <= start + length:
                    file.seek(offset + address - start)
                    data = file.read(size)
                    if len(data) == size:
                        return data
    except OSError as error:
        raise PullError(f"{path}: {error.strerror}") from None
    has = ", ".join(f"{start:#x} to {start + length:#x}" for start, _, length in segments) or "nothing"
    raise PullError(f"{path}: the trace's memory is at {address:#x} to {address + size:#x}, and this file has {has}: "
                    + ("save all of RAM" if is_elf else "say with --base at which address its first byte was"))


# ---- The command


def chunk_count(data):
    """How many chunks of a trace there are in its memory."""
    magic = form.MAGIC.to_bytes(4, "little")
    return sum(data[place:place + 4] == magic for place in range(0, len(data), CHUNK_SIZE))


def is_monitor(source):
    return source.startswith(("unix:", "tcp:"))


def run(arguments):
    numbers = board_numbers(arguments.platform)
    where = numbers["TRACE_PA"], numbers["TRACE_SIZE"]
    part = f"{arguments.output}.part"
    try:
        if is_monitor(arguments.source):
            data = pull_live(arguments.source, arguments.timeout, where, part)
        elif os.path.exists(arguments.source) and not os.path.isfile(arguments.source):
            raise PullError(f"{arguments.source}: no file of memory; a socket is written as unix:{arguments.source}")
        else:
            data = pull_file(arguments.source, numbers["RAM_PA"] if arguments.base is None else arguments.base, where)
        count = chunk_count(data)
        if not count:
            raise PullError(f"{arguments.source}: no chunk of a trace at {where[0]:#x}: ariel has not come as far as its guest, "
                            f"or is built for another board than {arguments.platform} (--platform)")
        try:
            Path(part).write_bytes(data)
            os.replace(part, arguments.output)
        except OSError as error:
            raise PullError(f"{arguments.output}: {error.strerror}") from None
    finally:
        Path(part).unlink(missing_ok=True)
    print(f"{arguments.output}: {count} chunks")
    return 0
