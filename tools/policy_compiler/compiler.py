# SPDX-License-Identifier: Apache-2.0
"""From a policy's text to folded verdicts."""
from .controls import derive_controls
from .fold import fold_keys, fold_ranges
from .headers import read_tables
from .match import match_rows
from .model import ACTIONS, PolicyError
from .reader import decode, read_text
from .source import locate_rows, read_source, unread
from .virtio import fold_virtio


class Compiler:
    """From text to folded verdicts. Errors are collected, and all are raised together at the end.

    A row that has an error is unsound: it goes on through the later parts, so that the others are judged as they would be
    with it, but nothing more is said about it, and nothing that would only follow from its error."""

    def __init__(self, path, text, groups, numbers, mark=None):
        """mark: what is wrong with the file's first bytes, or None."""
        self.path, self.groups, self.numbers, self.errors = path, groups, numbers, []
        self.keys = [key for group in groups.values() for key in group]
        self.unread = set()  # reader.py: lines that are no TOML
        self.unsound, self.doubtful = set(), set()  # settle(): rows with an error; those where it is in what they decide
        self.whole = True  # whether all tables of the file are known
        self.log_budget = 0  # source.py
        self.rows = []  # source.py; match.py gives them targets
        self.verdicts, self.ranges = {}, []  # fold.py: (key, direction) -> verdict; the address space in order
        self.virtio = []  # virtio.py: what its rows say, in order; the default last
        self.bits, self.notes = set(), []  # controls.py
        if mark:
            self.error(1, mark)
        self.source, text = read_text(self, text)
        self.lines = locate_rows(text)
        read_source(self)
        self.settle()
        match_rows(self)
        self.settle()
        fold_keys(self)
        fold_ranges(self)
        self.settle()
        fold_virtio(self)
        self.check()
        derive_controls(self)  # what all verdicts need together: it follows from all of them
        self.check()

    def error(self, line, message):
        """message: one line, whatever the file's strings have in them."""
        plain = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in message)
        self.errors.append((line, f"{self.path}:{line}: {plain}"))

    def settle(self):
        """Finds the rows that are unsound by now."""
        wrong = {line for line, _ in self.errors} | self.unread
        for row in self.rows:
            if any(row.line <= line < row.end for line in wrong):
                self.unsound.add(row)
                if wrong & {row.line, *map(row.at, ("action", "access", "log", "count", "trace"))} or unread(self, row):
                    self.doubtful.add(row)
                row.action = row.action if isinstance(row.action, str) and row.action in ACTIONS else "deny"
                row.log, row.count, row.trace, row.shadow = (value is True for value in
                                                             (row.log, row.count, row.trace, row.shadow))

    def sound(self, *rows):
        return not self.unsound.intersection(rows)

    def check(self):
        if self.errors:
            raise PolicyError([text for _, text in sorted(dict.fromkeys(self.errors))])


def compile_data(path, data, tables):
    """The policy that data, the bytes of a file, is; path is for messages and records. tables: of read_tables."""
    text, mark = decode(path, data)
    return Compiler(path, text, *tables, mark)


def compile_file(path, cc="cc", include=("include",)):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise PolicyError([f"{path}: cannot read the policy: {error.strerror}"]) from None
    return compile_data(path, data, read_tables(cc, include))
