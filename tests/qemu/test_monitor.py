# SPDX-License-Identifier: Apache-2.0
"""Every monitor command, good and bad, on a real boot; the keys; and that the guest goes on afterwards."""

import json
import re
import time

import pytest
from harness import ATTENTION, PROMPT, Ariel

SUMMARY = r"^# ariel-guest: \d+ passed"  # the guest's last line


@pytest.fixture(scope="module")
def ariel():
    """One machine with two CPUs for all commands that leave the guest alive. Only records of errors on the console."""
    with Ariel(smp=2, life=1800) as machine:
        machine.expect_line(SUMMARY)
        machine.attention()
        machine.command("log level error")
        machine.command("pause")
        # Now: the records of `exc log` take the whole ring.
        machine.denied = [line for line in machine.command("log -n 400 -c policy").text.splitlines()
                          if "verdict=deny" in line][-1]
        yield machine


GOOD = [
    ("help", r"(?m)^mem +guest memory"),
    ("help mem", r"usage: mem read \[-v\|-k\] <address>.*\n +mem write <ipa>"),
    ("help cont", r"usage: resume"),
    ("status", r"vm=paused guest=.*\n.*policy=diag(.*\n)+vcpu=1 "),
    ("version", r"ariel=\S+ policy=diag"),
    ("log -n 3", r"seq=\d+"),
    ("log -n 5 -c boot", r"class=boot"),
    ("log level", r"level=error"),
    ("exc", r"\d+ exits"),
    ("exc top 3", r"(?m)^\S+ +\d+ +\d+% +\d+ "),
    ("exc top device", r"pl011"),
    ("exc top call", r"\d+ call, "),
    ("exc top class 2", r"exits: the sum of all classes"),
    ("exc top dabt", r"\d+ exits, \d+ in dabt"),
    ("exc top register", r"exits"),
    ("exc log", r""),
    ("exc top row", r"diag\.toml"),
    ("exc last 4", r"(?m)^ *\d+ \d +\d+ 0x[0-9a-f]+ [rw] \S+"),
    ("explain esr 0x93810006", r"data abort, lower EL ISV SAS=2 SRT=1 .*translation\s+fault level=2"),
    ("explain esr 0xf2000001", r"BRK Comment=1"),
    ("explain esr 0x6230001f", r"register=\S+ direction=read"),
    ("mem read 0x40000000", r"(?m)^0x40000000( [0-9a-f]{8}){4}  .{16}$"),
    ("mem read 0x40000000 16 1", r"^0x40000000( [0-9a-f]{2}){16} "),
    ("mem read 0x40000001 3 1", r"^0x40000001( [0-9a-f]{2}){3} "),
    ("xp /4xw 0x40000000", r"^0x40000000( [0-9a-f]{8}){4} "),
    ("xp /2xg 0x40000000", r"^0x40000000( [0-9a-f]{16}){2} "),
    ("x 0x40000000 8", r"^0x40000000"),
    ("mem crc 0x40000000 1M", r"crc32=0x[0-9a-f]+"),
    ("vm walk 0x40000000", r"stage=2 level=2 .*pa=0x42000000"),
    ("regs", r"(?s)x0  0x[0-9a-f]{16}.*PC +0x.*SPSR_EL2 .*EL=.*SCTLR_EL1"),
    ("regs 1", r"vcpu 1 is"),
    ("sr SCTLR_EL1", r"SCTLR_EL1 +0x[0-9a-f]{16}"),
    ("sr tcr_el1", r"T0SZ="),
    ("sr ID_AA64MMFR0_EL1", r"0x"),
    ("sr x30", r"x30"),
    ("sr PSTATE", r"SPSR_EL2 +0x0*[0-9a-f]+ .*EL=1"),
    ("p $cpsr", r"SPSR_EL2 +0x"),
    ("p/x $pc", r"^0x40[0-9a-f]+$"),
    ("print $sp + 16", r"^0x[0-9a-f]+$"),
    ("x/2xg $sp", r"^0x[0-9a-f]+( [0-9a-f]{16}){2} "),
    ("i r", r"(?s)x0  0x.*PC +0x"),
    ("i r pc", r"^pc +0x"),
    ("info threads", r"(?m)^vcpu=1 "),
    ("mem read -v 0x40000000 32", r"(?m)^0x40000010( [0-9a-f]{8}){4} "),
    ("vm walk -k 0x40000000", r"^vcpu=0 el=1 table=TTBR0_EL1 .* from=now"),
    ("set", r"^pager=off width=80 color=off json=off$"),
    ("policy show", r"policy=diag rows=\d+"),
    ("policy stat", r"diag\.toml"),
    ("policy test 0x09000000", r"(?m)^read +pl011 +emulate .*\n .*\nwrite +pl011"),
    ("policy test write hvc-pause", r"^write +hvc-pause"),
    ("policy test read ID_AA64PFR0_EL1", r"ID_AA64PFR0_EL1"),
    ("policy set pl061 read deny", r""),
    ("policy show", r"(?m)^pl061 +read +deny"),
    ("policy test read pl061", r"(?m)^read +pl061 +deny"),
    ("log -n 1 -c policy", r"event=policy-set key=pl061 op=read verdict=deny was="),
    ("gic", r"vcpu=0 gicd_ctlr=0x"),
    ("gic 1", r"vcpu=1 gicd_ctlr=0x"),
    ("timer", r"(?s)frequency=\d+.*cntvoff=.*drift_us=.*cntv ctl=0x.*cntp ctl=0x.*late_(below|from)_us=\d+ interrupts=\d+"),
    ("timer 1", r"vcpu=1"),
    ("hv selftest", r"(?s)memory protection +passed.*every cpu answers +passed"),
]

BAD = [
    ("nonsense", r"no command 'nonsense'"),
    ("help nonsense", r"no command 'nonsense'"),
    ("status now", r"usage: status"),
    ("log -n", r"N '' is not a number"),
    ("log -n x", r"N 'x' is not a number"),
    ("log -c nope", r"no class 'nope'"),
    ("log level loud", r"level 'loud' is none of"),
    ("log level warn now", r"usage: log level \[name\]"),
    ("log fast", r"'fast' is none of -n, -c, level, clear, previous"),
    ("exc bottom", r"exc 'bottom' is none of"),
    ("exc top nope", r"'nope' is none of"),
    ("exc last 0", r"n 0 is outside 1\.\."),
    ("explain", r"usage: explain"),
    ("explain x", r"seq 'x' is not a number"),
    ("explain 99999999", r"is not kept"),
    ("explain 1 9", r"vcpu 9 is outside 0..1"),
    ("explain esr", r"usage: explain esr"),
    ("explain esr 0xg", r"esr '0xg' is not a number"),
    ("mem", r"usage: mem"),
    ("mem peek 0", r"mem 'peek' is none of"),
    ("mem read 0x70000000", r"is not in guest RAM 0x40000000..0x6fffffff"),
    ("mem read 0x6ffffff0 32", r"is not in guest RAM"),
    ("mem read 0xfffffffffffffff0 64", r"is not in guest RAM"),
    ("mem read 0x40000000 0", r"bytes 0 is outside 1..4096"),
    ("mem read 0x40000000 8K", r"bytes 8K is outside 1..4096"),
    ("mem read 0x40000000 16 3", r"width '3' is none of"),
    ("mem read 0x40000000 10 4", r"not a multiple of width 4"),
    ("mem write 0x40000000", r"usage: mem write"),
    ("mem write 0x40080000 0x100 1", r"value 0x100 is outside 0x0..0xff"),
    ("mem write 0x9000000 1", r"is not in guest RAM"),
    ("mem find 0x40000000 0x100", r"usage: mem find"),
    ("mem find 0x40000000 1G 1", r"more than"),
    ('mem find 0x40000000 16 ""', r"nothing to look for"),
    ("mem find 0x40000000 4096 0x0badc0de5eedf00d 8", r"not found"),
    ("mem crc 0x40000000 0", r"empty"),
    ("xp /4iw 0x40000000", r"format '/4iw' is not"),
    ("xp /4xw", r"ipa is missing"),
    ("vm stroll 0", r"vm 'stroll' is not walk"),
    ("vm walk 0x90000000", r"stage 2: no valid descriptor at level 1"),
    ("regs 2", r"vcpu 2 is outside 0..1"),
    ("sr NOPE_EL1", r"no register 'NOPE_EL1'"),
    ("sr x31", r"no register 'x31'"),
    ("sr x0 hello", r"value 'hello' is not a number"),
    ("sr SPSR_EL2 0x3c9", r"SPSR_EL2.M may be"),
    ("sr PSTATE 0x10", r"SPSR_EL2.M may be"),
    ("pause", r"the guest is paused"),
    ("step 0", r"n 0 is outside 1"),
    ("step 1 7", r"vcpu 7 is outside"),
    ("policy drop", r"policy 'drop' is none of"),
    ("policy test", r"usage: policy test"),
    ("policy test nope", r"'nope' is no register"),
    ("policy test 0x40000000", r"is guest RAM"),
    ("policy set pl061", r"usage: policy set"),
    ("policy set nope deny", r"'nope' is no register"),
    ("policy set pl061 up deny", r"'up' is none of read, write"),
    ("policy set pl061 drop", r"'drop' is none of allow, emulate, deny, pause"),
    ("policy set pl061 emulate", r"ariel cannot emulate pl061"),
    ("policy set ICC_PMR_EL1 deny", r"ICC_PMR_EL1 does not trap in this build"),
    ("inject", r"usage: inject"),
    ("inject headache", r"inject 'headache' is none of"),
    ("inject irq", r"usage: inject irq"),
    ("inject irq 4096", r"irq 4096 is outside 0..1019"),
    ("hv crash", r"hv 'crash' is not selftest"),
    ("timer 2", r"vcpu 2 is outside"),
    ("a b c d e f g h i j k l m n o p q", r"more than 16 words"),
]


@pytest.mark.parametrize("text,pattern", GOOD, ids=[row[0] for row in GOOD])
def test_good(ariel, text, pattern):
    assert re.search(pattern, ariel.command(text).text)


@pytest.mark.parametrize("text,pattern", BAD, ids=[row[0] for row in BAD])
def test_bad(ariel, text, pattern):
    assert re.search(pattern, ariel.command(text, fails=True).status)


@pytest.mark.parametrize("text", [row[0] for row in GOOD])
def test_json_is_one_object_a_line(ariel, text):
    for line in ariel.command(f"{text} -j"):
        assert isinstance(json.loads(line), dict)


def test_explain_takes_what_a_record_cites(ariel):
    """Long after its slot among the last exits was used again: the suite's last refused access."""
    record = ariel.denied
    number, key, place = (re.search(rf" {name}=(\S+)", record).group(1) for name in ("exit", "key", "at"))
    text = ariel.command(f"explain {number} 0").text
    assert f"key={key}" in text and place in text, f"{record}\n{text}"


def test_explain_takes_what_exc_last_shows(ariel):
    event = json.loads(ariel.command("exc last 1 -j")[0])
    reply = ariel.command(f"explain {event['seq']} {event['vcpu']}").text
    assert f"pc={event['pc']}" in reply
    assert re.search(r"(?s)^who .*\nwhat .*\nesr .*\nwhy .*traps it.*\ngot ", reply)


def test_writes_are_done_and_logged_with_the_old_value(ariel):
    ariel.command("mem write 0x40300000 0x11223344")
    assert "old=0x11223344 new=0x55667788" in ariel.command("mem write 0x40300000 0x55667788").text
    assert "55667788" in ariel.command("xp /1xw 0x40300000").text
    assert "0x40300000" in ariel.command("mem find 0x40300000 64 0x55667788").text
    ariel.command('mem write 0x40300000 0x6c656972 4')
    assert "0x40300000" in ariel.command('mem find 0x402ff000 8K "riel"').text
    old = json.loads(ariel.command("sr x19 -j")[0])["value"]
    ariel.command("sr x19 0x1234")
    ariel.command(f"sr x19 {old}")
    text = ariel.command("log -n 4 -c monitor").text
    assert re.search(r"event=monitor-write what=mem ipa=0x40300000 width=4 old=0x11223344 new=0x55667788", text) or \
        "old=0x55667788" in text
    assert re.search(rf"event=monitor-write what=sr name=x19 vcpu=0 old={old} new=0x1234", text)


def test_step_moves_the_program_counter_and_waits(ariel):
    places = [ariel.command("step").text for _ in range(3)]
    assert all("vcpu=0 pc=0x" in place for place in places)
    assert len(set(places)) > 1
    assert "vcpu=0 pc=0x" in ariel.command("step 500").text


def test_editing_history_and_completion(ariel):
    ariel.send("statux\x7fs\x01\x05\r")
    ariel.expect_line(r"^ok$")
    ariel.expect_prompt()
    ariel.send("\x1b[A\r")
    ariel.expect_line("vm=paused")
    ariel.expect_line(r"^ok$")
    ariel.expect_prompt()
    ariel.send("vers\t\r")
    ariel.expect_line("ariel=")
    ariel.expect_line(r"^ok$")
    ariel.expect_prompt()
    ariel.send("re\t")
    ariel.expect_line(r"regs reset resume")
    ariel.send("\x15garbage \x80\xff\x1b[99;99~\x1b\x1b[Zhelp\x03")
    ariel.expect_prompt()
    ariel.send("x" * 400 + "\r")
    ariel.expect_line("err no command")
    ariel.expect_prompt()
    assert ariel.command("status").ok


def test_one_key_commands_return_to_the_guest():
    with Ariel() as machine:
        machine.expect_line(SUMMARY)
        for key, pattern in [("h", "this list"), ("q", "vm=running"), ("d", "SCTLR_EL1"), ("t", "cntvoff"),
                             ("m", "mapped_kib=786432"), ("-", "level=warn"), ("+", "level=info"), ("P", "ok"),
                             ("*", "exits")]:
            machine.send(ATTENTION)
            machine.child.expect_exact(PROMPT)
            machine.send(key)
            machine.expect_line(pattern)
            if pattern != "ok":
                machine.expect_line(r"^ok$")
        machine.attention()
        assert "vm=running" in machine.command("status").text


def test_break_opens_the_monitor_and_pause_makes_time_stand_still():
    with Ariel() as machine:
        machine.expect_line(SUMMARY)
        machine.send_break()
        machine.expect_line("monitor: break")
        machine.expect_prompt()
        machine.command("pause")
        first = json.loads(machine.command("timer -j")[0])
        second = json.loads(machine.command("timer -j")[0])
        assert first["guest_us"] == second["guest_us"]
        assert second["physical_us"] > first["physical_us"]
        paused = [json.loads(machine.command(f"{name} -j")[1])["paused_us"] for name in ("timer", "status")]
        assert 0 < paused[0] < paused[1]
        machine.command("resume")
        machine.expect_line("guest console; guest running")
        machine.attention()
        assert "vm=running" in machine.command("status").text
        third = json.loads(machine.command("timer -j")[0])
        assert third["guest_us"] > second["guest_us"]


def test_halt_ends_the_machine():
    with Ariel() as machine:
        machine.expect_line(SUMMARY)
        machine.attention()
        machine.send("halt\r")
        assert machine.expect_exit() == 0


def test_reset_starts_again():
    with Ariel() as machine:
        machine.expect_line("event=log-start")
        machine.attention()
        machine.send("reset\r")
        machine.expect_line("event=vm-reset")
        machine.expect_line("event=log-start")
        machine.expect_line(r"^1\.\.\d+")


def test_a_verdict_that_was_set_holds_until_the_next_reset():
    with Ariel(smp=2) as machine:
        machine.expect_line(r"^# ariel-guest: \d+ passed")
        machine.attention()
        machine.command("policy set wfi pause")
        end = time.monotonic() + 60
        while "vm=paused" not in machine.command("status").text and time.monotonic() < end:  # the guest idles
            time.sleep(0.1)
        assert "vm=paused" in machine.command("status").text
        machine.send("reset\r")
        machine.expect_line("event=log-start")
        machine.expect_line(r"^# ariel-guest: \d+ passed")
        machine.attention()
        assert "emulate" in machine.command("policy test read wfi").text
        assert not re.search(r"(?m)^wfi +read", machine.command("policy show").text)
