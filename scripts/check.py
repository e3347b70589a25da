#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The static gates: `make check`. Each one is a function that returns None, or what it found; its first line of
documentation is its name on the screen. `make check GATE=sizes` runs one."""

import argparse
import ast
import glob
import json
import multiprocessing.pool
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from rooms import FOLDERS

C_FOLDERS = (*FOLDERS, "include", "guest", "tests")
GCC, CLANG = "build/check-gcc", "build/check-clang"
PRODUCTS = ("hypervisor.elf", "hypervisor.bin", "hypervisor.map", "hypervisor.symbols", "guest.elf", "guest.bin")
JOBS = min(os.cpu_count() or 1, 4)


def run(*command, **options):
    """None when the command succeeds, else its output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode == 0:
        return None
    return done.stdout.rstrip() or f"{command[0]} ended with {done.returncode}"


def make(*arguments, **options):
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return run("make", "-s", f"-j{JOBS}", *arguments, env=environment, **options)


def script(name, *arguments):
    return run(sys.executable, f"scripts/{name}", *arguments)


def c_files(*endings):
    return sorted(path for folder in C_FOLDERS for path in glob.glob(f"{folder}/**/*", recursive=True)
                  if path.endswith(endings))


def each(files, *command):
    """Runs the command on each file, a few at a time; None or all that was found."""
    with multiprocessing.pool.ThreadPool(JOBS) as pool:
        found = pool.map(lambda path: run(*command, path), files)
    return "\n".join(text for text in found if text) or None


def gate_layering():
    """layering: who includes what, where barriers stand"""
    return script("check_layering.py")


def gate_sizes():
    """sizes, licence lines, columns"""
    return script("check_sizes.py")


def gate_format():
    """clang-format 19"""
    return run("clang-format-19", "--dry-run", "-Werror", *c_files(".c", ".h"))


def gate_graph():
    """rooms: no file needs one of a later room, none needs another in a circle"""
    return script("graph.py", "--check")


def gate_gcc():
    """gcc build, warnings are errors"""
    return make(f"BUILD={GCC}", "LLVM=0")


def gate_clang():
    """clang build, warnings are errors, locks annotated and held (-Wthread-safety)"""
    return make(f"BUILD={CLANG}", "LLVM=1")


def gate_headers():
    """headers compile by themselves, gcc and clang"""
    found = [make(f"BUILD={GCC}", "LLVM=0", "check-headers"), make(f"BUILD={CLANG}", "LLVM=1", "check-headers")]
    return "\n".join(text for text in found if text) or None


def gate_layout():
    """memory map and W^X, gcc and clang"""
    for build in (GCC, CLANG):
        found = script("check_layout.py", "--hypervisor", f"{build}/hypervisor.elf", "--guest", f"{build}/guest.elf")
        if found:
            return found
    return None


def gate_policies():
    """every policy in policy/ compiles"""
    for policy in sorted(glob.glob("policy/*.toml")):
        found = script("../tools/policy_compile.py", "--policy", policy, "--output", os.devnull)
        if found:
            return found
    return None


def gate_tidy():
    """clang-tidy"""
    database = f"{CLANG}/compile_commands.json"
    make(f"BUILD={CLANG}", "LLVM=1", database, f"{CLANG}/generated/version.h")
    with open(database, encoding="utf-8") as file:
        files = [entry["file"] for entry in json.load(file)]
    return each(files, "clang-tidy", "--quiet", "-p", CLANG)


def gate_cppcheck():
    """cppcheck"""
    files = [path for path in c_files(".c") if not path.startswith("tests/") and not path.endswith("asm-offsets.c")]
    # Debian 12's cppcheck 2.10 takes attributes in [[]] for C11; later ones want to be told that this is C23.
    version = subprocess.run(["cppcheck", "--version"], capture_output=True, text=True).stdout
    number = re.search(r"(\d+)\.(\d+)", version)
    if not number:
        return f"cppcheck --version says no version: {version}"
    late = tuple(map(int, number.groups())) >= (2, 14)
    standard = ["--std=c23", "--check-level=exhaustive"] if late else ["--std=c11"]
    # The last definition takes the register out of: register uint64_t x0 __asm__("x0");
    return run("cppcheck", "--quiet", "--error-exitcode=1", "--enable=warning,performance,portability",
               "--inline-suppr", *standard, f"-j{JOBS}", "-Iinclude", f"-I{GCC}/generated", "-Iguest",
               "-D__aarch64__", "-D__asm__(name)=", "--suppressions-list=scripts/cppcheck.suppress", *files)


def gate_python():
    """Python parses; log_decode.py as Python 3.9"""
    folders = ("scripts", "tools", "tests")
    for path in sorted(path for folder in folders for path in glob.glob(f"{folder}/**/*.py", recursive=True)):
        with open(path, encoding="utf-8") as file:
            version = (3, 9) if path.endswith("log_decode.py") else (3, 11)
            try:
                ast.parse(file.read(), path, feature_version=version)
            except SyntaxError as error:
                return f"{path}:{error.lineno}: {error.msg}"
    return None


def gate_rebuild():
    """a rebuild in another folder is bit-identical"""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="ariel-rebuild-in-another-folder-") as folder:
        for name in names.stdout.splitlines():
            if os.path.isfile(name):
                os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
                shutil.copy2(name, f"{folder}/{name}")
        # Alone, this gate would otherwise compare with what another commit left.
        found = gate_gcc() or make(f"BUILD={GCC}", "LLVM=0", f"COMMIT={commit}", "all", cwd=folder)
        if found:
            return found
        differ = [name for name in PRODUCTS if read(f"{folder}/{GCC}/{name}") != read(f"{GCC}/{name}")]
    return f"not the same bytes: {' '.join(differ)}" if differ else None


def read(path):
    with open(path, "rb") as file:
        return file.read()


# In order: what is quick and what later gates use comes first.
GATES = (gate_layering, gate_sizes, gate_format, gate_python, gate_graph, gate_gcc, gate_clang, gate_headers, gate_layout,
         gate_policies, gate_tidy, gate_cppcheck, gate_rebuild)


def main():
    parser = argparse.ArgumentParser(description="Run the static gates.")
    parser.add_argument("names", nargs="*", help="gates to run (default: all)")
    options = parser.parse_args()
    by_name = {gate.__name__[len("gate_"):]: gate for gate in GATES}
    unknown = [name for name in options.names if name not in by_name]
    if unknown:
        sys.exit(f"no gate {' '.join(unknown)}; there are: {' '.join(by_name)}")
    chosen = [by_name[name] for name in options.names] or GATES
    failed = 0
    for number, gate in enumerate(chosen, 1):
        start = time.monotonic()
        print(f"  [{number}/{len(chosen)}] {gate.__doc__} ... ", end="", flush=True)
        try:
            found = gate()
        except (OSError, subprocess.CalledProcessError) as error:
            found = str(error)
        failed += bool(found)
        print(f"{'FAILED' if found else 'ok'} ({time.monotonic() - start:.0f} s)", flush=True)
        if found:
            print(found, flush=True)
    print(f"check: {len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
