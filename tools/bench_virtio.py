#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a virtio disk costs under ariel: EL2's instructions and exits of a request, and its speed beside the bare machine's.

Boots the disk's bench (guest/block, an arm64 Image) with a disk image of its own. One boot runs under a plugin of QEMU's
translator (tools/plugin/exits.c), which counts every instruction of EL2 between the marks of the guest's jobs: those
figures do not depend on how busy the host is. The speeds are medians of pairs of boots, ariel and bare, in alternating
order. The exit status is 1 when a figure is over its budget.

JSON: {"rows": [{"job", "depth", "requests", "instructions", "exits", "budget", "holds"}], "pairs": [{"job", "depth",
"bare", "ariel" (MiB/s, medians), "ratio" (median of the pairs' ratios), "from", "to", "least", "holds"}], "linux": [{"job",
"unit", "bare", "ariel", "ratio", "from", "to", "least", "holds", "cpu" (the same ratio in time of the host's CPUs)}]};
instructions and exits are EL2's, of one request; budget is null where there is none; pairs and linux, which are Linux's own
disk and network (tools/bench_virtio_linux.py), are empty with --pairs 0.
"""

import argparse
import json
import os
import re
import statistics
import struct
import subprocess
import sys
from pathlib import Path

import bench_virtio_linux
import exits

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_devices  # noqa: E402  (folders, not packages)
import guest_dtb  # noqa: E402
import linux_image  # noqa: E402
import run_linux  # noqa: E402
from fetch_linux import FetchError  # noqa: E402
from run import qemu_command  # noqa: E402

MIB = 1 << 20
COUNT_MIB = 16  # what the sequential jobs move while instructions are counted
ROUNDS_OFFSET = 32  # rounds in guest/bench/start.S
JOB = re.compile(r"# disk (\S+) depth (\d+) requests (\d+) bytes (\d+) ns (\d+) interrupts (\d+) errors (\d+)")
# (job, depth): how many instructions of EL2 a request may cost
BUDGETS = {("random-read", 1): 2500, ("random-write", 1): 2500, ("random-read", 32): 700, ("random-write", 32): 700}
LEAST_RATIO = 0.90


class BenchError(Exception):
    """It could not be measured; the message is one line."""


class Bench:
    """The two command lines for the same disk and the same Image. size: MiB of the disk."""

    def __init__(self, options, size):
        self.folder = Path(options.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.options, self.disk = options, self.folder / "disk.img"
        self.disk.write_bytes(os.urandom(MIB) * size)

    def image(self, mib):
        """The Image with its number of MiB."""
        data = bytearray(Path(self.options.guest).read_bytes())
        struct.pack_into("<Q", data, ROUNDS_OFFSET, mib)
        path = self.folder / f"block.{mib}"
        path.write_bytes(data)
        return path

    def ariel(self, mib):
        words = ["--smp", "1", "--cpu", self.options.cpu, "--folder", str(self.folder / "guest"), "--image",
                 str(self.image(mib)), "--cc", self.options.cc, "--policy", self.options.policy, "--disk", str(self.disk)]
        options = run_linux.arguments_of().parse_args(words)
        loads, _ = run_linux.prepare(options)
        return [*qemu_command(self.options.elf, "1", cpu=self.options.cpu, loads=loads),
                *guest_devices.parse(options).arguments()]

    def bare(self, mib):
        disk = guest_devices.parse(run_linux.arguments_of().parse_args(["--disk", str(self.disk)]))
        return ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", self.options.cpu, "-m", "1G", "-nographic",
                "-serial", "mon:stdio", "-kernel", str(self.image(mib)), *disk.arguments()]


def boot(command, seconds):
    """[(job, depth, requests, bytes, ns)] as the guest says; it powers the machine off at its end."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    text = done.stdout.decode("utf-8", "replace")
    found = [(name, *map(int, numbers)) for name, *numbers in JOB.findall(text)]
    if "# disk end" not in text or not found:
        raise BenchError(f"the guest did not get to its end; the console ended with {text[-400:]!r} "
                         f"{done.stderr.decode('utf-8', 'replace')}")
    wrong = [job for job in found if job[-1]]
    if wrong:
        raise BenchError(f"requests failed: {wrong}")
    return [job[:5] for job in found]


def count(bench, options):
    """The rows of instructions and exits."""
    plugin, map_file = exits.build_plugin(options.folder, options.cc), bench.folder / "map"
    exits.Code(options.elf).write_map(map_file)
    out = bench.folder / "exits"
    jobs = boot([*bench.ariel(COUNT_MIB), *exits.plugin_arguments(plugin, out, map_file)], options.timeout)
    report = exits.Report(out)
    for number, (name, depth, requests, _, _) in enumerate(jobs):
        counted = report.at[2 * number + 1].since(report.at[2 * number]).all_exits()
        budget = BUDGETS.get((name, depth))
        each = counted.instructions / requests
        yield {"job": name, "depth": depth, "requests": requests, "instructions": round(each, 1),
               "exits": round(counted.exits / requests, 2), "budget": budget, "holds": budget is None or each <= budget}


def speeds(bench, options, say):
    """The rows of the pairs."""
    found = {}
    for number in range(options.pairs):
        say(f"pair {number + 1} of {options.pairs}")
        both = {}
        for kind in ("bare", "ariel") if number % 2 else ("ariel", "bare"):
            both[kind] = boot(getattr(bench, kind)(options.mib), options.timeout)
        for bare, ariel in zip(both["bare"], both["ariel"]):
            rates = [size * 1e9 / ns / MIB for _, _, _, size, ns in (bare, ariel)]
            found.setdefault(bare[:2], []).append(rates)
    for (name, depth), rates in found.items():
        ratios = [ariel / bare for bare, ariel in rates]
        ratio = statistics.median(ratios)
        yield {"job": name, "depth": depth, "bare": round(statistics.median(bare for bare, _ in rates), 1),
               "ariel": round(statistics.median(ariel for _, ariel in rates), 1), "ratio": round(ratio, 3),
               "from": round(min(ratios), 3), "to": round(max(ratios), 3), "least": LEAST_RATIO,
               "holds": ratio >= LEAST_RATIO}


def show(rows, pairs):
    print(f"{'of one request':24}{'requests':>9}{'EL2 instructions':>18}{'budget':>8}{'exits':>7}")
    for row in rows:
        budget = row["budget"] or "-"
        print(f"{row['job']:17} at {row['depth']:>2} {row['requests']:>10}{row['instructions']:>18}{budget:>8}{row['exits']:>7}"
              f"{'' if row['holds'] else '  OVER BUDGET'}")
    if pairs:
        print(f"\n{'MiB a second':24}{'bare':>9}{'ariel':>9}{'ratio':>8}{'pairs from to':>16}{'at least':>10}")
    for row in pairs:
        print(f"{row['job']:17} at {row['depth']:>2} {row['bare']:>10}{row['ariel']:>9}{row['ratio']:>8}{row['from']:>10}"
              f"{row['to']:>6}{row['least']:>10}{'' if row['holds'] else '  TOO SLOW'}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elf", default="build/policy-linux/hypervisor.elf")
    parser.add_argument("--guest", default="build/block.bin")
    parser.add_argument("--folder", default="build/bench-virtio", help="where the disk and the counters are kept")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--policy", default="policy/linux.toml", metavar="FILE", help="the one in the hypervisor")
    parser.add_argument("--pairs", type=int, default=5, help="0: count instructions alone")
    parser.add_argument("--mib", type=int, default=256, help="what the sequential jobs move; the disk's size")
    parser.add_argument("--cc", default="gcc", help="the host's C compiler")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one boot")
    bench_virtio_linux.add_arguments(parser)
    return parser.parse_args()


def say(line):
    print(f"bench-virtio: {line}", file=sys.stderr, flush=True)


def main():
    options = arguments()
    try:
        bench = Bench(options, options.mib)
        rows = list(count(bench, options))
        pairs = list(speeds(bench, options, say))
        linux = bench_virtio_linux.measure(options, say) if options.pairs else []
    except (BenchError, bench_virtio_linux.BenchError, FetchError, exits.ExitsError, guest_devices.DeviceError,
            guest_dtb.TreeError, linux_image.ImageError, OSError, subprocess.SubprocessError) as error:
        print(f"bench-virtio: {error}", file=sys.stderr)
        return 2
    if options.format == "json":
        print(json.dumps({"rows": rows, "pairs": pairs, "linux": linux}, indent=1))
    else:
        show(rows, pairs)
        if linux:
            bench_virtio_linux.show(linux)
    return 0 if all(row["holds"] for row in rows + pairs + linux) else 1


if __name__ == "__main__":
    sys.exit(main())
