#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make test`: the host's unit tests, the tests of the tools and the tests that boot QEMU, with one last line for all:
"N passed, N failed". A suite that breaks down counts as one failure. Skipped tests are named and counted as neither."""

import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

TOTAL = re.compile(r"^(?:unit|fuzz): (\d+) passed, (\d+) failed$", re.M)


def run_host(script, options, *arguments):
    """(passed, failed, skipped) of scripts/unit_tests.py or scripts/fuzz.py"""
    folder = "unit" if script == "unit_tests" else script
    command = [sys.executable, f"scripts/{script}.py", "--build", f"{options.build}/{folder}", "--cc", options.cc,
               "--cflags", options.cflags, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        text = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            text += line
    total = TOTAL.search(text)
    return (int(total[1]), int(total[2]), 0) if total else (0, 1, 0)


def run_pytest(folder, options):
    """(passed, failed, skipped)"""
    report = f"{options.build}/{folder.replace('/', '-')}.xml"
    if os.path.exists(report):
        os.remove(report)
    command = [sys.executable, "-m", "pytest", "-o", "console_output_style=count", "--tb=short", "-rs", "-p",
               "no:cacheprovider", f"--junitxml={report}", folder]
    status = subprocess.run(command).returncode
    if status == 5:
        print(f"{folder}: holds no test")
        return 0, 1, 0
    try:
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    except (OSError, xml.etree.ElementTree.ParseError):
        return 0, 1, 0
    count = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return passed, failed if failed or not status else 1, count["skipped"]


def main():
    parser = argparse.ArgumentParser(description="Run all tests.")
    parser.add_argument("--build", required=True)
    parser.add_argument("--cc", required=True, help="the host's compiler")
    parser.add_argument("--cflags", required=True, help="its flags for the unit tests")
    parser.add_argument("--linux", action="store_true", help="only the tests that boot Linux")
    options = parser.parse_args()
    start = time.monotonic()
    suites = (("unit", lambda: run_host("unit_tests", options)),
              ("fuzz", lambda: run_host("fuzz", options, "--replay")),
              ("tools", lambda: run_pytest("tests/tools", options)),
              ("qemu", lambda: run_pytest("tests/qemu", options)))
    if options.linux:
        suites = (("linux", lambda: run_pytest("tests/linux", options)),)
    results = []
    for name, suite in suites:
        print(f"==== {name} tests", flush=True)
        results.append((name, *suite()))
    for name, passed, failed, skipped in results:
        print(f"{name}: {passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    passed, failed = (sum(result[column] for result in results) for column in (1, 2))
    print(f"in {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
