# SPDX-License-Identifier: Apache-2.0
"""`make run`, with and without `2>&1 | tee uart.log`, at a terminal: QEMU leaves the terminal as others need it, and all
that the guest printed is shown and written, however slow the terminal is."""

import fcntl
import os
import pty
import select
import shlex
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from run import qemu_command  # noqa: E402  (a folder, not a package)

LAST = b"# ariel-guest: "
RUN = [sys.executable, "scripts/run.py"]
BY_HAND = shlex.join(qemu_command()) + " </dev/tty"
ATTENTION, QUIT = b"\x1d", b"\x01x"


class Terminal:
    """A terminal that a person sits at, with a shell's command running in it."""

    def __init__(self, command):
        self.reader, self.shared = pty.openpty()
        tty.setraw(self.shared)
        self.text = b""
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=self.shared, stdout=self.shared, stderr=self.shared,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def is_blocking(self):
        """Of the description that the shell, and whatever it started, has."""
        return not fcntl.fcntl(self.shared, fcntl.F_GETFL) & os.O_NONBLOCK

    def read_until(self, wanted, seconds=300):
        end = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < end and self.process.poll() is None, self.text[-2000:]
            if select.select([self.reader], [], [], 1)[0]:
                self.text += os.read(self.reader, 4096)

    def type(self, keys):
        os.write(self.reader, keys)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.reader)
        os.close(self.shared)


@pytest.fixture
def terminal():
    opened = []
    yield lambda command: opened.append(Terminal(command)) or opened[-1]
    for one in opened:
        one.close()


def test_the_terminal_stays_blocking_for_others(terminal):
    one = terminal(RUN)
    one.read_until(LAST)
    assert one.is_blocking()
    one.type(ATTENTION)
    one.type(b"\r")
    one.read_until(b"ariel>")
    assert one.is_blocking()
    one.type(QUIT)
    assert one.process.wait(60) == 0


@pytest.mark.parametrize("command", [shlex.join(RUN), BY_HAND], ids=["make run", "QEMU by hand with </dev/tty"])
def test_a_slow_terminal_loses_nothing_behind_tee(terminal, tmp_path, command):
    log = tmp_path / "uart.log"
    one = terminal(["sh", "-c", f"{command} 2>&1 | tee {shlex.quote(str(log))}; echo tee ended with $?"])
    # Nobody reads until the guest has filled the terminal and tee waits: the log no longer grows.
    size, deadline = -1, time.monotonic() + 120
    while (now := log.stat().st_size if log.exists() else -1) != size or now < 4096:
        assert time.monotonic() < deadline
        size = now
        time.sleep(0.5)
    one.read_until(LAST)
    one.type(QUIT)
    one.read_until(b"tee ended with ")
    one.read_until(b"\n", 5)
    assert b"unavailable" not in one.text
    shown, _, end = one.text.partition(b"tee ended with ")
    assert end.startswith(b"0")
    assert shown.replace(b"\r", b"").startswith(log.read_bytes().replace(b"\r", b""))
