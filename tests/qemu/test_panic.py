# SPDX-License-Identifier: Apache-2.0
"""What EL2 says when it breaks itself, or the machine breaks under it. gdb breaks it: nothing that a guest or a person
types can.

Most cases stop EL2 in hvc_report_exception (the diagnostic guest gets it there by HVC_REPORT_EXCEPTION) and spoil one thing.
"""

import re
import subprocess
import sys
import time

import channels
import pytest
from harness import ROOT, memory_map
from run import BOARDS

ELF = ROOT / "build/hypervisor.elf"


def symbol(name):
    out = subprocess.run(["aarch64-linux-gnu-nm", str(ELF)], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in out.splitlines() if line.split()[-1] == name)


def spoil(boot, tmp_path, *commands, smp=1, elf=ELF, place="hvc_report_exception", extra=""):
    """A machine that gdb has stopped in EL2 once, to run commands there, and left running."""
    socket = tmp_path / "gdb"
    ariel = boot(elf=elf, smp=smp,
                 extra=f"-S -chardev socket,path={socket},server=on,wait=off,id=gdb -gdb chardev:gdb {extra}")
    script = ["set remotetimeout 120", f"target remote {socket}", f"hbreak {place}", "continue", "delete", *commands,
              "detach"]
    arguments = [argument for command in script for argument in ("-ex", command)]
    limit = time.monotonic() + 120
    while not socket.exists():
        assert time.monotonic() < limit, "QEMU opened no socket for gdb"
        time.sleep(0.05)
    done = subprocess.run(["gdb-multiarch", "-q", "-batch", *arguments, str(ROOT / elf)], capture_output=True, text=True,
                          timeout=300)
    assert re.search(rf"Breakpoint 1, (0x\w+ in )?{place.lstrip('*')} ", done.stdout), done.stdout + done.stderr
    return ariel


def test_a_wild_jump_is_dumped_with_registers_and_backtrace(boot, tmp_path):
    ariel = spoil(boot, tmp_path, "set $pc = 0xdead0000")
    ariel.expect_line(r'event=panic reason="exception taken in EL2" vector="current EL, SP_ELx" kind=sync ec=0x21')
    ariel.expect_line(r"event=el2-registers elr=0xdead0000 .*far=0xdead0000")
    for first in range(0, 28, 4):
        ariel.expect_line(rf"event=el2-registers x{first}=0x[0-9a-f]+ ")
    ariel.expect_line(r"event=backtrace depth=0 pc=0xdead0000")
    chain = [ariel.expect_line(rf"event=backtrace depth={depth} pc=(0x[0-9a-f]+)").group(1) for depth in (1, 2)]
    where = subprocess.run(["aarch64-linux-gnu-addr2line", "-fe", str(ELF), *chain], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    # What stands behind the address at depth 0 is trap_call, hvc_report_exception being compiled into it.
    assert where[::2] == ["trap_from_sync", "lower_sync"]


def test_the_report_is_in_the_file_and_on_the_line(boot, tmp_path):
    log = tmp_path / "log"
    ariel = spoil(boot, tmp_path, "set $pc = 0xdead0000",
                  extra=" ".join(channels.channel_arguments("", str(log), BOARDS["virt"].transports)))
    ariel.expect_line(r'event=panic reason="exception taken in EL2"')
    ariel.expect_line(r"event=backtrace depth=2")
    limit = time.monotonic() + 60
    while "event=backtrace depth=2" not in log.read_text():
        assert time.monotonic() < limit, log.read_text()[-1000:]
        time.sleep(0.05)
    # Behind the records from before, and whole.
    numbers = [int(number) for number in re.findall(r"(?m)^ariel: seq=(\d+) .* tag=\w+$", log.read_text())]
    assert numbers == list(range(len(numbers))) and len(numbers) > 30


def test_an_overrun_stack_meets_its_guard_page(boot, tmp_path):
    guard = symbol("stacks_start")
    ariel = spoil(boot, tmp_path, f"set $sp = {guard + 0x1000:#x}")
    ariel.expect_line(r'event=panic reason="stack overflow: guard page touched" .*ec=0x25')
    far = int(ariel.expect_line(r"event=el2-registers elr=.* far=(0x[0-9a-f]+)").group(1), 16)
    assert guard <= far < guard + 0x1000


@pytest.mark.parametrize("place, name", [("text_start", "text"), ("rodata_start", "rodata"),
                                         ("policy_built", "policy"), ("sealed_start", "stage-1 tables"),
                                         ("stage1_registers", "what a CPU loads"), ("__stack_chk_guard", "canary")])
def test_a_write_to_what_is_read_only_faults(boot, tmp_path, place, name):
    # memset(target, 0, 64) in EL2, at whose end it would return to where it stopped
    target = symbol(place)
    ariel = spoil(boot, tmp_path, f"set $x0 = {target:#x}", "set $x1 = 0", "set $x2 = 64", "set $pc = (long)&memset")
    ariel.expect_line(r"event=panic .*ec=0x25")
    assert int(ariel.expect_line(r"event=el2-registers elr=.* far=(0x[0-9a-f]+)").group(1), 16) == target, name


def test_data_is_never_executed(boot, tmp_path):
    data = symbol("data_start")
    ariel = spoil(boot, tmp_path, f"set $pc = {data:#x}")
    ariel.expect_line(r"event=panic .*ec=0x21")
    ariel.expect_line(rf"event=el2-registers elr={data:#x} ")


def test_guest_memory_is_never_executed(boot, tmp_path):
    place = memory_map("GUEST_RAM_PA")  # the diagnostic guest's first instruction
    ariel = spoil(boot, tmp_path, f"set $pc = {place:#x}")
    ariel.expect_line(r"event=panic .*ec=0x21")
    ariel.expect_line(rf"event=el2-registers elr={place:#x} .*far={place:#x}")


def test_a_changed_canary_is_caught(boot, tmp_path):
    # log_record holds a canary; the guard word changes while it runs.
    ariel = spoil(boot, tmp_path, "break format_text_v", "continue", "delete",
                  "set *(unsigned long *)&__stack_chk_guard = 1")
    ariel.expect_line(r'event=panic reason="stack protector: a canary is overwritten"')
    ariel.expect_line(r"event=backtrace depth=1")


def test_the_log_survives_in_memory(boot, tmp_path):
    ariel = spoil(boot, tmp_path, "set $pc = 0xdead0000", smp=2)
    ariel.expect_line(r"event=backtrace depth=1")
    ring = tmp_path / "ring"
    ariel.child.send("\x01c")  # QEMU's own monitor
    ariel.child.expect_exact("(qemu)")
    ariel.child.send(f'pmemsave {memory_map("LOG_RING_PA"):#x} {memory_map("LOG_RING_SIZE")} "{ring}"\r')
    limit = time.monotonic() + 120
    while not ring.exists() or ring.stat().st_size < memory_map("LOG_RING_SIZE"):
        assert time.monotonic() < limit, "QEMU wrote no dump"
        time.sleep(0.1)
    done = subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), "--ring", str(ring)],
                          capture_output=True, text=True, timeout=300)
    assert "event=boot" in done.stdout or " boot " in done.stdout, done.stdout + done.stderr
    assert "exception taken in EL2" in done.stdout, done.stdout + done.stderr


def test_a_cpu_that_does_not_come_up_is_left_out(boot, tmp_path):
    # CPU 2, started by the firmware, stays at its first instruction: a branch to itself, in that place of EL2's text
    ariel = spoil(boot, tmp_path, "delete", "hbreak secondary_start if $x0 == 2", "continue",
                  "set *(unsigned int *)$pc = 0x14000000", smp=4, place="secondary_start")
    ariel.expect_line(r"level=error class=cpu event=cpu-fail target=2 result=-1 ")
    ariel.expect_line(r"event=guest-enter .* vcpus=2 ")
    ariel.expect_line(r"^TAP version 13$")
    assert sum("cpu-fail" in line for line in ariel.lines) == 1
    ariel.attention()
    assert "vcpus=2" in ariel.command("status").text


def test_a_handler_that_does_not_end_is_named_by_another_cpu(boot, tmp_path):
    # CPU 0 stays in hvc_report_exception
    ariel = spoil(boot, tmp_path, "set *(unsigned int *)$pc = 0x14000000", smp=2)
    ariel.expect_line(r"cpu=1 level=warn class=trap event=el2-stall vcpu=0 exit=\d+ key=hvc pc=0x4")


def test_a_reset_cuts_no_record_and_no_boots_first_line(boot, tmp_path):
    """Another vCPU may go on printing until the machine is reset: what it left of a line is no part of the next one."""
    listing = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", str(ELF)], capture_output=True,
                             text=True, check=True).stdout
    smc = re.search(r"<firmware_reset>:\n(?:(?!\n\n).)*?\n +([0-9a-f]+):\s+smc\b", listing, re.S)[1]
    ariel = spoil(boot, tmp_path, f"hbreak *0x{smc}", "set $x0 = (long)&vms[0]", "set $pc = (long)&vm_reset", "continue",
                  "call (void)pl011_put('X')", "delete")
    ariel.expect_line(r"^ariel: .* event=vm-reset ")
    ariel.expect_line(r"^X$")
    ariel.expect_line(r"^ariel: seq=0 .* event=log-start ")
