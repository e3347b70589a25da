# SPDX-License-Identifier: Apache-2.0
"""A guest that tries to fill the log (tests/floods): by every kind of refusal at once from every CPU, by a loop, by resetting
the machine again and again. What is written is bounded by the guest's own time, which the records have, so that no host is too
slow for it; what is not is counted, to the last one; and the ring keeps what the flood did not write."""

import collections
import json
import os
import re
import subprocess
import sys
import time

import pytest
from harness import ROOT, Ariel, memory_map

BUILD = "build/floods"
JOB_PA = 0x50000000 - memory_map("GUEST_RAM_IPA") + memory_map("GUEST_RAM_PA")
BURSTS, LOOP, RESETS, RING = 1, 2, 3, 4
BUDGET, LIMIT = 100, 10  # records a second: of the VM, of a key
# What tests/floods/flood.c's one_of_each makes: (event, key, op)
KINDS = [("verdict", "fw-cfg", "read"), ("verdict", "fw-cfg", "write"), ("verdict", "virtio-mmio", "read"),
         ("verdict", "PMCR_EL0", "read"), ("verdict", "PMCR_EL0", "write"), ("abort", "pl011", "read"),
         ("verdict", "smc-immediate", "write"), ("guest-exception", None, None)]


@pytest.fixture(scope="module")
def elf():
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", f"BUILD={BUILD}", "POLICY=tests/floods/floods.toml",
                           "GUEST_MAIN=tests/floods/flood.c", f"{BUILD}/hypervisor.elf"],
                          cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return f"{BUILD}/hypervisor.elf"


def machine(elf, job, smp=1, extra=""):
    return Ariel(elf=elf, smp=smp, extra=f"{extra} -device loader,addr={JOB_PA:#x},data={job},data-len=8")


def decode(lines, *arguments):
    done = subprocess.run([sys.executable, "tools/log_decode.py", "--json", *arguments], cwd=ROOT, capture_output=True,
                          input="".join(f"{line}\r\n" for line in lines).encode(), timeout=600)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def kind_of(record, event=None):
    fields = record["fields"]
    return event or record["event"], fields.get("key"), fields.get("op")


def test_a_flood_is_bounded_and_accounted_for(elf):
    """Time is counted in instructions: 4 CPUs, 4 bursts a second apart, 800 of each kind from each CPU."""
    with machine(elf, BURSTS, smp=4, extra="-icount shift=0,sleep=off") as ariel:
        sent = 4 * int(ariel.expect_line(r"^# flood: (\d+) of each on 4 CPUs")[1])
        ariel.expect_exit()
    records = decode(ariel.lines)
    written, told = collections.Counter(), collections.Counter()
    for record in records:
        kind = kind_of(record)
        written[kind] += 1
        told[kind] += record["fields"].get("held", 0)
        if record["event"] == "suppressed":
            told[kind_of(record, record["fields"]["of"])] += record["fields"]["count"]
    assert sent == 3200
    for kind in KINDS:
        assert written[kind] >= LIMIT, kind
        assert written[kind] + told[kind] == sent, kind
    counters = {record["fields"]["key"]: record["fields"]["count"] for record in records if record["event"] == "counters"}
    assert counters["PMCR_EL0"] == 2 * sent and counters["smc-immediate"] == sent and counters["virtio-mmio"] == sent

    flood = [record for record in records if kind_of(record) in KINDS or record["event"] in ("cpu-on", "cpu-off", "suppressed")]
    seconds = (flood[-1]["t"] - flood[0]["t"]) // 1_000_000 + 1
    assert seconds >= 3  # and more where the host takes its time with the serial line
    assert max(written[kind] for kind in KINDS) <= LIMIT * (seconds + 1) + 1
    assert len(flood) <= BUDGET * (seconds + 1) + len(KINDS) + len(told)


def test_a_loop_is_told_once(elf):
    with machine(elf, LOOP) as ariel:
        count = int(ariel.expect_line(r"^# flood: (\d+) in a loop")[1])
        ariel.expect_line(r"^# flood: the loop is over")
        ariel.expect_exit()
    records = decode(ariel.lines)
    loops = [record["fields"] for record in records if record["event"] == "guest-loop"]
    assert len(loops) == 1
    assert loops[0]["device"] == loops[0]["key"] == "virtio-mmio" and loops[0]["addr"] == "0xa000010"
    assert loops[0]["op"] == "read" and loops[0]["per_second"] >= 1000 and loops[0]["row"] == 0 and "why" in loops[0]
    at = next(n for n, record in enumerate(records) if record["event"] == "guest-loop")
    same = [n for n, record in enumerate(records) if kind_of(record) == ("verdict", "virtio-mmio", "read")]
    # From then on it is only counted; the next record of that key is the count, when it has ended.
    assert not [n for n in same if n > at]
    held = sum(record["fields"]["count"] for record in records if record["event"] == "suppressed"
               and record["fields"].get("key") == "virtio-mmio")  # fmt: skip
    assert len(same) + held == count
    assert [record for record in records if kind_of(record) == ("verdict", "fw-cfg", "read")]


def test_a_loop_of_resets_keeps_the_boot_before_it(elf):
    start = time.monotonic()
    with machine(elf, RESETS) as ariel:
        boots = int(ariel.expect_line(r"^# flood: (\d+) boots")[1])
        elapsed = time.monotonic() - start
        ariel.attention()
        previous = "\n".join(ariel.command("log previous").text.splitlines())
        current = ariel.command("log -n 1000").text
    records = decode([line for line in ariel.lines if line.startswith("ariel: ")])
    starts = [record["fields"] for record in records if record["event"] == "log-start"]
    assert [fields["resets"] for fields in starts] == list(range(boots)) and boots == 12
    assert sum(record["event"] == "reset-loop" for record in records) == 1
    # The boot that a person started is still there, with what it alone has done, and this one with the first of each kind.
    assert "event=log-start boots=1 " in previous and re.search(r"key=smmuv3 op=read .* addr=0x9050044 ", previous)
    assert f"event=log-start boots={boots} " in current
    for event, key, op in KINDS:
        assert re.search(rf"event={event} " + (rf".*key={key} op={op} " if key else ""), current), (event, key, op)
    # No more than the first of each kind (in the boot before the loop, and in it), the budget, and a few lines a boot.
    kinds = {kind_of(record) for record in records}
    flood = [record for record in records if kind_of(record) in KINDS]
    assert len(flood) <= BUDGET * (elapsed + 2) + 2 * len(KINDS)
    assert len(records) <= BUDGET * (elapsed + 2) + 2 * len(kinds) + 3 * boots


def test_the_ring_keeps_what_a_flood_did_not_write(elf, tmp_path):
    with machine(elf, RING, smp=2) as ariel:
        ariel.expect_line(r"^# flood: the ring is full")
        ring = tmp_path / "ring"
        ariel.child.send("\x01c")  # QEMU's own monitor
        ariel.child.expect_exact("(qemu)")
        ariel.child.send(f'pmemsave {memory_map("LOG_RING_PA"):#x} {memory_map("LOG_RING_SIZE")} "{ring}"\r')
        limit = time.monotonic() + 120
        while not ring.exists() or ring.stat().st_size < memory_map("LOG_RING_SIZE"):
            assert time.monotonic() < limit, "QEMU wrote no dump"
            time.sleep(0.1)
        ariel.child.send("\x01c")
        ariel.attention()
        monitor = ariel.command("log -n 1000", wait=300).text
    assert sum("key=smmuv3" in line for line in ariel.lines) >= 1500  # its row is unlimited
    dumped = decode([], "--ring", str(ring))
    for kept in (monitor, "\n".join(f"event={r['event']} key={r['fields'].get('key')} op={r['fields'].get('op')} "
                                    for r in dumped)):
        for event in ("log-start", "boot", "features", "cpu-up", "guest-enter"):
            assert f"event={event} " in kept
        for event, key, op in KINDS:
            assert re.search(rf"event={event} " + (rf".*key={key} op={op} " if key else ""), kept), (event, key, op)
        assert 900 < kept.count("key=smmuv3") < 990
