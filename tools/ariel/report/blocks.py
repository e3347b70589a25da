# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers as text for a page: split into byte planes, deflated (RFC 1951), base64.

Numbers of a column are alike in their upper bytes. So all lowest bytes come first, then all second bytes and so on;
planes above the largest number's are left out. Deflate makes little of the planes that hardly change. page/js/blocks.js
reads them.
"""

import base64
import json
import zlib

import numpy as np

LEVEL = 6  # of zlib: 9 takes three times as long for 1 % less


def deflate(data):
    """bytes as base64 text of a raw deflate stream."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(data) + packer.flush()).decode("ascii")


def planes_of(values):
    """An array of u64 as (byte planes, their number: 0 to 8)."""
    values = np.ascontiguousarray(values, "<u8")
    largest = int(values.max(initial=0))
    count = (largest.bit_length() + 7) // 8
    return np.ascontiguousarray(values.view(np.uint8).reshape(len(values), 8)[:, :count].T).tobytes(), count


class Blocks:
    """The blocks of a page: {name: text}, and the index that says how to read them."""

    def __init__(self):
        self.texts, self.index = {}, {}

    def add(self, name, values, steps=False):
        """A column of u64 values. steps: it is stored as differences (mod 2^64) from one to the next."""
        values = np.ascontiguousarray(values, np.uint64)
        if steps and len(values):
            values = np.diff(values, prepend=np.uint64(0))
        data, planes = planes_of(values)
        self.index[name] = {"count": len(values), "planes": planes, "steps": steps}
        self.texts[name] = deflate(data)

    def add_object(self, name, value):
        """Anything that JSON can say, as UTF-8."""
        self.index[name] = {"json": True}
        self.texts[name] = deflate(json.dumps(value, separators=(",", ":")).encode())
