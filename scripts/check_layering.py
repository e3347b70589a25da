#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What may be included by what name, where barriers may stand, and who may know and reach guest memory.

A quoted include is private: its file lies in the folder of the file that includes it. All others are <hv/...>.
"""

import glob
import os
import re
import sys

from rooms import FOLDERS

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
STANDARD = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h"}
# Barriers and maintenance stand in barrier.h and tlbi.h, and in assembly.
BARRIER = re.compile(r'"[^"]*\b(dmb|dsb|isb|tlbi|at s1|at s12)\b[^"]*"')
# Guest memory is reached through mm/guest_mem.c, whose accesses may fault. A cast of an address of its, or of any boxed
# address, to a pointer stands only here, for the reason given.
POINTER = re.compile(r"\*\)\s*(?:\(uintptr_t\))?\s*\(?[^;,]*?(\bGUEST_RAM\w*|\bLINUX_\w+|\.v\b)|\b(guarded_copy)\(")
POINTER_ALLOWED = {
    "mm/guest_mem.c": "the one way",
    "mm/stage2.c": "its own tables, in EL2's memory",
    "boot/loader_parts.h": "before any guest runs",
    "vm/selftest.c": "asks the MMU, loads nothing of the guest's",
}
# Where the guests' RAM is stands in the plan of the VMs and in the table of the board. All other code is handed a VM,
# and finds its RAM in vm->space: a second VM has RAM of its own.
PLANNED = re.compile(r"\bGUEST_RAM_\w+")
PLANNED_ALLOWED = {"vm/plan.c", "platform/platform.c"}
# A call of out(), with its row; and a field of a row
ROW = re.compile(r'\bout\(((?:\s*(?:"(?:[^"\\]|\\.)*"|PRI\w+))+)')
FIELD = re.compile(r"(?<![a-z0-9_])[a-z0-9_]+[=:](?:%-?[0-9]*(?:l?[ux]|s|d)|0x%-?[0-9]*l?x)")
ASM = re.compile(r"\b(__asm__|asm)\b[^;]*;", re.S)


def include_fault(path, folder, kind, name):
    """Why this include breaks the rules, or None."""
    if kind == '"':
        private = os.path.join(os.path.dirname(path), name)
        return None if os.path.exists(private) or folder.startswith("tests") else f'"{name}" lies in another folder'
    if name in STANDARD or name == "asm-offsets.h" or name == "version.h":
        return None
    if not name.startswith("hv/"):
        return f"<{name}>: only <hv/...>, <hv/arch/...> and {' '.join(sorted(STANDARD))}"
    if name.startswith("hv/arch/"):
        return f"<{name}>: lib knows no architecture" if folder == "lib" else None
    return None


def guest_fault(path, kind, name):
    public = {"hv/guest_abi.h", "hv/memory_map.h", "hv/virtio.h", "hv/arch/vcpu_register_table.h"}
    if kind == "<" and name.startswith("hv/") and name not in public:
        return f"<{name}>: guests share only {' '.join(sorted(public))}"
    return None


def strip_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def barrier_faults(path, text):
    if os.path.basename(path) in ("barrier.h", "tlbi.h") or not path.endswith((".c", ".h")):
        return []
    return [f"{path}: {match[1]} outside barrier.h and tlbi.h" for block in ASM.finditer(text)
            for match in BARRIER.finditer(block[0])]


def pointer_faults(path, text):
    if path in POINTER_ALLOWED or not path.endswith((".c", ".h")) or path.startswith("include/"):
        return []
    return [f"{path}: {match[1] or match[2]} as a pointer: only mm/guest_mem.c reaches guest memory"
            for match in POINTER.finditer(text)]


def planned_faults(path, text):
    if path in PLANNED_ALLOWED or not path.endswith(".c"):
        return []
    return [f"{path}: {match[0]}: the VM's RAM is in vm->space, and only vm/plan.c says where that is"
            for match in PLANNED.finditer(text)]


def row_faults(path, text):
    """Rows of out() (monitor_out.h) with a conversion that is no field's value: with -j it has no name."""
    faults = []
    for call in ROW.finditer(text):
        row = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call[1]))
        left = FIELD.sub("", row).replace("%%", "")
        if "%" in left:
            faults.append(f'{path}: out("{row}"): %{left.split("%", 1)[1][:3]} is not the value of a field: name=%...')
    return faults


def main():
    faults = []
    count = 0
    for folder in [*FOLDERS, "guest"]:
        for path in sorted(glob.glob(f"{folder}/**/*.[chS]", recursive=True)):
            count += 1
            with open(path, encoding="utf-8") as file:
                text = strip_comments(file.read())
            for kind, name in INCLUDE.findall(text):
                fault = guest_fault(path, kind, name) if folder == "guest" else include_fault(path, folder, kind, name)
                if fault:
                    faults.append(f"{path}: {fault}")
            if folder != "guest":
                faults += barrier_faults(path, text) + pointer_faults(path, text) + planned_faults(path, text) + row_faults(path, text)
    for fault in faults:
        print(fault)
    print(f"layering: {count} files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
