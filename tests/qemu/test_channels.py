# SPDX-License-Identifier: Apache-2.0
"""MONITOR= and LOG=: the monitor at a socket, the records in a file, and the serial line the guest's alone. Programs talk to
the monitor by tools/ariel."""

import json
import re
import socket
import subprocess
import sys
import time

import ariel
import channels
import pytest
from harness import ROOT, Ariel, qemu_command
from run import BOARDS

SUMMARY = b"# ariel-guest: "
CODE = 0x40300000  # guest RAM that the guest does not use
MASKED = 0x3c5  # PSTATE: EL1h, D A I F
# Prints "x" and an end of line for ever
FLOOD = [0xd2a12001,  # mov x1, #0x09000000
         0x52800f00,  # mov w0, #'x'
         0x52800142,  # mov w2, #'\n'
         0xb9000020,  # 1: str w0, [x1]
         0xb9000022,  # str w2, [x1]
         0x17fffffe]  # b 1b


class Machine:
    """A machine whose serial line goes to a file."""

    def __init__(self, folder, smp=1, elf="build/hypervisor.elf"):
        self.monitor, self.log, self.uart = f"unix:{folder}/monitor", folder / "log", folder / "uart"
        command = qemu_command(elf, str(smp))
        command += channels.channel_arguments(self.monitor, str(self.log), BOARDS["virt"].transports)
        with open(self.uart, "wb") as output:
            self.process = subprocess.Popen(["timeout", "-k", "5", "900", *command], cwd=ROOT, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT)

    def connect(self, **parameters):
        return ariel.connect(self.monitor, **{"wait": 60, **parameters})

    def wait_for(self, what, is_so):
        limit = time.monotonic() + 120
        while not is_so():
            assert time.monotonic() < limit and self.process.poll() is None, f"not in time: {what}: {self.uart.read_bytes()[-500:]}"
            time.sleep(0.05)

    def wait_for_summary(self):
        self.wait_for("the guest's summary", lambda: SUMMARY in self.uart.read_bytes())

    def uart_grows(self):
        before = self.uart.stat().st_size
        self.wait_for("more output", lambda: self.uart.stat().st_size > before)

    def flood(self, monitor):
        """Lets the guest print for ever."""
        monitor.command("pause")
        monitor.command(f"sr PSTATE {MASKED:#x}")
        for n, word in enumerate(FLOOD):
            monitor.command(f"mem write {CODE + 4 * n:#x} {word:#x}")
        monitor.command(f"sr PC {CODE:#x}")
        monitor.command("resume")

    def halt(self):
        with self.connect() as monitor:
            monitor.command("halt")
        assert self.process.wait(60) == 0

    def records(self):
        """What the file has, as the decoder reads it: it fails when one is missing, doubled or out of order."""
        done = subprocess.run([sys.executable, "tools/log_decode.py", "--json", str(self.log)], cwd=ROOT,
                              capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def machine(built, tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def test_the_line_is_the_guests_and_the_file_has_every_record(machine):
    machine.wait_for_summary()
    machine.halt()
    lines = machine.uart.read_bytes().splitlines()
    assert [line for line in lines if line.startswith(b"ariel: ")] == []
    assert any(line.startswith(b"ok ") for line in lines)
    assert [line for line in lines if line.startswith(b"not ok ")] == []
    records = machine.records()
    events = [record["event"] for record in records]
    assert events[0] == "log-start" and events[-1] == "vm-off" and "port-dropped" not in events
    assert {"ports", "guest-enter", "verdict", "abort"} <= set(events)
    # Not one is in the ring alone: what is hidden is counted, in the last one as well.
    assert records[-1]["fields"]["hidden_total"] in ("0", 0)


def test_connections_come_and_go_while_the_guest_prints(machine):
    machine.wait_for_summary()
    with machine.connect() as monitor:
        machine.flood(monitor)
    for n in range(20):
        if n % 3 == 1:  # somebody who leaves half-way
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(machine.monitor.removeprefix("unix:"))
                raw.sendall(b"status\nversion\nres")
        machine.uart_grows()
        with machine.connect() as monitor:
            for _ in range(5):
                status = monitor.command("status")
                assert status["vm"] == "running" and status.rows[-1]["vcpu"] == 0
    machine.halt()
    after = machine.uart.read_bytes().partition(SUMMARY)[2].partition(b"\n")[2]
    assert set(after.split()) <= {b"x", b"ariel>"} | set(b"-- guest".split()), set(after.split())
    assert "port-dropped" not in [record["event"] for record in machine.records()]


def test_what_is_refused_has_a_type(machine):
    with machine.connect() as monitor:
        for text, why in [("nonsense", "no command 'nonsense'"), ("vcpu 9", "vcpu 9 is outside 0..0"),
                          ("x" * 161, "the line is longer than 160 bytes")]:
            with pytest.raises(ariel.CommandError) as refused:
                monitor.command(text)
            assert refused.value.reason.startswith(why) and refused.value.command == text
        for text in ("", "two\nlines", "\x1d", "\u00e9"):
            with pytest.raises(ValueError):
                monitor.command(text)
        assert monitor.command("vcpu") == {"vcpu": 0}
        with pytest.raises(ariel.Timeout):
            monitor.wait_for("notify", timeout=0.2)
    with pytest.raises(ariel.ConnectError):
        ariel.connect(machine.monitor + "x")
    with pytest.raises(ariel.AddressError):
        ariel.connect("socket")


def test_events_come_as_they_happen(machine):
    machine.wait_for_summary()
    with machine.connect() as monitor:
        hello = next(monitor.events(10))
        assert hello["event"] == "hello" and hello["ariel"] == monitor.command("version")["ariel"]
        monitor.follow_log()
        monitor.command("pause")
        assert monitor.wait_for("record")["fields"]["event"] == "vm-pause"
        rows = monitor.command("step 5").rows
        assert rows[0]["vcpu"] == 0 and int(rows[0]["pc"], 16) >= 0x40000000
        monitor.follow_log(False)
        list(monitor.events(0))
        monitor.command("resume")
        assert list(monitor.events(0.5)) == []
        monitor.command("reset")
        assert monitor.wait_for("hello")
        assert monitor.command("status")["vm"] == "running"


def test_who_does_not_read_holds_nobody_up(machine):
    machine.wait_for_summary()
    with machine.connect() as monitor:
        machine.flood(monitor)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(machine.monitor.removeprefix("unix:"))
        raw.settimeout(20)
        for _ in range(60):
            raw.sendall(b"log -n 100000\n")
        for _ in range(5):
            machine.uart_grows()
        got = b""
        raw.sendall(b"vcpu\n")
        while b'{"vcpu":0}\nok\n' not in got:
            more = raw.recv(1 << 20)
            assert more
            got += more
    ends = [line for line in got.splitlines() if not line.startswith((b"{", b"event "))]
    assert len(ends) == 61 and ends[0] == b"ok" and ends[-1] == b"ok"
    assert all(end == b"ok" or end.startswith(b"err the client does not read: ") for end in ends)
    assert any(end != b"ok" for end in ends)  # 60 times the log is more than any socket holds
    with machine.connect() as monitor:
        assert monitor.command("status")["vm"] == "running"


def test_a_person_and_a_program_have_a_session_each(built, tmp_path):
    monitor = f"unix:{tmp_path}/monitor"
    extra = " ".join(channels.channel_arguments(monitor, "", BOARDS["virt"].transports))
    with Ariel(smp=2, extra=extra) as machine:
        machine.expect_line("^# ariel-guest: ")
        machine.attention()
        machine.command("vcpu 1")
        with ariel.connect(monitor) as program:
            assert program.command("vcpu")["vcpu"] == 0
            assert program.command("pause") == {}
            assert "vm=paused" in machine.command("status").text
            assert machine.command("vcpu").text == "vcpu=1"
            assert "-j" not in program.command("help mem")["usage"]
        machine.command("resume")
        machine.expect_line("-- guest console; guest running")
        # Records are on the serial line: there is no LOG=.
        assert re.search(r"(?m)^ariel: seq=\d+ ", machine.tail(1000))
