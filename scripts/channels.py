# SPDX-License-Identifier: Apache-2.0
"""MONITOR=, LOG= and TRACE= of `make run` and `make run-linux`: ports of EL2's own serial device, as QEMU's arguments.

The device is the board's last virtio-mmio transport. EL2 finds its ports by their names (include/hv/virtio_serial.h).
Everything that can be refused is refused in one line before QEMU starts.
"""

import os
import re
import socket
import stat

SOCKET_PATH_MAX = 107  # bytes of sockaddr_un.sun_path, without the 0 at its end
PORTS_MAX = 8  # port numbers 0 to 7; EL2 looks at 1 to 7


def add_arguments(parser):
    parser.add_argument("--monitor", default="", help="the monitor at a socket: unix:path or tcp:port")
    parser.add_argument("--log", default="", help="the file that gets the log's records")
    parser.add_argument("--trace", default="", help="the file that gets the binary trace of every exit")


def folder_refusal(path):
    """Why no file can be made at path, or None."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"cannot write to the folder {folder}"
    return None


def is_live(path):
    """Whether somebody listens at the socket path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def unix_refusal(path):
    """Why QEMU cannot listen at path, or None."""
    if not path:
        return "no path: write unix:build/monitor.sock"
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        return f"the path has {len(os.fsencode(path))} bytes, and a socket's may have {SOCKET_PATH_MAX}: give a shorter one"
    if os.path.lexists(path):
        if os.path.isdir(path) or not stat.S_ISSOCK(os.stat(path).st_mode if os.path.exists(path) else 0):
            return "it is there and no socket: remove it, or name another one"
        if is_live(path):
            return "somebody listens there, maybe another ariel: end that, or name another one"
    return folder_refusal(path)


def tcp_refusal(text):
    """Why QEMU cannot listen at this port of 127.0.0.1, or None."""
    if not re.fullmatch(r"[1-9]\d{0,4}", text) or int(text) > 65535:
        return "a port is 1 to 65535, as in tcp:4000; it is opened on 127.0.0.1 alone"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            return f"127.0.0.1 port {text}: {error.strerror.lower()}"
    return None


def monitor_refusal(monitor):
    kind, _, place = monitor.partition(":")
    if kind == "unix":
        return unix_refusal(place)
    if kind == "tcp":
        return tcp_refusal(place)
    return "write unix:path or tcp:port, as in unix:build/monitor.sock or tcp:4000"


def file_refusal(path):
    """Why QEMU cannot write to this file, or None."""
    if not os.path.lexists(path):
        return folder_refusal(path)
    if not os.path.exists(path):
        return "a symbolic link to nothing"
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):
        return "it is there and no file"
    return None if os.access(path, os.W_OK) else "cannot write to it"


def is_same_file(one, other):
    """Whether two names are one regular file: QEMU would write over its own words. /dev/null is nobody's."""
    return os.path.realpath(one) == os.path.realpath(other) and (os.path.isfile(one) or not os.path.exists(one))


def refusal(monitor, log, trace=""):
    """Why MONITOR=, LOG= or TRACE= cannot be, in one line; None when they can."""
    why_not = monitor_refusal(monitor) if monitor else None
    if why_not:
        return f"MONITOR={monitor}: {why_not}"
    taken = {"MONITOR": monitor.removeprefix("unix:")} if monitor.startswith("unix:") else {}
    for name, path in (("LOG", log), ("TRACE", trace)):
        if not path:
            continue
        why_not = file_refusal(path)
        for other, place in taken.items():
            if not why_not and is_same_file(place, path):
                why_not = f"{other}= is there already"
        if why_not:
            return f"{name}={path}: {why_not}"
        taken[name] = path
    return None


def escaped(path):
    """As a value in one of QEMU's comma-separated options."""
    return path.replace(",", ",,")


def monitor_chardev(monitor):
    kind, _, place = monitor.partition(":")
    where = f"path={escaped(place)}" if kind == "unix" else f"host=127.0.0.1,port={place}"
    return f"socket,id=ariel.monitor,{where},server=on,wait=off"


def channel_arguments(monitor, log, transports, command=(), trace=""):
    """QEMU's arguments for MONITOR=, LOG= and TRACE=, none when none of them is given. transports: of the board; command:
    what stands before these arguments."""
    chardevs = []
    if monitor:
        chardevs.append(("ariel.monitor", monitor_chardev(monitor)))
    if log:
        chardevs.append(("ariel.log", f"file,id=ariel.log,path={escaped(log)}"))
    if trace:
        chardevs.append(("ariel.trace", f"file,id=ariel.trace,path={escaped(trace)}"))
    if not chardevs:
        return []
    modern = "virtio-mmio.force-legacy=false"
    arguments = [] if modern in command else ["-global", modern]
    # Newer QEMUs otherwise serve a notification later, on a thread of theirs: EL2 writes on meanwhile, and what it writes
    # in a burst, such as all counters at the machine's end, finds no room and is dropped.
    arguments += ["-global", "virtio-mmio.ioeventfd=off"]
    arguments += ["-device", f"virtio-serial-device,bus=virtio-mmio-bus.{transports - 1},max_ports={PORTS_MAX}"]
    for number, (name, chardev) in enumerate(chardevs, 1):
        arguments += ["-chardev", chardev, "-device", f"virtserialport,chardev={name},name={name},nr={number}"]
    return arguments
