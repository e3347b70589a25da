#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make prove`: contracts of some of EL2's functions, and the absence of run-time errors in them, proved by Frama-C.
What is assumed is in docs/SECURITY.md. Ends with "N passed, N failed"."""

import argparse
import re
import subprocess
import sys

# Deductive proof (WP with Z3) of the contracts that stand in the sources: file, functions, what they need.
WP = (
    ("lib/range.c", "ipa_range_make,ipa_range_contains,ipa_range_overlaps"),
    ("policy/policy.c", "policy_find_range", "build/generated/policy_tables.c"),
    ("trace/log_ring.c", "oldest_of_most,take_slot,log_ring_append"),
    ("mm/stage2.c", "slot,next_piece,check_range,check_map"),
    ("tests/prove/guest_mem.c", "guest_mem_place,space_find_ram"),
)
# Abstract interpretation (Eva) of a harness in tests/prove: its function, files.
EVA = (
    ("prove_s2_pte", "tests/prove/s2_pte.c", "arch/aarch64/s2_pte.c"),
    ("prove_guest_walk", "tests/prove/guest_walk.c", "mm/guest_walk.c"),
    ("prove_console", "tests/prove/console.c"),
    ("prove_virtio_queue", "tests/prove/virtio_queue.c"),
)
# x86-64 has AArch64's sizes and byte order; plain char is signed there.
FRAMA_C = ["frama-c", "-machdep", "gcc_x86_64", "-cpp-frama-c-compliant", "-pp-annot",
           "-cpp-command", "gcc -E -C %args -o - %i | sed 's/[[][[]nodiscard[]][]]//' > %o"]
# A contract that nothing can satisfy would prove anything: the smoke tests look for those.
WP_OPTIONS = ["-wp", "-wp-rte", "-wp-prover", "z3", "-wp-timeout", "30", "-wp-par", "2", "-wp-smoke-tests",
              "-wp-smoke-timeout", "2", "-wp-no-init-const", "-inline-calls", "@inline"]
EVA_OPTIONS = ["-eva", "-eva-domains", "bitwise", "-eva-auto-loop-unroll", "600", "-eva-slevel", "300",
               "-no-warn-invalid-bool", "-eva-show-progress", "-eva-no-results"]


def frama_c(build, *arguments):
    flags = f"-std=gnu2x -include tests/prove/prelude.h -Iinclude -I{build}/generated"
    done = subprocess.run([*FRAMA_C, f"-cpp-extra-args={flags}", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.stdout if done.returncode == 0 else f"{done.stdout}\nframa-c ended with {done.returncode}"


def wp_result(output):
    """(proved, not proved, what was not)"""
    goals = re.search(r"Proved goals: +(\d+) / (\d+)", output)
    if not goals:
        return 0, 1, output[-2000:]
    proved, total = int(goals[1]), int(goals[2])
    return proved, total - proved, "\n".join(re.findall(r"Goal .*: (?!Valid|Passed).*", output))


def eva_result(output):
    """The same. One alarm is one failure, none is one pass; code that is never reached proves nothing."""
    alarms = re.search(r"(\d+) alarms? generated", output)
    asserts = re.search(r"Assertions +(\d+) valid +(\d+) unknown +(\d+) invalid", output)
    reached = re.search(r"(\d+) statements reached \(out of (\d+)\)", output)
    if not (alarms and asserts and reached):
        return 0, 1, output[-2000:]
    faults = re.findall(r"\[eva:alarm\].*\n.*", output)
    if reached[1] != reached[2]:
        faults.append(f"only {reached[0]}")
    failed = int(alarms[1]) + int(asserts[2]) + int(asserts[3]) + (reached[1] != reached[2])
    return int(asserts[1]) + (alarms[1] == "0"), failed, "\n".join(faults)


def main():
    parser = argparse.ArgumentParser(description="Prove what is proved of EL2.")
    parser.add_argument("--build", default="build")
    parser.add_argument("only", nargs="*", help="files to prove (default: all)")
    options = parser.parse_args()
    jobs = [(path, wp_result, [*WP_OPTIONS, "-wp-fct", names, path, *others]) for path, names, *others in WP]
    jobs += [(files[0], eva_result, ["-main", name, *EVA_OPTIONS, *files]) for name, *files in EVA]
    passed = failed = 0
    for path, result, arguments in jobs:
        if options.only and path not in options.only:
            continue
        proved, missed, what = result(frama_c(options.build, *arguments))
        print(f"  {path}: {proved} proved, {missed} not", flush=True)
        if missed:
            print(what, flush=True)
        passed, failed = passed + proved, failed + missed
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
