#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what ariel costs, in executed instructions, and holds each figure to its budget.

Boots build/hypervisor.elf under `-icount shift=0,sleep=off`, where one instruction takes one nanosecond of guest time,
so that the figures are the same in every run. The diagnostic guest's `cost` command times the operations (loop of 2 to
4 instructions included); the record "guest-enter" says how much EL2 took from reset to the guest's first instruction.
The exit status is 1 when a figure is over its budget.
"""

import argparse
import json
import subprocess
import sys
import time

import pexpect

# operation: (budget, what the best peer takes, which peer)
BUDGETS = {
    "hvc-psci-version": (120, 193, "Bao 2.0"),
    "hvc-get-hv-id": (120, None, None),
    "id-register-read": (120, 393, "Xen unstable"),
    "gicd-typer-read": (170, 228, "Bao 2.0"),
    "gicd-isenabler-write": (200, 755, "Xen 4.17"),
    "gicr-typer-read": (170, 272, "Bao 2.0"),
    "uart-status-read": (170, 567, "Xen 4.17"),
    "sgi-to-self": (300, 803, "Bao 2.0"),
    "reset-to-guest": (500_000, 575_000, "Bao 2.0"),
}


def qemu_command(elf, cpu):
    return ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3", "-cpu", cpu, "-m", "1G", "-nographic",
            "-serial", "mon:stdio", "-kernel", elf, "-icount", "shift=0,sleep=off"]


def measure(elf, cpu, seconds):
    """Operation -> instructions. Raises RuntimeError when the guest does not get there."""
    command = qemu_command(elf, cpu)
    child = pexpect.spawn(command[0], command[1:], timeout=seconds, encoding="utf-8", codec_errors="replace")
    figures = {}
    try:
        child.expect(r"t=(\d+) [^\n]*event=guest-enter")
        figures["reset-to-guest"] = int(child.match.group(1)) * 1000
        child.expect(r"# ariel-guest: \d+ passed")
        child.expect("\n")
        time.sleep(0.2)
        child.send("cost\r")
        while child.expect([r"# cost (\S+) (\d+)\s", "# cost end"]) == 0:
            figures[child.match.group(1)] = int(child.match.group(2))
    except (pexpect.TIMEOUT, pexpect.EOF) as error:
        tail = (child.before or "")[-400:]
        raise RuntimeError(f"the guest did not answer in {seconds} s; the console ended with: {tail!r}") from error
    finally:
        child.close(force=True)
    return figures


def rows(figures):
    for name, (budget, peer, who) in BUDGETS.items():
        value = figures.get(name)
        yield {"operation": name, "instructions": value, "budget": budget, "peer": peer, "peer_name": who,
               "holds": value is not None and value <= budget}


def show(table):
    print(f"{'operation':22} {'this run':>9} {'budget':>9}  {'best peer':>22} {'ratio':>6}")
    for row in table:
        peer = f"{row['peer']} ({row['peer_name']})" if row["peer"] else "-"
        ratio = f"{row['instructions'] / row['peer']:.2f}" if row["peer"] and row["instructions"] is not None else "-"
        value = "missing" if row["instructions"] is None else row["instructions"]
        print(f"{row['operation']:22} {value:>9} {row['budget']:>9}  {peer:>22} {ratio:>6}"
              f"{'' if row['holds'] else '  OVER BUDGET'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elf", default="build/hypervisor.elf")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--timeout", type=int, default=120, help="seconds for the whole run")
    options = parser.parse_args()
    try:
        table = list(rows(measure(options.elf, options.cpu, options.timeout)))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if options.format == "json":
        print(json.dumps(table, indent=1))
    else:
        show(table)
    return 0 if all(row["holds"] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
