# SPDX-License-Identifier: Apache-2.0
"""From a policy's text to folded verdicts."""
import re
import tomllib

from .controls import derive_controls
from .fold import fold_keys, fold_ranges
from .headers import read_tables
from .match import match_rows
from .model import PolicyError
from .source import locate_rows, read_source
from .virtio import fold_virtio


class Compiler:
    """From text to folded verdicts. Errors are collected; check() raises them."""

    def __init__(self, path, text, groups, numbers):
        self.path, self.groups, self.numbers, self.errors = path, groups, numbers, []
        self.keys = [key for group in groups.values() for key in group]
        self.log_budget = 0  # source.py
        self.rows = []  # source.py; match.py gives them targets
        self.verdicts, self.ranges = {}, []  # fold.py: (key, direction) -> verdict; the address space in order
        self.virtio = []  # virtio.py: what its rows say, in order; the default last
        self.bits, self.notes = set(), []  # controls.py
        try:
            self.source = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            where = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
            line = int(where[1]) if where else max(1, len(text.splitlines()))
            raise PolicyError([f"{path}:{line}: not TOML: {str(error).split(' (at')[0]}"]) from None
        self.lines = locate_rows(text)
        read_source(self)
        match_rows(self)
        self.check()
        fold_keys(self)
        fold_ranges(self)
        fold_virtio(self)
        derive_controls(self)
        self.check()

    def error(self, line, message):
        self.errors.append((line, f"{self.path}:{line}: {message}"))

    def check(self):
        if self.errors:
            raise PolicyError([text for _, text in sorted(dict.fromkeys(self.errors))])


# First bytes of what editors and tools write in place of plain UTF-8
OTHER_FORMS = ((b"\xef\xbb\xbf", "UTF-8 with a byte order mark"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"),
               (b"\x1f\x8b", "packed with gzip"), (b"\x28\xb5\x2f\xfd", "packed with zstd"),
               (b"\xfd7zXZ", "packed with xz"), (b"BZh", "packed with bzip2"))


def compile_file(path, cc="cc", include=("include",)):
    try:
        with open(path, "rb") as file:
            data = file.read()
        found = next((name for magic, name in OTHER_FORMS if data.startswith(magic)), None)
        if found or b"\0" in data[1:2]:
            raise PolicyError([f"{path}:1: {found or 'UTF-16 without a byte order mark'}: a policy is UTF-8 text without a "
                               "byte order mark; save it as that"])
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError([f"{path}:1: not UTF-8: {error.reason} at byte {error.start}"]) from None
    except OSError as error:
        raise PolicyError([f"{path}: cannot read the policy: {error.strerror}"]) from None
    return Compiler(path, text, *read_tables(cc, include))
