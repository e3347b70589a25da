# SPDX-License-Identifier: Apache-2.0
"""Every monitor command while Linux works on 4 CPUs: the guest goes on, without a stall and without a jump of time."""

import re
import time

from test_linux import TROUBLE, mount

# In this order; {pc} is the address of the kernel's vectors.
RUNNING = ["help", "help regs", "version", "status", "timer", "timer 3", "gic", "gic 2", "exc", "exc top device 5", "exc last 5",
           "exc log", "explain esr 0x96000045", "hv selftest", "policy show", "policy stat",
           "policy test read gicd", "log -n 5", "log -c vm", "log level warn", "log previous", "mem read 0x40200000 32",
           "mem find 0x40200000 1M 0xd503201f 4", "mem crc 0x40200000 1M", "xp /4xw 0x40200000", "regs 1", "sr VBAR_EL1",
           "sym", "sym start_kernel", "inject irq 33", "vcpu 3", "vcpu 0", "set", "console transparent off", "exc reset",
           "log clear"]
PAUSED = ["status", "regs 0", "regs 3", "vm walk -k {pc}", "x -k {pc} 16", "print $pc",
          "gic 1", "timer", "mem read 0x40200000 32", "hv selftest",
          "step", "step 20 2", "sr CNTKCTL_EL1"]
APART = {"close", "explain", "halt", "pause", "reset", "resume"}


def look_at_clocks(linux):
    """(earliest host time, guest uptime, latest host time, date in the guest)"""
    before = time.monotonic()
    text = linux.done("cat /proc/uptime; date +%s")
    return before, *map(float, re.search(r"^(\d+\.\d+) \d+\.\d+\s+(\d+)$", text, re.M).groups()), time.monotonic()


def use(linux, commands):
    for command in commands:
        linux.command(command)


def use_paused(linux):
    """The vectors are asked for anew: while a process runs, Linux may have other ones. -k: and most of the kernel unmapped."""
    linux.command("pause")
    vectors = next(row["value"] for row in linux.rows("sr VBAR_EL1") if "value" in row)
    use(linux, [command.format(pc=vectors) for command in PAUSED])


def test_every_command_with_live_linux(boot_shell):
    linux = boot_shell(smp=4, cmdline="quiet", life=3600)
    mount(linux)
    linux.send("for i in 1 2 3 4; do (while :; do (true); done) & done\n")
    start = look_at_clocks(linux)
    linux.attention()
    listed = {re.match(r"\w+", line).group() for line in linux.command("help") if re.match(r"[a-z]+\b", line)}
    used = {command.split()[0] for command in RUNNING + PAUSED} | APART
    assert listed and listed <= used, f"not tried: {listed - used}"
    use(linux, RUNNING)
    paused = 0
    for _ in range(5):
        use_paused(linux)
        last = linux.rows("exc last 1")[0]
        assert last["key"] in linux.command(f"explain {last['seq']} {last['vcpu']}").text
        linux.command("resume")
        linux.attention()
        paused = next(row["paused_us"] for row in linux.rows("status") if "paused_us" in row) / 1e6
    stops = sorted(int(ticks) * 16 / 1e6 for ticks in re.findall(r"stop_ticks=(\d+)", linux.command("log -c vm").text))
    print("pauses took, ms:", stops)  # 62.5 MHz; on a busy host a vCPU's thread may wait for its turn
    assert len(stops) >= 5
    linux.command("close")
    end = look_at_clocks(linux)
    for unit in (1, 2):  # uptime and date both are wall time without the pauses; date counts whole seconds
        slack = 0.05 if unit == 1 else 1
        assert end[0] - start[3] - paused - slack < end[unit] - start[unit] < end[3] - start[0] - paused + slack
    linux.lines += linux.done("dmesg").splitlines()
    assert [line for line in linux.lines if TROUBLE.search(line)] == []
    linux.attention()
    linux.send("reset\r")
    linux.expect_shell()
    linux.attention()
    linux.send("halt\r")
    assert linux.expect_exit() == 0
