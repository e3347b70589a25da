# SPDX-License-Identifier: Apache-2.0
"""Words of a guest's, made safe to show: a guest decides what its console says, and a terminal obeys control characters."""

import unicodedata

# Cc: controls. Cf: invisible ones, such as those that turn the direction of writing. Zl, Zp: line ends. Cs, Co, Cn: what is
# no character.
HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def printable(text):
    """A str that a terminal shows as it is: what is not printable is written as \\x1b or \\u202e, a tab as \\t. bytes are
    taken for UTF-8; what is none is written as \\xff."""
    if isinstance(text, (bytes, bytearray)):
        text = bytes(text).decode("utf-8", "backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if unicodedata.category(char) not in HIDDEN else escape(char) for char in text)


def escape(char):
    code = ord(char)
    if char == "\t":
        return "\\t"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
