# SPDX-License-Identifier: Apache-2.0
"""Boots ariel in QEMU and talks to its serial line.

    with Ariel(smp=2) as ariel:
        ariel.expect_line(r"1\\.\\.\\d+")
        ariel.attention()
        assert "running" in ariel.command("status").text
        assert ariel.program.command("status")["vm"] == "running"  # past the serial line

Every wait has a time limit, and so has the machine as a whole; leaving the `with` block kills it. The limits are for
machines that hang: far above what anything takes on a host that is busy with other things.
"""

import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import ariel as client  # noqa: E402  (a folder, not a package)
import channels  # noqa: E402
from run import BOARDS, boot_option_arguments, qemu_command  # noqa: E402  (scripts/ is not a package)

PROMPT = "ariel> "
ATTENTION = "\x1d"  # Ctrl-]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LINE_END = re.compile(r"\r*\n")


def memory_map(name):
    """A number of include/hv/memory_map.h or of the board."""
    text = (ROOT / "include/hv/memory_map.h").read_text() + (ROOT / "platform/virt.h").read_text()
    return int(re.search(rf"^#define {name} +(\w+)", text, re.M).group(1), 0)


class Reply(list):
    """The lines of a monitor's reply, without its last one, which is `status`: "ok" or "err <text>"."""

    def __init__(self, lines, status):
        super().__init__(lines)
        self.status = status
        self.text = "\n".join(lines)

    @property
    def ok(self):
        return self.status == "ok"


class Ariel:
    """One machine. Times are in seconds of wall time."""

    def __init__(self, elf="build/hypervisor.elf", cpu="cortex-a57", smp=1, mem="1G", extra="", wait=120, life=900,
                 loads=(), platform="virt", socket=False):
        command = qemu_command(str(elf), str(smp), mem, cpu, extra, loads, platform)
        if platform != "virt":
            command += boot_option_arguments(smp=str(smp), platform=platform)
        self.folder = tempfile.TemporaryDirectory(prefix="ariel-") if socket else None
        if socket:
            command += channels.channel_arguments(self.address, "", BOARDS[platform].transports)
        self.lines = []  # everything read so far, without line ends and escape sequences
        self.wait = wait
        # timeout(1) ends the machine even when this process is killed before it can.
        self.child = pexpect.spawn("timeout", ["--foreground", "-k", "5", str(life), *command], cwd=ROOT, echo=False,
                                   encoding="utf-8", codec_errors="replace", dimensions=(50, 500))
        self.child.delaybeforesend = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Ends the machine. Safe to call again."""
        self.end_program()
        if not self.child.closed and self.child.isalive():
            os.killpg(self.child.pid, signal.SIGKILL)  # timeout(1) and QEMU, which share a session of their own
            self.child.wait()  # close() would give it some 100 ms
        self.child.close()
        if self.folder:
            self.folder.cleanup()

    # ---- reading

    def read_line(self, wait=None):
        """The next whole line. AssertionError when none comes in time or the machine ended."""
        try:
            self.child.expect(LINE_END, timeout=self.wait if wait is None else wait)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            end = "no line in time" if isinstance(error, pexpect.TIMEOUT) else "the machine ended"
            raise AssertionError(f"{end}; unfinished line {self.child.before!r}; before it:\n{self.tail()}") from None
        line = ESCAPES.sub("", self.child.before).strip("\r")
        self.lines.append(line)
        return line

    def expect_line(self, pattern, wait=None):
        """Reads on to the first line in which the regular expression is found; returns the match."""
        limit = time.monotonic() + (self.wait if wait is None else wait)
        while True:
            left = limit - time.monotonic()
            try:
                line = self.read_line(max(left, 0))
            except AssertionError as error:
                raise AssertionError(f"waited for a line with {pattern!r}: {error}") from None
            match = re.search(pattern, line)
            if match:
                return match

    def expect_exit(self, wait=None):
        """Waits until QEMU ends by itself; returns its exit status."""
        try:
            self.child.expect(pexpect.EOF, timeout=self.wait if wait is None else wait)
        except pexpect.TIMEOUT:
            raise AssertionError(f"QEMU still runs; last lines:\n{self.tail()}") from None
        self.lines += [ESCAPES.sub("", line) for line in LINE_END.split(self.child.before or "") if line]
        self.child.wait()
        self.child.close()
        return self.child.exitstatus

    def tail(self, count=40):
        """The last lines read, for messages."""
        return "\n".join(self.lines[-count:])

    # ---- writing

    def send(self, text):
        """Types text. QEMU's own escape, Ctrl-A, is passed on as itself."""
        self.child.send(text.replace("\x01", "\x01\x01"))

    def send_break(self):
        """A serial BREAK, which QEMU makes of Ctrl-A b."""
        self.child.send("\x01b")

    # ---- the monitor

    @property
    def address(self):
        """Where the monitor for programs is, of a machine with socket=True."""
        return f"unix:{self.folder.name}/monitor"

    def end_program(self):
        """Ends that session: what happens opens the prompt on the serial line again."""
        if "program" in self.__dict__:
            self.program.close()
            del self.program

    @functools.cached_property
    def program(self):
        """A session of the monitor's for programs (tools/ariel), which needs no prompt on the serial line."""
        return client.connect(self.address, timeout=self.wait, wait=self.wait)

    def expect_prompt(self, wait=None):
        """Waits for the monitor's prompt."""
        try:
            self.child.expect_exact(PROMPT, timeout=self.wait if wait is None else wait)
        except (pexpect.TIMEOUT, pexpect.EOF):
            before = self.child.before
            raise AssertionError(f"no prompt; unfinished line {before!r}; before it:\n{self.tail()}") from None
        self.lines += [ESCAPES.sub("", line) for line in LINE_END.split(self.child.before)[:-1]]

    def expect_opened(self, wait=None):
        """The monitor has opened by itself: takes the prompt, for which Enter alone has to be typed."""
        self.expect_prompt(wait)
        self.send("\r")
        self.expect_prompt(wait)

    def attention(self, wait=None):
        """Opens the monitor with Ctrl-]."""
        self.send(ATTENTION + "\r")  # the attention key takes one more: Enter asks for the prompt
        self.expect_prompt(wait)

    def command(self, text, wait=None, fails=False):
        """Types a command at the monitor's prompt and returns its Reply. Log records that come in between are in it.

        AssertionError when it ends in `err`, or, with fails=True, when it does not.
        """
        self.send(text + "\r")
        self.expect_line(re.escape(text) + "$", wait)  # the echo; records may come before it
        lines = []
        while True:
            line = self.read_line(wait)
            if line == "ok" or line.startswith("err "):
                break
            lines.append(line)
        reply = Reply(lines, line)
        self.expect_prompt_after(text, wait)
        assert reply.ok != fails, f"{text!r} ended with {line!r}:\n{reply.text}"
        return reply

    def expect_prompt_after(self, text, wait):
        """A command that leaves the monitor is followed by no prompt."""
        if text.split()[:1] not in (["resume"], ["cont"], ["c"], ["quit"], ["q"], ["close"], ["exit"], ["reset"], ["halt"]):
            self.expect_prompt(wait)


def run_make(*words):
    """make with these words, and without the variables of a make that has started the tests."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, f"make {' '.join(words)}: {done.stderr}"


@functools.lru_cache(maxsize=None)
def build_policy(name, *variables):
    """Builds the hypervisor with a policy (name or .toml path) and make's variables ("SAN=1") in a folder of its own;
    returns the ELF's path."""
    build = Path("build") / "-".join(["policy", Path(name).stem, *variables]).replace("=", "-")
    # What make test has built before the tests; other variables make other objects.
    shared = [] if variables else ["OBJECTS=build"]
    run_make(f"BUILD={build}", f"POLICY={name}", *shared, *variables, f"{build}/hypervisor.elf", f"{build}/hypervisor.img")
    return build / "hypervisor.elf"
