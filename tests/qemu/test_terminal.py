# SPDX-License-Identifier: Apache-2.0
"""A guest that means to silence the log, or the person's terminal, with a terminal behind the serial line that answers
by itself. The guest is tests/qemu/guests/script.c, which does what a line says, also while the monitor is open."""

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from harness import ROOT, Ariel, build_policy, memory_map
from run import BOOT_OPTIONS_MAGIC, qemu_command

FLAG = 0x40300000
PANIC = b"---[ end Kernel panic - not syncing: x ]---\r\n"
CURSOR = "\x1b[24;1R"  # what a terminal answers to ESC [6n


def word(data):
    """The guest's word that prints these bytes."""
    return "h" + (data if isinstance(data, bytes) else data.encode()).hex()


@pytest.fixture(scope="module")
def elf():
    return build_policy("diag", "GUEST_MAIN=tests/qemu/guests/script.c")


@pytest.fixture
def machine(elf):
    with Ariel(elf=elf, life=300) as machine:
        machine.raw = machine.child.logfile_read = io.StringIO()  # as it came
        machine.expect_line("# ready")
        yield machine
        print(machine.tail())


def decode(machine):
    """The decoder's summary of all that came; nothing may be missing, doubled or forged."""
    done = subprocess.run([sys.executable, "tools/log_decode.py", "--summary", "--json"], cwd=ROOT, capture_output=True,
                          input="".join(f"{line}\r\n" for line in machine.lines).encode(), timeout=60)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return json.loads(done.stdout)


def refusals(machine):
    """The values of the writes whose refusal is on the serial line, in the order of their records' numbers."""
    found = [re.match(r"ariel: seq=(\d+) .*event=verdict .* value=0x(\w+) ", line) for line in machine.lines]
    return [int(match[2], 16) for match in sorted(filter(None, found), key=lambda match: int(match[1]))]


@pytest.mark.parametrize("answer", [CURSOR, "\x1b[?62;22c", "\x1b]11;rgb:0000/0000/0000\x1b\\", "\x1bP1$r0m\x1b\\"],
                         ids=["cursor", "attributes", "colour", "setting"])
def test_a_guest_cannot_silence_the_log(machine, answer):
    """The words of a panic open the monitor; the terminal's answer to a request in the same output is the first that is
    typed there; then the guest does what is refused, and powers off."""
    machine.send("d " + word(PANIC + b"\x1b[6n") + " w20 d d d d d o\r")
    machine.expect_line("^-- monitor: guest panic")
    machine.send(answer)
    machine.expect_exit()
    assert refusals(machine) == [1, 2, 3, 4, 5, 6]
    summary = decode(machine)
    assert summary["hidden"] == 0 and summary["ends_with_power_off"]


def hold_back(machine, words):
    """The guest does words while a person is at the prompt, who has sent it off by writing to FLAG."""
    machine.send(f"f {words}\r")
    machine.attention()
    machine.send(f"mem write {FLAG:#x} 1\r")


def test_what_a_person_held_back_is_written_at_the_end(machine):
    hold_back(machine, "d d " + word("last words\r\n") + " r")
    machine.expect_line(r"^last words$")
    machine.expect_line(r"event=held-back count=\d+ ")
    machine.expect_line(r"event=vm-reset vcpus=1 hidden_total=0 ")
    machine.expect_line(r"event=log-start .* hidden_before=0 ")
    machine.expect_line("# ready")
    hold_back(machine, "d d n o")
    machine.expect_exit()
    assert sorted(refusals(machine)) == [1, 1, 2, 2]  # of two boots
    assert any(re.match(r"seq=0 .*event=log-start", line) for line in machine.lines)  # HVC_DUMP_LOG was kept, too
    assert "# dump: 0" in machine.lines
    assert decode(machine)["hidden"] == 0


def test_a_person_who_ends_the_machine_gets_it_too(machine):
    hold_back(machine, "d d")
    while len(re.findall("event=verdict", machine.command("log -c policy").text)) < 2:
        pass
    machine.send("halt\r")
    machine.expect_exit()
    assert refusals(machine) == [1, 2]
    assert decode(machine)["hidden"] == 0


def test_what_was_typed_for_the_guest_is_not_run(machine):
    machine.send("p\r")
    machine.expect_line("^-- monitor: paused by guest")
    machine.send("halt\rreset\r\n")
    machine.send("\r")
    machine.expect_prompt()  # of the hint
    machine.expect_prompt()
    assert "vm=paused" in machine.command("status").text


# ---- The terminal

RESET = "\x1b\\\x1b[0m\x0f\x1b(B"  # TERMINAL_RESET of terminal_filter.h
# What a guest may leave on the line before a record: the record begins from a reset state behind each
LEFT = [b"\x1b[8m", b"\x1b[30;40mtext\r\n", b"\x1b(0lqk", b"\x0e", b"\x1b[?7l", b"\x1b[4h", b"\x1b[5;10r", b"\x1b[?1049h\x1b[H",
        b"\x1bP", b"\x1b]0;", b"\x1b_", b"\x9d0;", b"\xc2\x90"]


def test_what_acts_on_a_terminal_is_shown(machine):
    asked = b"\x1b[6n\x1b[c\x1b[>q\x05\x1bZ\x1b[18t\x1bP$qm\x1b\\"
    machine.send(word(b"{" + asked + b"\x1b]0;title\x07\x1b]52;c;cm0K\x07\x1bPq\x9b6n\xc2\x9b6n\x1b[31mred\x1b[0m}\r\n") + " o\r")
    machine.expect_exit()
    shown = machine.raw.getvalue().rpartition("{")[2].partition("}")[0]
    assert shown == (r"\x1b[6n\x1b[c\x1b[>q\x05\x1bZ\x1b[18t\x1bP$qm\x1b" "\\\\x1b]0;title\x07\\x1b]52;c;cm0K\x07"
                     r"\x1bPq\x9b6n\xc2\x9b6n" "\x1b[31mred\x1b[0m")


def test_records_begin_from_a_reset_state(machine):
    machine.send(" ".join(f"{word(left)} d w2" for left in LEFT) + " o\r")
    machine.expect_exit()
    stream = machine.raw.getvalue()
    assert refusals(machine) == list(range(1, len(LEFT) + 1))
    assert stream.count(RESET) == 1 + len(LEFT)  # one when it booted
    for before in re.split(r"(?m)^ariel: .*event=verdict.*$", stream)[:-1]:
        assert re.search(re.escape(RESET) + r"[^\n]*[\r\n]+$", before)
    assert decode(machine)["hidden"] == 0


def test_a_sequence_that_a_record_would_split_stays_whole(machine):
    machine.send(f"{word('<')} {word(bytes([0x1b]) + b'[3')} d {word('1mred')} {word(bytes([0xe2, 0x94]))} d {word(bytes([0x80]))} o\r")
    machine.expect_exit()
    assert "\x1b[31mred" in machine.raw.getvalue() and "\u2500" in machine.raw.getvalue()
    assert refusals(machine) == [1, 2]


def test_raw_is_raw_and_not_quiet(elf):
    """CONSOLE=raw, as scripts/run.py says it: all passes, and records begin from a reset state all the same."""
    where = memory_map("BOOT_OPTIONS_PA")
    option = f"-device loader,addr={where:#x},data={1 | BOOT_OPTIONS_MAGIC << 32:#x},data-len=8"
    with Ariel(elf=elf, life=300, extra=option) as machine:
        machine.raw = machine.child.logfile_read = io.StringIO()
        machine.expect_line("# ready")
        machine.send(f"{word(PANIC + bytes([0x1b]) + b'[6n' + bytes([0x1b]) + b'P')} w20 d d o\r")
        machine.expect_line("^-- monitor: guest panic")
        machine.send(CURSOR)
        machine.expect_exit()
        assert "\x1b[6n\x1bP" in machine.raw.getvalue()
        assert refusals(machine) == [1, 2]
        assert decode(machine)["hidden"] == 0


class Tmux:
    """A terminal of 80 columns and 24 lines that answers, keeps 5000 lines, and tells what is on it."""

    def __init__(self, command):
        self.folder = tempfile.TemporaryDirectory()
        config = f"{self.folder.name}/conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write("set -g history-limit 5000\nset -g remain-on-exit on\nset -s set-clipboard on\nset -g allow-rename on\n")
        self.base = ["tmux", "-S", f"{self.folder.name}/socket", "-f", config]
        self.run("new-session", "-d", "-x", "80", "-y", "24", shlex.join(["timeout", "300", *command]))

    def run(self, *words):
        done = subprocess.run([*self.base, *words], capture_output=True, text=True, timeout=60, cwd=ROOT)
        return done.stdout

    def text(self):
        """All that a person can see or scroll back to, wrapped lines joined."""
        return self.run("capture-pane", "-p", "-J", "-S", "-")

    def wait_for(self, pattern, seconds=120):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text(), re.M):
            assert time.monotonic() < end, f"no {pattern!r} on the terminal:\n{self.text()}"
            time.sleep(0.1)

    def close(self):
        self.run("kill-server")
        self.folder.cleanup()


ERASERS = [b"\x1b[3A\x1b[J", b"\x1b[H\x1b[2J\x1b[3J", b"\x1bM\x1bM\x1bM\x1b[J", b"\x1b[?1049h\x1b[2J\x1b[?1049l\x1b[A\x1b[J",
           b"\x1b[1;3r\x1b[H\n\n\n\n\x1b[r\x1b[J", b"\x1b[99T", b"\x1b[8m", b"\x1bc", b"\x1b[?1049h", b"\x1bP", b"\x1b]2;x"]


@pytest.fixture
def tmux(elf):
    assert shutil.which("tmux"), "tmux is not installed; run scripts/bootstrap test"
    terminal = Tmux(qemu_command(str(elf)))
    yield terminal
    print(terminal.text())
    terminal.close()


def test_a_persons_terminal_keeps_every_record(tmux):
    """What the guest prints between refused accesses means to erase their records, hide those that follow, set the title
    and the clipboard, and have the terminal type. Every record can be read in the end."""
    tmux.wait_for("^# ready")
    words = " ".join(f"d {word(eraser)} w2" for eraser in ERASERS)
    tmux.run("send-keys", "-l", f"{words} {word(bytes([0x1b]) + b']0;owned' + bytes([7, 0x1b]) + b']52;c;cm0K' + bytes([7]))} "
             f"{word(bytes([0x1b]) + b'[6n')} w5 t d {word('the end')} o")
    tmux.run("send-keys", "Enter")
    tmux.wait_for("event=vm-off")
    text = tmux.text()
    found = [int(value, 16) for value in re.findall(r"^ariel: .*event=verdict.* value=0x(\w+) ", text, re.M)]
    assert found == list(range(1, len(ERASERS) + 2))
    assert "# typed:\n" in text  # the terminal has not answered
    assert "owned" not in tmux.run("display-message", "-p", "#{pane_title}")
    assert tmux.run("show-buffer") == ""


def test_a_panic_and_a_question_do_not_silence_a_terminal_that_answers(tmux):
    tmux.wait_for("^# ready")
    tmux.run("send-keys", "-l", f"d {word(PANIC + bytes([0x1b]) + b'[6n')} w20 d d d o")
    tmux.run("send-keys", "Enter")
    tmux.wait_for("event=vm-off")
    assert len(re.findall("event=verdict", tmux.text())) == 4
