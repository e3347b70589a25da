# SPDX-License-Identifier: Apache-2.0
"""Sessions of a document: what is typed at which prompt, and what must then appear. tests/linux/test_first_hour.py runs them.

In a block that begins with ```console a line is

    $ words         typed in the first terminal, at the shell's prompt
    2$ words        typed in the second terminal
    ~ # words       typed at the prompt of the guest's shell
    ariel> words    typed at the monitor's prompt
    (Ctrl-], Enter) these keys
    (Enter)         this key
    ...             stands for lines that are left out
    anything else   a line of output. One with the same words must appear, after the one before; a number may be another one

A line that ends in a backslash goes on in the next one, as the shell has it.
"""

import re
import sys
from pathlib import Path

import pexpect

PROMPTS = {"$ ": r"FIRST-HOUR\$ ", "2$ ": r"FIRST-HOUR\$ ", "~ # ": r"~ # (?:\\x1b\[6n)?$", "ariel> ": r"ariel> $"}
KEYS = {"(Ctrl-], Enter)": "\x1d\r", "(Enter)": "\r"}
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>c78\\])")
NUMBER = re.compile(r"\d+\.\d+\.\d+\+[^\s,]+|0x[0-9a-f]+|(?<![\w])[0-9a-f]{16}\b|\d+(?:[.,]\d+)*(?:[kMGTu]i?B?|[unm]?s)?\b")
NUMERAL = "\N{NUMERO SIGN}"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)


def plain(line):
    """The words of a line: numbers, blanks and escape sequences of terminals make no difference."""
    return " ".join(NUMBER.sub(NUMERAL, ESCAPES.sub("", line)).split())


def steps_of(text):
    """The steps of a document in order: (prompt, words), ("keys", name) or ("output", line)."""
    steps = []
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", "").splitlines():
            prompt = next((prompt for prompt in PROMPTS if line.startswith(prompt)), None)
            if prompt:
                steps.append((prompt, line.removeprefix(prompt)))
            elif line in KEYS:
                steps.append(("keys", line))
            elif line.strip() not in ("", "..."):
                steps.append(("output", line))
    return steps


class Session:
    """Two terminals in a folder, in which steps are made one after the other."""

    def __init__(self, folder, environment, wait=300, screen=None, compare=True):
        """wait: seconds for a prompt. screen: a file for what is read. compare: output is looked at."""
        self.wait, self.screen, self.compare = wait, screen, compare
        self.terminals = {prompt: self.terminal(folder, environment) for prompt in ("$ ", "2$ ")}
        self.read, self.ready = "", set()

    def terminal(self, folder, environment):
        child = pexpect.spawn("/bin/sh", cwd=folder, env={**environment, "PS1": "FIRST-HOUR$ ", "TERM": "dumb"}, timeout=self.wait,
                              encoding="utf-8", codec_errors="replace", echo=False, dimensions=(60, 132), maxread=65536)
        child.logfile_read = self.screen
        child.delaybeforesend = None
        return child

    def prompt(self, prompt):
        """Waits until a prompt stands at the end of what its terminal has shown. It is used up by what is typed there."""
        terminal = self.terminals.get(prompt, self.terminals["$ "])
        if terminal not in self.ready:
            terminal.expect(PROMPTS[prompt])
            self.read += terminal.before
            self.ready.add(terminal)
        return terminal

    def output(self, lines):
        """All of the lines must be in what was read, in this order."""
        if not self.compare:
            return
        words = [plain(line) for line in self.read.splitlines()]
        at = 0
        for line in lines:
            try:
                at = words.index(plain(line), at) + 1
            except ValueError:
                raise AssertionError(f"no line {plain(line)!r} after {words[at - 1:at]} in:\n{self.read[-6000:]}") from None

    def run(self, steps):
        """Makes the steps; each one's output is looked at when the prompt comes behind it."""
        expected, last = [], None
        for kind, text in [*steps, ("$ ", None)]:
            if kind == "output":
                expected.append(text)
                continue
            if kind == "keys":
                self.awaited(expected[-1])
                self.terminals["$ "].send(KEYS[text])
                self.ready.discard(self.terminals["$ "])
                continue
            other = last and (last == "2$ ") != (kind == "2$ ")  # the terminal before is at rest, too
            terminal = self.prompt(last if other else kind)
            self.output(expected)
            if other:
                terminal = self.prompt(kind)
            expected, self.read, last = [], "", kind
            if text is not None:
                self.ready.discard(terminal)
                terminal.send(text + ("\r" if kind == "ariel> " else "\n"))

    def awaited(self, line):
        """Waits until a line of output has come in the first terminal."""
        terminal = self.terminals["$ "]
        terminal.expect(r"\s+".join(re.escape(word).replace(NUMERAL, r"\S+") for word in plain(line).split()))
        self.read += terminal.before + terminal.after

    def close(self):
        for child in self.terminals.values():
            child.close(force=True)


if __name__ == "__main__":
    import os

    session = Session(".", dict(os.environ), screen=sys.stdout, compare="-n" not in sys.argv)
    try:
        session.run(steps_of(Path(sys.argv[1]).read_text()))
    finally:
        session.close()
