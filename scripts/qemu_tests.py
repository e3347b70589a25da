#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make test-qemu TESTS=...` and `make hostile CASE=...`: the tests of tests/qemu that were chosen. A choice that is of no
test is refused, with what there is."""

import glob
import os
import re
import subprocess
import sys

FOLDER = "tests/qemu"
VALUED = ("-k", "-m", "-p", "-n", "-o", "-c", "-W", "-r")  # pytest's options whose value is the next word


def place(word):
    """The path of a file that is named as a person writes it: with or without its folder."""
    name, colons, test = word.partition("::")
    found = next((path for path in (f"{FOLDER}/{name}", name) if os.path.exists(path)), None)
    return found and f"{found}{colons}{test}"


def refuse(choice, there):
    sys.exit(f"{choice}: no such test; there are: {' '.join(there)}")


def check_case(case):
    """Refuses what is no case of the hostile guests."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only",
                           f"{FOLDER}/test_hostile.py"], capture_output=True, text=True)
    cases = re.findall(r"::test_el2_stands\[(.*)\]", done.stdout)
    if case not in cases:
        refuse(f"CASE={case}", cases)


def main(words):
    if words[:1] == ["--case"]:
        check_case(words[1])
        return
    files = sorted(os.path.basename(path) for path in glob.glob(f"{FOLDER}/test_*.py"))
    arguments, named = [], False
    for before, word in zip(["", *words], words):
        if not word.startswith("-") and before not in VALUED:
            named = True
            arguments.append(place(word) or refuse(f"TESTS={word}", files))
        else:
            arguments.append(word)
    status = subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments, *([] if named else [FOLDER])]).returncode
    if status in (4, 5):  # pytest: wrong usage, nothing collected
        refuse(f"TESTS={' '.join(words)}", files)
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
