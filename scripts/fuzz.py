#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`, `make fuzz-coverage`, and the replay in `make test`.

A target is tests/fuzz/<name>_fuzz.c, with the real files of its `// Links:` lines, or tests/fuzz/<name>_fuzz.py, a test
of hypothesis. What a run finds that reaches new code is kept below --build; --merge takes the least of it that reaches
all into tests/fuzz/corpus/<name>, which every run begins with.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import unit_tests

CORPUS = "tests/fuzz/corpus"
MODES = {  # how a target is built: compiler, flags, the file that has main
    "fuzz": ("clang", "-O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all", None),
    "replay": (None, None, "tests/fuzz/replay.c"),
    "coverage": ("clang", "-O0 -fprofile-instr-generate -fcoverage-mapping", "tests/fuzz/replay.c"),
}
STATUS = re.compile(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)", re.M)
MAX_LENGTH = 2048
KEPT_MAX = 60  # inputs of a target in the repository
PROGRESS_S = 10
REPLAYED = 300  # drawn inputs of a target in `make test`
ENVIRONMENT = {"ASAN_OPTIONS": "abort_on_error=1", "UBSAN_OPTIONS": "abort_on_error=1:print_stacktrace=1"}


def targets():
    """{name: source}"""
    names = sorted(os.listdir("tests/fuzz"))
    return {re.sub(r"_fuzz\.(c|py)$", "", name): f"tests/fuzz/{name}" for name in names
            if name.endswith(("_fuzz.c", "_fuzz.py"))}


def sources_of(source):
    return [source, *unit_tests.linked_files(source)]


def build(name, source, mode, options):
    """The program; ends the run with the compiler's complaint."""
    compiler, flags, main = MODES[mode]
    program = f"{options.build}/{name}-{mode}"
    common = shlex.split(options.cflags)
    if flags:
        common = [flag for flag in common if not flag.startswith(("-fsanitize", "-fno-sanitize", "-O"))]
        common += flags.split()
    setup = argparse.Namespace(cc=[compiler] if compiler else shlex.split(options.cc), cflags=[
        "-Itests/fuzz", *common, "-Wno-unused-function"], build=f"{options.build}/{mode}")
    stamp = unit_tests.write_stamp(setup)
    complaint = unit_tests.compile_and_link(program, sources_of(source) + ([main] if main else []), setup, stamp, [])
    if complaint:
        print(complaint)
        sys.exit(f"{name}: does not build")
    return program


def corpora(name, options):
    found = f"{options.build}/corpus/{name}"
    os.makedirs(found, exist_ok=True)
    return [folder for folder in (found, f"{CORPUS}/{name}") if os.path.isdir(folder)]


def environment():
    return {**os.environ, **ENVIRONMENT}


def say(label, start, limit, text):
    print(f"  {label}: {min(time.monotonic() - start, limit):.0f}/{limit} s, {text}", flush=True)


def last_status(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        found = STATUS.findall(file.read())
    return "{} inputs, {} edges, {} features, {} kept".format(*found[-1]) if found else "begins"


def fuzz_c(name, source, label, options):
    """Whether nothing was found."""
    program = build(name, source, "fuzz", options)
    log = f"{options.build}/{name}.log"
    command = [program, f"-max_total_time={options.time}", f"-max_len={MAX_LENGTH}", "-timeout=20",
               f"-artifact_prefix={options.build}/{name}-", *corpora(name, options)]
    start = shown = time.monotonic()
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment())
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if time.monotonic() - shown >= PROGRESS_S:
                    shown = time.monotonic()
                    say(label, start, options.time, last_status(log))
        finally:
            process.kill()
    say(label, start, options.time, last_status(log))
    if process.returncode == 0:
        return True
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read().splitlines()
    print("\n".join(text[-60:]))
    print(f"{name}: found something; to run it again: {program} {options.build}/{name}-<crash or timeout file above>")
    return False


def fuzz_py(_, source, label, options):
    print(f"  {label}", flush=True)
    return subprocess.run([sys.executable, source, "--time", str(options.time)]).returncode == 0


def replay(name, source, label, options):
    if source.endswith(".py"):
        print(f"  {label}", flush=True)
        return subprocess.run([sys.executable, source, "--seed", str(options.seed)]).returncode == 0
    program = build(name, source, "replay", options)
    folder = f"{CORPUS}/{name}"
    done = subprocess.run([program, str(options.seed), str(REPLAYED), *([folder] if os.path.isdir(folder) else [])],
                          capture_output=True, text=True, errors="replace", env=environment())
    print(f"  {label}: {done.stdout.strip() if done.returncode == 0 else 'failed'}", flush=True)
    if done.returncode:
        print((done.stdout + done.stderr)[-6000:])
        print(f"{name}: to run it again: {program} 0 0 <file>, or make fuzz-replay TARGET={name} SEED={options.seed}")
    return done.returncode == 0


def merge(name, source, label, options):
    if source.endswith(".py"):
        return True
    program = build(name, source, "fuzz", options)
    with tempfile.TemporaryDirectory() as least:
        subprocess.run([program, "-set_cover_merge=1", f"-max_len={MAX_LENGTH}", least, *corpora(name, options)], check=True,
                       capture_output=True, env=environment())
        # When there are many, the long ones: each reaches more.
        kept = sorted(os.listdir(least), key=lambda file: (-os.path.getsize(f"{least}/{file}"), file))[:KEPT_MAX]
        shutil.rmtree(f"{CORPUS}/{name}", ignore_errors=True)
        os.makedirs(f"{CORPUS}/{name}")
        for file in kept:
            shutil.copy(f"{least}/{file}", f"{CORPUS}/{name}/{file[:12]}")
    print(f"  {label}: {len(kept)} inputs", flush=True)
    return True


def measure(name, source, label, options):
    """Branch coverage of the linked files by all the inputs there are."""
    if source.endswith(".py"):
        return True
    program = build(name, source, "coverage", options)
    raw, merged = f"{program}.profraw", f"{program}.profdata"
    subprocess.run([program, str(options.seed), str(REPLAYED), *corpora(name, options)], check=True,
                   stdout=subprocess.DEVNULL, env={**environment(), "LLVM_PROFILE_FILE": raw})
    subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", merged], check=True)
    report = subprocess.run(["llvm-cov", "export", "-summary-only", program, f"-instr-profile={merged}",
                             *sources_of(source)[1:]], check=True, capture_output=True, text=True)
    print(f"{label}\n  {'file':<34}{'branches':>18}{'lines':>18}")
    data = json.loads(report.stdout)["data"][0]
    rows = [(os.path.relpath(file["filename"]), file["summary"]) for file in data["files"]]
    rows += [("together", data["totals"])]
    for path, summary in rows:
        parts = [(summary[what]["covered"], summary[what]["count"]) for what in ("branches", "lines")]
        text = [f"{covered}/{count} {100 * covered / count if count else 100:5.1f} %" for covered, count in parts]
        print(f"  {path:<34}{text[0]:>18}{text[1]:>18}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description="Fuzz ariel's parsers and state machines on the host.")
    parser.add_argument("--build", required=True)
    parser.add_argument("--cc", required=True, help="the host's compiler, for --replay")
    parser.add_argument("--cflags", required=True, help="its flags for the unit tests")
    parser.add_argument("--time", type=int, default=60, help="seconds for each target")
    parser.add_argument("--seed", type=int, default=1)
    group = parser.add_mutually_exclusive_group()
    for mode in ("replay", "merge", "coverage"):
        group.add_argument(f"--{mode}", action="store_true")
    parser.add_argument("names", nargs="*", help="targets (default: all)")
    options = parser.parse_args()
    known = targets()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        sys.exit(f"no fuzz target {' '.join(unknown)}; there are: {' '.join(known)}")
    os.makedirs(options.build, exist_ok=True)
    passed = failed = 0
    names = options.names or list(known)
    for number, name in enumerate(names, 1):
        source = known[name]
        run = (replay if options.replay else merge if options.merge else measure if options.coverage else
               fuzz_py if source.endswith(".py") else fuzz_c)
        if run(name, source, f"[{number}/{len(names)}] {name}", options):
            passed += 1
        else:
            failed += 1
    print(f"{'fuzz: ' if options.replay else ''}{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
