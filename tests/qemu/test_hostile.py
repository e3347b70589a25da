# SPDX-License-Identifier: Apache-2.0
"""Guests that attack EL2 (tests/hostile). Every attack ends as the architecture says. Afterwards, looked at from outside
the machine: EL2's text is that of the image file, its read-only data and translation tables and the guest's stage 2 are
those of a machine that nobody attacked; half of the guest's memory is as it was, and so is the RAM that is nobody's, where
a device could write; the monitor answers and its own check passes; the log decoder believes no forgery and misses no
record; QEMU saw no access of EL2 that it must complain about.

`make hostile` sets HOSTILE_SEED and runs every kind by itself on each CPU model, with 1 and 4 CPUs; HOSTILE_COUNT is the
number of attacks of each kind on each CPU instead of those of FULL. What the guest shall do lies in its memory before it
starts, so that with HOSTILE_ICOUNT=1, where QEMU counts instructions for time, a case is the same each time to the last
instruction. `make hostile-pages` sets HOSTILE_PAGES, the model of CPU on which each page below 1 TiB is attacked.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
from harness import ROOT, memory_map

sys.path.insert(0, str(ROOT / "tools"))
from ariel.trace import Trace  # noqa: E402  (tools/ is no package)
from ariel.trace_format import TYPE_EXIT  # noqa: E402

BUILD = Path("build/hostile")
SEED = int(os.environ.get("HOSTILE_SEED") or 1)
COUNT = int(os.environ.get("HOSTILE_COUNT") or 0)
COUNTED = " -icount shift=0,sleep=off"
ICOUNT = COUNTED if os.environ.get("HOSTILE_ICOUNT") == "1" else ""
PAGES_CPU = os.environ.get("HOSTILE_PAGES")
WHOLE = "HOSTILE_SEED" in os.environ or PAGES_CPU is not None
MODELS = ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "max")
# Attacks of each kind on each CPU for `make hostile`. sweep: pages, shared by all CPUs, three attacks each; sysregs:
# encodings, some eight attacks each, 0 is all of them
FULL = {"sweep": 150000, "sysregs": 0, "mmio": 12000, "tables": 12000, "ask": 4000, "races": 5000, "calls": 10000, "timers": 30000,
        "gic": 4000, "storm": 6000, "psci": 2000, "aarch32": 30000, "el0": 30000, "watch": 10000, "immediates": 131070, "console": 100,
        "disk": 300, "net": 300, "reset": 6, "wfi": 1, "double": 1}
# and for `make test`: all of a row in one boot
QUICK = [("cortex-a57", 1, {"sweep": 3000, "sysregs": 8000, "mmio": 2000, "aarch32": 4000, "el0": 4000, "tables": 2000, "calls": 2000,
                            "watch": 1000, "immediates": 1000, "timers": 2000, "console": 20, "gic": 2000, "disk": 200, "net": 200}),
         ("cortex-a57", 4, {"psci": 300, "ask": 300, "races": 500, "tables": 500, "mmio": 500, "storm": 500, "timers": 500,
                            "calls": 300, "gic": 300, "disk": 40, "net": 40, "wfi": 1}),
         ("max", 2, {"sweep": 1000, "mmio": 1000, "sysregs": 2000, "races": 500, "storm": 500, "double": 1}),
         ("cortex-a72", 2, {"reset": 3})]
ENDLESS = ("wfi", "double")  # the guest never comes back from these
DEVICES = ("disk", "net")  # these attack virtio devices
FORGES = ("console", "races", "calls", "reset")  # these print what looks like records
ACCOUNT = r"^# hostile: {} seed={} cpus=(\d+) attacks=(\d+) bad=(\d+) late=(\d) "
PAGES, PARTS = 1 << 28, 128  # below 1 TiB, and the jobs that attack them all
# Of tests/hostile/hostile.h
JOBS_IPA, UNTOUCHED_IPA, UNTOUCHED_END = 0x4FF00000, 0x58000000, 0x6FFF0000
# EL2's translation tables (mm/stage1.c), and of the guest's stage 2 the first and all others (struct vm_memory), in pages
TABLES = {"root": 1, "tables": 16, "memory": 1 + 64}
# The machine's RAM that neither EL2 nor its guest uses: where the table of symbols of another guest would be (this one
# comes without), and behind the guest's RAM. (first, size); tests/hostile/virtio_shapes.c names addresses there for
# devices to write to.
NOBODYS = ((0x41900000, 0x500000), (0x74000000, 0xc000000))
# include/hv/boot_options.h: the trace is on, with everything, from the guest's first instruction
TRACED = f" -device loader,addr={memory_map('BOOT_OPTIONS_PA'):#x},data=0x61726f7000000004,data-len=8"
TRACED_CPUS = (2, 4)  # the attacks on machines with so many CPUs are made with the trace on
DISK_SIZE = 4 << 20
# What a guest may have QEMU say, and how it gets there without EL2
ALLOWED = {
    r"(Invalid|invalid|Ignoring).*(ICC|ICV|icc_|icv_)": "it writes the CPU interface's registers itself",
    r"gicv3_(icc|icv)_": "the same",
    r"Illegal exception return at EL1": "its own ERET",
    r"Invalid tlbi page size granule": "its own TLBI of a range",
}
TOTAL = {"attacks": 0, "start": time.monotonic(), "lock": threading.Lock()}


def cases():
    """CPU model, CPUs, jobs; a job is (kind, seed, count)."""
    if WHOLE:
        return [pytest.param(cpu, smp, [(kind, SEED, COUNT or count)], id=f"{cpu}-{smp}-{kind}")
                for kind, count in FULL.items() for cpu in MODELS for smp in (1, 4)]
    return [pytest.param(cpu, smp, [(kind, SEED, count) for kind, count in kinds.items()], id=f"{cpu}-{smp}")
            for cpu, smp, kinds in QUICK]


@pytest.fixture(scope="module")
def elf():
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/hostile").glob("*.c"))
    done = subprocess.run(["make", "-s", f"BUILD={BUILD}", "POLICY=tests/hostile/hostile.toml",
                           f"GUEST_MAIN={' '.join(sources)}", f"{BUILD}/hypervisor.bin"],
                          cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return BUILD / "hypervisor.elf"


@pytest.fixture(scope="module")
def symbols(elf):
    text = subprocess.run(["nm", ROOT / elf], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines()]
    # What is asked for lies on a page of its own; others may be called the same.
    return {row[2].split(".")[0]: int(row[0], 16) for row in rows if len(row) == 3 and int(row[0], 16) % 4096 == 0}


class Memory:
    """The RAM of a machine: a file that QEMU maps, read from outside."""

    SIZE = 1 << 30

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.file.truncate(self.SIZE)
        self.arguments = (f"-object memory-backend-file,id=ram,size={self.SIZE},share=on,mem-path={self.file.name} "
                          "-machine memory-backend=ram ")

    def read(self, address, size):
        return os.pread(self.file.fileno(), size, address - memory_map("RAM_PA"))

    def fill(self, pattern):
        """Repeats pattern, whose length is a power of two of 1 MiB at most, all over what is nobody's."""
        block = pattern * ((1 << 20) // len(pattern))
        for first, size in NOBODYS:
            for address in range(first, first + size, len(block)):
                os.pwrite(self.file.fileno(), block, address - memory_map("RAM_PA"))

    def is_filled(self, pattern):
        """Whether all that is nobody's is as fill left it."""
        block = pattern * ((1 << 20) // len(pattern))
        return all(self.read(address, len(block)) == block for first, size in NOBODYS
                   for address in range(first, first + size, len(block)))

    def is_zero(self, address, size):
        """Whether nothing was ever stored there but zeros. What was never stored is not there, and not read."""
        here, end = address - memory_map("RAM_PA"), address - memory_map("RAM_PA") + size
        while here < end:
            try:
                here = os.lseek(self.file.fileno(), here, os.SEEK_DATA)
            except OSError:  # no more
                return True
            hole = min(os.lseek(self.file.fileno(), here, os.SEEK_HOLE), end)
            if here < hole and any(os.pread(self.file.fileno(), hole - here, here)):
                return False
            here = hole
        return True


def fixed(memory, symbols):
    """What never changes once the guest runs, by name: read-only data, tables."""
    found = {name: memory.read(symbols[name], 4096 * pages) for name, pages in TABLES.items()}
    return found | {"rodata": memory.read(symbols["rodata_start"], symbols["rodata_end"] - symbols["rodata_start"])}


@pytest.fixture(scope="module")
def untouched(elf, symbols):
    """untouched(boot, cpu, smp): what is fixed, of a machine whose guest does nothing."""
    known = {}

    def get(boot, cpu, smp):
        if (cpu, smp) not in known:
            memory = Memory()
            ariel = boot(elf=elf, cpu=cpu, smp=smp, wait=300, extra=memory.arguments)
            ariel.expect_line(r"^# hostile: ready$")
            known[cpu, smp] = fixed(memory, symbols)
            ariel.close()
        return known[cpu, smp]
    return get


def check_memory(memory, elf, symbols, expected):
    first, size = symbols["text_start"], symbols["text_end"] - symbols["text_start"]
    image = (ROOT / elf).with_suffix(".bin").read_bytes()[:size]
    assert memory.read(first, size) == image, "EL2's text changed"
    now = fixed(memory, symbols)
    assert not [name for name in expected if now[name] != expected[name]], "EL2's read-only data or a table changed"
    offset = memory_map("GUEST_RAM_PA") - memory_map("GUEST_RAM_IPA")
    assert memory.is_zero(UNTOUCHED_IPA + offset, UNTOUCHED_END - UNTOUCHED_IPA), "guest memory that nobody named changed"


def check_monitor(ariel, smp):
    ariel.attention()
    assert "running" in ariel.command("status").text
    assert "FAILED" not in ariel.command("hv selftest").text
    assert ariel.command(f"mem crc {UNTOUCHED_IPA:#x} 0x100000").ok
    ariel.command(f"regs {smp - 1}")


def check_log(ariel, kinds):
    """What the console showed, by the decoder: nothing missing, nothing doubled, no forgery believed."""
    text = "".join(f"{line}\r\n" for line in ariel.lines).encode()
    done = subprocess.run([sys.executable, "tools/log_decode.py", "--json"], cwd=ROOT, capture_output=True, timeout=600,
                          input=text)
    forged = any(kind in FORGES for kind in kinds)
    assert done.returncode in ((0, 1) if forged else (0,)), done.stderr.decode()
    troubles = re.findall(rb"\d+ (missing|doubled|unverified|unproven)", done.stderr.splitlines()[-1] if forged and
                          done.returncode else b"")
    assert not troubles, done.stderr.decode()
    believed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    assert believed and not [record for record in believed if "forged" in record or
                                      record.get("class") == "panic" or record.get("event") == "stray"]
    if "console" in kinds:
        assert re.search(rb"\d+ forged", done.stderr), "nobody noticed the forgeries"


def check_trace(ariel, memory, path, smp):
    """The rings of a paused machine: chunks are sound, no exit since the oldest record is missing, nothing was dropped, and
    the monitor has counted as many records as the rings say: at least those before they are read, and at most those
    after, since lines of the log are still added."""
    def counts():
        return [json.loads(line) for line in ariel.command("trace -j") if line.startswith('{"cpu"')]

    ariel.command("pause")
    before = counts()
    path.write_bytes(memory.read(memory_map("TRACE_PA"), memory_map("TRACE_SIZE")))
    after = counts()
    with Trace(str(path)) as trace:
        assert not [text for text in trace.problems() if "meta" not in text], trace.problems()
        assert all(loss.drops == 0 for loss in trace.losses().values())
        heads = list(trace.headers())
        for first, last in zip(before, after):
            ends = [int(head["first"]) + int(head["count"]) for head in heads if head["cpu"] == first["cpu"]]
            assert first["records"] <= max(ends, default=0) <= last["records"] and last["dropped"] == 0
        records = numpy.concatenate([numpy.array(batch) for batch in trace.batches(types=[TYPE_EXIT])])
    for vcpu in range(smp):
        sequence = records["sequence"][records["vcpu"] == vcpu].astype("int64")
        assert (numpy.diff(sequence) == 1).all(), f"exits of vCPU {vcpu} are missing"
    assert (records["exit"] >= records["entry"]).all() and (records["vcpu"] < smp).all()


def check_qemu(path):
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    odd = [line for line in lines if line.strip() and not any(re.search(pattern, line) for pattern in ALLOWED)]
    assert not odd, "QEMU complains: " + "\n".join(sorted(set(odd))[:20])


def say(capsys, text):
    print(text)
    if WHOLE:
        with capsys.disabled():
            print(text, flush=True)


def expect_end(ariel, pattern):
    """The guest's line with pattern. Attacks mask interrupts nearly always: on a slow host a CPU may be found so at ten
    ticks, and the monitor opens."""
    while True:
        match = ariel.expect_line(rf"{pattern}|^-- monitor: a vCPU has kept an interrupt waiting")
        if match[0].startswith("# hostile: "):
            return match
        ariel.expect_opened()
        ariel.command("quit")


PATTERN = bytes((7 * n + 1) % 251 for n in range(256))


def devices(folder):
    """QEMU's arguments for a disk and a network that can be attacked."""
    disk = folder / "disk.img"
    disk.write_bytes(os.urandom(DISK_SIZE))
    return (f" -global virtio-mmio.force-legacy=false -drive file={disk},format=raw,if=none,id=d0"
            " -device virtio-blk-device,drive=d0,bus=virtio-mmio-bus.0 -netdev user,id=n0,restrict=on"
            " -device virtio-net-device,netdev=n0,bus=virtio-mmio-bus.1")


class Attacked:
    """A machine whose guest does jobs, for life seconds at most. What attacks devices has a disk and a network, and the
    RAM that is nobody's is filled with a pattern: a device that wrote there would leave a trace."""

    def __init__(self, boot, elf, folder, cpu, smp, jobs, life, icount=ICOUNT):
        self.name, self.smp, self.jobs, self.elf = f"{cpu}-{smp}", smp, jobs, elf
        self.memory, self.errors, lines = Memory(), folder / "guest_errors", folder / "jobs"
        lines.write_text("".join(f"{kind} {seed} {count}\n" for kind, seed, count in jobs))
        address = JOBS_IPA - memory_map("GUEST_RAM_IPA") + memory_map("GUEST_RAM_PA")
        self.has_devices = any(kind in DEVICES for kind, _, _ in jobs)
        if self.has_devices:
            self.memory.fill(PATTERN)
        self.ariel = boot(elf=elf, cpu=cpu, smp=smp, wait=life // 2, life=life, loads=[(lines, address)],
                          extra=f"{self.memory.arguments} -d guest_errors -D {self.errors}{icount}"
                                f"{TRACED if smp in TRACED_CPUS else ''}"
                                f"{devices(folder) if self.has_devices else ''}")

    def wait_for(self, job, capsys):
        kind, seed, count = job
        if kind in ENDLESS:
            expect_end(self.ariel, rf"^# hostile: {kind} gone$")
            say(capsys, f"{self.name}-{kind}: gone")
            return
        cpus, attacks, bad, late = map(int, expect_end(self.ariel, ACCOUNT.format(kind, seed)).groups())
        with TOTAL["lock"]:
            TOTAL["attacks"] += attacks
            seconds = time.monotonic() - TOTAL["start"]
            say(capsys, f"{self.name}-{kind}: seed {seed}, {cpus} CPUs, {attacks} attacks, {bad} bad; "
                        f"{TOTAL['attacks']} attacks in {seconds:.0f} s")
        assert (bad, late) == (0, 0), f"make hostile SEED={seed} COUNT={count} CASE={self.name}-{kind} ICOUNT=1"
        assert attacks > 0 or kind == "aarch32"

    def wait_for_all(self, capsys):
        for job in self.jobs:
            self.wait_for(job, capsys)

    def check(self, symbols, expected):
        kinds = [kind for kind, _, _ in self.jobs]
        check_monitor(self.ariel, self.smp)
        check_memory(self.memory, self.elf, symbols, expected)
        if self.smp in TRACED_CPUS:
            check_trace(self.ariel, self.memory, self.errors.with_name("rings"), self.smp)
        assert not self.has_devices or self.memory.is_filled(PATTERN), "a device wrote to RAM that is nobody's"
        if kinds[-1] in ENDLESS:
            self.ariel.command("reset")
            self.ariel.expect_line(r"^# hostile: \w+ (gone|seed=)")
        check_log(self.ariel, kinds)
        check_qemu(self.errors)


@pytest.mark.parametrize("cpu, smp, jobs", cases())
def test_el2_stands(boot, elf, symbols, untouched, tmp_path, capsys, cpu, smp, jobs):
    expected = untouched(boot, cpu, smp)
    machine = Attacked(boot, elf, tmp_path, cpu, smp, jobs, life=3600 if WHOLE else 1200)
    machine.wait_for_all(capsys)
    machine.check(symbols, expected)


def test_every_page(boot, elf, symbols, untouched, tmp_path_factory, capsys):
    """One machine for each CPU of the host: in QEMU, each exception of a vCPU waits for the machine's other vCPUs."""
    expected, count = untouched(boot, PAGES_CPU, 1), os.cpu_count()
    jobs = [("sweep", part, COUNT or PAGES // PARTS) for part in range(PARTS)]
    machines = [Attacked(boot, elf, tmp_path_factory.mktemp("pages"), PAGES_CPU, 1, jobs[first::count], life=6 * 3600)
                for first in range(count)]
    with ThreadPoolExecutor(count) as pool:  # a machine that nobody reads from waits
        list(pool.map(lambda machine: machine.wait_for_all(capsys), machines))
    for machine in machines:
        machine.check(symbols, expected)


test_every_page.__test__ = PAGES_CPU is not None


@pytest.mark.parametrize("kind", ("ask", "gic", "storm"))
def test_the_prompt_comes_within_a_second(boot, elf, tmp_path, kind):
    """Eight CPUs, on the few of this host, ask for what only the others know (ask), or do what else concerns the others,
    without end. An exit waits for one round of the others, so a key is heard at once: in 0.1 s on a host with three
    times the load that it has CPUs for. (When each asked the seven others in turn, and queued for that, it took 4 s there,
    and once 38 s.) A try may be slow on a busy host, not three of five."""
    machine = Attacked(boot, elf, tmp_path, "cortex-a57", 8, [(kind, SEED, 1 << 40)], life=600)
    machine.ariel.expect_line("event=guest-enter" if kind != "ask" else "^# hostile: ask begins$")
    time.sleep(2)  # until all CPUs are at it
    times = []
    for _ in range(5):
        start = time.monotonic()
        machine.ariel.attention(wait=60)
        times.append(time.monotonic() - start)
        assert "running" in machine.ariel.command("status").text
        machine.ariel.command("quit")
    assert sorted(times)[2] <= 1, times


def test_a_seed_repeats_an_attack(boot, elf, tmp_path_factory):
    """Where QEMU counts instructions, all that the guest and EL2 say is the same each time, with every time in it; but
    for the tags that are drawn at boot."""
    jobs = [("races", SEED, 500), ("storm", SEED, 500), ("mmio", SEED, 500)]
    said = []
    for _ in range(2):
        ariel = Attacked(boot, elf, tmp_path_factory.mktemp("again"), "cortex-a57", 4, jobs, 1200, COUNTED).ariel
        ariel.expect_line(ACCOUNT.format("mmio", SEED))
        said.append([re.sub(r" tag=\w+", "", line) for line in ariel.lines])
        ariel.close()
    assert said[0] == said[1]


def test_what_changes_is_seen(boot, elf, symbols, untouched):
    """A byte of the untouched half, of EL2's text, of its read-only data, of its tables: the check of memory notices each."""
    expected, memory = untouched(boot, "cortex-a57", 1), Memory()
    ariel = boot(elf=elf, extra=memory.arguments)
    ariel.expect_line(r"^# hostile: ready$")
    check_memory(memory, elf, symbols, expected)
    ram = memory_map("GUEST_RAM_PA") - memory_map("GUEST_RAM_IPA")
    for address in (UNTOUCHED_END - 8 + ram, symbols["text_end"] - 8, symbols["rodata_end"] - 8,
                    symbols["tables"] + 8):
        kept = memory.read(address, 1)
        os.pwrite(memory.file.fileno(), bytes([kept[0] ^ 1]), address - memory_map("RAM_PA"))
        with pytest.raises(AssertionError, match="changed"):
            check_memory(memory, elf, symbols, expected)
        os.pwrite(memory.file.fileno(), kept, address - memory_map("RAM_PA"))
