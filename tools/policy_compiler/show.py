# SPDX-License-Identifier: Apache-2.0
"""The effective policy for people, and what each row costs."""
import re

from .model import KEY_LIMIT, LETS_THROUGH, NEVER_SET, REGISTERS, some


def virtio_cost(what):
    """What a virtio row does beyond its action."""
    rates = [f"{value} {name}/s" for name, value in (("bytes", what.bytes), ("requests", what.rate_requests)) if value]
    words = ["read-only"] * what.read_only + ["mac pinned"] * what.mac + rates
    return ", ".join(["shadow virtqueues" if what.action == "emulate" else "nothing", *words])


def row_cost(policy, row):
    if row.table == "virtio":
        return virtio_cost(row.virtio)
    if row.table == "mmio":
        mine = [r for r in policy.ranges if any(v["row"] is row for v in r["verdicts"])]
        if row.shadow:
            return "stage 2 fault; reads: none while no input waits"
        cost = "no trap (mapped)" if mine and all(r["mapping"] == "DIRECT" for r in mine) else "stage 2 fault"
        return cost + ", stays in the device tree" * row.keep
    if row.table in ("hypercall", "smccc", "smc"):
        return "HCR_EL2.TSC for smc" if row.table != "hypercall" else "hvc"
    dotted = sorted(re.sub(r"^([A-Z]+(?:_HCR)?_EL2)_", r"\1.", bit) for bit in row.bits)
    shown = ", ".join(("no " if bit.replace(".", "_") in LETS_THROUGH + NEVER_SET else "") + bit for bit in dotted)
    trapped = any(verdict["trapped"] for verdict in policy.verdicts.values() if verdict["row"] is row)
    return shown or ("always traps" if trapped else "no trap")


def describe(policy):
    rows = [{"row": row.index, "line": row.line, "subject": row.text,
             "access": "".join("rw"[way] for way in row.directions), "action": row.action, "log": row.log, "trace": row.trace,
             "limit": row.limit, "unlimited": row.unlimited, "cost": row_cost(policy, row), "why": row.why,
             "notes": [f"{some(names)}: {note}" for note, names in row.changed.items()]} for row in policy.rows]
    controls = {register: sorted(bit[len(register) + 1:] for bit in policy.bits if bit.startswith(register + "_"))
                for register in REGISTERS}
    ranges = [{"base": r["base"], "size": r["size"], "device": r["key"].name, "mapping": r["mapping"].lower(),
               "read": r["verdicts"][0]["action"], "write": r["verdicts"][1]["action"]} for r in policy.ranges]
    return {"policy": policy.source.get("name", ""), "file": policy.path, "log_budget": policy.log_budget,
            "rows": rows, "controls": controls, "ranges": ranges, "notes": policy.notes}


def rate(number, unlimited):
    return "unlimited" if unlimited else f"{number}/s"


def show(policy):
    data = describe(policy)
    print(f"policy {data['policy']} ({data['file']}): {policy.source.get('description', '')}")
    head = ("row", "line", "subject", "rw", "action", "log", "trace", "cost", "why")
    table = [head] + [(str(r["row"]), str(r["line"]), r["subject"], r["access"], r["action"],
                       rate(r["limit"] or KEY_LIMIT, r["unlimited"]) if r["log"] else "-", "yes" if r["trace"] else "-",
                       r["cost"], r["why"])
                      for r in data["rows"]]
    widths = [min(max(len(line[column]) for line in table), 44) for column in range(len(head) - 1)]
    for line, row in zip(table, [None] + data["rows"]):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths + [0])).rstrip())
        for note in row["notes"] if row else ():
            print(f"{'':10}note: {note}")
    print(f"\nlog: each key has the rate of its row; all together {rate(data['log_budget'], not data['log_budget'])}")
    print("\ncontrols (beyond what ariel always sets)")
    for register, bits in data["controls"].items():
        print(f"  {register:<12} {' '.join(bits) or '-'}")
    print("  set bits of HCR_EL2.APK, API and CNTHCTL_EL2 let the guest through; all others trap")
    for note in data["notes"]:
        print(f"  note: {note}")
