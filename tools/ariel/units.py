# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them."""

DURATION_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))
BYTE_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def count(number):
    """1234567 as 1,234,567."""
    return f"{int(number):,}"


def duration(nanoseconds):
    """Three significant digits: 640 ns, 1.28 µs, 45.1 ms, 3.02 s."""
    for size, unit in DURATION_UNITS:
        if nanoseconds >= size * 0.9995:
            value = nanoseconds / size
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{nanoseconds:.0f} ns"


def bytes_of(number):
    """3145728 as 3.0 MiB."""
    for size, unit in BYTE_UNITS:
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{int(number)} B"


def share(part, whole):
    """A part of a whole in per cent; what is there is never "0 %"."""
    percent = 100 * part / whole if whole else 0
    return "0 %" if not part else f"{percent:.1f} %" if percent >= 0.05 else "< 0.1 %"
