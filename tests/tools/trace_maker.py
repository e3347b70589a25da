# SPDX-License-Identifier: Apache-2.0
"""Makes traces for tests, of any size and with known content, as ariel would write them (docs/TRACE.md).

What each CPU does looks like a boot of Linux: first ID registers from their functions, then the interrupt controller and
the UART, PSCI calls that bring up the other CPUs, console lines, and from then on a mix of everything: interrupts, waits,
timers, virtio requests, and now and then something that the policy denies. The same arguments make the same bytes.

As a program: trace_maker.py OUT [RECORDS [CPUS [SEED]]]"""

import dataclasses
import json
import pathlib
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from ariel import tables, trace_format as form  # noqa: E402

HZ = 62_500_000
START = 0x1_2345_6789  # CNTPCT_EL0 at which the log, and so the time of a trace, begins
KERNEL = 0xffff_8000_8000_0000
VECTORS = KERNEL + 0x800
FUNCTIONS = ("__cpuinfo_store_cpu", "init_cpu_features", "gic_init_bases", "gic_cpu_init", "gic_eoimr1_mask_irq",
             "gic_send_sgi", "pl011_console_putchar", "pl011_early_write", "__arm_smccc_hvc", "psci_cpu_on", "psci_init",
             "arch_timer_set_next_event_phys", "cpu_do_idle", "default_idle_call", "vm_interrupt", "vm_notify",
             "pl031_read_time", "armv8pmu_probe_pmu", "kvm_arm_init", "debug_monitors_init", "do_el0_sync", "finish_task")
PC = {name: KERNEL + 0x10000 + 0x1000 * place for place, name in enumerate(FUNCTIONS)}
LINES = ("[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd083]",
         "[    0.000000] Linux version 6.1.0-49-arm64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0) 12.2.0) #1 SMP",
         "[    0.000000] GICv3: 224 SPIs implemented", "", "[    0.012345] smp: Brought up 1 node",
         "[    0.141000] <script>alert('a guest says this')</script> & \x1b[31mred\x1b[0m \x07\xff",
         "[    1.500000] virtio_blk virtio1: [vda] 131072 512-byte logical blocks (67.1 MB/64.0 MiB)")
POLICY_ROWS = (("policy/linux.toml:8", 'sysreg class "ID"', "which features does it ask about?", "emulate"),
               ("policy/linux.toml:20", "mmio gicd, gicr", "how are interrupts set up?", "emulate"),
               ("policy/linux.toml:28", "mmio pl011", "a line for each console character would hide the rest", "emulate"),
               ("policy/linux.toml:34", "smccc *", "CPUs coming and going, services probed", "emulate"),
               ("policy/linux.toml:40", "wfi", "idle is counted", "emulate"),
               ("policy/linux.toml:46", 'sysreg class "PMU"', "performance counters see EL2 as well", "deny"),
               ("policy/linux.toml:52", "virtio *", "the devices that the machine was given", "emulate"),
               ("policy/linux.toml", "default", "no policy row names this; the default applies", "deny"))
ROW_NONE = 1024
EMULATE, DENY = 1, 3
DONE, UNDEF, ABORT = 0, 2, 3


@dataclasses.dataclass
class Kind:
    """One thing that a guest does again and again: the fields of its records, and how long and how often."""
    key: str
    cause: str
    function: str
    esr: int
    write: int = 0
    row: int = ROW_NONE
    verdict: int = EMULATE
    result: int = DONE
    address: int = 0
    span: int = 1      # the address is up to so many bytes further, in steps of 4
    width: int = 0
    ticks: int = 60    # in EL2, on average
    weight: float = 0  # in the mix
    caller: str = ""   # of calls
    user: bool = False  # from EL0
    type: int = form.TYPE_EXIT


def abort_esr(write, srt=2):
    """ESR_EL2 of a data abort from a lower level, 32-bit access, translation fault at level 3 (DDI 0487 D19.2.37)."""
    return 0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | srt << 16 | write << 6 | 7


def sysreg_esr(name, write=0, rt=3):
    """ESR_EL2 of a trapped MRS or MSR of a register of sysreg_table.h."""
    row = next(row for row in tables.read_rows("arch/sysreg_table.h", "SYSREG_TABLE") if row[0] == name)
    op0, op1, crn, crm, op2 = (int(cell) for cell in row[1:6])
    return 0x18 << 26 | 1 << 25 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | (1 - write)


def sysreg(name, function, write=0, **more):
    return Kind(name, "sysreg", function, sysreg_esr(name, write), write, **more)


def device(key, function, address, write=0, **more):
    more = {"width": 4, "ticks": 400, **more}
    return Kind(key, "dabt", function, abort_esr(write), write, address=address, **more)


def call(key, number, caller, **more):
    more = {"row": 3, "ticks": 900, **more}
    return Kind(key, "hvc", "__arm_smccc_hvc", 0x16 << 26 | 1 << 25, 1, address=number, caller=caller, **more)


ID_REGISTERS = ("AIDR_EL1", "REVIDR_EL1", "ID_AA64PFR0_EL1", "ID_AA64PFR1_EL1", "ID_AA64DFR0_EL1", "ID_AA64ISAR0_EL1",
                "ID_AA64ISAR1_EL1", "ID_AA64MMFR0_EL1", "ID_AA64MMFR1_EL1", "ID_AA64MMFR2_EL1", "ID_PFR0_EL1", "ID_DFR0_EL1")
DENIED = sysreg("PMCR_EL0", "armv8pmu_probe_pmu", row=5, verdict=DENY, result=UNDEF)
HOLE = device("no-device", "pl031_read_time", 0x0b000000, row=7, verdict=DENY, result=ABORT)
UNNAMED = Kind("sysreg-unknown", "sysreg", "kvm_arm_init", 0x18 << 26 | 1 << 25 | 3 << 20 | 7 << 17 | 7 << 14 | 15 << 10 |
               3 << 5 | 15 << 1 | 1, row=7, verdict=DENY, result=UNDEF)
MIX = (Kind("irq", "irq", "cpu_do_idle", 0, address=27, ticks=250, weight=22),
       Kind("irq", "irq", "do_el0_sync", 0, address=79, ticks=260, weight=6, user=True),
       Kind("wfi", "wfi", "cpu_do_idle", 0x01 << 26 | 1 << 25 | 1 << 24 | 14 << 20, row=4, ticks=40_000, weight=12),
       device("pl011", "pl011_console_putchar", 0x09000018, row=2, weight=12),
       device("pl011", "pl011_console_putchar", 0x09000000, 1, row=2, weight=12),
       device("gicd", "gic_eoimr1_mask_irq", 0x08000100, 1, row=1, span=0x80, weight=8),
       sysreg("ICC_SGI1R_EL1", "gic_send_sgi", 1, weight=7, ticks=300),
       sysreg("CNTP_CVAL_EL0", "arch_timer_set_next_event_phys", 1, weight=8),
       device("virtio-mmio", "vm_notify", 0x0a003e50, 1, row=6, ticks=2500, weight=4),
       device("virtio-mmio", "vm_interrupt", 0x0a003e60, row=6, weight=4),
       Kind("virtio-mmio", "unknown", "", 0, row=6, ticks=9000, weight=3, type=form.TYPE_VIRTIO),
       call("psci-version", 0x84000000, "psci_init", weight=0.3),
       device("pl031", "pl031_read_time", 0x09010000, row=7, verdict=DENY, result=ABORT, weight=0.2),
       sysreg("PMCCNTR_EL0", "do_el0_sync", row=5, verdict=DENY, result=UNDEF, weight=0.2, user=True),
       Kind("irq", "irq", "", 0, weight=0.8, type=form.TYPE_TEXT))


def boot_kinds(cpu, cpus):
    """What a CPU does first, in order."""
    kinds = [sysreg(name, "__cpuinfo_store_cpu", row=0) for name in ID_REGISTERS]
    if cpu == 0:
        kinds += [sysreg(name, "init_cpu_features", row=0) for name in ID_REGISTERS[2:6]]
        kinds += [device("gicd", "gic_init_bases", 0x08000000 + 4 * n, n % 2, row=1) for n in range(8)]
        kinds += [call("psci-version", 0x84000000, "psci_init")]
        kinds += [call("psci-cpu-on", 0xc4000003, "psci_cpu_on") for _ in range(1, cpus)]
        kinds += [DENIED, HOLE, UNNAMED]
    return kinds + [device("gicr", "gic_cpu_init", 0x080a0000 + 0x20000 * cpu, row=1), MIX[2]]


def make_meta(boot, cpus, start=START):
    """The meta chunk's object."""
    keys, groups = tables.key_names()
    return {"format": "ariel-trace", "version": form.VERSION, "ariel": "0.0-made-for-a-test", "hz": HZ, "start": start,
            "boot": f"{boot:016x}", "board": "virt", "cpus": cpus, "midr": "0x410fd083", "policy": "linux-observe",
            "record": [list(field) for field in form.RECORD_FIELDS], "keys": keys, "groups": groups,
            "causes": [row[2] for row in tables.causes()], "verdicts": tables.VERDICTS, "results": tables.RESULTS,
            "types": ["", "exit", "text", "virtio"], "requests": tables.request_names(),
            "statuses": ["ok", "io-error", "unsupported"],
            "rows": [dict(zip(("place", "text", "why", "action"), row)) for row in POLICY_ROWS],
            "vms": [{"name": "vm0", "vcpus": cpus, "ram": [["0x40000000", "0x30000000"]], "guest": "Linux Image"}],
            "devices": [{"name": row[1], "base": row[2], "size": row[3]}
                        for row in tables.read_rows("device_table.h", "DEVICE_TABLE")]}


def template_of(kinds):
    """One record for each kind, and the columns that are drawn at random."""
    keys = tables.key_names()[0]
    causes = [row[2] for row in tables.causes()]
    made = numpy.zeros(len(kinds), form.RECORD)
    for record, kind in zip(made, kinds):
        record["key"], record["cause"], record["type"] = keys.index(kind.key), causes.index(kind.cause), kind.type
        for name in ("row", "verdict", "result", "write", "width", "address"):
            record[name] = getattr(kind, name)
        record["syndrome"], record["pstate"] = kind.esr, 0x80000000 if kind.user else 0x600003c5
        place = list(FUNCTIONS).index(kind.function) if kind.function else 0
        record["pc"] = (0xaaaa_d000_0000 + 0x40 * place if kind.user else PC.get(kind.function, 0) + 0x9c) if kind.function else 0
        record["lr"] = (PC[kind.caller or "finish_task"] + 0x24) if kind.type == form.TYPE_EXIT else 0
        record["caller"] = PC[kind.caller] + 0x48 if kind.caller else 0
        if kind.caller:
            record["x"] = [kind.address, 1, PC["finish_task"], 0]
    return made, numpy.array([kind.span // 4 or 1 for kind in kinds]), numpy.array([kind.ticks for kind in kinds], float)


class Cpu:
    """One CPU of the machine: makes its records block by block, and remembers where it is."""

    def __init__(self, number, cpus, boot_index, start, seed):
        self.number = number
        self.random = numpy.random.default_rng([seed, number, boot_index])
        self.early = boot_kinds(number, cpus)
        self.kinds = [*self.early, *MIX]
        self.template, self.spans, self.ticks = template_of(self.kinds)
        weights = numpy.array([kind.weight for kind in MIX])
        self.chances = numpy.cumsum(weights / weights.sum())
        self.now = start + 40_000_000 * number // 8 + 1000  # the others are brought up later
        self.made, self.sequence, self.line = 0, 0, 0

    def block(self, count):
        """The next records of this CPU, in the order in which it writes them."""
        chosen = numpy.searchsorted(self.chances, self.random.random(count), side="right").clip(0, len(MIX) - 1) + len(self.early)
        early = min(max(len(self.early) - self.made, 0), count)
        chosen[:early] = numpy.arange(self.made, self.made + early)
        records = self.template[chosen]
        spent = 1 + self.random.exponential(self.ticks[chosen]).astype("u8")
        between = 20 + self.random.exponential(800, count).astype("u8")
        virtio, text = records["type"] == form.TYPE_VIRTIO, records["type"] == form.TYPE_TEXT
        ends = self.now + numpy.cumsum(numpy.where(virtio, 1, spent) + between)  # a request goes on beside everything else
        spent[text] = 0
        records["exit"], records["entry"] = ends, ends - spent
        records["exit"][text] = 0
        self.now, self.made = int(ends[-1]), self.made + count
        records["address"] += 4 * (self.random.random(count) * self.spans[chosen]).astype("u8")
        records["value"] = self.random.integers(0, 1 << 20, count, dtype="u8")
        records["vcpu"], records["context"] = self.number, 0x1000 + self.number
        exits = records["type"] == form.TYPE_EXIT
        records["sequence"][exits] = self.sequence + numpy.arange(exits.sum(), dtype="u8")
        self.sequence += int(exits.sum())
        self.add_requests(records, virtio)
        self.add_lines(records, numpy.flatnonzero(text))
        return records

    def add_requests(self, records, virtio):
        """Requests to a disk in transport 31: their sectors, bytes, kinds and states."""
        count = int(virtio.sum())
        records["address"][virtio] = 8 * self.random.integers(0, 1 << 14, count, dtype="u8")
        records["value"][virtio] = 512 * self.random.integers(1, 64, count, dtype="u8")
        records["x"][virtio] = numpy.stack([numpy.full(count, 31, "u8"), self.random.integers(1, 3, count, dtype="u8"),
                                            numpy.zeros(count, "u8"), numpy.zeros(count, "u8")], axis=1).reshape(count, 4)
        records["sequence"][virtio] = 0

    def add_lines(self, records, places):
        """Console lines, and after each third one a record of the log, cut into pieces of 64 bytes. A line that does not
        fit into this block's text records is continued in the next block."""
        for place in places:
            if not getattr(self, "pieces", None):
                kind = form.TEXT_LOG if self.line % 3 == 2 else form.TEXT_CONSOLE
                words = LINES[self.line % len(LINES)] if kind == form.TEXT_CONSOLE else (
                    f"ariel: seq={self.line} t=1 cpu={self.number} level=info class=vm event=vm-pause vcpus=1 tag=d0330556")
                data = words.encode("latin-1")
                self.pieces = [(kind, at, data[at:at + form.TEXT_SIZE], at + form.TEXT_SIZE >= len(data))
                               for at in range(0, len(data) or 1, form.TEXT_SIZE)]
                self.line += 1
            kind, at, data, last = self.pieces.pop(0)
            blank = numpy.zeros(1, form.RECORD)
            blank["type"], blank["entry"], blank["vcpu"] = form.TYPE_TEXT, records["entry"][place], self.number
            blank["key"], blank["value"], blank["address"] = kind, self.line * 16 + self.number, at
            blank["syndrome"], blank["result"] = len(data), last
            blank.view(form.TEXT)["text"] = data
            records[place] = blank[0]


def header(boot, cpu, first, records, dropped=0, opened=0):
    made = numpy.zeros(1, form.CHUNK)
    made["magic"], made["version"], made["boot"], made["cpu"] = form.MAGIC, form.VERSION, boot, cpu
    made["first"], made["count"], made["bytes"], made["dropped"] = first, len(records), 128 * len(records), dropped
    if len(records):
        stamps = numpy.maximum(records["exit"], records["entry"])
        made["opened"], made["closed"] = opened, stamps.max()
    made["vbar_el1"], made["ttbr1_el1"], made["sctlr_el1"] = VECTORS, 0x41bb0000, 0x34f4d91d
    made["tcr_el1"], made["virtual_offset"] = 0xf5507510, 0
    return made


def meta_chunk(boot, meta):
    text = json.dumps(meta, separators=(",", ":")).encode()
    slots = -(-len(text) // form.SLOT_SIZE)
    made = header(boot, 0, 0, numpy.zeros(0, form.RECORD))
    made["kind"], made["count"], made["bytes"], made["opened"], made["closed"] = form.KIND_META, slots, len(text), START, START
    return made.tobytes() + text.ljust(slots * form.SLOT_SIZE, b"\0")


def make_trace(path, records=10_000, cpus=4, boots=1, seed=1, drops=(), lies=(), cut=0, meta=True, fill=form.SLOT_MAX):
    """Writes a trace and returns its list of boot numbers.

    records: of each boot, over all CPUs. fill: records in a chunk, at most 511. drops: (cpu, n, count) drops so many
    records before chunk n of a CPU and counts them; lies: the same, without counting them. cut: bytes missing at the
    end of the file. meta: whether the meta chunks are there."""
    numbers = []
    with open(path, "wb") as file:
        for index in range(boots):
            boot = 0x1d0f_0000_0000_0001 + index
            numbers.append(boot)
            if meta:
                file.write(meta_chunk(boot, make_meta(boot, cpus)))
            write_boot(file, boot, [Cpu(n, cpus, index, START, seed) for n in range(cpus)], (records, fill, drops, lies))
        file.truncate(max(file.tell() - cut, 0))
    return numbers


def write_boot(file, boot, machine, how):
    """The chunks of one boot: the CPU that is behind the others in time writes the next one."""
    total, fill, drops, lies = how
    places = [{"first": 0, "dropped": 0, "chunks": 0} for _ in machine]
    left = total
    while left > 0:
        cpu = min(machine, key=lambda one: one.now)
        place = places[cpu.number]
        for losses, counted in ((drops, 1), (lies, 0)):
            for number, chunk, count in losses:
                if (number, chunk) == (cpu.number, place["chunks"]):
                    cpu.block(count)
                    place["first"] += count
                    place["dropped"] += counted * count
        opened = cpu.now
        block = cpu.block(min(left, fill))
        file.write(header(boot, cpu.number, place["first"], block, place["dropped"], opened).tobytes())
        file.write(block.tobytes())
        left, place["first"], place["chunks"] = left - len(block), place["first"] + len(block), place["chunks"] + 1


def system_map():
    """The text of a System.map for the functions in which these guests are."""
    places = {"_text": KERNEL, "vectors": VECTORS, **PC, "_etext": KERNEL + 0x10000 + 0x1000 * len(PC)}
    return "".join(f"{address:016x} T {name}\n" for name, address in places.items())


if __name__ == "__main__":
    make_trace(sys.argv[1], *(int(word) for word in sys.argv[2:4]), **({"seed": int(sys.argv[4])} if sys.argv[4:] else {}))
