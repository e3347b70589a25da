#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast the tools for traces are, and how much memory they take: each command over a trace that is made for it.

  bench_trace.py --folder build/bench-trace --records 10000000 100000000

A million records are 128 MB. The traces, and what the exports keep in temporary files, are in the folder, and are removed at
the end. Seconds are those of the CPU, as the command itself and its children spend them: one core."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXPORT = ("import importlib, sys; from ariel.trace import Trace; module = importlib.import_module('ariel.export.' + sys.argv[1]);"
          "module.write(Trace(sys.argv[2]), None, open('/dev/null', 'wb'), **eval(sys.argv[3]))")
# name, arguments of python3; TRACE and OTHER stand for the files
COMMANDS = (("info", ("-m", "ariel", "info", "TRACE")), ("records", ("-m", "ariel", "records", "TRACE")),
            ("records -j", ("-m", "ariel", "records", "-j", "TRACE")),
            ("records --key", ("-m", "ariel", "records", "--key", "ID_*", "TRACE")),
            ("csv", ("-c", EXPORT, "table", "TRACE", "{}")), ("perfetto", ("-c", EXPORT, "perfetto", "TRACE", "{}")),
            ("json", ("-c", EXPORT, "chrome", "TRACE", "{}")), ("ftrace", ("-c", EXPORT, "ftrace", "TRACE", "{}")),
            ("diff (of two)", ("-m", "ariel", "diff", "TRACE", "OTHER")))
DIFFERENT = 1  # exit status of diff


def measure(arguments, folder):
    """(CPU seconds, peak of the memory in MB) of a Python program."""
    program = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL,
                               env={**os.environ, "TMPDIR": str(folder)})
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode and not ("diff" in arguments and program.returncode == DIFFERENT):
        raise SystemExit(f"bench_trace: {arguments[:3]} has failed with status {program.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def bench(records, folder):
    trace = pathlib.Path(folder) / "bench.trace"
    began = time.monotonic()
    other = trace.with_name("other.trace")
    subprocess.run([sys.executable, "tests/tools/trace_maker.py", trace, str(records)], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "tests/tools/trace_maker.py", other, str(records), "4", "2"], cwd=ROOT, check=True)
    print(f"{records} records, {trace.stat().st_size / 1e6:.0f} MB, made in {time.monotonic() - began:.0f} s")
    print(f"{'':14} {'CPU s':>8} {'records/s':>12} {'MB':>6}")
    for name, words in COMMANDS:
        seconds, size = measure([{"TRACE": str(trace), "OTHER": str(other)}.get(word, word) for word in words], folder)
        print(f"{name:14} {seconds:8.1f} {records / seconds:12.0f} {size:6}", flush=True)
    trace.unlink()
    other.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, help="where the traces are made")
    parser.add_argument("--records", type=int, nargs="+", required=True, help="how many records they have")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for records in options.records:
            bench(records, folder)


if __name__ == "__main__":
    main()
