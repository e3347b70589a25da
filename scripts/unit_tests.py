#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the host unit tests: tests/unit/<name>_test.c, with the real files that its `// Links:` lines name.

A name there may have a `*`: `monitor/*.c` is every file of that room. A test without such a line has those of the file
that it includes by a name in quotes: several tests can share a world.

Objects are not shared between tests, so that each one sees exactly its own fakes. A test is built again when it, a
file it links, or a header that one of them includes is newer than its program.
"""

import argparse
import glob
import os
import re
import shlex
import subprocess
import sys

INCLUDED = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
LINKS = re.compile(r"^//\s*Links:\s*(.*)$", re.MULTILINE)
PASSED = re.compile(r"\[  PASSED  \] (\d+) test")
FAILED = re.compile(r"\[  FAILED  \] (\d+) test")
TIME_LIMIT_S = 600


def dependencies(path):
    """The files of a make dependency file, or None when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().replace("\\\n", " ").split(":", 1)[1].split()
    except (OSError, IndexError):
        return None


def is_current(program, depfiles, stamp):
    if not os.path.exists(program):
        return False
    made = os.path.getmtime(program)
    names = [stamp]
    for depfile in depfiles:
        found = dependencies(depfile)
        if found is None:
            return False
        names += found
    return all(os.path.exists(name) and os.path.getmtime(name) <= made for name in names)


def compile_and_link(program, sources, options, stamp, libraries=("-lcmocka",)):
    """Returns None, or the compiler's complaint."""
    objects = [f"{program}.o/{source.replace('/', '_')}.o" for source in sources]
    if is_current(program, [f"{name}.d" for name in objects], stamp):
        return None
    os.makedirs(f"{program}.o", exist_ok=True)
    for source, obj in zip(sources, objects):
        step = [*options.cc, *options.cflags, "-MMD", "-MF", f"{obj}.d", "-c", "-o", obj, source]
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            return done.stderr
    link = [*options.cc, *options.cflags, "-o", program, *objects, *libraries]
    done = subprocess.run(link, capture_output=True, text=True)
    return done.stderr if done.returncode else None


def linked_files(path):
    """The files that the `// Links:` lines of a test name; a pattern that matches nothing stays, to be missed."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    names = " ".join(LINKS.findall(text)).split()
    if not names:
        included = [os.path.normpath(os.path.join(os.path.dirname(path), name)) for name in INCLUDED.findall(text)]
        return next((found for name in included if os.path.exists(name) and (found := linked_files(name))), [])
    return [path for name in names for path in (sorted(glob.glob(name)) if "*" in name else []) or [name]]


def run_test(name, options, stamp):
    """(passed, failed, text to show)"""
    test = f"tests/unit/{name}_test.c"
    links = linked_files(test)
    if not links:
        return 0, 1, f"{test}: no `// Links: <files>` line"
    sources = [test, *links]
    missing = [source for source in sources if not os.path.exists(source)]
    if missing:
        return 0, 1, f"{test}: its Links line names a file that does not exist: {' '.join(missing)}"
    program = f"{options.build}/{name}_test"
    complaint = compile_and_link(program, sources, options, stamp)
    if complaint:
        return 0, 1, complaint
    try:
        done = subprocess.run([program], capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired:
        return 0, 1, f"{program}: not done after {TIME_LIMIT_S} s"
    text = done.stdout + done.stderr
    passed = sum(int(n) for n in PASSED.findall(text))
    failed = max((int(n) for n in FAILED.findall(text)), default=0)
    if done.returncode and not failed:
        failed = 1  # a sanitizer or a signal ended it
    if not done.returncode and not passed:
        return 0, 1, f"{program}: ran no test\n{text}"
    return passed, failed, text if failed else ""


def write_stamp(options):
    os.makedirs(options.build, exist_ok=True)
    stamp = f"{options.build}/flags.stamp"
    text = " ".join([*options.cc, *options.cflags])
    try:
        with open(stamp, encoding="utf-8") as file:
            if file.read() == text:
                return stamp
    except OSError:
        pass
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(text)
    return stamp


def main():
    parser = argparse.ArgumentParser(description="Build and run the host unit tests.")
    parser.add_argument("--build", required=True, help="folder for the test programs")
    parser.add_argument("--cc", required=True, type=shlex.split)
    parser.add_argument("--cflags", required=True, type=shlex.split)
    parser.add_argument("names", nargs="*", help="tests to run (default: all)")
    options = parser.parse_args()
    known = sorted(name[: -len("_test.c")] for name in os.listdir("tests/unit") if name.endswith("_test.c")) \
        if os.path.isdir("tests/unit") else []
    unknown = [name for name in options.names if name not in known]
    if unknown:
        sys.exit(f"no unit test {' '.join(unknown)}; there are: {' '.join(known)}")
    stamp = write_stamp(options)
    names = options.names or known
    total_passed = total_failed = 0
    for number, name in enumerate(names, 1):
        passed, failed, text = run_test(name, options, stamp)
        total_passed += passed
        total_failed += failed
        print(f"  [{number}/{len(names)}] {name}: {passed} passed, {failed} failed", flush=True)
        if text:
            print(text.rstrip(), flush=True)
    print(f"unit: {total_passed} passed, {total_failed} failed")
    sys.exit(1 if total_failed or not names else 0)


if __name__ == "__main__":
    main()
