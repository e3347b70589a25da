# SPDX-License-Identifier: Apache-2.0
"""MONITOR=, LOG= and TRACE=: what is refused, and what QEMU gets."""

import os
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import channels  # noqa: E402


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    Path("folder").mkdir()
    Path("nowhere").symlink_to("gone")


@pytest.mark.parametrize("monitor, why", [
    ("build/x", "MONITOR=build/x: write unix:path or tcp:port"),
    ("unix:", "no path: write unix:build/monitor.sock"),
    ("unix:gone/x", "there is no folder gone"),
    ("unix:file", "it is there and no socket: remove it, or name another one"),
    ("unix:folder", "it is there and no socket"),
    ("unix:nowhere", "it is there and no socket"),
    ("unix:" + "x" * 108, "the path has 108 bytes, and a socket's may have 107"),
    ("tcp:", "a port is 1 to 65535"),
    ("tcp:0", "a port is 1 to 65535"),
    ("tcp:65536", "a port is 1 to 65535"),
    ("tcp:0.0.0.0:4000", "a port is 1 to 65535, as in tcp:4000; it is opened on 127.0.0.1 alone"),
])
def test_a_monitor_that_cannot_be(monitor, why):
    assert why in channels.refusal(monitor, "") and "\n" not in channels.refusal(monitor, "")


@pytest.mark.parametrize("log, why", [
    ("gone/x", "there is no folder gone"),
    ("folder", "it is there and no file"),
    ("nowhere", "a symbolic link to nothing"),
])
def test_a_log_that_cannot_be(log, why):
    assert channels.refusal("", log) == f"LOG={log}: {why}"
    assert channels.refusal("", "", log) == f"TRACE={log}: {why}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_must_not_be_written():
    Path("file").chmod(0o400)
    Path("folder").chmod(0o500)
    assert "cannot write to it" in channels.refusal("", "file")
    assert "cannot write to the folder folder" in channels.refusal("", "folder/new")


def test_a_socket_in_use_is_refused_and_a_dead_one_is_not():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("live")
        server.listen()
        assert "somebody listens there" in channels.refusal("unix:live", "")
    assert channels.refusal("unix:live", "") is None
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert f"MONITOR=tcp:{port}: 127.0.0.1 port {port}: " in channels.refusal(f"tcp:{port}", "")


def test_both_cannot_be_one_file():
    assert "MONITOR= is there already" in channels.refusal("unix:x", "x")
    assert channels.refusal("unix:x", "", "folder/../x") == "TRACE=folder/../x: MONITOR= is there already"
    assert channels.refusal("", "file", "file") == "TRACE=file: LOG= is there already"
    assert channels.refusal("tcp:4000", "new", "new") == "TRACE=new: LOG= is there already"
    assert channels.refusal("", "/dev/null", "/dev/null") is None


def test_what_qemu_gets():
    assert channels.channel_arguments("", "", 32) == []
    words = channels.channel_arguments("unix:a,b", "c,d", 32)
    assert words[:6] == ["-global", "virtio-mmio.force-legacy=false", "-global", "virtio-mmio.ioeventfd=off", "-device",
                         "virtio-serial-device,bus=virtio-mmio-bus.31,max_ports=8"]
    assert words[7] == "socket,id=ariel.monitor,path=a,,b,server=on,wait=off"
    assert words[9] == "virtserialport,chardev=ariel.monitor,name=ariel.monitor,nr=1"
    assert words[11] == "file,id=ariel.log,path=c,,d"
    words = channels.channel_arguments("", "c", 32, (), "t,u")
    assert words[-4:] == ["-chardev", "file,id=ariel.trace,path=t,,u", "-device",
                          "virtserialport,chardev=ariel.trace,name=ariel.trace,nr=2"]
    # What guests' devices have brought already is not said twice.
    assert channels.channel_arguments("tcp:4000", "", 8, words)[:4] == [
        "-global", "virtio-mmio.ioeventfd=off", "-device", "virtio-serial-device,bus=virtio-mmio-bus.7,max_ports=8"]


def test_the_ports_are_those_of_the_source():
    text = (ROOT / "include/hv/virtio_serial.h").read_text()
    assert all(f'"ariel.{name}"' in text for name in ("monitor", "log", "trace"))
    assert f"#define SERIAL_NUMBER_MAX {channels.PORTS_MAX - 1} " in text
