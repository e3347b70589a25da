# SPDX-License-Identifier: Apache-2.0
"""The trace on its way out of EL2: TRACE=file has every exit that was counted, every line and every record of the log; what
a host costs that does not read; two boots, EL2's death, and what pull takes out of memory."""

import collections
import json
import re
import socket
import subprocess
import sys
import threading
import time

import numpy
import pytest

import ariel
import channels
from harness import ROOT, qemu_command
from run import BOARDS
from test_panic import spoil

sys.path.insert(0, str(ROOT))
from ariel import trace_format as form  # noqa: E402
from ariel.trace import Trace  # noqa: E402

SUMMARY = b"# ariel-guest: "


class Machine:
    """A machine whose serial line and log go to files, and whose trace goes where arguments (of QEMU's) say."""

    def __init__(self, folder, arguments=(), smp=1, trace=True):
        self.monitor, self.log, self.uart = f"unix:{folder}/monitor", folder / "log", folder / "uart"
        self.trace, self.qmp = folder / "trace", folder / "qmp"
        command = qemu_command("build/hypervisor.elf", str(smp))
        command += channels.channel_arguments(self.monitor, str(self.log), BOARDS["virt"].transports, (),
                                              str(self.trace) if trace else "")
        command += ["-qmp", f"unix:{self.qmp},server=on,wait=off", *arguments]
        with open(self.uart, "wb") as output:
            self.process = subprocess.Popen(["timeout", "-k", "5", "900", *command], cwd=ROOT, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT)

    def wait_for(self, what, is_so):
        limit = time.monotonic() + 300
        while not is_so():
            assert time.monotonic() < limit and self.process.poll() is None, f"not in time: {what}: {self.uart.read_bytes()[-500:]}"
            time.sleep(0.05)

    def wait_for_summary(self, count=1):
        self.wait_for("the guest's summary", lambda: self.uart.read_bytes().count(SUMMARY) >= count)
        assert b" 0 failed" in self.uart.read_bytes()

    def command(self, text):
        with ariel.connect(self.monitor, wait=60) as monitor:
            monitor.command(text)

    def halt(self):
        self.command("halt")
        assert self.process.wait(120) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def start(built, tmp_path):
    machines = []

    def start_machine(*arguments, **more):
        machines.append(Machine(tmp_path, arguments, **more))
        return machines[-1]
    yield start_machine
    for machine in machines:
        machine.close()


def check_losses(trace, boot=-1, lost=False):
    """No number is missing that was not counted; whether any is, is as said."""
    losses = trace.losses(boot)
    assert trace.damages == [] and trace.cut_bytes == 0 and losses
    assert [(loss.gaps, bool(loss.gaps)) for loss in losses.values()] == [(loss.drops, lost) for loss in losses.values()]


def exits_by_key(trace, boot=-1):
    """{key: exits}, as the log's records "counters" have them."""
    keys = trace.boots[boot].meta["keys"]
    counts = collections.Counter()
    for records in trace.batches(boot, types={form.TYPE_EXIT}):
        for key, count in zip(*numpy.unique(records["key"], return_counts=True)):
            counts[keys[key]] += int(count)
    return counts


def lines_of(trace, kind, boot=-1):
    """The lines of a kind by their numbers. Two CPUs may have had one each at the same time."""
    texts = sorted((text for text in trace.texts(boot) if text.kind == kind), key=lambda text: text.number)
    assert all(text.whole or text is texts[-1] for text in texts)
    return [text.text for text in texts]


def log_lines(text):
    """The records in a log, without those that a guest's HVC_DUMP_LOG has repeated."""
    return [line for line in text.splitlines() if line.startswith("ariel: ")]


def counted(lines):
    found = [re.search(r" event=counters key=(\S+) count=(\d+)", line) for line in lines]
    counts = collections.Counter()
    for match in filter(None, found):
        counts[match[1]] += int(match[2])
    return counts


def test_the_file_has_all_that_happened(start):
    machine = start()
    machine.wait_for_summary()
    machine.halt()
    lines = log_lines(machine.log.read_text())
    with Trace(machine.trace) as trace:
        check_losses(trace)
        assert len(trace.boots) == 1 and trace.meta["policy"] == "diag" and trace.meta["cpus"] == 1
        assert exits_by_key(trace) == counted(lines) and sum(exits_by_key(trace).values()) > 10_000
        assert lines_of(trace, form.TEXT_LOG) == lines and "event=vm-off" in lines[-1]
        printed = machine.uart.read_bytes().replace(b"\r", b"").decode().partition("-- Ctrl-]")[2].split("\n")[1:-1]
        assert lines_of(trace, form.TEXT_CONSOLE) == printed
        # Its last words are the last thing in the file.
        last = [records[-1] for records in trace.batches()][-1]
        assert last["type"] == form.TYPE_TEXT and last["key"] == form.TEXT_LOG


def test_two_boots_in_one_file(start):
    machine = start(smp=2)
    machine.wait_for_summary()
    machine.command("reset")
    machine.wait_for_summary(2)
    machine.halt()
    with Trace(machine.trace) as trace:
        assert len(trace.boots) == 2 and trace.boots[0].number != trace.boots[1].number
        for boot, event in enumerate(("vm-reset", "vm-off")):
            check_losses(trace, boot)
            lines = lines_of(trace, form.TEXT_LOG, boot)
            assert "event=log-start" in lines[0] and f"event={event}" in lines[-1]
            assert set(trace.losses(boot)) == {0, 1}
        # Both halves together are the log.
        assert [line for boot in (0, 1) for line in lines_of(trace, form.TEXT_LOG, boot)] == log_lines(machine.log.read_text())


class Reader(threading.Thread):
    """A host's side of the port that takes bytes only while it is told to."""

    def __init__(self, path, file):
        super().__init__(daemon=True)
        self.path, self.file, self.reads = path, file, threading.Event()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.start()

    def run(self):
        with open(self.file, "wb") as file:
            while self.reads.wait():
                data = self.socket.recv(1 << 16)
                if not data:
                    return
                file.write(data)
                file.flush()


def trace_socket(path):
    """QEMU's arguments for a trace that goes to a socket. The serial device is there already: LOG= has brought it."""
    return ("-chardev", f"socket,id=ariel.trace,path={path},server=on,wait=off", "-device",
            "virtserialport,chardev=ariel.trace,name=ariel.trace,nr=7")


def test_a_host_that_does_not_read_costs_records_that_are_counted(start, tmp_path):
    path = tmp_path / "trace.sock"
    machine = start(*trace_socket(path), "-S", trace=False)
    machine.wait_for("QEMU's sockets", path.exists)
    reader = Reader(path, tmp_path / "first")
    with socket.socket(socket.AF_UNIX) as qmp:
        qmp.connect(str(machine.qmp))
        qmp.sendall(b'{"execute": "qmp_capabilities"}{"execute": "cont"}')
        machine.wait_for_summary()  # the guest has noticed nothing
    reader.reads.set()
    machine.wait_for("what has waited", lambda: (tmp_path / "first").exists() and (tmp_path / "first").stat().st_size > 1 << 20)
    machine.halt()
    reader.join(60)
    lines = log_lines(machine.log.read_text())
    with Trace(tmp_path / "first") as trace:
        check_losses(trace, lost=True)
        loss = trace.losses()[0]
        told = sum(int(number) for line in lines for number in re.findall(r" event=trace-dropped dropped=(\d+)", line))
        assert loss.drops == told > 1000
        exits = sum(exits_by_key(trace).values())
        assert exits < sum(counted(lines).values()) <= exits + loss.drops


def test_who_connects_late_gets_the_newest_and_the_names_first(start, tmp_path):
    path = tmp_path / "trace.sock"
    machine = start(*trace_socket(path), trace=False)
    machine.wait_for_summary()
    for name in ("one", "two"):
        (tmp_path / name).touch()
        reader = Reader(path, tmp_path / name)
        reader.reads.set()
        machine.wait_for("a chunk", lambda: (tmp_path / name).stat().st_size > 1 << 16)
        machine.command("log -c vm -n 1")
        if name == "one":
            machine.wait_for("the newest", lambda: (tmp_path / name).stat().st_size > 14 << 16)
            reader.socket.shutdown(socket.SHUT_RDWR)
            reader.join(60)
    machine.halt()
    reader.join(60)
    with Trace(tmp_path / "one") as trace:
        assert trace.damages == [] and trace.meta["policy"] == "diag"
        loss = trace.losses()[0]
        assert loss.records > 7000 and loss.drops == 0 and trace.chunks[0]["kind"] == form.KIND_META
    with Trace(tmp_path / "two") as trace:
        assert trace.damages == [] and trace.chunks[0]["kind"] == form.KIND_META
        assert trace.losses()[0].drops == 0 and "event=vm-off" in lines_of(trace, form.TEXT_LOG)[-1]


def has_line(path, words):
    with Trace(path) as trace:
        return any(words in line for line in lines_of(trace, form.TEXT_LOG))


def pull(machine_qmp, output):
    done = subprocess.run([sys.executable, "-m", "ariel", "pull", f"unix:{machine_qmp}", "-o", str(output)], cwd=ROOT,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_when_el2_dies_the_file_and_the_memory_have_what_was_there(boot, tmp_path):
    file, qmp, memory = tmp_path / "trace", tmp_path / "qmp", tmp_path / "memory"
    arguments = channels.channel_arguments("", "", BOARDS["virt"].transports, (), str(file))
    machine = spoil(boot, tmp_path, "set $pc = 0xdead0000", smp=2,
                    extra=" ".join([*arguments, "-qmp", f"unix:{qmp},server=on,wait=off"]))
    machine.expect_line(r"event=backtrace depth=2")
    limit = time.monotonic() + 120
    while not has_line(file, "event=backtrace depth=2"):
        assert time.monotonic() < limit, "the trace's file has not the last words"
        time.sleep(0.1)
    pull(qmp, memory)
    ends = []
    for path in (file, memory):
        with Trace(path) as trace:
            check_losses(trace)
            lines = lines_of(trace, form.TEXT_LOG)
            assert any('event=panic reason="exception taken in EL2"' in line for line in lines), lines[-5:]
            assert set(trace.losses()) == {0, 1}
            counts = exits_by_key(trace)
            ends.append((lines[-1], counts["pl011"]))
    assert ends[0] == ends[1] and json.loads(json.dumps(trace.meta)) == trace.meta
