# SPDX-License-Identifier: Apache-2.0
"""From reset to the guest on every CPU model and count, and what is said about a machine that ariel can't run on."""

import re

import pytest
from harness import ROOT

MODELS = ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "max")


@pytest.mark.parametrize("cpu", MODELS)
def test_every_cpu_model_reaches_the_guest(boot, cpu):
    ariel = boot(cpu=cpu)
    ariel.expect_line(r"^ariel: seq=\d+ .* event=features midr=0x[0-9a-f]+ pa_bits=\d+ gic=1 ")
    ariel.expect_line(r"event=guest-enter .* vcpus=1 ")
    ariel.expect_line(r"^TAP version 13$")


def test_each_boot_says_how_to_reach_the_monitor_before_the_guest_has_the_line(boot):
    ariel = boot()
    ariel.expect_line(r"^-- Ctrl-\] opens the monitor; Ctrl-A x ends QEMU$")
    assert not any("event=guest-enter" in line for line in ariel.lines)
    ariel.expect_line(r"event=guest-enter ")


@pytest.mark.parametrize("smp", range(2, 9))
def test_every_cpu_count_comes_up(boot, smp):
    ariel = boot(smp=smp)
    ariel.expect_line(rf"event=guest-enter .* vcpus={smp} ")
    up = {int(cpu) for cpu in re.findall(r"cpu=(\d+) [^\n]* event=cpu-up ", "\n".join(ariel.lines))}
    assert up == set(range(1, smp))
    ariel.expect_line(r"^TAP version 13$")


def test_every_cpu_comes_up_when_one_runs_at_a_time(boot):
    ariel = boot(smp=4, extra="-icount shift=0,sleep=off")
    ariel.expect_line(r"event=guest-enter .* vcpus=4")
    assert not any("cpu-fail" in line for line in ariel.lines)


def test_more_memory_changes_nothing_for_the_guest(boot):
    boot(mem="2G").expect_line(r"^TAP version 13$")


@pytest.mark.parametrize("smp", (1, 4))
def test_a_bootloader_starts_it_as_an_arm64_image(boot, smp):
    """QEMU places the Image by its header, and enters it at EL2 with a device tree in x0."""
    ariel = boot(elf="build/hypervisor.img", smp=smp)
    ariel.expect_line(rf"event=guest-enter guest=\"diagnostic guest\" .* vcpus={smp} ")
    ariel.expect_line(r"^# ariel-guest: \d+ passed, 0 failed, ", wait=120)


@pytest.mark.parametrize("place", (0x40200000, 0x40201230))
def test_an_image_in_another_place_says_where_it_runs(boot, place):
    image = f"-device loader,file=build/hypervisor.img,addr={place:#x},force-raw=on"
    ariel = boot(elf="/dev/null", extra=f"{image} -device loader,addr={place:#x},cpu-num=0")
    ariel.expect_line(rf"^ariel: loaded at 0x{place:016x}, but it runs at 0x0000000040080000 only \(board virt\)")


@pytest.mark.parametrize("machine, why", [
    ({"extra": "-M virtualization=off"}, r"^ariel: entered at EL1, needs EL2"),
    ({"extra": "-M secure=on"}, r"^ariel: entered at EL3, needs EL2"),
    ({"extra": "-M gic-version=2"}, r"event=refused reason=\"no GICv3: .*gic-version=3\""),
    ({"mem": "256M"}, r"event=refused reason=\"too little RAM: .*\" ram_bytes=0x10000000 bound=0x32000000 "),
])
def test_a_machine_it_cannot_run_on(boot, machine, why):
    boot(**machine).expect_line(why)


def test_nine_cpus_are_one_too_many(boot):
    ariel = boot(smp=9)
    ariel.expect_line(r"level=error class=boot event=refused reason=\"too many CPUs: give QEMU -smp 8 or less\" "
                      r"cpus=0x9 bound=0x8 tag=")
    ariel.expect_prompt()
    assert "ariel" in ariel.command("version").text
    for name in ("regs", "regs 1", "gic", "timer", "step", "sr x0", "vm walk 0", "inject undef", "inject irq 33",
                 "mem read 0x40000000", "mem write 0x40000000 0", "mem crc 0x40000000 4", "mem find 0x40000000 4 0",
                 "hv selftest"):
        assert "there is no guest" in ariel.command(name, fails=True).status
    for name in ("status", "exc", "log -n 3", "policy stat"):
        assert ariel.command(name).ok
    for name in ("pause", "resume", "explain 0"):
        ariel.command(name, fails=True)
    ariel.send("close\r")
    ariel.expect_line(r"^-- guest console")
    for key in "qmtd*":
        ariel.send("\x1d" + key)
        ariel.expect_line(r"^(ok|err .*)$", 20)
    ariel.attention()
    assert ariel.command("version").ok
    assert not any("guest-enter" in line for line in ariel.lines)


@pytest.mark.parametrize("policy", ["observe", "lockdown"])
def test_another_policy_boots_and_its_rows_are_cited(boot, policy):
    ariel = boot(policy=policy)
    ariel.expect_line(rf"event=boot version=\S+ policy={policy} el=2 ")
    ariel.expect_line(r"event=guest-enter ")
    action = {"observe": "allow|emulate", "lockdown": "deny"}[policy]
    row = ariel.expect_line(rf"class=policy event=verdict .* verdict=(?:{action}) .* at=policy/{policy}\.toml:(\d+) ")
    lines = (ROOT / "policy" / f"{policy}.toml").read_text().splitlines()
    assert re.match(r"\[\[|default\b", lines[int(row[1]) - 1])
