# SPDX-License-Identifier: Apache-2.0
"""One short boot of Linux, and of a bare-metal program; tests/linux has the long ones (make test-linux-smoke)."""

import subprocess
import sys

import pytest
from harness import ROOT, Ariel, build_policy

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/linux")]
import run_linux  # noqa: E402  (folders, not packages)
from fetch_linux import FetchError, fetch  # noqa: E402
from linux import Linux  # noqa: E402


def prepare(*words):
    return run_linux.prepare(run_linux.arguments_of().parse_args(words))[0]


def test_linux_reaches_a_shell_and_powers_off(tmp_path):
    try:
        kernel, initrd = fetch()
    except FetchError as error:
        pytest.fail(f"no Linux to boot: {error}", pytrace=False)
    loads = prepare("--smp=2", f"--folder={tmp_path}", f"--image={kernel}", f"--initrd={initrd}",
                    "--cmdline=console=ttyAMA0 quiet rdinit=/bin/sh")
    with Linux(elf=build_policy("linux"), smp=2, loads=loads, wait=600, life=1800) as linux:
        linux.expect_shell()
        linux.done("mount -t sysfs s /sys")
        assert linux.done("cat /sys/devices/system/cpu/online").split()[-1] == "0-1"
        assert not any("verdict=deny" in line for line in linux.lines)
        linux.send("poweroff -f\n")
        assert linux.expect_exit() == 0


# Prints a text and whether it found the device tree: by x0, or, if FLAT, where QEMU has it, at the start of RAM.
PROGRAM = r"""
.globl _start
_start: mov x19, x0
        adr x1, text
        mov x2, #0x09000000
1:      ldrb w3, [x1], #1
        cbz w3, 2f
        strb w3, [x2]
        b 1b
2:
#ifdef FLAT
        mov x19, #0x40000000
#endif
        ldr w4, [x19]           // the device tree's magic, big-endian
        movz w5, #0x0dd0
        movk w5, #0xedfe, lsl #16
        cmp w4, w5
        mov w3, #'!'
        mov w6, #'?'
        csel w3, w3, w6, eq
        strb w3, [x2]
        mov w3, #'\n'
        strb w3, [x2]
        movz w0, #0x0008
        movk w0, #0x8400, lsl #16
        hvc #0                  // PSCI SYSTEM_OFF
text:   .asciz "a program of one's own"
"""


@pytest.mark.parametrize("kind, address", [("elf", 0x40000000), ("elf", 0x40080000), ("flat", 0)])
def test_a_bare_metal_program(tmp_path, boot, kind, address):
    (tmp_path / "p.S").write_text(PROGRAM)
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", f"-Wl,-Ttext={address:#x}", "-Wl,-n",
                    "-Wl,--build-id=none", *["-DFLAT"] * (kind == "flat"), "-o", tmp_path / "p.elf", tmp_path / "p.S"], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", tmp_path / "p.elf", tmp_path / "p.flat"], check=True)
    loads = prepare(f"--folder={tmp_path}", f"--program={tmp_path}/p.{kind}", "--policy=policy/diag.toml", "--cmdline=x")
    with Ariel(loads=loads) as machine:
        machine.expect_line(r"a program of one's own!$")
        assert machine.expect_exit() == 0
