# SPDX-License-Identifier: Apache-2.0
"""A booted Linux, and how to talk to the shell on its console."""

import json
import re
import time

import pexpect
from harness import ESCAPES, Ariel

SHELL_PROMPT = re.compile(r"[~/] # ")


class Linux(Ariel):
    """Ariel with a Linux that has no other program than what its command line names."""

    late = 0  # times that a CPU did not answer the monitor in time

    def command(self, text, wait=None, fails=False):
        """As Ariel's, but asks again when a CPU did not answer: on a busy host a vCPU's thread waits for its turn."""
        while True:
            try:
                return super().command(text, wait, fails)
            except AssertionError as error:
                if not re.search(r"does not answer|every cpu answers +FAILED", str(error)) or self.late > 20:
                    raise
                self.late += 1

    def expect_text(self, pattern, wait=None):
        """Waits for text on a screen that is drawn with escape sequences; returns what was read until then."""
        limit = time.monotonic() + (self.wait if wait is None else wait)
        text = ""
        while not re.search(pattern, text):
            try:
                text = ESCAPES.sub("", text + self.child.read_nonblocking(4096, timeout=max(limit - time.monotonic(), 0)))
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                raise AssertionError(f"no {pattern!r} ({type(error).__name__}) in:\n{text[-3000:]}") from None
        self.lines += text.splitlines()
        return text

    def expect_shell(self):
        """Waits for the prompt of the shell that is /init."""
        self.expect_text(SHELL_PROMPT.pattern)

    def shell(self, command, wait=None):
        """Runs a command; returns (its exit status, its output's lines). Kernel messages may be among them."""
        start = len(self.lines)
        self.send(f"{command}; echo \"<$?>\"\n")
        status = int(self.expect_line(r"<(\d+)>$", wait).group(1))
        lines = [line for line in self.lines[start:-1] if not line.endswith('echo "<$?>"')]
        return status, lines

    def rows(self, command):
        """Runs a monitor command; returns its JSON lines as dicts."""
        return [json.loads(line) for line in self.command(command + " -j") if line.startswith("{")]

    def done(self, command, wait=None):
        """Runs a command that must succeed; returns its output as one text."""
        status, lines = self.shell(command, wait)
        assert status == 0, f"{command!r} ended with {status}:\n" + "\n".join(lines)
        return "\n".join(lines)
