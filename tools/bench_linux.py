#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Linux pays for running under ariel: the same kernel, initramfs and device tree with ariel and without.

Boots Debian's installer kernel in pairs, one after the other, with 1 and 4 CPUs, and lets it do the work of
tools/workload/workload.sh. Wall times are medians of the pairs. One more boot of each kind runs under a plugin of QEMU's
translator (tools/plugin/exits.c), which counts every instruction: those are exact and do not depend on how busy the
machine is, since time goes by instructions then, too. The exit status is 1 when a figure is over its budget.
"""

import argparse
import gzip
import json
import os
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

import exits

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_dtb  # noqa: E402  (folders, not packages)
import linux_image  # noqa: E402
import run_linux  # noqa: E402
from fetch_linux import FetchError, fetch  # noqa: E402
from run import qemu_command  # noqa: E402
from shell_initrd import cpio_entry  # noqa: E402

CMDLINE = "console=ttyAMA0 quiet rdinit=/workload"
ICOUNT = ("-icount", "shift=0,sleep=off")  # an instruction takes one nanosecond of guest time: timers repeat too
WORKLOADS = ("to /init", "gunzip", "fork and exec", "ping-pong", "console")  # mark n ends workload n
TEXT_SIZE = 1 << 20
COLUMNS = ("console", "gic", "timer", "rest")
BUDGET_RATIO = 1.05
BUDGET_BOOT = 300_000  # instructions of EL2 between the guest's entry and /init, console aside
BUDGET_CHARACTER = 270


class BenchError(Exception):
    """It could not be measured; the message is one line."""


# ---- What is booted


def text():
    """What the console shows."""
    lines = (f"{n:07d} the quick brown fox jumps over the lazy dog {n * n:>13d}\n" for n in range(TEXT_SIZE))
    return "".join(line for line, _ in zip(lines, range(TEXT_SIZE // 64))).encode()[:TEXT_SIZE].ljust(TEXT_SIZE, b".")


def make_initrd(installer, path, cc):
    """The installer's initrd, and the workload as a second archive behind it."""
    program = path.with_name("workload")
    command = [cc, "-std=gnu2x", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-stack-protector",
               "-fno-pic", "-no-pie", "-static", "-nostdlib", "-Wl,--build-id=none", "-o", program,
               ROOT / "tools/workload/workload.c"]
    subprocess.run([str(word) for word in command], check=True)
    files = (("workload", 0o100755, program.read_bytes()), ("text", 0o100644, text()),
             ("data.gz", 0o100644, gzip.compress(text() * 4, mtime=0)),
             ("workload.sh", 0o100755, (ROOT / "tools/workload/workload.sh").read_bytes()), ("TRAILER!!!", 0, b""))
    archive = b"".join(cpio_entry(number, *file) for number, file in enumerate(files, 1))
    path.write_bytes(Path(installer).read_bytes() + gzip.compress(archive, mtime=0))


class Pair:
    """QEMU's command lines with ariel and without, for one number of CPUs."""

    def __init__(self, options, smp, installer):
        self.smp, self.folder = smp, Path(options.folder) / f"{smp}"
        self.folder.mkdir(parents=True, exist_ok=True)
        initrd = self.folder / "initrd"
        make_initrd(installer[1], initrd, options.cross_compile + "gcc")
        words = ["--smp", str(smp), "--cpu", options.cpu, f"--cmdline={CMDLINE}", "--folder", str(self.folder),
                 "--image", str(installer[0]), "--initrd", str(initrd), "--cc", options.cc,
                 "--policy", options.policy]
        loads, _ = run_linux.prepare(run_linux.arguments_of().parse_args(words))
        self.ariel = qemu_command(options.elf, str(smp), cpu=options.cpu, loads=loads)
        memory = run_linux.WHERE["GUEST_RAM_SIZE"] >> 20
        self.bare = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", options.cpu, "-m", f"{memory}M", "-smp",
                     str(smp), "-nographic", "-serial", "mon:stdio", "-kernel", str(self.folder / "Image"), "-initrd",
                     str(initrd), "-dtb", str(self.folder / "guest.dtb")]


def boot(command, seconds):
    """Seconds at each mark. Raises BenchError when the last one does not come, or the console lost text."""
    started, seen, times = time.monotonic(), b"", []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            while len(times) < len(WORKLOADS):
                ready, _, _ = select.select([process.stdout], [], [], max(started + seconds - time.monotonic(), 0))
                data = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
                if not data:
                    raise BenchError(f"after {len(times)} marks, {'the end' if ready else 'nothing'}: {seen[-300:]!r}")
                seen += data
                if f"@{len(times)}\r\n".encode() in seen[-len(data) - 8:]:
                    times.append(time.monotonic() - started)
            process.communicate(timeout=60)
        finally:
            process.kill()
    if b"failed to boot" in seen:
        raise BenchError("Linux could not start each CPU")
    if seen.replace(b"\r", b"").count(text()) != 1:
        raise BenchError("the console did not show the text as it is")
    return times


# ---- What is measured


def laps(times):
    return [after - before for before, after in zip([0, *times], times)]


def wall_times(pairs, count, seconds, say):
    """{smp: [(laps bare, laps ariel)]}"""
    found = {pair.smp: [] for pair in pairs}
    for number in range(count):
        for pair in pairs:
            say(f"pair {number + 1} of {count}, {pair.smp} CPU{'s' * (pair.smp > 1)}")
            both = {}
            for kind in ("bare", "ariel") if number % 2 else ("ariel", "bare"):
                both[kind] = laps(boot(getattr(pair, kind), seconds))
            found[pair.smp].append((both["bare"], both["ariel"]))
    return found


def count_instructions(pair, plugin, map_file, seconds, say):
    """(report bare, report ariel)"""
    reports = []
    for kind, map_of in (("bare", None), ("ariel", map_file)):
        say(f"instructions {kind}, {pair.smp} CPU{'s' * (pair.smp > 1)}")
        out = pair.folder / f"{kind}.exits"
        boot([*getattr(pair, kind), *ICOUNT, *exits.plugin_arguments(plugin, out, map_of)], seconds)
        reports.append(exits.Report(out))
    return reports


def split(counters):
    """Column -> Exits."""
    found = dict.fromkeys(COLUMNS, exits.Exits(0, 0))
    for cause, row in counters.by_cause().items():
        column = cause if cause in found else "rest"
        found[column] = exits.Exits(found[column].exits + row.exits, found[column].instructions + row.instructions)
    return found


def rows(smp, walls, bare, ariel):
    """One row a workload."""
    for number, name in enumerate(WORKLOADS):
        before = (bare.at[number - 1], ariel.at[number - 1]) if number else (exits.Counters(), exits.Counters())
        without, under = bare.at[number].since(before[0]), ariel.at[number].since(before[1])
        row = {"cpus": smp, "workload": name, "guest_instructions_bare": without.guest, "guest_instructions": under.guest,
               "el2_instructions": under.all_exits().instructions, "exits": under.all_exits().exits,
               "causes": {cause: part._asdict() for cause, part in under.by_cause().items()},
               "columns": {column: part._asdict() for column, part in split(under).items()},
               "flushes": {str(why): n for why, n in under.flushes().items()}}
        if walls:
            row |= wall_part([(pair[0][number], pair[1][number]) for pair in walls], row)
        yield row


def wall_part(pairs, row):
    seconds = statistics.median(ariel for _, ariel in pairs)
    return {"seconds_bare": statistics.median(bare for bare, _ in pairs), "seconds": seconds,
            "ratio": statistics.median(ariel / bare for bare, ariel in pairs),
            "ratios": [ariel / bare for bare, ariel in pairs],
            "exits_per_second": {column: part["exits"] / seconds for column, part in row["columns"].items()}}


def budgets(table):
    """[{name, value, budget, holds}]"""
    found = []

    def hold(name, value, budget):
        found.append({"name": name, "value": value, "budget": budget, "holds": value <= budget})

    for row in table:
        cpus = f"{row['cpus']} CPU{'s' * (row['cpus'] > 1)}"
        if row["workload"] == "to /init":
            if "ratio" in row:
                hold(f"wall time to /init over bare QEMU's, {cpus}", round(row["ratio"], 3), BUDGET_RATIO)
            apart = row["el2_instructions"] - row["columns"]["console"]["instructions"]
            if row["cpus"] == 1:  # with more, the calls from CPU to CPU, which depend on what runs where
                hold(f"EL2 instructions to /init without console, {cpus}", apart, BUDGET_BOOT)
        if row["workload"] == "console":
            value = round(row["columns"]["console"]["instructions"] / TEXT_SIZE, 1)
            hold(f"EL2 instructions per character on the console, {cpus}", value, BUDGET_CHARACTER)
        hold(f"exits that empty a software TLB, {row['workload']}, {cpus}", row["flushes"].get("None", 0), 0)
    return found


# ---- What is shown


def show_walls(table):
    print(f"{'wall time, seconds':24}{'bare':>8}{'ariel':>8}{'ratio':>7}{'pairs from to':>15}   exits per second "
          + " ".join(f"{column:>8}" for column in COLUMNS))
    for row in table:
        rates = " ".join(f"{row['exits_per_second'][column]:8.0f}" for column in COLUMNS)
        print(f"{row['workload']:15}{row['cpus']:>2} CPUs  {row['seconds_bare']:8.2f}{row['seconds']:8.2f}"
              f"{row['ratio']:7.3f}{min(row['ratios']):8.3f}{max(row['ratios']):7.3f}{'':20}{rates}")
    print()


def show_instructions(table):
    print(f"{'instructions':24}{'bare, M':>10}{'ariel, M':>10}{'EL2, M':>9}{'exits':>9}   EL2 in k: "
          + " ".join(f"{column:>9}" for column in COLUMNS))
    for row in table:
        parts = " ".join(f"{row['columns'][column]['instructions'] / 1e3:9.1f}" for column in COLUMNS)
        print(f"{row['workload']:15}{row['cpus']:>2} CPUs  {row['guest_instructions_bare'] / 1e6:10.1f}"
              f"{(row['guest_instructions'] + row['el2_instructions']) / 1e6:10.1f}{row['el2_instructions'] / 1e6:9.3f}"
              f"{row['exits']:9d}{'':14}{parts}")
    print()


def show(table, held):
    if "ratio" in table[0]:
        show_walls(table)
    show_instructions(table)
    for row in held:
        if not row["name"].startswith("exits that empty") or not row["holds"]:
            print(f"{row['name']:62}{row['value']:>10}  budget {row['budget']:>8}{'' if row['holds'] else '  OVER BUDGET'}")
    print(f"exits that empty a software TLB and may not: {sum(row['flushes'].get('None', 0) for row in table)}")


def arguments():
    parser = argparse.ArgumentParser(description="Compare Linux under ariel with Linux on bare QEMU.")
    parser.add_argument("--elf", default="build/policy-linux/hypervisor.elf")
    parser.add_argument("--folder", default="build/bench-linux", help="where images and counters are kept")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--policy", default="policy/linux.toml", metavar="FILE", help="the one in the hypervisor")
    parser.add_argument("--smp", default="1,4", help="numbers of CPUs")
    parser.add_argument("--pairs", type=int, default=5, help="0: count instructions alone")
    parser.add_argument("--cc", default="gcc", help="the host's C compiler")
    parser.add_argument("--cross-compile", default=os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-"))
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one boot")
    return parser.parse_args()


def measure(options):
    def say(line):
        print(f"bench-linux: {line}", file=sys.stderr, flush=True)

    plugin, map_file = exits.build_plugin(options.folder, options.cc), Path(options.folder) / "map"
    exits.Code(options.elf).write_map(map_file)
    installer = fetch()
    pairs = [Pair(options, int(smp), installer) for smp in options.smp.split(",")]
    reports = [count_instructions(pair, plugin, map_file, options.timeout, say) for pair in pairs]
    walls = wall_times(pairs, options.pairs, options.timeout, say)
    return [row for pair, both in zip(pairs, reports) for row in rows(pair.smp, walls[pair.smp], *both)]


def main():
    options = arguments()
    try:
        table = measure(options)
    except (BenchError, exits.ExitsError, FetchError, linux_image.ImageError, guest_dtb.TreeError, OSError,
            subprocess.SubprocessError) as error:
        print(f"bench-linux: {error}", file=sys.stderr)
        return 2
    held = budgets(table)
    if options.format == "json":
        print(json.dumps({"rows": table, "budgets": held}, indent=1))
    else:
        show(table, held)
    return 0 if all(row["holds"] for row in held) else 1


if __name__ == "__main__":
    sys.exit(main())
