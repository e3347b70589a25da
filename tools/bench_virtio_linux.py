# SPDX-License-Identifier: Apache-2.0
"""How fast a disk and a network are for Linux under ariel, beside the same Linux on the bare machine.

Both machines have the same kernel, initrd, device tree, disk image and network, and both run all the time. Each job
(tools/workload/transfer.c) is done by one of them and then by the other, in alternating order, while the other one waits
at its console, so that what else happens on the host meets both. Speeds are as the guest's clock has them. Beside them
stands the time that the host's CPUs spent on either machine, which depends less on what else the host does. The figures
are medians of these pairs. tools/bench_virtio.py prints them.
"""

import gzip
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_devices  # noqa: E402  (folders, not packages)
import run_linux  # noqa: E402
import shell_initrd  # noqa: E402
from run import qemu_command  # noqa: E402

MIB = 1 << 20
LEAST_RATIO = 0.90
CMDLINE = "console=ttyAMA0 quiet"
# Reads commands from the console as they come, without a prompt and without echo.
START = b"""stty -echo
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
echo "# ready"
while read -r line; do eval "$line"; done
"""
RESULT = re.compile(r"# bytes (\d+) ns (\d+)\r?\n")
FAILED = re.compile(r"# failed (\d+)\r?\n")


class BenchError(Exception):
    """It could not be measured; the message is one line."""


class Job(NamedTuple):
    """What is measured."""

    name: str
    command: str  # of transfer; {...} are numbers of the options
    size: int  # bytes of what the unit counts
    unit: str
    host: str = ""  # what the host does meanwhile: send, receive


SEQUENTIAL, BLOCK = MIB, 4096
JOBS = (Job("sequential read", "read /dev/vda 1 {sequential} {mib}", MIB, "MiB/s"),
        Job("sequential write", "write /dev/vda 1 {sequential} {mib}", MIB, "MiB/s"),
        Job("random read at 1", "random /dev/vda 1 {block} {random} {span}", BLOCK, "reads/s"),
        Job("random read at 32", "random /dev/vda 32 {block} {random} {span}", BLOCK, "reads/s"),
        Job("TCP to the guest", "receive 7 0", MIB, "MiB/s", "send"),
        Job("TCP from the guest", "send 7 {tcp}", MIB, "MiB/s", "receive"))


def numbers(options):
    """What stands in the jobs' commands."""
    return {"sequential": SEQUENTIAL, "block": BLOCK, "mib": options.mib, "span": options.mib * MIB, "random": options.random,
            "tcp": options.tcp * MIB}


# ---- The two machines


def make_initrd(initrd, cc):
    """Puts the program, and what runs it, behind the shell's initrd."""
    program = initrd.with_name("transfer")
    command = [cc, "-std=gnu2x", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-stack-protector",
               "-fno-pic", "-no-pie", "-static", "-nostdlib", "-Wl,--build-id=none", "-o", program,
               ROOT / "tools/workload/transfer.c"]
    subprocess.run([str(word) for word in command], check=True)
    files = (("start", 0o100644, START), ("bin/transfer", 0o100755, program.read_bytes()), ("TRAILER!!!", 0, b""))
    archive = b"".join(shell_initrd.cpio_entry(number, *file) for number, file in enumerate(files, 1))
    initrd.write_bytes(initrd.read_bytes() + gzip.compress(archive, mtime=0))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    """A booted guest. log: where its console is kept."""

    def __init__(self, command, port, log, seconds):
        self.port, self.seconds, self.seen, self.log = port, seconds, b"", open(log, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def expect(self, pattern):
        """The match of a regular expression in what the console shows from now on, or the failure that the program says."""
        limit = time.monotonic() + self.seconds
        while not (match := pattern.search(self.seen.decode("utf-8", "replace"))):
            ready, _, _ = select.select([self.process.stdout], [], [], max(limit - time.monotonic(), 0))
            data = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            self.log.write(data)
            self.seen += data
            failed = FAILED.search(self.seen.decode("utf-8", "replace"))
            if failed or not data:
                why = os.strerror(int(failed[1])) if failed else "the machine ended" if ready else "nothing came in time"
                raise BenchError(f"{why}; {self.log.name} ends with {self.seen[-300:]!r}")
        self.seen = self.seen[match.end():]
        return match

    def cpu_seconds(self):
        """What the host's CPUs have spent on the machine (clock_getcpuclockid(3) as Linux makes its numbers)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def ready(self):
        self.expect(re.compile("# ready"))

    def run(self, job, values):
        """(the job's speed, what the host's CPUs spent on it)"""
        self.seen, spent = b"", self.cpu_seconds()
        self.process.stdin.write(f"transfer {job.command.format(**values)}\n".encode())
        self.process.stdin.flush()
        if job.host:
            self.expect(re.compile("# listens"))
            exchange(self.port, values["tcp"] if job.host == "send" else 0, self.seconds)
        size, nanoseconds = map(int, self.expect(RESULT).groups())
        expected = values["tcp"] if job.host else values["mib"] * MIB if job.size == MIB else values["random"] * BLOCK
        if size != expected:
            raise BenchError(f"{job.name}: {size} bytes came, not {expected}")
        return size / job.size * 1e9 / nanoseconds, self.cpu_seconds() - spent


def exchange(port, size, seconds):
    """Sends size bytes to the guest, says that there are no more, and reads all that comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        piece = bytes(MIB)
        for _ in range(size // MIB):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(MIB):
            pass


def commands(options, folder):
    """{kind: (QEMU's command line, the forwarded port)} of the two machines."""
    image, initrd = shell_initrd.write(folder / "shell")
    make_initrd(initrd, options.cross_compile + "gcc")
    found, data = {}, os.urandom(MIB) * options.mib
    for kind in ("ariel", "bare"):
        port, disk = free_port(), folder / f"{kind}.img"
        disk.write_bytes(data)
        words = ["--smp", str(options.smp), "--cpu", options.cpu, f"--cmdline={CMDLINE}", "--folder", str(folder / "guest"),
                 "--image", str(image), "--initrd", str(initrd), "--cc", options.cc, "--policy", options.policy,
                 "--disk", str(disk), "--net", f"user,hostfwd=tcp:127.0.0.1:{port}-:7"]
        choices = run_linux.arguments_of().parse_args(words)
        loads, _ = run_linux.prepare(choices)
        devices = guest_devices.parse(choices).arguments()
        if kind == "ariel":
            command = qemu_command(options.elf, str(options.smp), cpu=options.cpu, loads=loads)
        else:
            memory = run_linux.WHERE["GUEST_RAM_SIZE"] >> 20
            command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", options.cpu, "-m", f"{memory}M", "-smp",
                       str(options.smp), "-nographic", "-serial", "mon:stdio", "-kernel", str(folder / "guest/Image"),
                       "-initrd", str(initrd), "-dtb", str(folder / "guest/guest.dtb")]
        found[kind] = ([*command, *devices], port)
    return found


# ---- What is measured


def measure(options, say):
    """One row a job."""
    folder = Path(options.folder) / "linux"
    folder.mkdir(parents=True, exist_ok=True)
    machines = {}
    rates = {job: [] for job in JOBS}
    try:
        for kind, (command, port) in commands(options, folder).items():
            machines[kind] = Machine(command, port, folder / f"{kind}.log", options.boot_timeout)
        say("booting both machines")
        for machine in machines.values():
            machine.ready()
        for number in range(options.pairs):
            say(f"pair {number + 1} of {options.pairs}")
            for job in JOBS:
                both = {}
                for kind in ("bare", "ariel") if number % 2 else ("ariel", "bare"):
                    both[kind] = machines[kind].run(job, numbers(options))
                rates[job].append((both["bare"], both["ariel"]))
    finally:
        for machine in machines.values():
            machine.close()
    return [row(job, pairs) for job, pairs in rates.items()]


def row(job, pairs):
    """pairs: ((speed bare, CPU seconds bare), (the same under ariel))."""
    ratios = [ariel / bare for (bare, _), (ariel, _) in pairs]
    ratio = statistics.median(ratios)
    return {"job": job.name, "unit": job.unit, "bare": round(statistics.median(bare for (bare, _), _ in pairs), 1),
            "ariel": round(statistics.median(ariel for _, (ariel, _) in pairs), 1), "ratio": round(ratio, 3),
            "from": round(min(ratios), 3), "to": round(max(ratios), 3), "least": LEAST_RATIO, "holds": ratio >= LEAST_RATIO,
            "cpu": round(statistics.median(bare / ariel for (_, bare), (_, ariel) in pairs), 3)}


def show(rows):
    print(f"\n{'in Linux':24}{'':8}{'bare':>9}{'ariel':>9}{'ratio':>8}{'pairs from to':>16}{'at least':>10}{'host CPU':>10}")
    for found in rows:
        print(f"{found['job']:24}{found['unit']:8}{found['bare']:>9}{found['ariel']:>9}{found['ratio']:>8}{found['from']:>10}"
              f"{found['to']:>6}{found['least']:>10}{found['cpu']:>10}{'' if found['holds'] else '  TOO SLOW'}")


def add_arguments(parser):
    """The choices that measure reads besides those of tools/bench_virtio.py."""
    parser.add_argument("--smp", type=int, default=1, help="CPUs of Linux")
    parser.add_argument("--random", type=int, default=4000, help="random reads of a job in Linux")
    parser.add_argument("--tcp", type=int, default=64, help="MiB that a transfer by TCP moves")
    parser.add_argument("--cross-compile", default=os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-"))
    parser.add_argument("--boot-timeout", type=int, default=600, help="seconds for Linux to boot, and for one job")
