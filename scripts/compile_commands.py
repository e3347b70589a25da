#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes compile_commands.json. Each --flags "<compiler and flags>" holds for the sources after it."""

import json
import os
import shlex
import sys


def main(arguments):
    directory = os.getcwd()
    build = output = flags = None
    entries = []
    words = iter(arguments)
    for word in words:
        if word == "--build":
            build = next(words)
        elif word == "--output":
            output = next(words)
        elif word == "--flags":
            flags = shlex.split(next(words))
        else:
            command = flags + ["-c", "-o", f"{build}/{word}.o", word]
            entries.append({"directory": directory, "file": word, "arguments": command})
    with open(output, "w", encoding="utf-8") as file:
        json.dump(entries, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
