#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a board's header, platform/<board>.h, from the board's device tree.

platform_table.py --board virt                          # a board that QEMU has: its tree is dumped from QEMU
platform_table.py --board mine --title "My board" --dtb mine.dtb [--guest-ram 0x10000000]

It prints the header. What the tree says: RAM, the GICv3, PL011s, the PL031, flash and PL061 where there are any, the
virtio-mmio transports, the PPIs of the timers and of GIC maintenance, and the CPUs' affinities. What ariel chooses: its
own place, from the beginning of RAM, and the RAM that stands behind the guest's (--guest-ram).
"""

import argparse
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
from check_layout import read_defines  # noqa: E402
from guest_dtb import Tree, TreeError, sound  # noqa: E402
from run import BOARDS, machine_arguments  # noqa: E402

PLAN = read_defines(ROOT / "include/hv/memory_map.h")
# From the beginning of RAM, as boot/boot.S, boot/ and trace/ need them; a multiple of 2 MiB for the guest's RAM
PLACES = {"HV_PA": 0x80000, "GUEST_MANIFEST_PA": 0x1e00000, "BOOT_RECORD_PA": 0x1e01000, "BOOT_OPTIONS_PA": 0x1e02000,
          "TRACE_PA": 0x1100000, "SYMBOLS_PA": 0x1900000, "LOG_RING_PA": 0x1f00000}
GUEST_RAM = 0x2000000
INSIDE = {"LINUX_IMAGE_PA": PLAN["LINUX_IMAGE_IPA"], "LINUX_INITRD_PA": PLAN["LINUX_INITRD_IPA"],
          "LINUX_DTB_PA": PLAN["LINUX_DTB_IPA"]}
BLOCK = 0x200000
PAGE = 0x1000
GICR_STRIDE = 0x20000  # of a GICv3: two frames of 64 KiB a CPU (IHI 0069 12.10)
SPI, PPI = 0, 1  # the first cell of an interrupt of the GIC's
FIRST = {SPI: 32, PPI: 16}


class Board:
    """What a device tree says about a board."""

    def __init__(self, tree):
        self.tree = tree
        self.nodes = list(self.walk("/"))

    def walk(self, parent):
        """(path, path of the bus that it is on) of every node."""
        for path in self.tree.children(parent):
            yield path, parent
            if self.tree.get(path, "#address-cells") is not None and path != "/cpus":
                yield from self.walk(path)

    def registers(self, path, bus):
        """[(base, size)] as the CPU sees them."""
        if bus != "/" and self.tree.get(bus, "ranges") != b"":
            raise TreeError(f"{path}: on a bus whose addresses are not the CPU's ({bus}/ranges): write its row by hand")
        return self.tree.registers(path, bus)

    def compatible(self, word):
        """[(path, [(base, size)])] of the enabled nodes that are compatible with word, in order of address."""
        found = [(path, self.registers(path, bus)) for path, bus in self.nodes
                 if word in self.tree.words(path, "compatible") and self.enabled(path)]
        return sorted(found, key=lambda node: node[1])

    def enabled(self, path):
        return self.tree.words(path, "status") in ([], ["okay"], ["ok"])

    def one(self, word, what):
        found = self.compatible(word)
        if not found:
            raise TreeError(f"{self.tree.name}: compatible=\"{word}\": no such node: ariel needs {what}")
        return found[0]

    def interrupts(self, path):
        """The INTIDs of a node's interrupts, by the GIC's binding: type, number, flags."""
        cells = self.tree.get(path, "interrupts") or b""
        width = 4 * self.tree.cells(self.one("arm,gic-v3", "a GICv3")[0], "#interrupt-cells", 3)
        if not cells or len(cells) % width:
            raise TreeError(f"{path}/interrupts: {len(cells)} bytes, not a multiple of {width}")
        rows = [struct.unpack_from(">2I", cells, at) for at in range(0, len(cells), width)]
        return [FIRST[kind] + number for kind, number in rows]

    def clock(self, path):
        """The rate of a node's first clock, in Hz."""
        clocks = self.tree.get(path, "clocks") or b""
        phandle = clocks[:4]
        for node, _ in self.nodes:
            if phandle and self.tree.get(node, "phandle") == phandle:
                return self.tree.cells(node, "clock-frequency", 0)
        raise TreeError(f"{path}/clocks: no clock of a fixed rate: write the UART's row by hand")


def memory(board):
    """The lowest address of RAM."""
    found = [base for path, bus in board.nodes if board.tree.words(path, "device_type") == ["memory"]
             for base, _ in board.registers(path, bus)]
    if not found:
        raise TreeError(f"{board.tree.name}: device_type=\"memory\": no such node")
    return min(found)


def uarts(board):
    """[(base, INTID, Hz)], the console first."""
    found = board.compatible("arm,pl011")
    if not found:
        raise TreeError(f"{board.tree.name}: compatible=\"arm,pl011\": no such node: EL2's console is a PL011")
    console = "".join(board.tree.words("/chosen", "stdout-path")[:1]).split(":")[0] if board.tree.has("/chosen") else ""
    console = "".join(board.tree.words("/aliases", console)[:1]) or console if board.tree.has("/aliases") else console
    found.sort(key=lambda node: node[0] != console)
    return [(registers[0][0], board.interrupts(path)[0], board.clock(path)) for path, registers in found]


def joined(board, word):
    """(base, size) of all registers of the nodes compatible with word, which must lie side by side; (0, 0): none."""
    ranges = sorted(register for _, registers in board.compatible(word) for register in registers)
    if not ranges:
        return 0, 0
    for (base, size), (after, _) in zip(ranges, ranges[1:]):
        if base + size != after:
            raise TreeError(f"{board.tree.name}: compatible=\"{word}\": two places, {base:#x} and {after:#x}: ariel knows one")
    end = ranges[-1][0] + ranges[-1][1]
    return ranges[0][0], end - ranges[0][0]


def virtio(board):
    """(base, stride, count, first INTID) of the virtio-mmio transports."""
    found = [(registers[0][0], board.interrupts(path)[0]) for path, registers in board.compatible("virtio,mmio")]
    if not found:
        return 0, 0, 0, 0
    base, intid = found[0]
    stride = found[1][0] - base if len(found) > 1 else 0x200
    for number, (place, interrupt) in enumerate(found):
        if place != base + number * stride or interrupt != intid + number:
            raise TreeError(f"{board.tree.name}: virtio transport {place:#x}: not a row of equal steps")
    return base, stride, len(found), intid


def affinities(board):
    """The CPUs' MPIDR affinities: their reg (Documentation/devicetree/bindings/arm/cpus.yaml), the lowest first."""
    width = 4 * board.tree.cells("/cpus", "#address-cells", 1)
    cpus = [path for path in board.tree.children("/cpus") if board.tree.words(path, "device_type") == ["cpu"]]
    found = sorted(int.from_bytes((board.tree.get(path, "reg") or b"")[:width], "big") for path in cpus)
    if not 1 <= len(found) <= PLAN["CPU_MAX"]:
        raise TreeError(f"{board.tree.name}: /cpus: {len(found)} CPUs: ariel runs on 1 to {PLAN['CPU_MAX']}")
    return found


def check_psci(board):
    """A tree that names no firmware is taken: QEMU adds the node only for a kernel that it loads itself."""
    for path, _ in board.nodes:
        if path == "/psci" and board.tree.words(path, "method") != ["smc"]:
            raise TreeError(f"{board.tree.name}: /psci/method: EL2 calls the firmware by smc")


def whole_pages(base, size):
    return base, (size + PAGE - 1) // PAGE * PAGE


def header(name, title, board, guest_ram):
    """The text of platform/<name>.h."""
    check_psci(board)
    ram = memory(board)
    if guest_ram % BLOCK or guest_ram < PLACES["LOG_RING_PA"] + PLAN["LOG_RING_SIZE"]:
        raise TreeError(f"--guest-ram {guest_ram:#x}: a multiple of {BLOCK:#x}, behind what EL2 keeps")
    gic, (distributor, *redistributors) = board.one("arm,gic-v3", "a GICv3")
    if len(redistributors) < 1 or board.tree.cells(gic, "#redistributor-regions", 1) != 1:
        raise TreeError(f"{gic}/reg: ariel knows one region of redistributors")
    _, physical, virtual, hypervisor = board.interrupts(board.one("arm,armv8-timer", "the generic timer")[0])[:4]
    ports = uarts(board)
    rtc, flash, gpio = (whole_pages(*joined(board, word)) for word in ("arm,pl031", "cfi-flash", "arm,pl061"))
    transports = virtio(board)
    places = {"RAM_PA": ram, **{key: ram + offset for key, offset in PLACES.items()}, "GUEST_RAM_PA": ram + guest_ram,
              **{key: ram + guest_ram + ipa - PLAN["GUEST_RAM_IPA"] for key, ipa in INSIDE.items()}}
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// The board \"{name}\": {title}.",
        "// Made by tools/platform_table.py from the board's device tree.",
        "#pragma once", "",
        f"#define PLATFORM_NAME \"{name}\"", "",
        "// From the beginning of RAM: EL2's image; what EL2 keeps over a reset; what stands behind the guest's RAM, and in it",
        "// what a loader puts there.",
        *(f"#define {key:<17} 0x{value:08x}" for key, value in places.items()), "",
        "// The GICv3 (IHI 0069): distributor and redistributors",
        f"#define GICD_PA        0x{distributor[0]:08x}", f"#define GICD_PA_SIZE   {distributor[1]:#x}",
        f"#define GICR_PA        0x{redistributors[0][0]:08x}", f"#define GICR_PA_SIZE   {redistributors[0][1]:#x}",
        f"#define GICR_PA_STRIDE {board.tree.cells(gic, 'redistributor-stride', GICR_STRIDE):#x}", "",
        "// EL2's console; and UART(base, INTID, clock in Hz) for every PL011, the console first",
        f"#define PL011_PA             0x{ports[0][0]:08x}",
        "#define PLATFORM_UARTS(UART) " + " ".join(f"UART(0x{base:08x}, {intid}, {hz})" for base, intid, hz in ports), "",
        "// Devices of which a guest may be given the real one, at the same address. Size 0: the board has none.",
        *(line for key, (base, size) in (("PL031", rtc), ("FLASH", flash), ("PL061", gpio))
          for line in (f"#define {key}_PA      0x{base:08x}", f"#define {key}_PA_SIZE {size:#x}")), "",
        "// virtio-mmio transports: each a stride after the one before, and its INTID one higher",
        f"#define VIRTIO_PA     0x{transports[0]:08x}", f"#define VIRTIO_STRIDE {transports[1]:#x}",
        f"#define VIRTIO_COUNT  {transports[2]}", f"#define VIRTIO_INTID  {transports[3]}", "",
        "// PPIs",
        f"#define PPI_MAINTENANCE    {board.interrupts(gic)[0]}", f"#define PPI_HYP_TIMER      {hypervisor}",
        f"#define PPI_VIRTUAL_TIMER  {virtual}", f"#define PPI_PHYSICAL_TIMER {physical}", "",
        "// CPU(MPIDR_EL1 affinity: Aff3 in bits 39:32, Aff2 to Aff0 in bits 23:0), in the order of CPU numbers. The first boots.",
        "// clang-format off",
        "#define PLATFORM_CPUS(CPU) " + " ".join(f"CPU({affinity:#x})" for affinity in affinities(board)),
        "// clang-format on",
    ]
    return "\n".join(lines) + "\n"


def dump(name):
    """The tree of a board that QEMU has, with as many CPUs as ariel can have there."""
    board = BOARDS[name]
    with tempfile.TemporaryDirectory(prefix="ariel-dtb-") as folder:
        path = f"{folder}/board.dtb"
        command = machine_arguments(str(board.cpus_max), "1G", board.cpu, f",dumpdtb={path}", name)
        done = subprocess.run([*command, "-display", "none", "-serial", "none"], capture_output=True, text=True, timeout=60)
        if not Path(path).exists():
            raise TreeError(f"{command[0]}: cannot dump the tree: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        return Path(path).read_bytes()


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make a board's header from its device tree.")
    parser.add_argument("--board", required=True, help="its name: that of the file in platform/, and of PLATFORM=")
    parser.add_argument("--title", help="what it is, in a few words")
    parser.add_argument("--dtb", help="its device tree; none: QEMU's, for a board that QEMU has")
    parser.add_argument("--guest-ram", type=lambda text: int(text, 0),
                        help=f"where the guest's RAM lies, from the beginning of RAM (default {GUEST_RAM:#x})")
    options = parser.parse_args(arguments)
    known = BOARDS.get(options.board)
    try:
        if not options.dtb and not known:
            raise TreeError(f"--board {options.board}: QEMU has none of that name here ({' '.join(BOARDS)}): give --dtb")
        blob = Path(options.dtb).read_bytes() if options.dtb else dump(options.board)
        name = options.dtb or f"QEMU's {options.board}"
        title = options.title or (known.title if known else options.board)
        guest_ram = options.guest_ram or (known.guest_ram if known else GUEST_RAM)
        print(header(options.board, title, Board(Tree(sound(blob, name), name)), guest_ram), end="")
    except (TreeError, OSError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
