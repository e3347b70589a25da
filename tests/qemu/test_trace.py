# SPDX-License-Identifier: Apache-2.0
"""The trace of a booted machine, out of its memory: each exit has its record, also those that wait or never end; on, off
and filters; the rows of a policy."""

import json
import re
import struct
import sys
import time

import numpy
import pytest

from harness import ROOT, Ariel, build_policy, memory_map

sys.path.insert(0, str(ROOT / "tools"))
from ariel import trace_format  # noqa: E402
from ariel.explain import explain_record  # noqa: E402
from ariel.trace import Trace  # noqa: E402

# include/hv/boot_options.h: the trace is on, with everything, from the guest's first instruction
TRACED = f"-device loader,addr={memory_map('BOOT_OPTIONS_PA'):#x},data=0x61726f7000000004,data-len=8"
RING = memory_map("TRACE_SIZE") // memory_map("CPU_MAX")


def dump(machine, path):
    """The rings of a machine, by QEMU's monitor, as a Trace."""
    size = memory_map("TRACE_SIZE")
    machine.child.send("\x01c")
    machine.child.expect_exact("(qemu)")
    machine.child.send(f'pmemsave {memory_map("TRACE_PA"):#x} {size} "{path}"\r')
    limit = time.monotonic() + 120
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < limit, "QEMU wrote no dump"
        time.sleep(0.1)
    machine.child.send("\x01c")
    return Trace(str(path))


def exits(trace):
    """All records of exits, in order of time."""
    batches = [numpy.array(batch) for batch in trace.batches(types=[trace_format.TYPE_EXIT])]
    return numpy.concatenate(batches) if batches else numpy.zeros(0, trace_format.RECORD)


def names(trace, records):
    """The names of the keys that records have."""
    return {trace.meta["keys"][key] for key in numpy.unique(records["key"])}


def rows(machine, command):
    return [json.loads(line) for line in machine.command(command + " -j") if line.startswith("{")]


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """(Trace, the rows of exc last) of a machine with four CPUs, traced from the guest's first instruction to its end and
    then paused."""
    with Ariel(smp=4, extra=TRACED) as machine:
        machine.expect_line(r"^# ariel-guest: \d+ passed, 0 failed", wait=300)
        machine.attention()
        machine.command("pause")
        last = rows(machine, "exc last 1000")
        yield dump(machine, tmp_path_factory.mktemp("trace") / "rings"), last


def test_each_exit_has_a_record_and_no_number_is_missing(traced):
    trace, last = traced
    records = exits(trace)
    assert len(records) > 10_000
    for vcpu in range(4):
        sequence = records["sequence"][records["vcpu"] == vcpu].astype("int64")
        assert len(sequence) > 100
        assert (numpy.diff(sequence) == 1).all()
        # That of the kick by which the monitor has paused this vCPU is there while it waits.
        assert sequence[-1] == max(row["seq"] for row in last if row["vcpu"] == vcpu)
    for loss in trace.losses().values():
        assert loss.drops == 0


def test_a_record_says_what_the_event_says(traced):
    trace, last = traced
    keys = trace.meta["keys"]
    records = exits(trace)
    found = {(int(row["vcpu"]), int(row["sequence"])): row for row in records}
    compared = 0
    for row in last:
        record = found[row["vcpu"], row["seq"]]
        assert int(record["pc"]) == int(row["pc"], 16) and int(record["address"]) == int(row["address"], 16)
        assert int(record["value"]) == int(row["value"], 16) and record["write"] == (row["access"] == "w")
        assert record["entry"] <= record["exit"] and row["key"].startswith(keys[record["key"]][:4])
        compared += 1
    assert compared > 500


def test_fields_that_the_event_does_not_have(traced):
    trace, _ = traced
    records = exits(trace)
    keys = trace.meta["keys"]
    calls = records[records["cause"] == trace.meta["causes"].index("hvc")]
    assert (calls["x"][:, 0] == calls["address"]).all() and (calls["width"] == 0).all()
    registers = records[records["cause"] == trace.meta["causes"].index("sysreg")]
    assert len(registers) > 100 and (registers["width"] == 8).all()
    uart = records[records["key"] == keys.index("pl011")]
    assert len(uart) > 100 and set(numpy.unique(uart["width"])) <= {1, 2, 4}
    levels = numpy.unique(records["pstate"] >> 2 & 3)
    assert 1 in levels and set(levels) <= {0, 1} and (records["vm"] == 0).all() and (records["type"] == 1).all()
    aarch32 = records["pstate"] & 0x10 != 0
    assert not (aarch32 & (records["pstate"] >> 2 & 3 == 1)).any()


def test_a_vcpu_that_goes_off_has_its_record(traced):
    trace, _ = traced
    records = exits(trace)
    keys = trace.meta["keys"]
    off = records[records["key"] == keys.index("psci-cpu-off")] if "psci-cpu-off" in keys else records[:0]
    assert len(off) > 0, [name for name in names(trace, records) if "off" in name.lower()]


def test_on_off_and_filters(boot, tmp_path):
    machine = boot(smp=2)
    machine.expect_line(r"^# ariel-guest: \d+ passed, 0 failed", wait=300)
    machine.attention()
    state, *cpus = rows(machine, "trace")
    assert state == {"trace": "off", "filter": "all"} and [cpu["records"] for cpu in cpus] == [0, 0]
    machine.command("trace filter class device key irq row 0")
    assert [cpu["records"] for cpu in rows(machine, "trace")[1:]] == [0, 0]
    assert rows(machine, "trace on")[0] == {"trace": "on", "filter": "class device key irq row 0"}
    machine.command("pause")
    machine.command("step 3")
    machine.command("trace filter key step")
    machine.command("step 5")
    last = rows(machine, "trace last 5")
    assert {row["key"] for row in last} == {"step"} and len(last) == 5
    assert rows(machine, "trace off")[0]["trace"] == "off"
    before = rows(machine, "trace")[1:]
    machine.command("step 5")
    assert rows(machine, "trace")[1:] == before
    trace = dump(machine, tmp_path / "rings")
    assert names(trace, exits(trace)) >= {"step"}
    for words, error in (("filter class nonsense", "class 'nonsense' is none of cause"), ("filter key", "'key' is none of all"),
                         ("filter key nonsense", "no register, device, call or cause 'nonsense'"),
                         ("filter row 1000", "row"), ("filter vm 1", "vm"), ("nonsense", "'nonsense' is none of on, off"),
                         ("last 0", "n"), ("filter all nonsense", "none of all")):
        assert error in machine.command(f"trace {words}", fails=True).status
    assert rows(machine, "trace")[0]["filter"] == "key step"  # as it was


def test_rows_of_the_policy_begin_the_trace(tmp_path):
    """The policy diag, of which three rows say trace = true: ID registers, SGIs, and all calls of PSCI and SMCCC."""
    text = (ROOT / "policy/diag.toml").read_text()
    for row in ('class = "ID"\n', '"ICC_SGI0R_EL1"]\n', '[[smccc]]\nname = "*"\n'):
        assert text.count(row) == 1
        text = text.replace(row, row + "trace = true\n")
    policy = tmp_path / "traced.toml"
    policy.write_text(text)
    with Ariel(elf=build_policy(str(policy)), smp=2) as machine:
        machine.expect_line(r"^# ariel-guest: \d+ passed, 0 failed", wait=300)
        machine.attention()
        state, *cpus = rows(machine, "trace")
        assert state == {"trace": "on", "filter": "policy"} and cpus[0]["records"] > 50 and cpus[0]["dropped"] == 0
        machine.command("pause")
        trace = dump(machine, tmp_path / "rings")
    records = exits(trace)
    keys, groups = names(trace, records), trace.meta["groups"]
    assert {"ID_AA64PFR0_EL1", "ICC_SGI1R_EL1"} & keys  # of what came early, newer records may have taken the place
    kinds = records["key"]
    assert not ((kinds < groups["call"]) | ((kinds >= groups["device"]) & (kinds < groups["register"]))).any()
    assert 1 < len(numpy.unique(records["row"])) <= 3


def test_the_end_of_the_machine_is_in_the_trace(boot, tmp_path):
    """The bench guest powers the machine off; by -no-shutdown QEMU keeps its memory then."""
    tree = tmp_path / "tree.dtb"
    tree.write_bytes(struct.pack(">10I", 0xD00DFEED, 40, *[0] * 8))
    loads = [(str(ROOT / "build/bench.bin"), memory_map("LINUX_IMAGE_PA")), (str(tree), memory_map("LINUX_DTB_PA"))]
    machine = boot(extra=f"{TRACED} -no-shutdown", loads=loads)
    machine.expect_line(r"event=vm-off", wait=300)
    trace = dump(machine, tmp_path / "rings")
    last = exits(trace)[-1]
    assert trace.meta["keys"][last["key"]] == "psci-system-off" and last["exit"] >= last["entry"]


def test_the_tool_explains_an_exit_as_the_monitor_does(tmp_path):
    """The monitor's words are folded to the terminal's width and name functions, which the tool does not know here."""
    with Ariel(smp=2, extra=TRACED) as machine:
        machine.expect_line(r"^# ariel-guest: \d+ passed, 0 failed", wait=300)
        machine.attention()
        machine.command("pause")
        last = {(row["key"], row["access"], row["verdict"]): (row["vcpu"], row["seq"]) for row in rows(machine, "exc last 300")}
        words = {owner: " ".join(machine.command(f"explain {owner[1]} {owner[0]}").text.split()) for owner in last.values()}
        trace = dump(machine, tmp_path / "rings")
    records = {(int(record["vcpu"]), int(record["sequence"])): record for record in exits(trace)}
    assert len(words) > 5
    for owner, text in words.items():
        tool = " ".join(" ".join(explain_record(trace.boots[-1], records[owner])).split())
        assert re.sub(r" <[^>]*>", "", text).removesuffix(" ok") == tool
