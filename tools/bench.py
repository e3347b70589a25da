#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what ariel costs, in executed instructions, and holds each figure to its budget.

Boots the bench guest (guest/bench, an arm64 Image) under ariel with `-icount shift=0,sleep=off`, where one instruction
takes one nanosecond of guest time, so that the figures are the same in every run; and once more on the bare machine.
The guest's loop of 2 to 4 instructions is included. What moves data through a register is measured with x1, which calls
of C functions lose, and with x19, which they keep: the worse counts. "reset-to-guest" is the virtual counter at the
guest's first instruction.
It runs a third time with the trace on, into memory.
With --devices the machine under ariel has a disk and a network device besides, which nobody uses. The budgets are the
same, but that each device may take DEVICE_BOOT before the guest's first instruction: it is probed, and has a record.
With --wall both run again without -icount, and a note says how long one exit takes. The exit status is 1 when a figure is over its
budget, or an exit costs more when all of 2, 4 or 8 CPUs trap at once (--scaling) than when one does.

JSON: {"rows": [{"operation", "instructions", "x1", "x19", "bare", "budget", "peer", "peer_name", "holds"}], "wall":
[{"operation", "ns", "bare_ns"}], "traced": [{"operation", "instructions", "exits",
"more", "limit", "holds"}], "scaling": [{"operation", "cpus", "instructions", "limit", "holds"}]}; "x1" and "x19"
are null for what moves nothing through a register of choice, "peer" is null where none was measured; "wall" and
"scaling" are empty without their options.
"""

import argparse
import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from check_layout import read_memory_map  # noqa: E402  (scripts/ is not a package)
from run import qemu_command  # noqa: E402

# operation: (budget, what the best peer takes, which peer)
ROWS = {
    "hvc-psci-version": (130, 193, "Bao 2.0"),
    "hvc-get-hv-id": (130, None, None),
    "id-register-read": (130, 393, "Xen unstable"),
    "sysreg-write": (380, None, None),
    "gicd-typer-read": (185, 228, "Bao 2.0"),
    "gicd-isenabler-write": (215, 755, "Xen 4.17"),
    "gicd-word-read": (290, None, None),
    "gicd-word-write": (420, None, None),
    "gicd-byte-read": (290, None, None),
    "gicd-byte-write": (380, None, None),
    "gicr-typer-read": (190, 272, "Bao 2.0"),
    "gicr-word-read": (290, None, None),
    "gicr-word-write": (420, None, None),
    "gicr-byte-read": (290, None, None),
    "gicr-byte-write": (380, None, None),
    "uart-status-read": (180, 567, "Xen 4.17"),
    "uart-write": (245, None, None),
    "uart-polled-write": (420, None, None),
    "sgi-to-self": (330, 803, "Bao 2.0"),
    "sgi-to-other": (940, None, None),
    "spi": (980, None, None),
    "virtual-timer": (170, 192, "Bao 2.0"),
    "virtual-timer-wfi": (192, 192, "Bao 2.0"),
    "first-touch": (10, None, None),
    "logged-exit": (27_000, None, None),
    "reset-to-guest": (330_000, 575_000, "Bao 2.0"),
}
# operation that all CPUs do at once: how much more it may cost than on one CPU. CPUs have a lock in turn, so that behind
# one that several want each waits for all before it, and looks whether its turn has come.
SCALING = {"at-once-call": 1.02, "at-once-own-device": 1.02, "at-once-same-device": 1.02, "at-once-same-lock": 1.25}
SCALING_CPUS = (1, 2, 4, 8)
# operation: how many exits it is. With the trace on, each may cost TRACE_LIMIT instructions more
TRACED = {"hvc-psci-version": 1, "hvc-get-hv-id": 1, "id-register-read": 1, "gicd-typer-read": 1, "gicd-isenabler-write": 1,
          "uart-status-read": 1, "uart-write": 1, "sgi-to-self": 1, "virtual-timer": 1, "virtual-timer-wfi": 2}
TRACE_LIMIT = 40
TRACED_TEXT = {"uart-write": 10}  # its character is also a part of a line in the trace
BOOT_OPTIONS_TRACE = 0x61726F70_00000004  # include/hv/boot_options.h: the trace is on from the first guest entry
WALL = ("hvc-psci-version", "id-register-read", "gicd-typer-read", "uart-status-read", "sgi-to-self")
WALL_ROUNDS = 2_000
VIRTUAL_LEAD = 1 << 50  # VM_VIRTUAL_LEAD of include/hv/vm.h
ROUNDS_OFFSET = 32  # rounds in guest/bench/start.S
ICOUNT = "-icount shift=0,sleep=off"
DISK_SIZE = 1 << 20
DEVICES = 2
DEVICE_BOOT = 30_000


def run_guest(command, seconds):
    """{operation: ns} as the guest says, and {(operation, register): ns}; it powers the machine off at its end."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    text = done.stdout.decode("utf-8", "replace")
    if "# bench end" not in text:
        raise RuntimeError(f"the guest did not get to its end; the console ended with: {text[-400:]!r} "
                           f"{done.stderr.decode('utf-8', 'replace')}")
    figures = {}
    for name, value, x1, x19 in re.findall(r"# cost (\S+) (\d+)(?: x1 (\d+) x19 (\d+))?", text):
        figures[name] = int(value)
        if x1:
            figures[name, "x1"], figures[name, "x19"] = int(x1), int(x19)
    ticks, frequency = map(int, re.search(r"# bench entered at (\d+) of (\d+) Hz", text).groups())
    if "event=guest-enter" in text:
        figures["reset-to-guest"] = ticks % VIRTUAL_LEAD * 1_000_000_000 // frequency
    return figures


class Machine:
    """What ariel and the bare machine are given: the Image, and a device tree, which ariel looks for and no more."""

    def __init__(self, options, folder, devices=False):
        """devices: under ariel, with a disk and a network device that nobody uses."""
        self.options = options
        self.where = read_memory_map(ROOT / "include/hv/memory_map.h")
        self.folder = Path(folder)
        self.tree = self.folder / "tree.dtb"
        self.tree.write_bytes(struct.pack(">10I", 0xD00DFEED, 40, *[0] * 8))
        self.devices = self.idle_devices() if devices else ""

    def idle_devices(self):
        """QEMU's options for a disk and a network device."""
        disk = self.folder / "disk.img"
        disk.write_bytes(bytes(DISK_SIZE))
        return (f" -global virtio-mmio.force-legacy=false -drive if=none,id=d0,format=raw,file={disk}"
                " -device virtio-blk-device,drive=d0,bus=virtio-mmio-bus.0"
                " -netdev user,id=n0,restrict=on -device virtio-net-device,netdev=n0,bus=virtio-mmio-bus.1")

    def image(self, rounds):
        data = bytearray(Path(self.options.guest).read_bytes())
        if rounds:
            struct.pack_into("<Q", data, ROUNDS_OFFSET, rounds)
        path = self.folder / f"Image.{rounds}"
        path.write_bytes(data)
        return str(path)

    def ariel(self, extra, rounds=0, cpus=1):
        loads = [(self.image(rounds), self.where["LINUX_IMAGE_PA"]), (self.tree, self.where["LINUX_DTB_PA"])]
        return run_guest(qemu_command(self.options.elf, str(cpus), cpu=self.options.cpu, extra=extra + self.devices,
                                      loads=loads), self.options.timeout)

    def bare(self, extra, rounds=0):
        command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", self.options.cpu, "-m", "1G",
                   "-nographic", "-kernel", self.image(rounds), *extra.split()]
        return run_guest(command, self.options.timeout)


def rows(figures, bare, devices=0):
    for name, (budget, peer, who) in ROWS.items():
        value = figures.get(name)
        budget += DEVICE_BOOT * devices if name == "reset-to-guest" else 0
        yield {"operation": name, "instructions": value, "x1": figures.get((name, "x1")),
               "x19": figures.get((name, "x19")), "bare": bare.get(name), "budget": budget, "peer": peer,
               "peer_name": who, "holds": value is not None and value <= budget}


def scaling(runs):
    """runs: {CPUs: figures}"""
    for name, factor in SCALING.items():
        limit = int(runs[1][name] * factor)
        for cpus, figures in runs.items():
            yield {"operation": name, "cpus": cpus, "instructions": figures[name], "limit": limit,
                   "holds": figures[name] <= limit}


def traced(figures, with_trace):
    """Each operation of TRACED with the trace on, all exits wanted."""
    for name, exits in TRACED.items():
        value, limit = with_trace.get(name), exits * TRACE_LIMIT + TRACED_TEXT.get(name, 0)
        more = None if value is None else value - figures[name]
        yield {"operation": name, "instructions": value, "exits": exits, "more": more, "limit": limit,
               "holds": more is not None and more <= limit}


def show(table):
    print(f"{'operation':22} {'this run':>9} {'with x1':>7} {'x19':>5} {'budget':>7} {'bare':>6}  {'best peer':>22} {'ratio':>5}")
    for row in table:
        peer = f"{row['peer']} ({row['peer_name']})" if row["peer"] else "-"
        ratio = f"{row['instructions'] / row['peer']:.2f}" if row["peer"] and row["instructions"] is not None else "-"
        value = "missing" if row["instructions"] is None else row["instructions"]
        bare = "-" if row["bare"] is None else row["bare"]
        x1, x19 = ("-" if row[name] is None else row[name] for name in ("x1", "x19"))
        print(f"{row['operation']:22} {value:>9} {x1:>7} {x19:>5} {row['budget']:>7} {bare:>6}  {peer:>22} {ratio:>5}"
              f"{'' if row['holds'] else '  OVER BUDGET'}")


def show_scaling(table):
    print(f"\n{'all CPUs at once':22} " + "".join(f"{cpus:>5} CPU" for cpus in SCALING_CPUS) + f" {'at most':>9}")
    for name in SCALING:
        found = [row for row in table if row["operation"] == name]
        over = "" if all(row["holds"] for row in found) else "  OVER BUDGET"
        print(f"{name:22} " + "".join(f"{row['instructions']:>9}" for row in found) + f" {found[0]['limit']:>9}{over}")


def show_traced(table):
    print(f"\n{'with the trace on':22} {'this run':>9} {'more':>7} {'at most':>9}")
    for row in table:
        value, more = ("missing" if row[name] is None else row[name] for name in ("instructions", "more"))
        print(f"{row['operation']:22} {value:>9} {more:>7} {row['limit']:>9}{'' if row['holds'] else '  OVER BUDGET'}")


def show_wall(wall):
    print("\nwall time of one, without -icount (moves with the host and its load):")
    for row in wall:
        print(f"{row['operation']:22} {row['ns']:>9} ns   bare {row['bare_ns']} ns")


def measure(options):
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(options, folder, options.devices)
        runs = {cpus: machine.ariel(ICOUNT, cpus=cpus) for cpus in (SCALING_CPUS if options.scaling else (1, 2))}
        figures = runs[1] | {"sgi-to-other": runs[2]["sgi-to-other"]}
        options_pa = machine.where["BOOT_OPTIONS_PA"]
        with_trace = machine.ariel(f"{ICOUNT} -device loader,addr={options_pa:#x},data={BOOT_OPTIONS_TRACE:#x},data-len=8")
        result = {"rows": list(rows(figures, machine.bare(ICOUNT), DEVICES if options.devices else 0)), "wall": [],
                  "traced": list(traced(figures, with_trace)),
                  "scaling": list(scaling(runs)) if options.scaling else []}
        if options.wall:
            figures, bare = machine.ariel("", WALL_ROUNDS), machine.bare("", WALL_ROUNDS)
            result["wall"] = [{"operation": name, "ns": figures[name], "bare_ns": bare[name]} for name in WALL]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elf", default="build/hypervisor.elf")
    parser.add_argument("--guest", default="build/bench.bin")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--wall", action="store_true", help="time exits without -icount too")
    parser.add_argument("--scaling", action="store_true", help="exits of 1, 2, 4 and 8 CPUs at once too")
    parser.add_argument("--devices", action="store_true", help="with a disk and a network device that nobody uses")
    parser.add_argument("--timeout", type=int, default=120, help="seconds for each run")
    options = parser.parse_args()
    try:
        result = measure(options)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if options.format == "json":
        print(json.dumps(result, indent=1))
    else:
        show(result["rows"])
        show_traced(result["traced"])
        if options.scaling:
            show_scaling(result["scaling"])
        if options.wall:
            show_wall(result["wall"])
    return 0 if all(row["holds"] for row in result["rows"] + result["traced"] + result["scaling"]) else 1


if __name__ == "__main__":
    sys.exit(main())
