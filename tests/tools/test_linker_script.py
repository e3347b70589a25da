# SPDX-License-Identifier: Apache-2.0
"""The functions that the linker script lays together, because frequent exits execute them, are there under these names."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("lib", "platform", "policy", "arch", "trace", "mm", "drivers", "core", "console", "vdev", "vm", "debug", "trap")


def test_each_function_is_defined():
    script = (ROOT / "arch/aarch64/hypervisor.ld.S").read_text()
    names = set(re.findall(r"\.text\.(\w+)\.\*", script))
    assert len(names) > 30
    files = [path for room in (*ROOMS, "include") for path in sorted((ROOT / room).rglob("*.[ch]"))]
    sources = "\n".join(path.read_text() for path in files)
    # A definition begins in column 1; a call does not. Some are inline functions of a header that GCC does not inline.
    assert [name for name in sorted(names) if not re.search(rf"^\w.*\b{name}\(", sources, re.MULTILINE)] == []
