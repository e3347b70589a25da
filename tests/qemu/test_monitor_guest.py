# SPDX-License-Identifier: Apache-2.0
"""What the monitor does to a guest, seen from the guest: steps, injected exceptions, registers, time, policy rows that
pause and stop, held output, pasted input."""

import json
import re
import threading
import time

import pytest
from harness import ATTENTION, ROOT, Ariel, build_policy

SUMMARY = r"^# ariel-guest: \d+ passed"
CODE = 0x40300000  # guest RAM that the guest does not use
TABLES = 0x40310000
FLAG = 0x40320000
MASKED = 0x3c5  # PSTATE: EL1h, D A I F


@pytest.fixture
def machine():
    with Ariel(socket=True) as machine:
        machine.expect_line(SUMMARY)
        yield machine


def pause(machine):
    """Wherever the guest happens to be: its console lets interrupts in for a moment, and other code must not find that."""
    machine.attention()
    machine.command("pause")
    machine.command(f"sr PSTATE {MASKED:#x}")


@pytest.fixture
def paused(machine):
    pause(machine)
    return machine


@pytest.fixture
def listening(machine):
    """Paused when it has enabled its UART's interrupt, which it does behind its summary."""
    machine.attention()
    wait_until(machine, "the guest listens", lambda: re.search(r'"intid":33,.*"enabled":true', machine.command("gic -j").text))
    machine.command("pause")
    machine.command(f"sr PSTATE {MASKED:#x}")
    return machine


def rows(machine, text):
    """Of a command's reply; not by the serial line where the machine has a socket."""
    if machine.folder:
        return machine.program.command(text).rows
    return [json.loads(line) for line in machine.command(f"{text} -j") if line.startswith("{")]


def register(machine, name, vcpu=None):
    words = f"regs {vcpu}" if vcpu is not None else "regs"
    return int(next(row["value"] for row in rows(machine, words) if row["name"] == name), 16)


def write_code(machine, *words, at=CODE):
    for n, word in enumerate(words):
        rows(machine, f"mem write {at + 4 * n:#x} {word:#x}")


def wait_until(machine, what, is_so):
    limit = time.monotonic() + machine.wait
    while not is_so():
        assert time.monotonic() < limit, f"not in time: {what}"


def step(machine, count=1):
    """The PC of vCPU 0 after it."""
    return int(next(row["pc"] for row in rows(machine, f"step {count}") if row["vcpu"] == 0), 16)


def test_steps_over_every_kind_of_instruction(paused):
    program = [0xd503201f,  # nop
               0xd2800000,  # mov x0, #0: HVC_GET_HV_ID
               0xd4000002,  # hvc #0
               0xd5380601,  # mrs x1, ID_AA64ISAR0_EL1
               0x52a12003,  # mov w3, #0x09000000
               0xb9401862,  # ldr w2, [x3, #0x18]: the UART's flags
               0xd53be044,  # mrs x4, CNTVCT_EL0
               0x14000000]  # b .
    write_code(paused, *program)
    paused.command(f"sr PC {CODE:#x}")
    paused.command("sr x1 0xffffffffffffffff")
    for n in range(1, len(program)):
        assert step(paused) == CODE + 4 * n
    assert step(paused, 100) == CODE + 4 * (len(program) - 1)
    assert register(paused, "x0") != 0
    assert register(paused, "x1") != 0xffffffffffffffff
    assert register(paused, "x2") & 0x90 == 0x90  # transmit and receive FIFO empty


def test_the_guest_sees_written_registers(paused):
    write_code(paused, 0x910003e0,  # mov x0, sp
               0xd5384101,          # mrs x1, sp_el0
               0xd53be042,          # mrs x2, cntvct_el0 (only to have one more)
               0xd538d083)          # mrs x3, tpidr_el1
    for name, value in [("SP_EL1", 0x40200000), ("SP_EL0", 0x40210000), ("TPIDR_EL1", 0x1234567), ("PC", CODE)]:
        paused.command(f"sr {name} {value:#x}")
    assert step(paused, 4) == CODE + 16
    assert [register(paused, name) for name in ("x0", "x1", "x3")] == [0x40200000, 0x40210000, 0x1234567]


def test_the_guest_sees_no_pause(paused):
    def timer():
        return paused.program.command("timer").rows[0]

    write_code(paused, 0xd53be042, 0x17ffffff)  # mrs x2, cntvct_el0; b .-4
    paused.command(f"sr PC {CODE:#x}")
    start = timer()
    step(paused)
    before, stopped = register(paused, "x2"), timer()
    time.sleep(1.5)
    going_on = timer()
    step(paused, 2)
    end = timer()
    passed = (register(paused, "x2") - before) * 1_000_000 / end["frequency"]
    stood = going_on["physical_us"] - stopped["physical_us"]
    assert stood >= 1_500_000 and going_on["guest_us"] == stopped["guest_us"]
    assert 0 < passed <= end["physical_us"] - start["physical_us"] - stood  # however slow the steps were
    assert end["physical_us"] - end["guest_us"] >= 1_500_000


@pytest.mark.parametrize("kind,offset,syndrome", [("undef", 0x200, 0x02000000), ("abort", 0x200, 0x96000010)])
def test_an_injected_exception_is_taken(paused, kind, offset, syndrome):
    pc = register(paused, "PC")
    paused.command(f"inject {kind}")
    vectors = register(paused, "VBAR_EL1")
    assert register(paused, "PC") == vectors + offset
    assert register(paused, "ESR_EL1") == syndrome
    assert register(paused, "ELR_EL1") == pc
    assert step(paused) == vectors + offset + 4
    paused.command("resume")
    paused.expect_line(rf"# unexpected exception: vector 4 ESR {syndrome:#x} ELR {pc:#x}")


def test_an_injected_exception_ends_a_wait(machine):
    """The guest runs and waits in WFI: the exception is taken there and then, at the WFI or behind it."""
    pause(machine)
    write_code(machine, 0xd503207f, 0x17ffffff)  # wfi; b .-4
    machine.command(f"sr PC {CODE:#x}")
    machine.command("resume")
    machine.attention()
    assert register(machine, "PC") in (CODE, CODE + 4)
    machine.command("inject undef")
    machine.command("quit")
    machine.expect_line(rf"# unexpected exception: vector 4 ESR 0x2000000 ELR ({CODE:#x}|{CODE + 4:#x})\b")


def test_an_injected_serror_waits_until_it_is_unmasked(paused):
    write_code(paused, *[0xd503201f] * 8)
    paused.command(f"sr PC {CODE:#x}")
    paused.command("inject serror")
    assert step(paused, 2) == CODE + 8
    paused.command("sr PSTATE 0x2c5")  # A = 0
    paused.command("step")
    vectors = register(paused, "VBAR_EL1")
    assert vectors + 0x380 <= register(paused, "PC") < vectors + 0x400


def test_an_injected_irq_is_taken(listening):
    write_code(listening, *[0xd503201f] * 8)
    listening.command(f"sr PC {CODE:#x}")
    listening.command("sr PSTATE 0x345")  # I = 0
    listening.command("inject irq 33")
    listening.command("step 2")
    vectors = register(listening, "VBAR_EL1")
    assert vectors + 0x280 <= register(listening, "PC") < vectors + 0x300


def test_walk_names_the_descriptor_that_fails(paused):
    paused.command(f"mem write {TABLES:#x} {TABLES + 0x1003:#x} 8")  # level 1, entry 0: an empty level 2 table
    paused.command(f"mem write {TABLES + 8:#x} 0x40000701 8")        # entry 1: a block of 1 GiB, flat
    paused.command(f"mem write {TABLES + 0x1000:#x} 0 8")
    paused.command(f"sr TTBR0_EL1 {TABLES:#x}")
    paused.command("sr TCR_EL1 0x200803519")
    paused.command("sr SCTLR_EL1 0x34d5d839")
    good = paused.command("vm walk 0x40001234")
    assert re.search(rf"(?s)level=1 at=0x{TABLES + 8:x} .*stage=2 .*pa=0x42001234", good.text)
    bad = paused.command("vm walk 0x1000", fails=True)
    assert f"at={TABLES + 0x1000:#x}" in bad.text
    assert re.match(r"err stage 1: .*level 2", bad.status)


def test_the_guest_pauses_itself(machine):
    machine.send("pause\r")
    machine.expect_line("-- monitor: .*; guest paused")
    machine.expect_opened()
    assert "vm=paused" in machine.command("status").text
    machine.command("resume")
    machine.expect_line("# HVC_PAUSE returned 0")


def test_break_opens_although_the_guest_hangs(paused):
    write_code(paused, 0x14000000)  # b .
    paused.command(f"sr PC {CODE:#x}")
    paused.command("resume")
    paused.expect_line("guest console; guest running")
    paused.send_break()
    paused.expect_line("-- monitor: break; guest running")
    paused.expect_prompt()
    assert register(paused, "PC") == CODE
    assert register(paused, "SPSR_EL2") & 0xc0 == 0xc0  # I, F


def test_registers_of_another_cpu_that_runs():
    with Ariel(smp=4, socket=True) as machine:
        machine.expect_line(SUMMARY)
        pause(machine)
        write_code(machine, 0x14000000, at=CODE + 0x100)  # b .
        write_code(machine, 0xd4000002, 0x14000000)       # hvc #0; b .
        for cpu in (1, 2, 3):
            for name, value in [("x0", 0xc4000003), ("x1", cpu), ("x2", CODE + 0x100), ("x3", cpu), ("PC", CODE)]:
                machine.command(f"sr {name} {value:#x}")
            step(machine)
            assert register(machine, "x0") == 0
        machine.command("resume")
        machine.attention()
        assert "vm=running" in machine.command("status").text
        for cpu in (1, 2, 3):
            wait_until(machine, f"CPU {cpu} comes on",
                       lambda: "is on, the guest running" in machine.command(f"regs {cpu}").text)
            assert register(machine, "PC", cpu) == CODE + 0x100
            assert register(machine, "x0", cpu) == cpu
        assert "vm=running" in machine.command("status").text
        machine.command("pause")
        assert len(re.findall(r"vcpu=\d power=on .*pc=", machine.command("status").text)) == 4


def print_behind_the_monitor(machine, count):
    """Opens the monitor and has the guest print count times x and an end of line meanwhile."""
    pause(machine)
    write_code(machine, 0xb9400024,  # ldr w4, [x1]
               0x34ffffe4,           # cbz w4, .-4
               0xb9000003,           # str w3, [x0]
               0xf1000442,           # subs x2, x2, #1
               0x54ffffc1,           # b.ne .-8
               0x52800143,           # mov w3, #10
               0xb9000003,           # str w3, [x0]
               0xb900003f,           # str wzr, [x1]
               0x14000000)           # b .
    machine.command(f"mem write {FLAG:#x} 0")
    for name, value in [("x0", 0x09000000), ("x1", FLAG), ("x2", count), ("x3", ord("x")), ("PC", CODE)]:
        machine.command(f"sr {name} {value:#x}")
    machine.command("resume")
    machine.expect_line("guest console; guest running")
    machine.attention()
    machine.command(f"mem write {FLAG:#x} 1")
    wait_until(machine, "the guest has printed",
               lambda: int(json.loads(machine.command(f"xp /1xw {FLAG:#x} -j")[0])["data"], 16) == 0)


def test_guest_output_waits_while_the_monitor_is_open(machine):
    print_behind_the_monitor(machine, 100)
    assert "guest_dropped=0" in machine.command("status").text
    assert not any(100 * "x" in line for line in machine.lines)
    machine.command("quit")
    machine.expect_line(f"^{100 * 'x'}$")


def test_what_does_not_fit_is_counted(machine):
    print_behind_the_monitor(machine, 140000)
    dropped = 140000 + len("\n") - 128 * 1024
    assert f"guest_dropped={dropped} " in machine.command("status").text
    machine.command("quit")
    machine.expect_line(f"event=guest-output-dropped bytes={dropped} ")


def test_pasted_text_arrives_whole(machine):
    lines = [f"{n:04d} the quick brown fox jumps over the lazy dog, again and again" for n in range(64)]
    machine.attention()
    machine.command("log level error")  # no record that an exit was slow stands between the lines
    machine.command("quit")
    machine.expect_line("guest console; guest running")
    machine.send("".join(line + "\r" for line in lines))
    for line in lines:
        assert machine.read_line() == line
    machine.attention()
    assert "input_dropped=0 uart_dropped=0" in machine.command("status").text


# ---- Policy rows that pause and stop

NEXT = r"-- monitor: a policy row says (\w+); guest|# ariel-guest: \d+ passed"


@pytest.fixture(scope="module")
def policy_elf():
    """diag, but for rows that pause at ACTLR_EL1 and HVC_REPORT_EXCEPTION and stop at HVC_PAUSE."""
    text = (ROOT / "policy" / "diag.toml").read_text()
    text = text.replace('name = "ACTLR_EL1"\naction = "raz-wi"', 'name = "ACTLR_EL1"\naction = "pause"')
    rows = [f'[[hypercall]]\nname = "{name}"\naction = "{action}"\nwhy = "a test"\n\n'
            for name, action in [("hvc-report-exception", "pause"), ("hvc-pause", "stop")]]
    text = text.replace('[[hypercall]]\nname = "hvc-*"', "".join(rows) + '[[hypercall]]\nname = "hvc-*"')
    assert text.count('"pause"') == 2 and text.count('"stop"') == 1
    path = ROOT / "build" / "monitor-test.toml"
    path.write_text(text)
    return build_policy(str(path.relative_to(ROOT)))


def resume_to_pause(machine, word, mask=0xffffffff):
    """Goes on until the guest pauses at an instruction that is word, under the mask; returns its address."""
    while True:
        machine.expect_line(NEXT)
        machine.expect_opened()
        pc = register(machine, "PC")
        if int(json.loads(machine.command(f"xp /1xw {pc:#x} -j")[0])["data"], 16) & mask == word:
            return pc
        machine.command("resume")


def to_summary(machine):
    while machine.expect_line(NEXT)[1]:
        machine.expect_opened()
        machine.command("resume")


def test_rows_pause_at_the_instruction_and_stop(policy_elf):
    with Ariel(elf=policy_elf) as machine:
        pc = resume_to_pause(machine, 0xd5181020, 0xffdfffe0)  # mrs or msr ACTLR_EL1
        assert step(machine) == pc + 4
        machine.command("resume")
        pc = resume_to_pause(machine, 0xd5181020, 0xffdfffe0)
        machine.command(f"sr PC {pc + 4:#x}")  # not executed at all
        machine.command("resume")
        to_summary(machine)
        machine.send("run sysregs: ACTLR_EL1\r")
        pc = resume_to_pause(machine, 0xd5181020, 0xffdfffe0)
        machine.command("inject undef")
        assert register(machine, "ELR_EL1") == pc
        assert register(machine, "PC") == register(machine, "VBAR_EL1") + 0x200
        machine.command("resume")
        to_summary(machine)

        # The same at a call, which arrives behind the instruction.
        machine.attention()
        machine.command("pause")
        old = {name: register(machine, name) for name in ("x0", "x1", "x2", "x3", "PC", "SPSR_EL2")}
        machine.command(f"sr PSTATE {MASKED:#x}")
        write_code(machine, 0xd4000002, 0x14000000)  # hvc #0; b .
        machine.command("sr x0 5")                   # HVC_REPORT_EXCEPTION
        machine.command(f"sr PC {CODE:#x}")
        machine.command("resume")
        assert resume_to_pause(machine, 0xd4000002) == CODE
        assert register(machine, "x0") == 5
        assert step(machine) == CODE + 4
        assert register(machine, "x0") == 0
        for name, value in old.items():
            machine.command(f"sr {name} {value:#x}")
        machine.command("resume")

        # Death: nothing but reset leaves it.
        machine.expect_line("guest console; guest running")
        machine.send("pause\r")
        assert machine.expect_line(NEXT)[1] == "stop"
        machine.expect_opened()
        assert "vm=stopped" in machine.command("status").text
        for text in ("step", "pause"):
            machine.command(text, fails=True)
        machine.command("regs")
        machine.send("reset\r")
        machine.expect_line("event=log-start")
        resume_to_pause(machine, 0xd5181020, 0xffdfffe0)


def test_a_timer_at_the_end_of_time_after_a_pause(paused):
    """QEMU 7.2 hangs as a whole where CNTV_CVAL_EL0 + CNTVOFF_EL2 wraps to a time that is past."""
    time.sleep(0.5)
    paused.command(f"sr CNTV_CVAL_EL0 {2**64 - 1:#x}")
    paused.command("sr CNTV_CTL_EL0 1")
    paused.command("resume")
    paused.attention()
    assert "vm=running" in paused.command("status").text
    assert json.loads(paused.command("timer -j")[1])["drift_us"] >= 500_000


def test_a_hang_is_noticed(listening):
    """A guest that loops with interrupts masked while one waits."""
    write_code(listening, 0x14000000)  # b .
    listening.end_program()  # or the program would be told, and no prompt opened
    listening.command(f"sr PC {CODE:#x}")
    listening.command("inject irq 33")
    listening.command("resume")
    assert listening.expect_line(r"event=guest-hang vcpu=0 pc=(0x\w+)")[1] == f"{CODE:#x}"
    listening.expect_line("monitor: a vCPU has kept an interrupt waiting for 10 s")
    listening.expect_opened()
    assert listening.command("status").ok


def test_a_guest_that_does_not_read_cannot_lock_the_monitor_out(paused):
    """More than EL2 holds for a guest is typed while the guest stands still, the attention key behind it."""
    paused.command("quit")
    typing = threading.Thread(target=paused.send, args=["x" * 70000 + ATTENTION + "\r"])
    typing.start()
    paused.expect_prompt()
    typing.join()
    assert int(re.search(r"input_dropped=(\d+)", paused.command("status").text)[1]) > 4000


def test_the_uarts_page_is_there_while_no_input_waits(boot):
    """Policy linux: the guest reads the UART's registers by itself, but not while a typed byte waits for it."""
    machine = boot(policy="linux", life=600)
    machine.expect_line(SUMMARY)

    def page():
        machine.attention()
        assert machine.command("hv selftest").ok
        return re.search(r"stage=2 level=3 \S+ pa=\S+ size=0x1000 guest=(\S+)", machine.command("vm walk 0x09000000").text)[1]

    assert page() == "r--"
    machine.command("pause")
    machine.command("quit")
    machine.send("list\r")
    deadline = time.monotonic() + 60
    while page() != "---":
        assert time.monotonic() < deadline
        machine.command("quit")
    machine.command("resume")
    machine.expect_line("gic: ")
    machine.expect_line("wfx: many waits")
    assert page() == "r--"
