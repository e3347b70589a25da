# SPDX-License-Identifier: Apache-2.0
"""Counts EL2's instructions by exit with a plugin of QEMU's translator (tools/plugin/exits.c): builds the plugin, says
from the hypervisor's debug information what each of its instructions belongs to, and reads what the plugin wrote."""

import collections
import itertools
import os
import re
import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile

PLUGIN_FOLDER = Path(__file__).resolve().parent / "plugin"
PLUGIN_FLAGS = ["-std=gnu2x", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-pthread"]
START, LOST = 1 << 63, 1 << 62  # as in the plugin

# What an exit was for, by the functions that it went through, inlined ones included; the first that fits.
CAUSES = {
    "log": ("log_record",),
    "console": ("vpl011_access", "channel_poll", "channel_room"),
    "gic": ("vgic_distributor_access", "vgic_redistributor_access", "vgic_write_sgi1r", "cpu_serve_kick", "vgic_maintenance"),
    "timer": ("vtimer_interrupt", "hyp_timer_interrupt", "vtimer_physical_read", "vtimer_physical_write"),
    "sysreg": ("quick_id_register", "trap_sysreg64"),
    "call": ("quick_call", "trap_call"),
    "abort": ("abort_handle",),
    "interrupt": ("irq_serve",),
}
# Exits that may write registers whose change empties QEMU's software TLB, or empty it by TLBI
MAY_FLUSH = {"pause": ("vm_pause", "vm_resume", "vcpu_wait"), "reset": ("vcpu_reset", "vm_reset"),
             "stage 2": ("stage2_map", "stage2_protect")}
GROUPS = list(itertools.chain(CAUSES.items(), MAY_FLUSH.items()))
FLUSH = 1 << len(GROUPS)  # such a write, or a TLBI
# (op0, op1, CRn, CRm, op2), DDI 0487 D19
FLUSHING = {
    (3, 4, 2, 1, 0): "VTTBR_EL2", (3, 4, 1, 1, 0): "HCR_EL2", (3, 4, 2, 1, 2): "VTCR_EL2", (3, 0, 2, 0, 0): "TTBR0_EL1",
    (3, 0, 2, 0, 1): "TTBR1_EL1", (3, 0, 2, 0, 2): "TCR_EL1", (3, 0, 1, 0, 0): "SCTLR_EL1",
}


class ExitsError(Exception):
    """Nothing could be counted; the message is one line."""


def flushing_write(word):
    """What an instruction writes of what empties the TLB of a translator, or None."""
    if word & 0xffe00000 != 0xd5000000:
        return None
    op0, op1, crn, crm, op2 = word >> 19 & 3, word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7
    return "TLBI" if (op0, crn) == (1, 8) else FLUSHING.get((op0, op1, crn, crm, op2))


class Code:
    """EL2's instructions: chains[pc] = names of the function it stands in and of those that one is inlined into."""

    def __init__(self, elf):
        self.elf = str(elf)
        with open(elf, "rb") as file:
            image = ELFFile(file)
            text = image.get_section_by_name(".text")
            self.start, data = text["sh_addr"], text.data()
            self.symbols = {s.name: s["st_value"] for s in image.get_section_by_name(".symtab").iter_symbols()}
        self.words = {self.start + at: int.from_bytes(data[at:at + 4], "little") for at in range(0, len(data) & ~3, 4)}
        self.chains = self._chains()

    def _chains(self):
        addr2line = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-") + "addr2line"
        done = subprocess.run([addr2line, "-a", "-f", "-i", "-e", self.elf], text=True, stdout=subprocess.PIPE, check=True,
                              input="".join(f"{pc:#x}\n" for pc in self.words))
        chains, lines = {}, iter(done.stdout.splitlines())
        for line in lines:
            if line.startswith("0x"):
                chain = chains[int(line, 16)] = []
            else:
                chain.append(line.split(".")[0])
                next(lines)
        return chains

    def marks(self, pc):
        names = set(self.chains[pc])
        bits = sum(1 << n for n, (_, functions) in enumerate(GROUPS) if names.intersection(functions))
        return bits | (FLUSH if flushing_write(self.words[pc]) else 0)

    def write_map(self, path):
        known = set(itertools.chain.from_iterable(self.chains.values()))
        gone = [name for name in itertools.chain.from_iterable(dict(GROUPS).values()) if name not in known]
        if gone:
            raise ExitsError(f"{self.elf}: no function {', '.join(gone)}: mend the lists in tools/exits.py")
        lines = [f"text {self.start:x} {max(self.words) + 4:x}", f"vectors {self.symbols['vectors']:x}"]
        lines += [f"reset {self.symbols[name]:x}" for name in ("_start", "secondary_start")]
        lines += [f"marks {pc:x} {bits:x}" for pc in self.words if (bits := self.marks(pc))]
        Path(path).write_text("\n".join(lines) + "\n")


def compile_plugin(target, cc, version):
    """Compiles the plugin for a version of QEMU's interface."""
    command = [cc, *PLUGIN_FLAGS, f"-DPLUGIN_API_VERSION={version}", "-o", str(target), str(PLUGIN_FOLDER / "exits.c")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ExitsError(f"{cc}: cannot compile tools/plugin/exits.c: {done.stderr.strip()}")


def version_wanted(target):
    """The version of the interface that QEMU wants of this plugin; None when its own is right."""
    command = ["qemu-system-aarch64", "-M", "none", "-display", "none", "-plugin", str(Path(target).resolve())]
    # Without out= the plugin ends QEMU, if QEMU takes it at all.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    wanted = re.search(r"requires API version \d+, but this QEMU supports only a minimum version of (\d+)", done.stderr)
    return int(wanted[1]) if wanted else None


def build_plugin(folder, cc="gcc"):
    """The plugin's file, for the version of the interface that the system's QEMU asks for."""
    target = Path(folder) / "exits.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    compile_plugin(target, cc, 1)
    version = version_wanted(target)
    if version:
        compile_plugin(target, cc, version)
    return target


def plugin_arguments(plugin, out, map_file=None, paths=False):
    """What to add to QEMU's command line."""
    words = [str(plugin), f"out={out}"] + ([f"map={map_file}"] if map_file else []) + (["paths=on"] if paths else [])
    return ["-plugin", ",".join(words)]


Exits = collections.namedtuple("Exits", "exits instructions")


class Counters:
    """The counters of all CPUs at one moment."""

    def __init__(self):
        self.guest = 0
        self.buckets = {}  # marks -> Exits

    def add(self, marks, exits, instructions):
        old = self.buckets.get(marks, Exits(0, 0))
        self.buckets[marks] = Exits(old.exits + exits, old.instructions + instructions)

    def since(self, earlier):
        difference = Counters()
        difference.guest = self.guest - earlier.guest
        for marks, (exits, instructions) in self.buckets.items():
            before = earlier.buckets.get(marks, Exits(0, 0))
            if exits != before.exits:
                difference.buckets[marks] = Exits(exits - before.exits, instructions - before.instructions)
        return difference

    def _sum(self, chosen):
        rows = [row for marks, row in self.buckets.items() if chosen(marks)]
        return Exits(sum(row.exits for row in rows), sum(row.instructions for row in rows))

    def by_cause(self):
        """Cause -> Exits, starts aside."""
        found = {name: self._sum(lambda marks, name=name: cause_of(marks) == name) for name in (*CAUSES, "other")}
        return {name: row for name, row in found.items() if row.exits}

    def all_exits(self):
        return self._sum(lambda marks: not marks & START)

    def starts(self):
        return self._sum(lambda marks: marks & START)

    def flushes(self):
        """Exits that emptied a software TLB, by why they may; under None those that may not."""
        found = collections.Counter()
        for marks, row in self.buckets.items():
            if marks & FLUSH and not marks & START:
                why = next((name for n, (name, _) in enumerate(GROUPS) if name in MAY_FLUSH and marks >> n & 1), None)
                found[why] += row.exits
        return dict(found)


def cause_of(marks):
    if marks & (START | LOST):
        return "start" if marks & START else "other"
    return next((name for n, name in enumerate(CAUSES) if marks >> n & 1), "other")


class Report:
    """What the plugin wrote: at[n] = Counters at marker n, at["end"]; runs[pc] of each instruction of EL2; paths."""

    def __init__(self, path):
        self.at, self.runs, self.paths = {}, collections.Counter(), collections.Counter()
        now = None
        for line in Path(path).read_text().splitlines():
            word, *rest = line.split()
            if word == "at":
                now = self.at[int(rest[0]) if rest[0].isdigit() else rest[0]] = Counters()
            elif word == "guest":
                now.guest += int(rest[1])
            elif word == "exits":
                now.add(int(rest[1], 16), int(rest[2]), int(rest[3]))
            elif word == "block":
                for n in range(int(rest[2])):
                    self.runs[int(rest[1], 16) + 4 * n] += int(rest[3])
            elif word == "path":
                self.paths[tuple(expand(rest[2:]))] += int(rest[1])
        if "end" not in self.at:
            raise ExitsError(f"{path}: the plugin did not come to its end")


def expand(blocks):
    """The PCs of blocks written as pc+length."""
    for block in blocks:
        pc, length = block.split("+")
        yield from range(int(pc, 16), int(pc, 16) + 4 * int(length), 4)
