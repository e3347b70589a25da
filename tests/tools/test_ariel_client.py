# SPDX-License-Identifier: Apache-2.0
"""tools/ariel against a monitor of a few lines: what a client must do when the other side is slow, gone or wrong.
tests/qemu/test_channels.py has it talk to the real one."""

import socket
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import ariel  # noqa: E402


class Server:
    """Listens at a path, and answers each line by answer(line), bytes; None hangs up."""

    def __init__(self, path, answer, before=b""):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.answer, self.before, self.lines = answer, before, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.socket.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            connection.sendall(self.before)
            for line in stream:
                self.lines.append(line)
                word = line.strip().lstrip(b"\x15")
                said = b"err no command '%s' (help lists them)\n" % word if word.startswith(b"hello") else self.answer(word)
                if said is None:
                    return
                connection.sendall(said)


@pytest.fixture
def serve(tmp_path):
    """serve(answer, before=b"") -> (the server, its address)"""
    def start(answer, before=b""):
        return Server(tmp_path / "s", answer, before), f"unix:{tmp_path}/s"
    return start


def test_what_another_connection_has_left_is_not_ours(serve):
    server, address = serve(lambda line: b'{"a":1}\nok\n', b'{"old":1}\nok\nerr no command\nevent {"event":"hello"}\n{"ol')
    with ariel.connect(address) as monitor:
        assert monitor.command("x") == {"a": 1}
        assert list(monitor.events(0)) == [{"event": "hello"}]
    assert server.lines[0].startswith(b"\x15hello")


def test_rows_become_one_dict_and_stay_rows(serve):
    rows = b'{"vm":"running"}\n{"vcpu":0,"pc":"0x1"}\nevent {"event":"notify","what":"w"}\n{"vcpu":1}\nok\n'
    _, address = serve(lambda line: rows)
    with ariel.connect(address) as monitor:
        reply = monitor.command("status")
        assert reply == {"vm": "running", "vcpu": 0, "pc": "0x1"} and len(reply.rows) == 3
        assert monitor.wait_for("notify", what="w")["what"] == "w"


def test_errors_have_types(serve):
    answers = {b"bad": b"err it is bad\n", b"part": b'{"a":1}\nerr later\n', b"odd": b"what?\n", b"json": b"{a}\n", b"end": None,
               b"mute": b""}
    _, address = serve(answers.get)
    with ariel.connect(address) as monitor:
        with pytest.raises(ariel.CommandError, match="bad: it is bad"):
            monitor.command("bad")
        with pytest.raises(ariel.CommandError) as refused:
            monitor.command("part")
        assert refused.value.reply == {"a": 1} and refused.value.reason == "later"
        for wrong in ("odd", "json"):
            with pytest.raises(ariel.ProtocolError):
                monitor.command(wrong)
        before = time.monotonic()
        with pytest.raises(ariel.Timeout):
            monitor.command("mute", timeout=0.2)
        assert time.monotonic() - before < 10
        with pytest.raises(ariel.ConnectionLost):
            monitor.command("end")
    assert all(issubclass(getattr(ariel, name), ariel.ArielError) for name in ariel.__all__ if name.endswith("Error"))
    assert issubclass(ariel.Timeout, TimeoutError) and issubclass(ariel.ConnectError, ConnectionError)


def test_nobody_there(tmp_path):
    with pytest.raises(ariel.ConnectError, match="No such file"):
        ariel.connect(f"unix:{tmp_path}/s")
    for address in ("", "unix:", "tcp:", "tcp:x", "tcp:70000", "http://x"):
        with pytest.raises(ariel.AddressError):
            ariel.connect(address)
    threading.Timer(0.3, lambda: Server(tmp_path / "s", lambda line: b"ok\n")).start()
    with ariel.connect(f"unix:{tmp_path}/s", wait=30) as monitor:
        assert monitor.command("x") == {}


def test_a_monitor_that_is_busy_is_not_waited_for_longer_than_said(tmp_path):
    """QEMU takes one connection; the next one is open and hears nothing, until the first has ended."""
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(f"{tmp_path}/s")
        busy.listen()
        begun = time.monotonic()
        with pytest.raises(ariel.Timeout, match=r"no answer in 0\.3 s: is another program connected\?"):
            ariel.connect(f"unix:{tmp_path}/s", wait=0.3)
        assert time.monotonic() - begun < 20
        with pytest.raises(ariel.Timeout, match=r"no answer in 0\.2 s"):
            ariel.connect(f"unix:{tmp_path}/s", timeout=0.2, wait=60)


def test_records_become_fields(serve):
    _, address = serve(lambda line: b'event {"event":"record","record":"seq=7 why=\\"a \\\\\\"b\\\\\\" \\\\x01\\" tag=0a"}\nok\n')
    with ariel.connect(address) as monitor:
        monitor.follow_log()
        assert monitor.wait_for("record")["fields"] == {"seq": "7", "why": 'a "b" \x01', "tag": "0a"}
        with pytest.raises(ariel.Timeout):
            monitor.wait_for("record", timeout=0.1)
