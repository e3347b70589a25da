#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the trace costs that goes to a file (TRACE=), and how much of it there is.

Instructions of an exit, counted by QEMU -icount, without the trace and with it: they repeat exactly. Then records a second,
of a guest that does nothing but trap; and a Linux on 4 CPUs that observes (POLICY=linux-observe), from its start to /init,
in pairs with the trace and without, one after the other: medians, which move with the host and its load. The exit status is
1 when an exit costs more than its limit, or a record was lost.
"""

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench
import bench_linux

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tools")]
import channels  # noqa: E402  (folders, not packages)
import guest_dtb  # noqa: E402
import linux_image  # noqa: E402
from ariel.errors import ArielError  # noqa: E402
from ariel.trace import Trace  # noqa: E402
from fetch_linux import FetchError, fetch  # noqa: E402
from run import BOARDS  # noqa: E402

ROUNDS = 20_000  # of each operation of the guest that only traps
CPUS = 4
PORT_LIMIT = 2  # instructions of an exit: its share of what it takes to hand a chunk on


class BenchError(Exception):
    """It could not be measured; the message is one line."""


def trace_arguments(path):
    return channels.channel_arguments("", "", BOARDS["virt"].transports, (), str(path))


def read_trace(path):
    """{"records", "lost", "bytes", "seconds" between its first chunk and its last}"""
    with Trace(path) as trace:
        if trace.damages:
            raise BenchError(f"{path}: {trace.damages[0]}")
        losses = trace.losses().values()
        chunks = trace.boots[-1].chunks
        ticks = int(chunks["closed"].max()) - int(chunks["opened"].min())
        return {"records": sum(loss.records for loss in losses), "lost": sum(max(loss.gaps, loss.drops) for loss in losses),
                "bytes": os.path.getsize(path), "seconds": ticks / trace.meta["hz"]}


# ---- What an exit costs, and how many there are in a second


def costs(options, folder):
    machine = bench.Machine(options, folder)
    without = machine.ariel(bench.ICOUNT)
    traced = machine.ariel(" ".join([bench.ICOUNT, *trace_arguments(Path(folder) / "costs")]))
    for row in bench.traced(without, traced):
        yield {"operation": row["operation"], "without": without[row["operation"]], "traced": row["instructions"],
               "limit": row["limit"] + PORT_LIMIT * row["exits"], "holds": row["more"] <= row["limit"] + PORT_LIMIT * row["exits"]}


def rate(options, folder):
    """Of a guest that traps as fast as it can. seconds_without: its time without the trace."""
    machine, path = bench.Machine(options, folder), Path(folder) / "rate"
    started = time.monotonic()
    machine.ariel("", ROUNDS)
    between = time.monotonic()
    machine.ariel(" ".join(trace_arguments(path)), ROUNDS)
    ended = time.monotonic()
    found = read_trace(path)
    return found | {"per_second": found["records"] / found["seconds"], "seconds_traced": ended - between,
                    "seconds_without": between - started}


# ---- Linux


def boot(command, seconds):
    """Seconds until /init runs."""
    started, seen = time.monotonic(), b""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            while b"@0\r\n" not in seen:
                ready, _, _ = select.select([process.stdout], [], [], max(started + seconds - time.monotonic(), 0))
                data = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
                if not data:
                    raise BenchError(f"no /init, but {'the end' if ready else 'nothing'}: {seen[-300:]!r}")
                seen += data
            return time.monotonic() - started
        finally:
            process.kill()


def linux(options, say):
    pair = bench_linux.Pair(options, CPUS, fetch())
    times, traces = {False: [], True: []}, []
    for number in range(options.pairs):
        say(f"Linux, pair {number + 1} of {options.pairs}")
        for traced in (False, True) if number % 2 else (True, False):
            path = pair.folder / "linux.trace"
            more = trace_arguments(path) if traced else []
            times[traced].append(boot([*pair.ariel, *more], options.timeout))
            if traced:
                traces.append(read_trace(path))
                path.unlink()
    return {"cpus": CPUS, "policy": options.policy, "seconds_without": statistics.median(times[False]),
            "seconds_traced": statistics.median(times[True]),
            "ratios": [traced / without for without, traced in zip(times[False], times[True])],
            "ratio": statistics.median(traced / without for without, traced in zip(times[False], times[True])),
            "records": statistics.median(trace["records"] for trace in traces), "lost": sum(trace["lost"] for trace in traces),
            "bytes": statistics.median(trace["bytes"] for trace in traces)}


# ---- What is shown


def show(result):
    print(f"{'instructions of':22} {'without':>9} {'traced':>8} {'more':>6} {'at most':>8}")
    for row in result["costs"]:
        print(f"{row['operation']:22} {row['without']:>9} {row['traced']:>8} {row['traced'] - row['without']:>6} {row['limit']:>8}"
              f"{'' if row['holds'] else '  OVER BUDGET'}")
    found = result["rate"]
    print(f"\na guest that only traps: {found['per_second']:,.0f} records a second to a file, {found['records']:,} records, "
          f"{found['lost']} lost; {found['seconds_traced']:.2f} s with the trace, {found['seconds_without']:.2f} s without")
    found = result["linux"]
    if found:
        print(f"Linux, {found['cpus']} CPUs, to /init: {found['records']:,.0f} records, {found['bytes'] / 1e6:.1f} MB, {found['lost']} "
              f"lost; {found['seconds_traced']:.2f} s with the trace, {found['seconds_without']:.2f} s without, ratio "
              f"{found['ratio']:.3f} (pairs {min(found['ratios']):.3f} to {max(found['ratios']):.3f})")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elf", default="build/policy-linux-observe/hypervisor.elf", help="the hypervisor for Linux")
    parser.add_argument("--bench-elf", default="build/hypervisor.elf", help="the one for the guest that only traps")
    parser.add_argument("--guest", default="build/bench.bin")
    parser.add_argument("--folder", default="build/bench-trace-file", help="where images are kept")
    parser.add_argument("--policy", default="policy/linux-observe.toml", metavar="FILE", help="the one in the hypervisor for Linux")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--pairs", type=int, default=5, help="0: no Linux")
    parser.add_argument("--cc", default="gcc", help="the host's C compiler")
    parser.add_argument("--cross-compile", default=os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-"))
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one run")
    return parser.parse_args()


def measure(options):
    def say(line):
        print(f"bench-trace: {line}", file=sys.stderr, flush=True)

    trapping = argparse.Namespace(**{**vars(options), "elf": options.bench_elf})
    with tempfile.TemporaryDirectory() as folder:
        say("exits")
        result = {"costs": list(costs(trapping, folder)), "rate": rate(trapping, folder)}
    return result | {"linux": linux(options, say) if options.pairs else None}


def main():
    options = arguments()
    try:
        result = measure(options)
    except (BenchError, ArielError, FetchError, linux_image.ImageError, guest_dtb.TreeError, RuntimeError, OSError,
            subprocess.SubprocessError) as error:
        print(f"bench-trace: {error}", file=sys.stderr)
        return 2
    if options.format == "json":
        print(json.dumps(result, indent=1))
    else:
        show(result)
    lost = result["rate"]["lost"] + (result["linux"] or {"lost": 0})["lost"]
    return 0 if lost == 0 and all(row["holds"] for row in result["costs"]) else 1


if __name__ == "__main__":
    sys.exit(main())
