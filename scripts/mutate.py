#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make mutate`: do the tests bite?

tests/mutate/*.toml hold mutants, each a small change that breaks ariel. Every mutant is made in a copy of the tree, and
the tests run on it, quickest first, until one fails: that one has killed it. A mutant that all tests pass has survived,
and shows something that no test looks at. The exit status is 1 when fewer than 95 % were killed, when a survivor has
no explanation, and when a mutant does not apply or the tree fails without any mutant.

A row: name; file; was, a text that stands exactly once in the file; becomes, what it is changed to; breaks, what that
would do to a user or a guest; tests, pytest's arguments for what is tried last (and first, for Python); survives, why
no test can see it. Suites, quickest first: unit, fuzz (the replay), clang (a build with -Wthread-safety), guest (the
guest's suites with 1 CPU, and with 4 in a build that checks the order of locks), tests.
"""

import argparse
import glob
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run import qemu_command  # noqa: E402  (scripts/ is not a package)

FOLDER = "tests/mutate"
REQUIRED = {"name", "file", "was", "becomes", "breaks"}
OPTIONAL = {"tests", "survives"}
SCORE_MIN = 0.95
GUEST_LIMIT_S = 300  # what a host that is busy with other things needs for the guest's suites, several times over
SUITE_LIMIT_S = 900
# A mutant that leaves a variable unused must not be taken for one that a test has noticed.
QUIET = "WARNINGS=-w"
GUEST = (QUIET, "GUEST_POWEROFF=1")
NOT_COMPILED = "the compiler"
GUEST_PASSED = re.compile(rb"# ariel-guest: [1-9]\d* passed, 0 failed")


class MutantError(Exception):
    """A row that cannot be used; the text says which and why."""


def read_mutants(folder=FOLDER):
    """All rows, in the order of files and lines. MutantError for one that is not as the module's text says."""
    mutants, names = [], set()
    for path in sorted(glob.glob(f"{folder}/*.toml")):
        with open(path, "rb") as file:
            rows = tomllib.load(file).get("mutant", [])
        for number, row in enumerate(rows, 1):
            where = f"{path}: mutant {number} ({row.get('name', 'without a name')})"
            if not REQUIRED <= row.keys():
                raise MutantError(f"{where}: lacks {', '.join(sorted(REQUIRED - row.keys()))}")
            if row.keys() - REQUIRED - OPTIONAL:
                raise MutantError(f"{where}: unknown key {', '.join(sorted(row.keys() - REQUIRED - OPTIONAL))}")
            if row["name"] in names:
                raise MutantError(f"{where}: another mutant has this name")
            names.add(row["name"])
            mutants.append(row)
    return mutants


def mutated(mutant, text):
    """text, the contents of the mutant's file, with the mutant in it. MutantError when it does not apply."""
    count = text.count(mutant["was"])
    if count != 1:
        raise MutantError(f"{mutant['name']}: what it changes stands {count} times in {mutant['file']}, not once")
    if mutant["was"] == mutant["becomes"]:
        raise MutantError(f"{mutant['name']}: changes nothing")
    return text.replace(mutant["was"], mutant["becomes"])


def check_all(mutants):
    for mutant in mutants:
        try:
            with open(mutant["file"], encoding="utf-8") as file:
                mutated(mutant, file.read())
        except OSError as error:
            raise MutantError(f"{mutant['name']}: {error}") from None


class Tree:
    """A copy of the tree in folder, in which one mutant at a time is built and tested."""

    def __init__(self, folder):
        self.folder = folder
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        for name in names:
            if not os.path.isfile(name):
                continue
            copy = os.path.join(folder, name)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            # A file that did not change keeps its time, so that make builds only what must be built.
            if not os.path.exists(copy) or read(copy) != read(name):
                shutil.copyfile(name, copy)
                shutil.copymode(name, copy)
        for folder_now, _, files in os.walk(folder):
            if os.path.relpath(folder_now, folder).split(os.sep)[0] in ("build", "dist"):
                continue
            for name in files:
                path = os.path.join(folder_now, name)
                if os.path.relpath(path, folder) not in names and not path.endswith(".pyc"):
                    os.remove(path)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def passes(self, *command, limit=SUITE_LIMIT_S):
        """Whether the command ends with 0 in time. It is one process group, of which nothing is left behind."""
        environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        with subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                return process.wait(limit) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                try:
                    os.killpg(process.pid, 9)
                except ProcessLookupError:
                    pass

    def make(self, *arguments):
        return self.passes("make", "-s", *arguments)

    def guest_passes(self, elf, cpus):
        command = qemu_command(os.path.join(self.folder, elf), str(cpus))
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            timer = threading.Timer(GUEST_LIMIT_S, process.kill)
            timer.start()
            output = process.stdout.read()  # the guest powers the machine off
            timer.cancel()
        return GUEST_PASSED.search(output) is not None

    def suites(self, mutant):
        """(name, function that says whether it passes), quickest first."""
        tests = ("tests", lambda: self.make(QUIET, "all") and self.passes(
            sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.get("tests", [])))
        if mutant["file"].endswith(".py"):
            return [tests]
        return [
            ("unit", lambda: self.make(QUIET, "test-unit")),
            ("fuzz", lambda: self.make(QUIET, "fuzz-replay")),
            ("guest", lambda: self.make(*GUEST, "BUILD=build/guest-1", "all")
                and self.guest_passes("build/guest-1/hypervisor.elf", 1)),
            ("guest, 4 CPUs", lambda: self.make(*GUEST, "BUILD=build/guest-4", "LOCKS=1", "all")
                and self.guest_passes("build/guest-4/hypervisor.elf", 4)),
            ("clang", lambda: self.make("BUILD=build/clang", "LLVM=1", "objects")),
            *([tests] if mutant.get("tests") else []),
        ]

    def compiles(self, mutant):
        return mutant["file"].endswith(".py") or self.make(*GUEST, "BUILD=build/guest-1", "objects")

    def killer(self, mutant):
        """The name of the suite that killed the mutant; None: it survived. NOT_COMPILED: it is no program."""
        with open(mutant["file"], encoding="utf-8") as file:
            text = file.read()
        self.write(mutant["file"], mutated(mutant, text))
        try:
            if not self.compiles(mutant):
                return NOT_COMPILED
            return next((name for name, passes in self.suites(mutant) if not passes()), None)
        finally:
            self.write(mutant["file"], text)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run(mutants, folder, jobs):
    """{name: the suite that killed it, or None}, each told as it is known."""
    waiting, found, lock = queue.Queue(), {}, threading.Lock()
    for mutant in mutants:
        waiting.put(mutant)

    def work(tree):
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            start = time.monotonic()
            killer = tree.killer(mutant)
            with lock:
                found[mutant["name"]] = killer
                said = f"killed by {killer}" if killer else "SURVIVED"
                print(f"  [{len(found)}/{len(mutants)}] {mutant['name']}: {said} ({time.monotonic() - start:.0f} s)", flush=True)

    workers = [threading.Thread(target=work, args=(Tree(f"{folder}/{number}"),)) for number in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def baseline_failure(folder, mutants):
    """The suite that fails without any mutant; None: all pass."""
    tests = sorted({argument for mutant in mutants for argument in mutant.get("tests", [])})
    tree = Tree(f"{folder}/0")
    return next((name for name, passes in tree.suites({"file": ".c", "tests": tests}) if not passes()), None)


def main():
    parser = argparse.ArgumentParser(description="Does a test notice each of the mutants in tests/mutate?")
    parser.add_argument("--folder", default="build/mutate", help="where copies of the tree are built")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at once")
    parser.add_argument("names", nargs="*", help="mutants to try, or parts of their names (default: all)")
    options = parser.parse_args()
    try:
        mutants = read_mutants()
        check_all(mutants)
    except (MutantError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"mutate: {error}")
    chosen = [mutant for mutant in mutants if not options.names or any(name in mutant["name"] for name in options.names)]
    if not chosen:
        sys.exit(f"mutate: no mutant {' '.join(options.names)}; there are: {' '.join(mutant['name'] for mutant in mutants)}")
    failed = baseline_failure(options.folder, chosen)
    if failed:
        sys.exit(f"mutate: {failed} fails without any mutant; mend that first")
    found = run(chosen, options.folder, min(options.jobs, len(chosen)))
    survivors = [mutant for mutant in chosen if found[mutant["name"]] is None]
    for mutant in survivors:
        print(f"survived: {mutant['name']}: {mutant['file']}: {mutant['breaks']}\n"
              f"  {mutant.get('survives', 'NOT EXPLAINED')}")
    killed = len(chosen) - len(survivors)
    print(f"mutate: {killed} of {len(chosen)} mutants killed, {100 * killed / len(chosen):.1f} %, "
          f"at least {100 * SCORE_MIN:.0f} % wanted")
    broken = [name for name, killer in found.items() if killer == NOT_COMPILED]
    if broken:
        sys.exit(f"mutate: these do not compile, so that no test is asked: {' '.join(broken)}")
    unexplained = sum("survives" not in mutant for mutant in survivors)
    sys.exit(1 if unexplained or killed < SCORE_MIN * len(chosen) else 0)


if __name__ == "__main__":
    main()
