#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws a picture of Graphviz's so that it can be read on a light and on a dark page.

Graphviz writes black. Black becomes currentColor here, the colour of the text around the picture; where the picture is
shown by itself, as an image of a page is, a style in it follows what the reader's system prefers.
"""

import argparse
import re
import subprocess
import sys

STYLE = """<style>
svg { color: #1f2328 }
@media (prefers-color-scheme: dark) { svg { color: #d1d7e0 } }
text { fill: currentColor }
</style>
"""


def follow_the_page(svg):
    """The picture without its white background and its comments, in the colour of the page's text."""
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.S)
    svg = re.sub(r'<polygon fill="white" stroke="transparent"[^>]*/>\n', "", svg)
    svg = re.sub(r'(?:stroke|fill)="black"', lambda match: match[0].replace("black", "currentColor"), svg)
    # A text with a colour of its own keeps it: a style is stronger than an attribute.
    svg = re.sub(r'(<text[^>]*) fill="(#[0-9a-f]{6})"', r'\1 style="fill: \2"', svg)
    return re.sub(r"(<svg[^>]*>\n)", lambda match: match[1] + STYLE, svg, count=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dot", help="what Graphviz's dot reads")
    parser.add_argument("svg", help="where the picture goes")
    options = parser.parse_args()
    done = subprocess.run(["dot", "-Tsvg", options.dot], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"dot could not draw {options.dot}: {done.stderr.strip()}")
    with open(options.svg, "w", encoding="utf-8") as file:
        file.write(follow_the_page(done.stdout))


if __name__ == "__main__":
    main()
