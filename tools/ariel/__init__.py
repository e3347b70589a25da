# SPDX-License-Identifier: Apache-2.0
"""A client for ariel's monitor, with Python's standard library alone.

    make run MONITOR=unix:build/monitor.sock LOG=build/ariel.log

    import ariel
    with ariel.connect("unix:build/monitor.sock") as monitor:
        monitor.command("pause")
        print(monitor.command("status")["vm"])              # paused
        for row in monitor.command("mem read 0x40000000 64").rows:
            print(row)
        monitor.command("resume")

docs/MONITOR.md says what goes over the line.
"""

from .client import Monitor, Reply, connect
from .errors import AddressError, ArielError, CommandError, ConnectionLost, ConnectError, ProtocolError, Timeout
from .logfmt import parse_record

__all__ = ["AddressError", "ArielError", "CommandError", "ConnectError", "ConnectionLost", "Monitor", "ProtocolError",
           "Reply", "Timeout", "connect", "parse_record"]
