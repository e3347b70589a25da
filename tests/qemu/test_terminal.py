# SPDX-License-Identifier: Apache-2.0
"""A guest that means to silence the log, with a terminal behind the serial line that answers by itself: the guest is
tests/qemu/guests/script.c, which does what a line says, also while the monitor is open."""

import json
import re
import subprocess
import sys

import pytest
from harness import ROOT, Ariel, build_policy

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
    found = [re.match(r"ariel: seq=(\d+) .*event=verdict .*key=pl031.* value=0x(\w+) ", line) for line in machine.lines]
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
