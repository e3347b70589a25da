# SPDX-License-Identifier: Apache-2.0
"""A record of the log (docs/LOG.md) as a dict."""

import re

FIELD = re.compile(r'([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|\S*)')
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")


def unquote(value):
    """A field's value without the quotes of logfmt."""
    if not value.startswith('"'):
        return value
    return ESCAPE.sub(lambda match: chr(int(match[1][1:], 16)) if len(match[1]) > 1 else match[1], value[1:-1])


def parse_record(text):
    """{field: text} of a record: parse_record('seq=7 event=refused reason="no GIC"')["reason"] is 'no GIC'."""
    return {match[1]: unquote(match[2]) for match in FIELD.finditer(text)}
