# SPDX-License-Identifier: Apache-2.0
"""tools/platform_table.py: the boards' headers are what it makes of their device trees, and what it cannot use it names."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import platform_table  # noqa: E402
from check_layout import map_faults, read_memory_map  # noqa: E402
from run import BOARDS  # noqa: E402

TREE = """/dts-v1/;
/ { #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
  memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x80000000>; };
  clk: clk { compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <48000000>; };
  cpus { #address-cells = <2>; #size-cells = <0>;
    cpu@100 { device_type = "cpu"; reg = <0 0x100>; };
    cpu@0 { device_type = "cpu"; reg = <0 0x0>; };
    cpu@100000000 { device_type = "cpu"; reg = <1 0x0>; }; };
  timer { compatible = "arm,armv8-timer"; interrupts = <1 13 4 1 14 4 1 11 4 1 10 4>; };
  soc { #address-cells = <2>; #size-cells = <2>; compatible = "simple-bus"; ranges;
    gic: gic@10000000 { compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller;
      reg = <0 0x10000000 0 0x10000 0 0x10040000 0 0x60000>; interrupts = <1 9 4>; };
    a: uart@20000000 { compatible = "arm,pl011"; reg = <0 0x20000000 0 0x1000>; interrupts = <0 7 4>; clocks = <&clk &clk>; };
    b: uart@20001000 { compatible = "arm,pl011"; reg = <0 0x20001000 0 0x1000>; interrupts = <0 8 4>; clocks = <&clk &clk>; };
    c: uart@20002000 { compatible = "arm,pl011"; reg = <0 0x20002000 0 0x1000>; interrupts = <0 9 4>; clocks = <&clk &clk>;
      status = "disabled"; }; };
  aliases { serial0 = &b; };
  chosen { stdout-path = "serial0:115200n8"; };
};
"""


def made(tmp_path, source=TREE, *more):
    done = subprocess.run(["dtc", "-q", "-q", "-I", "dts", "-O", "dtb", "-o", tmp_path / "board.dtb"], input=source, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    return platform_table.main(["--board", "mine", "--dtb", str(tmp_path / "board.dtb"), *more])


@pytest.mark.skipif(not shutil.which("qemu-system-aarch64"), reason="needs QEMU")
@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_boards_header_is_what_its_tree_says(name, capsys):
    assert platform_table.main(["--board", name]) is None
    assert capsys.readouterr().out == (ROOT / f"platform/{name}.h").read_text()


@pytest.mark.parametrize("path", sorted(ROOT.glob("platform/*.h")), ids=lambda path: path.stem)
def test_a_boards_places_do_not_overlap(path):
    assert map_faults(read_memory_map(ROOT / "include/hv/memory_map.h", path.stem)) == []


def test_a_tree_of_another_board(tmp_path, capsys):
    assert made(tmp_path) is None
    text = capsys.readouterr().out
    for line in ("#define HV_PA             0x80080000", "#define GUEST_RAM_PA      0x82000000",
                 "#define LINUX_DTB_PA      0xb1e00000", "#define GICR_PA        0x10040000",
                 "#define PL011_PA             0x20001000", "UART(0x20001000, 40, 48000000) UART(0x20000000, 39, 48000000)",
                 "#define PL031_PA_SIZE 0x0", "#define VIRTIO_COUNT  0", "CPU(0x0) CPU(0x100) CPU(0x100000000)"):
        assert line in text
    assert "20002000" not in text  # disabled


@pytest.mark.parametrize("was, becomes, why", [
    ('"arm,gic-v3"', '"arm,gic-400"', "arm,gic-v3"),
    ('"arm,pl011"', '"ns16550a"', "EL2's console is a PL011"),
    ("ranges;", "ranges = <0 0 1 0 0 0x40000000>;", "on a bus whose addresses are not the CPU's"),
    ("reg = <0 0x10000000 0 0x10000 0 0x10040000 0 0x60000>", "reg = <0 0x10000000 0 0x10000>", "one region of redistributors"),
    ('aliases {', 'psci { compatible = "arm,psci-1.0"; method = "hvc"; }; aliases {', "by smc"),
])
def test_what_it_cannot_use_is_named(tmp_path, was, becomes, why):
    assert why in made(tmp_path, TREE.replace(was, becomes))


def test_a_guests_ram_over_el2s_is_refused(tmp_path):
    assert "--guest-ram 0x100000: a multiple of 0x200000" in made(tmp_path, TREE, "--guest-ram", "0x100000")


def test_a_board_that_nobody_has():
    assert "give --dtb" in platform_table.main(["--board", "nobodys"])
