# SPDX-License-Identifier: Apache-2.0
"""The kernel of Debian's installer, unmodified, under ariel."""

import os
import re
import time

import pytest

TROUBLE = re.compile(r"Kernel panic|Oops|BUG:|Call trace|rcu.*stall|soft lockup|Internal error|WARNING:")
MODELS = ["cortex-a53", "cortex-a72", "cortex-a76", "neoverse-n1", "max"]


def no_trouble(linux):
    assert [line for line in linux.lines if TROUBLE.search(line)] == []


def mount(linux):
    linux.done("mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev || true")


def uptime(linux):
    return float(re.search(r"^(\d+\.\d+) \d+\.\d+$", linux.done("cat /proc/uptime"), re.M).group(1))


@pytest.mark.parametrize("smp", [1, 4])
def test_installer_menu(boot_linux, smp):
    linux = boot_linux(smp=smp)
    linux.expect_text(r"Select a language", wait=600)
    linux.expect_text(r"English", wait=600)
    no_trouble(linux)
    linux.send("\r")  # the keyboard is the installer's
    linux.expect_text(r"Select your location", wait=600)


def test_installer_menu_on_another_board(boot_linux):
    """QEMU xlnx-versal-virt: RAM, GIC and UART lie elsewhere, and Linux sees the machine that it sees on virt."""
    linux = boot_linux(smp=2, cpu="cortex-a72", platform="versal")
    linux.expect_text(r"event=guest-enter guest=\"Linux Image\" .*vcpus=2")
    linux.expect_text(r"Select a language", wait=1200)
    linux.expect_text(r"English", wait=600)
    no_trouble(linux)


def test_shell_hotplug_and_power_off(boot_shell):
    linux = boot_shell(smp=4)
    assert "Linux" in linux.done("uname -a")
    mount(linux)
    assert linux.done("cat /sys/devices/system/cpu/online").strip().endswith("0-3")
    for _ in range(5):
        for cpu in (1, 3):
            linux.done(f"echo 0 > /sys/devices/system/cpu/cpu{cpu}/online")
        assert linux.done("cat /sys/devices/system/cpu/online").strip().splitlines()[-1] == "0,2"
        for cpu in (1, 3):
            linux.done(f"echo 1 > /sys/devices/system/cpu/cpu{cpu}/online")
        assert linux.done("cat /sys/devices/system/cpu/online").strip().splitlines()[-1] == "0-3"
    no_trouble(linux)
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


def test_el2_with_checks_of_undefined_behaviour(boot_shell):
    linux = boot_shell(smp=2, variables=("SAN=1",))
    linux.done("i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done")
    no_trouble(linux)
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


# A CPU that does not go or does not come back ends it.
HOTPLUG = """(cd /sys/devices/system/cpu; i=0; while [ $i -lt {count} ]; do for cpu in cpu1 cpu2 cpu3; do \
echo 0 > $cpu/online || exit 1; echo 1 > $cpu/online || exit 1; done; i=$((i+1)); done)"""


def test_hotplug_again_and_again(boot_shell):
    """Each CPU HOTPLUG_COUNT times: make test-linux-hotplug COUNT=1000"""
    count = int(os.environ.get("HOTPLUG_COUNT", "10"))
    linux = boot_shell(smp=4, cmdline="quiet", life=1800 + 6 * count)
    mount(linux)
    linux.done(HOTPLUG.format(count=count), wait=600 + 6 * count)
    assert linux.done("cat /sys/devices/system/cpu/online").strip().splitlines()[-1] == "0-3"
    linux.done("sleep 1")
    linux.lines += linux.done("dmesg").splitlines()
    no_trouble(linux)
    linux.attention()
    exits = {row["key"]: row["count"] for row in linux.rows("exc top call 40") if "key" in row}
    assert exits["psci-cpu-off"] == 3 * count
    assert exits["psci-cpu-on"] == 3 * count + 3  # the boot's


def test_typed_text_is_not_lost(boot_shell):
    linux = boot_shell(smp=2)
    text = "".join(f"{n:03x}" for n in range(600))  # at once; a terminal's line takes 4095
    linux.done("stty -echo -icanon min 1 || true")
    linux.send(f"cat > /text <<E\n{text[:900]}\n{text[900:]}\nE\n")
    linux.done("true")
    assert text[:900] in linux.done("sed -n 1p /text")
    assert text[900:] in linux.done("sed -n 2p /text")
    dmesg = linux.done("dmesg", wait=600)
    assert re.search(r"\d\] Run /bin/sh as init process", dmesg)
    assert len(re.findall(r"^\[ +\d+\.\d+\]", dmesg, re.M)) > 150
    no_trouble(linux)


def test_reboot_restarts_from_pristine_images(boot_shell):
    linux = boot_shell(smp=2)
    for _ in range(2):
        linux.done("test ! -e /mark && touch /mark")
        linux.send("reboot -f\n")
        linux.expect_line(r"event=vm-reset")
        linux.expect_line(r"event=guest-enter guest=\"Linux Image\" .*vcpus=2")
        linux.expect_shell()
    no_trouble(linux)


def test_time_goes_on(boot_shell):
    linux = boot_shell(smp=2)
    mount(linux)
    start = time.monotonic()
    before = uptime(linux)
    linux.done("sleep 3")
    assert 2.9 < uptime(linux) - before < time.monotonic() - start + 0.1
    assert int(linux.done("date +%Y").split()[-1]) >= 2024  # the RTC was read
    interrupts = linux.done("cat /proc/interrupts")
    assert re.search(r"arch_timer", interrupts) and re.search(r"uart-pl011", interrupts)
    no_trouble(linux)


@pytest.mark.parametrize("cpu", MODELS)
def test_cpu_models(boot_shell, cpu):
    linux = boot_shell(smp=2, cpu=cpu, cmdline="quiet")
    mount(linux)
    features = linux.done("grep -m1 Features /proc/cpuinfo")
    assert re.search(r"fp asimd", features)
    assert not re.search(r"\b(sve|sme|mte|paca|pacg)", features)
    no_trouble(linux)
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


def test_linux_observe(boot_shell):
    linux = boot_shell(smp=2, policy="linux-observe")
    linux.done("true")
    text = "\n".join(linux.lines)
    for key in ("ID_AA64PFR0_EL1", "SCTLR_EL1", "gicd", "psci-cpu-on"):
        assert re.search(rf"event=verdict exit=\d+ key={key} ", text), key
    no_trouble(linux)
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


def test_lockdown_refuses_and_linux_goes_on(boot_shell):
    linux = boot_shell(smp=2, policy="lockdown", cmdline="earlycon")
    mount(linux)
    text = "\n".join(linux.lines)
    assert re.search(r"event=verdict exit=\d+ key=psci-cpu-on .*verdict=deny .*at=policy/lockdown.toml:\d+", text)
    assert re.search(r"event=verdict exit=\d+ key=MDSCR_EL1 op=write verdict=raz-wi", text)
    assert "psci: failed to boot CPU1 (-95)" in text  # EOPNOTSUPP
    assert linux.done("cat /sys/devices/system/cpu/online").strip().splitlines()[-1] == "0"
    assert "rtc-pl031" not in text
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


def test_a_panic_is_noticed(boot_shell):
    linux = boot_shell(smp=2)
    mount(linux)
    linux.send("echo c > /proc/sysrq-trigger\n")
    text = '"Kernel panic - not syncing: sysrq triggered crash"'
    linux.expect_line(rf"class=guest event=guest-panic vcpu=\d text={text} held=0 tag=")
    linux.expect_line(r"---\[ end Kernel panic")  # all that it had to say came out before
    linux.expect_line(r"^-- monitor: guest panic; guest running")
    linux.expect_opened()
    status = re.sub(r"\n +", " ", linux.command("status").text)  # long lines fold
    assert "sysrq triggered crash" in status
    assert "guest-panic" in linux.command("log -c guest").text
    assert "pl011" in linux.command("exc last 200").text
    assert "PC" in linux.command("regs").text


def test_an_oops_is_noticed_and_linux_goes_on(boot_shell):
    linux = boot_shell()
    mount(linux)
    linux.send("echo '<0>BUG: made by a test' > /dev/kmsg\n")  # what a driver's oops looks like on the console
    linux.expect_line(r"event=guest-oops vcpu=0 text=\"BUG: made by a test\" held=0 tag=")
    linux.done("true")


def test_monitor_while_linux_runs(boot_shell):
    linux = boot_shell(smp=4)
    mount(linux)
    linux.send("while :; do :; done &\n")
    start = time.monotonic()
    before = uptime(linux)
    linux.attention()
    for command in ("status", "exc", "exc last", "gic", "gic 3", "timer", "policy stat", "log -n 5"):
        linux.command(command)
    linux.command("pause")
    for vcpu in range(4):  # wherever it stands: -k finds the kernel's tables while a program runs, too
        stack = next(int(row["value"], 16) for row in linux.rows(f"regs {vcpu}") if row["name"] == "SP_EL1") - 16
        assert stack >> 52 == 0xfff
        assert re.search(r"stage=2 .* pa=0x", linux.command(f"vm walk -k {stack:#x} {vcpu}").text)
        linux.command(f"mem read -k {stack:#x} 16 8 {vcpu}")
    time.sleep(20)  # longer than an RCU stall's limit would be half way
    linux.command("resume")
    after = uptime(linux)
    assert after - before < time.monotonic() - start - 19.9, "guest time went on while it was paused"
    linux.done("sleep 2")
    no_trouble(linux)


def test_a_reset_brings_the_kernel_back_and_keeps_other_ram(boot_shell, installer, tmp_path):
    """Linux starts from what was loaded, whatever became of it, and finds what it left in RAM that nothing is loaded to, as
    its ramoops would."""
    linux = boot_shell("mem=640M")  # above it RAM is nobody's
    kept, loaded, junk = 0x6c000000, (0x44000000, 0x6fe00000), 0xbadbadbadbad

    def word_at(address):
        return int(linux.rows(f"xp /1xg {address:#x}")[0]["data"], 16)

    def damage_and_reset(reset):
        for place in (0x40000000, 0x40000038, *loaded):  # the Image's header and magic, initrd and device tree
            linux.command(f"mem write {place:#x} {junk:#x} 8")
        linux.command("resume")
        linux.expect_line("guest running")
        reset()
        linux.expect_line(r'event=guest-enter guest="Linux Image" entry=0x40000000 ')
        linux.attention()
        linux.command("pause")
        assert [word_at(place) for place in loaded] == pristine
        assert word_at(kept) == 0x0123456789abcdef
        linux.command("resume")
        linux.expect_shell()

    linux.attention()
    linux.command("pause")
    pristine = [int.from_bytes(open(file, "rb").read(8), "little") for file in (installer[1], tmp_path / "guest.dtb")]
    linux.command(f"mem write {kept:#x} 0x0123456789abcdef 8")
    damage_and_reset(lambda: linux.send("reboot -f\n"))
    linux.attention()
    linux.command("pause")
    damage_and_reset(lambda: (linux.attention(), linux.send("reset\r")))
    no_trouble(linux)
