# SPDX-License-Identifier: Apache-2.0
"""What tools/plugin/exits.c counts is what -icount counts, no exit of the bench guest empties a software TLB, and
those that concern their own vCPU alone take no lock."""

import argparse
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import bench  # noqa: E402  (a folder, not a package)
import bench_phases  # noqa: E402
import exits  # noqa: E402

OPTIONS = argparse.Namespace(elf=ROOT / "build/hypervisor.elf", guest=ROOT / "build/bench.bin", cpu="cortex-a57", cc="gcc",
                             timeout=1200)


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """(report, code, bench's figures under ariel, bench's figures on the bare machine)"""
    folder = tmp_path_factory.mktemp("exits")
    machine = bench.Machine(OPTIONS, folder)
    return *bench_phases.run(OPTIONS, folder), machine.ariel(bench.ICOUNT), machine.bare(bench.ICOUNT)


@pytest.mark.parametrize("operation", ["hvc-get-hv-id", "id-register-read", "gicd-typer-read", "uart-status-read",
                                       "uart-write"])
def test_a_way_is_as_long_as_icount_says(counted, operation):
    report, code, figures, bare = counted
    row = next(row for row in bench_phases.listing(report, code) if row["operation"] == operation)
    assert sum(phase["instructions"] for phase in row["phases"]) == row["instructions"]
    # A block in which -icount stops before an access of EL2's to a device is counted whole, and from there once more.
    most = 8 if operation == "uart-write" else 2
    assert abs(row["instructions"] + bare[operation] - figures[operation]) <= most
    assert row["runs"] >= 100


def is_exclusive(word):
    """A load exclusive, with which every lock and every atomic operation of EL2 begins (Armv8.0 has no other)."""
    return word & 0x3FC00000 == 0x08400000


@pytest.mark.parametrize("operation, locks", [
    ("hvc-get-hv-id", False), ("id-register-read", False), ("gicd-typer-read", False), ("uart-status-read", False),
    ("virtual-timer", False), ("sgi-to-self", True), ("uart-write", True)])
def test_what_touches_its_own_vcpu_alone_takes_no_lock(counted, operation, locks):
    report, code, _, _ = counted
    path, _ = bench_phases.way_of(report, code, *bench_phases.OPERATIONS[operation])
    assert any(is_exclusive(code.words[pc]) for pc in path) == locks


def test_every_exit_has_a_cause_and_its_instructions(counted):
    end = counted[0].at["end"]
    causes = end.by_cause()
    assert sum(row.exits for row in causes.values()) == end.all_exits().exits
    assert sum(row.instructions for row in causes.values()) == end.all_exits().instructions
    assert {"log", "console", "gic", "timer", "sysreg", "call"} <= causes.keys()
    assert end.starts().exits == 1
    assert sum(counted[0].runs.values()) == end.all_exits().instructions + end.starts().instructions


def test_no_exit_empties_a_software_tlb(counted):
    report, code, _, _ = counted
    assert report.at["end"].flushes().get(None, 0) == 0
    executed = {exits.flushing_write(code.words[pc]) for pc in report.runs}  # at the start: they are recognized
    assert {"VTTBR_EL2", "HCR_EL2", "VTCR_EL2", "SCTLR_EL1", "TLBI"} <= executed


@pytest.mark.parametrize("word, what", [
    (0xD51C2100, "VTTBR_EL2"), (0xD51C1101, "HCR_EL2"), (0xD51C2142, "VTCR_EL2"), (0xD5182003, "TTBR0_EL1"),
    (0xD5182024, "TTBR1_EL1"), (0xD5182045, "TCR_EL1"), (0xD5181006, "SCTLR_EL1"), (0xD50C839F, "TLBI"),
    (0xD53C2100, None), (0xD5381006, None), (0xD503201F, None), (0xD51BD040, None),
])
def test_flushing_writes_are_decoded(word, what):
    assert exits.flushing_write(word) == what


def test_the_plugin_is_built_for_the_interface_of_this_qemu(tmp_path):
    assert exits.version_wanted(exits.build_plugin(tmp_path)) is None


def test_another_version_is_asked_for_by_qemu(tmp_path, monkeypatch):
    """A QEMU that takes no plugin of version 1 gets one of the version that it names."""
    (tmp_path / "qemu-system-aarch64").write_text(
        "#!/bin/sh\necho 'Could not load plugin x: plugin requires API version 1, but this QEMU supports only a minimum "
        "version of 3' >&2\nexit 1\n")
    (tmp_path / "qemu-system-aarch64").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    versions = []
    monkeypatch.setattr(exits, "compile_plugin", lambda target, cc, version: versions.append(version))
    exits.build_plugin(tmp_path)
    assert versions == [1, 3]
