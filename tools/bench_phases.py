#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where the instructions of an exit go: runs the bench guest under a plugin of QEMU's translator (tools/plugin/exits.c)
and lists, for some operations, the functions that their most frequent way through EL2 goes through, in order of their
first instruction, with how many instructions each took. Inlined functions count by themselves. The loop of the guest,
which `make bench` includes, is not in these figures.

JSON: [{"operation", "instructions", "runs", "telemetry", "phases": [{"function", "instructions"}]}]
"""

import argparse
import collections
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import bench
import exits

# operation: (functions on its way, functions that are not). Of the two ways that `make bench` measures, with x1 and with
# x19, this is the longer one, which has to store or load x19.
OPERATIONS = {
    "hvc-get-hv-id": (("quick_call", "call_hvc_key"), ("call_smccc_key",)),
    "id-register-read": (("quick_id_register", "load_register"), ()),
    "gicd-typer-read": (("vgic_distributor_access", "load_register"), ("vgic_bank_access",)),
    "uart-status-read": (("vpl011_access", "load_register"), ("write_data", "access_word")),
    "uart-write": (("channel_put", "store_register"), ("push",)),
    "sgi-to-self": (("quick_sgi", "vgic_list", "store_register"), ()),
    "virtual-timer": (("vtimer_interrupt",), ("trap_wf",)),
}
TELEMETRY = ("telemetry_begin", "telemetry_enter", "telemetry_end", "telemetry_end_with", "begin", "finish", "arrive", "note", "judge")


def way_of(report, code, wanted, unwanted):
    """(PCs, how often) of the most frequent exit through some functions and not through others."""
    for path, runs in report.paths.most_common():
        names = set().union(*(code.chains[pc] for pc in path))
        if names.issuperset(wanted) and not names.intersection(unwanted):
            return path, runs
    raise exits.ExitsError(f"no exit went through {', '.join(wanted)}: mend the list in tools/bench_phases.py")


def listing(report, code):
    for operation, (wanted, unwanted) in OPERATIONS.items():
        path, runs = way_of(report, code, wanted, unwanted)
        counts = collections.Counter(code.chains[pc][0] for pc in path)  # keeps the order of first instructions
        yield {"operation": operation, "instructions": len(path), "runs": runs,
               "telemetry": sum(counts[name] for name in TELEMETRY),
               "phases": [{"function": name, "instructions": count} for name, count in counts.items()]}


def show(table):
    for row in table:
        print(f"{row['operation']}: {row['instructions']} instructions, {row['telemetry']} of them for event and counters")
        for phase in row["phases"]:
            print(f"  {phase['instructions']:4} {phase['function']}")


def run(options, folder):
    """(report, code) of the bench guest."""
    code = exits.Code(options.elf)
    code.write_map(f"{folder}/map")
    plugin = exits.build_plugin(folder, options.cc)
    words = exits.plugin_arguments(plugin, f"{folder}/out", f"{folder}/map", paths=True)
    bench.Machine(options, folder).ariel(" ".join([bench.ICOUNT, *words]))
    return exits.Report(f"{folder}/out"), code


def main():
    parser = argparse.ArgumentParser(description="List where the instructions of an exit go.")
    parser.add_argument("--elf", default="build/hypervisor.elf")
    parser.add_argument("--guest", default="build/bench.bin")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--cc", default="gcc", help="the host's C compiler")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--timeout", type=int, default=300, help="seconds")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            table = list(listing(*run(options, Path(folder))))
    except (exits.ExitsError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"bench-phases: {error}", file=sys.stderr)
        return 2
    if options.format == "json":
        print(json.dumps(table, indent=1))
    else:
        show(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
