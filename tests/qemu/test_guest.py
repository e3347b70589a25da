# SPDX-License-Identifier: Apache-2.0
"""The diagnostic guest under ariel: every line of its TAP is ok, on every CPU model and count, and it stays to answer."""

import re

import pytest

# CPU models and counts: each of both at least once, and the extremes together.
MACHINES = [("cortex-a53", 1), ("cortex-a57", 1), ("cortex-a57", 2), ("cortex-a72", 4), ("cortex-a76", 2),
            ("neoverse-n1", 4), ("max", 1), ("cortex-a57", 8), ("max", 8)]
BEGINS = re.compile(r"(not )?ok \d|#|TAP |1\.\.\d|ariel: |-- ")
RESULT = re.compile(r"^(not )?ok (\d+) - (\S+): ([^#]*)(# SKIP .*)?$")
SUITES = {"aarch32", "aborts", "el0", "ends", "fp", "gic", "hypercalls", "isv0", "leftover",
          "mmio", "mmu", "ppi", "registers", "rtc", "smccc", "smp", "sysregs", "timers", "uart", "undefined",
          "wfx"}
# What may be left out, and when.
ONE_CPU = "one CPU"
NO_ATOMICS = "no LSE atomics on this CPU"


def whole_lines(lines):
    """The guest's lines. A record that says what just happened, an exit that was slow, may end one of them midway. So what
    stands behind a record is a line's rest, unless it begins one, together with what comes behind the next record."""
    whole, rest = [], ""
    for place in reversed(range(len(lines))):
        if lines[place].startswith("ariel: seq="):
            continue
        line, rest = lines[place] + rest, ""
        if place > 0 and lines[place - 1].startswith("ariel: seq=") and not BEGINS.match(line):
            rest = line
        else:
            whole.append(line)
    return whole[::-1]


def test_a_line_with_a_record_in_it_is_whole():
    record = "ariel: seq=1 t=1 event=slow-exit"
    lines = ["ok 1 - a: b", record, "ok 2 - a: c", "ok", record, record, " 3 - a: d", "a line of its own"]
    assert whole_lines(lines) == ["ok 1 - a: b", "ok 2 - a: c", "ok 3 - a: d", "a line of its own"]
    lines = ["ok 1 - a: b", record, "o", record, "k 2 - a: c", record, "not ok 3", record, " - a", record, ": d"]
    assert whole_lines(lines) == ["ok 1 - a: b", "ok 2 - a: c", "not ok 3 - a: d"]


def behind(lines, line):
    """What the console had before a line, to see what became of the one that is missing."""
    place = lines.index(line) if line in lines else len(lines)
    return "\n".join(lines[max(place - 40, 0):place])


def read_tap(ariel, wait):
    """Reads one TAP run to its summary: ([(ok, suite, name, skip reason or None)], summary's three numbers)."""
    ariel.expect_line(r"^TAP version 13$", wait=wait)
    plan = int(ariel.expect_line(r"^1\.\.(\d+)$").group(1))
    start = len(ariel.lines)
    summary = ariel.expect_line(r"^# ariel-guest: (\d+) passed, (\d+) failed, (\d+) skipped$", wait=wait)
    results = []
    for line in whole_lines(ariel.lines[start:]):
        match = RESULT.match(line)
        if match:
            assert int(match.group(2)) == len(results) + 1, f"out of order: {line}, behind\n{behind(ariel.lines[start:], line)}"
            skip = match.group(5)
            results.append((not match.group(1), match.group(3), match.group(4).strip(),
                            skip.removeprefix("# SKIP ") if skip else None))
    assert len(results) == plan, f"plan of {plan}, {len(results)} results"
    return results, tuple(int(number) for number in summary.groups())


@pytest.mark.parametrize(("cpu", "smp"), MACHINES, ids=[f"{cpu}-{smp}" for cpu, smp in MACHINES])
def test_every_line_is_ok(boot, cpu, smp):
    ariel = boot(cpu=cpu, smp=smp)
    results, (passed, failed, skipped) = read_tap(ariel, wait=300)
    assert [f"{suite}: {name}" for ok, suite, name, _ in results if not ok] == []
    assert failed == 0
    assert passed + skipped == len(results)
    assert {suite for _, suite, _, _ in results} == SUITES
    reasons = {skip for _, _, _, skip in results if skip}
    allowed = ({ONE_CPU} if smp == 1 else set()) | ({NO_ATOMICS} if re.match(r"cortex-a(53|57|72)$", cpu) else set())
    assert reasons <= allowed


def test_stays_and_runs_tests_by_name(boot):
    ariel = boot()
    read_tap(ariel, wait=300)
    ariel.send("hello\r")
    ariel.expect_line(r"^hello$")
    ariel.send("list\r")
    ariel.expect_line(r"^gic: an SGI to itself$")
    ariel.expect_line(r"^wfx: many waits in a row$")
    ariel.send("run registers: kept over hvc\r")
    results, _ = read_tap(ariel, wait=120)
    assert results == [(True, "registers", "kept over hvc", None)]
    ariel.send("run gic\r")
    results, (_, failed, _) = read_tap(ariel, wait=120)
    assert {suite for _, suite, _, _ in results} == {"gic"}
    assert failed == 0
    ariel.send("run no such test\r")
    results, summary = read_tap(ariel, wait=120)
    assert (results, summary) == ([], (0, 1, 0))  # no test of that name is a failure
    # and its UART still works
    ariel.send("still here\r")
    ariel.expect_line(r"^still here$")


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_a_cpu_turned_on_keeps_nothing_of_what_it_was_allowed_to_write(boot, cpu):
    ariel = boot(policy="tests/qemu/policies/open.toml", cpu=cpu, smp=2)
    read_tap(ariel, wait=300)
    ariel.send("run leftover\r")
    results, (passed, failed, skipped) = read_tap(ariel, wait=120)
    assert (passed, failed, skipped) == (3, 0, 0), results
    # and the registers are those that only this policy leaves to the guest
    written = [int(match.group(1)) for line in ariel.lines
               if (match := re.match(r"# leftover: \d+ registers, (\d+) of them written$", line))]
    assert written and min(written) >= 65


@pytest.mark.parametrize("policy", ["observe", "lockdown"])
def test_reaches_its_summary_under_other_policies(boot, policy):
    ariel = boot(policy=policy, smp=2)
    results, _ = read_tap(ariel, wait=300)
    assert len(results) > 100
    # registers are nobody's to change, whatever is denied
    assert ariel.lines  # the console is the guest's
