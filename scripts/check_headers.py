#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles by itself: each one is fed to the compiler alone, twice included."""

import argparse
import glob
import shlex
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description="Compile each header by itself.")
    parser.add_argument("--cc", required=True, type=shlex.split)
    parser.add_argument("--flags", required=True, type=shlex.split)
    options = parser.parse_args()
    headers = sorted(glob.glob("include/**/*.h", recursive=True) + glob.glob("guest/**/*.h", recursive=True))
    failed = 0
    for header in headers:
        guest = ["-Iguest"] if header.startswith("guest/") else []
        text = f'#include "{header}"\n#include "{header}"\nextern int check_headers_unit;\n'
        command = [*options.cc, *options.flags, *guest, "-I.", "-fsyntax-only", "-x", "c", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode:
            failed += 1
            print(f"{header}: does not compile by itself\n{done.stderr.rstrip()}")
    print(f"headers: {len(headers) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
