# SPDX-License-Identifier: Apache-2.0
"""The connection to ariel's monitor: commands, their replies, and events."""

import collections
import json
import random
import socket
import time

from .errors import AddressError, CommandError, ConnectError, ConnectionLost, ProtocolError, Timeout
from .logfmt import parse_record

DROP_LINE = b"\x15"  # what an earlier connection has left of a line is forgotten
EVENT = b"event "


class Reply(dict):
    """What a command said: the fields of all its rows in one dict, of which the first of each name counts. `rows` has
    the rows one by one, as for the vCPUs of `status`."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        for row in rows:
            for name, value in row.items():
                self.setdefault(name, value)


def open_socket(address, timeout):
    """A connected socket. AddressError, ConnectError."""
    kind, _, place = address.partition(":")
    if kind == "unix" and place:
        family, where = socket.AF_UNIX, place
    elif kind == "tcp" and place.isdecimal() and 0 < int(place) < 65536:
        family, where = socket.AF_INET, ("127.0.0.1", int(place))
    else:
        raise AddressError(f"{address}: write unix:path or tcp:port, as MONITOR= was given")
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(where)
    except OSError as error:
        connection.close()
        raise ConnectError(f"{address}: {error.strerror or error}") from None
    return connection


class Monitor:
    """A session with the monitor, from connect(). One thread at a time. Leaving its `with` block closes it."""

    def __init__(self, address, timeout=30.0, first=None):
        """address: as MONITOR= was given, unix:path or tcp:port. timeout: seconds that an answer may take; first: those
        that the connection and its first answer may take, timeout when it is None."""
        self.address, self.timeout = address, timeout
        self._received = b""
        self._events = collections.deque()
        first = timeout if first is None else first
        limit = time.monotonic() + first
        self._socket = open_socket(address, first)
        try:
            self._synchronize(limit, first)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Ends the connection; the machine goes on. Safe to call again."""
        self._socket.close()

    def fileno(self):
        """For select: readable when an event, or the end, may be there."""
        return self._socket.fileno()

    # ---- Commands

    def command(self, text, timeout=None):
        """Runs a command and returns its Reply. CommandError when the monitor refuses it; Timeout, after which the
        connection is out of step and should be closed; ConnectionLost."""
        self._check(text)
        self._send(text.encode("ascii") + b"\n")
        rows, last = self._read_reply(self._limit(timeout))
        if last != b"ok":
            raise CommandError(text, last[len(b"err "):].decode("ascii", "replace"), Reply(rows))
        return Reply(rows)

    @staticmethod
    def _check(text):
        if not text.strip() or not text.isascii() or not text.isprintable():
            raise ValueError(f"{text!r}: a command is one line of printable ASCII")

    # ---- Events

    def follow_log(self, on=True):
        """From now on each record of the log is an event as well."""
        self.command(f"log follow {'on' if on else 'off'}")

    def events(self, timeout=None):
        """Yields events as they come, those that came between replies first. An event is a dict with a field "event":
        "record" has the record's text in "record" and its fields in "fields", "notify" what has happened in "what",
        "hello" begins a session: the machine has started again. timeout: seconds without an event after which it ends;
        None: never, until the connection does, which is a ConnectionLost."""
        while True:
            while self._events:
                yield self._events.popleft()
            try:
                line = self._read_line(None if timeout is None else time.monotonic() + timeout)
            except Timeout:
                return
            if not line.startswith(EVENT):
                raise ProtocolError(f"{line!r} belongs to no command")
            self._keep_event(line)

    def wait_for(self, event, timeout=None, **fields):
        """The next event of that name whose fields have these values; earlier ones are dropped. Timeout."""
        limit = self._limit(timeout)
        while True:
            left = limit - time.monotonic()
            for found in self.events(max(left, 0)):
                if found["event"] == event and all(found.get(name) == value for name, value in fields.items()):
                    return found
                if time.monotonic() > limit:
                    break
            if time.monotonic() >= limit:
                raise Timeout(f"{self.address}: no event {event} in time")

    def _keep_event(self, line):
        event = self._json(line[len(EVENT):])
        if "record" in event:
            event["fields"] = parse_record(event["record"])
        self._events.append(event)

    # ---- Lines

    def _limit(self, timeout):
        return time.monotonic() + (self.timeout if timeout is None else timeout)

    def _synchronize(self, limit, seconds):
        """An earlier connection may have left a reply under way. So the first command is a word that nobody else has
        sent and the monitor does not know: what comes before its refusal is not ours. limit: time.monotonic() at which
        that must have come; seconds: how long that was, for the error."""
        word = f"hello{random.getrandbits(48)}"
        self._send(DROP_LINE + word.encode() + b"\n")
        while True:
            try:
                line = self._read_line(limit)
            except Timeout:
                raise Timeout(f"{self.address}: no answer in {seconds:.3g} s: is another program connected?") from None
            if line.startswith(EVENT):
                self._keep_event(line)
            elif b"err " in line and word.encode() in line:  # maybe behind half a row that is not ours
                return

    def _send(self, data):
        self._socket.settimeout(self.timeout)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise Timeout(f"{self.address}: takes nothing") from None
        except OSError as error:
            raise ConnectionLost(f"{self.address}: {error.strerror or error}") from None

    def _read_line(self, limit):
        """The next line without its end. limit: time.monotonic() at which it must be there; None: whenever."""
        while b"\n" not in self._received:
            left = None if limit is None else limit - time.monotonic()
            if left is not None and left <= 0:
                raise Timeout(f"{self.address}: no answer in time")
            self._socket.settimeout(left)
            try:
                more = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                raise ConnectionLost(f"{self.address}: {error.strerror or error}") from None
            if not more:
                raise ConnectionLost(f"{self.address}: the other side has ended")
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _read_reply(self, limit):
        """(rows, last line)."""
        rows = []
        while True:
            line = self._read_line(limit)
            if line.startswith(EVENT):
                self._keep_event(line)
            elif line == b"ok" or line.startswith(b"err "):
                return rows, line
            elif line.startswith(b"{"):
                rows.append(self._json(line))
            else:
                raise ProtocolError(f"{line!r} is no line of a reply")

    @staticmethod
    def _json(line):
        try:
            return json.loads(line)
        except ValueError:
            raise ProtocolError(f"{line!r} is no JSON") from None


def connect(address, timeout=30.0, wait=0.0):
    """A Monitor. wait: seconds in which the session is there, or it is an error: while nobody listens, as right behind
    the start of QEMU, it tries again (ConnectError at the end), and who listens must have answered by then (Timeout). 0:
    one try, whose first answer may take timeout, as any."""
    limit = time.monotonic() + wait
    while True:
        try:
            if not wait:
                return Monitor(address, timeout)
            return Monitor(address, timeout, min(timeout, max(limit - time.monotonic(), 0.05)))
        except ConnectError:
            if time.monotonic() >= limit:
                raise
            time.sleep(0.05)
