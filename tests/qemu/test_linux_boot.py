# SPDX-License-Identifier: Apache-2.0
"""One short boot of Linux, and of a bare-metal program; tests/linux has the long ones (make test-linux-smoke)."""

import re
import struct
import subprocess
import sys

import pytest
from counts import check_sums
from harness import ROOT, Ariel, build_policy

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools"), str(ROOT / "tests/linux")]
import linux_image  # noqa: E402  (folders, not packages)
import run_linux  # noqa: E402
from ariel.client import Reply  # noqa: E402
from ariel.symbols import Symbols, live, modules  # noqa: E402
from fetch_linux import FetchError, fetch  # noqa: E402
from linux import Linux  # noqa: E402


def prepare(*words):
    return run_linux.prepare(run_linux.arguments_of().parse_args(words))[0]


def installer():
    """Kernel and initrd. Where they can't be had the tests fail: they have proved nothing."""
    try:
        return fetch()
    except FetchError as error:
        pytest.fail(f"no Linux to boot: {error}", pytrace=False)


def look_for_names(linux, kernel):
    """EL2 and the host know where KASLR has put the kernel, and name its functions alike."""
    linux.attention()
    table = linux.rows("sym")[0]
    symbols = Symbols.load(kernel)
    vectors = int(linux.rows("sym vectors")[0]["address"], 16)
    assert symbols.solve(vbar_el1=vectors) == int(table["slide"], 16) > 0
    for name in ("start_kernel", "cpu_do_idle", "__cpuinfo_store_cpu"):
        assert int(linux.rows(f"sym {name}")[0]["address"], 16) == symbols.address_of(name)
    events = linux.rows("exc last 100")
    assert sum("symbol" in event for event in events) > len(events) // 4
    for event in events:
        if "symbol" in event:
            assert event["symbol"] == str(symbols.lookup(int(event["pc"], 16)))
    linux.command("close")
    look_for_modules(linux, symbols)


class Asked:
    """As much of an ariel.Monitor as symbols use, by the serial line."""
    address = "the serial line"

    def __init__(self, linux):
        self.linux = linux

    def command(self, text):
        return Reply(self.linux.rows(text))


def look_for_modules(linux, symbols):
    """The kernel's own list of modules, read by its BTF out of its memory, is what it says of itself."""
    linux.done("mount -t proc p /proc; modprobe vfat")
    said = modules.parse_modules(linux.done("cat /proc/modules").replace("\r", ""), "/proc/modules")
    linux.attention()
    live.solve(symbols, Asked(linux))
    linux.command("close")
    assert {"fat", "vfat"} <= {module.name for module in said}
    assert [module[:2] for module in symbols.modules] == [module[:2] for module in said]


def test_linux_reaches_a_shell_and_powers_off(tmp_path):
    kernel, initrd = installer()
    loads = prepare("--smp=2", f"--folder={tmp_path}", f"--image={kernel}", f"--initrd={initrd}",
                    "--cmdline=console=ttyAMA0 quiet rdinit=/bin/sh")
    with Linux(elf=build_policy("linux"), smp=2, loads=loads, wait=600, life=1800) as linux:
        linux.expect_shell()
        linux.done("mount -t sysfs s /sys")
        assert linux.done("cat /sys/devices/system/cpu/online").split()[-1] == "0-1"
        look_for_names(linux, kernel)
        assert not any("verdict=deny" in line for line in linux.lines)
        linux.attention()
        linux.command("pause")
        rows = check_sums(linux)
        denied = [row["subject"] for row in rows.values() if row["action"] in ("deny", "stop") and row["count"]]
        assert set(denied) <= {"smccc smccc-unknown"}  # kernels probe for services; least of all the default row
        linux.command("resume")
        linux.send("poweroff -f\n")
        assert linux.expect_exit() == 0


UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
KERNEL_IPA, INITRD_IPA = 0x48000000, 0x50000000


def test_u_boot_boots_linux_under_the_firmware_policy(tmp_path):
    """Firmware finds an empty flash and no drives, sets the clock and boots Debian's kernel from memory by booti. Linux reads
    that clock, waits for its alarm, and powers off. Nothing was refused on the way."""
    kernel, initrd = installer()
    image = tmp_path / "Image"
    image.write_bytes(linux_image.load_kernel(str(kernel), run_linux.WHERE).data)
    loads = prepare(f"--folder={tmp_path}/program", f"--program={UBOOT}", "--policy=policy/firmware.toml",
                    f"--file={image}@{KERNEL_IPA:#x} {initrd}@{INITRD_IPA:#x}")
    with Linux(elf=build_policy("firmware"), loads=loads, wait=600, life=1800) as linux:
        linux.expect_text(r"Hit any key to stop autoboot")
        linux.send(" ")
        linux.expect_text(r"=> $")
        linux.send("date 010203042030\n")
        linux.expect_text(r"Date: 2030-01-02 \(Wednesday\) +Time: +3:04:0[^=]*=> $")
        linux.send("setenv bootargs console=ttyAMA0 quiet rdinit=/bin/sh\n")
        linux.expect_text(r"=> $")
        linux.send(f"booti {KERNEL_IPA:x} {INITRD_IPA:x}:{initrd.stat().st_size:x} $fdtcontroladdr\n")
        linux.expect_shell()
        linux.done("mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev")
        assert re.search(r"^2030$", linux.done("date +%Y"), re.M)
        linux.done("date -s 2041.05.06-07:08 && hwclock -uw")
        assert re.search(r"May .* 2041", linux.done("hwclock -ur"))
        linux.done("echo +1 > /sys/class/rtc/rtc0/wakealarm")
        linux.done("until grep -q ' [1-9][0-9]* .*rtc-pl031' /proc/interrupts; do :; done")
        assert not any(re.search("event=verdict|abort", line) for line in linux.lines)
        linux.send("poweroff -f\n")
        assert linux.expect_exit() == 0


# Prints a text, whether it found the device tree by x0 and at the start of RAM, and where it was entered.
PROGRAM = r"""
.globl _start
_start: adr x20, _start
        adr x1, text
        mov x2, #0x09000000
1:      ldrb w3, [x1], #1
        cbz w3, 2f
        strb w3, [x2]
        b 1b
2:      bl tree
        mov x0, #0x40000000
        bl tree
        mov w6, #28             // _start in hexadecimal, as letters from a
3:      lsr w3, w20, w6
        and w3, w3, #15
        add w3, w3, #'a'
        strb w3, [x2]
        subs w6, w6, #4
        b.pl 3b
        mov w3, #'\n'
        strb w3, [x2]
        movz w0, #0x0008
        movk w0, #0x8400, lsl #16
        hvc #0                  // PSCI SYSTEM_OFF
        b .
tree:   ldr w4, [x0]            // the device tree's magic, big-endian
        movz w5, #0x0dd0
        movk w5, #0xedfe, lsl #16
        cmp w4, w5
        mov w3, #'!'
        mov w6, #'?'
        csel w3, w3, w6, eq
        strb w3, [x2]
        ret
text:   .asciz "a program of one's own"
"""


def hexadecimal(address):
    return "".join(chr(ord("a") + int(digit, 16)) for digit in f"{address:08x}")


@pytest.mark.parametrize("kind, linked, given, start, tree", [
    ("elf", 0x40000000, None, 0x40000000, "!?"),     # it lies where the tree would
    ("elf", 0x40080000, None, 0x40080000, "!!"),
    ("elf", 0x5c000000, None, 0x5c000000, "!!"),     # further than a branch reaches
    ("flat", 0, None, 0x40080000, "!!"),
    ("flat", 0, 0x40000000, 0x40000000, "!?"),
    ("flat", 0, 0x60001000, 0x60001000, "!!"),
])
def test_a_bare_metal_program(tmp_path, boot, kind, linked, given, start, tree):
    (tmp_path / "p.S").write_text(PROGRAM)
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", f"-Wl,-Ttext={linked:#x}", "-Wl,-n",
                    "-Wl,--build-id=none", "-o", tmp_path / "p.elf", tmp_path / "p.S"], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", tmp_path / "p.elf", tmp_path / "p.flat"], check=True)
    loads = prepare(f"--folder={tmp_path}", f"--program={tmp_path}/p.{kind}", "--policy=policy/diag.toml", "--cmdline=x",
                    f"--address={hex(given) if given else str()}")
    with Ariel(loads=loads) as machine:
        machine.expect_line(rf'event=guest-enter guest="bare-metal program" entry={start:#x} ')
        machine.expect_line(rf"a program of one's own{re.escape(tree)}{hexadecimal(start)}$")
        assert machine.expect_exit() == 0


def kernel(path, image_size, flags):
    """An Image that turns the machine off; with an initrd it is shared/cases' kernel of more than 64 MiB."""
    code = struct.pack("<4I", 0xd2800100, 0xf2b08000, 0xd4000002, 0x14000000)  # mov x0, #8; movk; hvc #0; b .
    path.write_bytes(struct.pack("<IIQQQQQQII", 0x14000010, 0, 0, image_size, flags, 0, 0, 0, 0x644d5241, 0) + code)
    return path


def test_an_image_of_72_mib_with_an_initrd_starts(tmp_path, boot):
    (tmp_path / "initrd").write_bytes(b"x" * 4096)
    loads = prepare(f"--folder={tmp_path}/out", f"--image={kernel(tmp_path / 'Image', 72 << 20, 0xa)}",
                    f"--initrd={tmp_path}/initrd")
    machine = boot(loads=loads)
    machine.expect_line(r'event=guest-enter guest="Linux Image" entry=0x40000000 ')
    assert machine.expect_exit() == 0


@pytest.mark.parametrize("cpu, flags, refused", [("cortex-a57", 0xc, "id_aa64mmfr0_tgran16=0x0 bound=0x1"),
                                                 ("max", 0xc, None), ("cortex-a57", 0xe, None)])
def test_a_kernel_for_other_pages_starts_or_is_refused(tmp_path, boot, cpu, flags, refused):
    """EL2 asks the CPU, whatever the run script knows."""
    loads = prepare(f"--folder={tmp_path}/out", f"--image={kernel(tmp_path / 'Image', 4 << 20, flags)}", "--cpu=max")
    machine = boot(loads=loads, cpu=cpu)
    if refused:
        machine.expect_line(rf'event=refused reason="kernel for 16 KiB pages[^"]*" {refused} ')
        machine.expect_prompt()
    else:
        assert machine.expect_exit() == 0
