# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a program and ariel's monitor, and in ariel's tools. All of it is an ArielError."""


class ArielError(Exception):
    """The root of all errors of this package. `status` is the exit status of a command that ends by it."""

    status = 1


class AddressError(ArielError, ValueError):
    """An address is neither unix:path nor tcp:port."""


class ConnectError(ArielError, ConnectionError):
    """Nobody listens at the address: QEMU does not run, or runs without MONITOR=."""


class ConnectionLost(ArielError, ConnectionError):
    """The other side is gone: QEMU has ended."""


class Timeout(ArielError, TimeoutError):
    """The answer did not come in time."""


class ProtocolError(ArielError):
    """A line came that no monitor of ariel's sends."""


class CommandError(ArielError):
    """The monitor has refused a command. `command` is its text, `reason` the monitor's words, `reply` the rows before."""

    def __init__(self, command, reason, reply):
        super().__init__(f"{command}: {reason}")
        self.command, self.reason, self.reply = command, reason, reply


class UsageError(ArielError):
    """What was typed means nothing: what is wrong, and what there is instead, in one line."""

    status = 2


class TraceError(ArielError):
    """A trace cannot be read: what is wrong, where in the file, what to do."""


class PullError(ArielError):
    """The trace cannot be taken out of a machine's memory: what is wrong, where, what to do."""


class TablesError(ArielError):
    """The tables of ariel's headers cannot be read."""


class ImageError(ArielError):
    """A guest's kernel or program can't be loaded. The message is one line."""


class SymbolsError(ArielError):
    """A file has no symbols, or where the kernel has moved itself cannot be told. The message is one line."""
