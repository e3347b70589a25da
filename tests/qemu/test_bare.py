# SPDX-License-Identifier: Apache-2.0
"""Bare-metal programs that run on the bare machine and under ariel: what is not there looks the same, and what outlives a
reset changes on the bare machine alone."""

import re
import shlex
import struct
import subprocess
import time

import pexpect
import pytest
from harness import ROOT, Ariel, build_policy

SOURCES = ROOT / "tests/bare"
LINKS = {"block": ("guest/lib/virtio.c", "guest/lib/gic.c")}  # what programs take from the guests' library
# Asks for all that can be had; the real clock, by name, in the one direction that can
GENEROUS = ('default = { action = "allow" }\n[[mmio]]\ndevice = "pl031"\naccess = "r"\naction = "allow"\n'
            '[[mmio]]\ndevice = "flash"\naccess = "r"\naction = "allow"\n'
            '[[mmio]]\ndevice = "pl031"\naccess = "w"\naction = "raz-wi"\n')


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bare")
    for source in SOURCES.glob("*.c"):
        subprocess.run(["aarch64-linux-gnu-gcc", "-O1", "-ffreestanding", "-fno-builtin", "-mgeneral-regs-only",
                        "-mstrict-align", "-fno-pic", "-no-pie", "-static", "-nostdlib", "-Wl,--build-id=none", "-Wno-array-bounds",
                        f"-Wl,-T,{SOURCES}/bare.ld", "-Iguest", "-Iinclude",
                        SOURCES / "start.S", source, *LINKS.get(source.stem, ()), "-o", folder / f"{source.stem}.elf"],
                       check=True, capture_output=True, cwd=ROOT)
    return folder


def on_bare_machine(program, until):
    """The lines that it prints until one matches."""
    child = pexpect.spawn("timeout", ["-k", "5", "300", "qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a57",
                                      "-m", "1G", "-nographic", "-nic", "none", "-kernel", str(program)], encoding="utf-8")
    child.expect(until, timeout=240)
    text = child.before + child.after
    child.close(force=True)
    return re.split(r"[\r\n]+", text)


@pytest.fixture
def under_ariel(tmp_path):
    import run_linux
    machines = []

    def start(program, policy, extra=""):
        path = policy if str(policy).endswith(".toml") else f"policy/{policy}.toml"
        words = [f"--folder={tmp_path}", f"--program={program}", f"--policy={path}"]
        loads, _ = run_linux.prepare(run_linux.arguments_of().parse_args(words))
        machines.append(Ariel(elf=build_policy(str(policy)), loads=loads, wait=240, extra=extra))
        return machines[-1]

    yield start
    for machine in machines:
        machine.close()


def guests_lines(ariel):
    return [line for line in ariel.lines if line and not line.startswith("ariel: ")]


@pytest.mark.parametrize("policy", ["firmware", "observe"])
def test_what_is_not_there_looks_as_on_the_bare_machine(programs, under_ariel, policy):
    bare = [line for line in on_bare_machine(programs / "absent.elf", r"end\r*\n") if line]
    assert len(bare) > 500 and not any("aborts" in line for line in bare)
    ariel = under_ariel(programs / "absent.elf", policy)
    ariel.expect_line(r"^end$")
    assert guests_lines(ariel)[-len(bare):] == bare


@pytest.mark.parametrize("policy", ["linux", "diag"])
def test_a_driver_reads_a_disk_by_interrupts(programs, under_ariel, tmp_path, policy):
    """One request at a time and 32 at once, chains and indirect tables: each sector's data, and what the monitor counted."""
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"".join(struct.pack("<Q", sector) + bytes(504) for sector in range(4096)))
    extra = (f"-global virtio-mmio.force-legacy=false -drive file={shlex.quote(str(disk))},format=raw,if=none,id=d0 "
             "-device virtio-blk-device,drive=d0,bus=virtio-mmio-bus.5")
    ariel = under_ariel(programs / "block.elf", policy, extra)
    ariel.expect_line(r"^all read$")
    assert any("event=virtio-device device=block transport=5 id=2 intid=53 queues=1" in line for line in ariel.lines)
    assert not any("event=virtio-fault" in line or "event=virtio-ignored" in line for line in ariel.lines)


def test_a_legacy_device_is_named_and_no_guests(programs, under_ariel, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    extra = (f"-drive file={shlex.quote(str(disk))},format=raw,if=none,id=d0 "
             "-device virtio-blk-device,drive=d0,bus=virtio-mmio-bus.5")
    ariel = under_ariel(programs / "block.elf", "linux", extra)
    ariel.expect_line(r"^no disk$")
    assert any("event=virtio-legacy device=block transport=5 id=2" in line and "force-legacy=false" in line
               for line in ariel.lines)


def test_the_attack_on_what_lasts_succeeds_on_the_bare_machine(programs):
    lines = on_bare_machine(programs / "lasting.elf", r"again(?s:.*)again\r*\n")
    assert [line for line in lines if "CHANGED" in line]
    assert "clock CHANGED" in lines and "flash 0000000004000000 CHANGED" in lines and "fw-cfg CHANGED" in lines


@pytest.mark.parametrize("policy", ["observe", "firmware", "generous"])
def test_nothing_of_a_guest_outlives_its_reset(programs, under_ariel, tmp_path, policy):
    if policy == "generous":
        policy = str(tmp_path / "generous.toml")
        (tmp_path / "generous.toml").write_text(GENEROUS)
    ariel = under_ariel(programs / "lasting.elf", policy)
    for _ in range(2):
        ariel.expect_line(r"^again$")
    text = "\n".join(ariel.lines)
    assert text.count("flash 0000000004000000 kept") == 2 and text.count("clock kept") == 2
    assert text.count("fw-cfg kept") == 2 and "CHANGED" not in text


def test_an_alarm_ends_a_wait(programs, under_ariel):
    """On the bare machine, and under a policy that lets the guest's WFI be the CPU's own."""
    lines = on_bare_machine(programs / "alarm.elf", r"rang \w+ \w+\r*\n")
    assert re.fullmatch(r"rang 0{15}[0-9a-f] cleared", lines[-2]), lines
    ariel = under_ariel(programs / "alarm.elf", "firmware")
    ariel.expect_line(r"^armed$")
    ariel.expect_opened()
    # The clock is wall time: it reaches the alarm while nobody runs, and the interrupt waits.
    limit = time.monotonic() + 120
    while not re.search(r'"intid":34,.*"pending":true', ariel.command("gic -j").text):
        assert time.monotonic() < limit, "the alarm did not come"
        time.sleep(0.1)
    ariel.send("resume\r")
    ariel.expect_line(r"^rang 0+[0-9a-f]+ cleared$")
    assert ariel.expect_exit() == 0
