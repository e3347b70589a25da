#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which folder may include what, where barriers may stand, and who may reach guest memory.

Dependencies run one way: lib <- {mm, drivers, vdev} <- core; arch/aarch64 calls up through hv/trap.h alone. A header in
include/hv belongs to the folder of its module; what every folder may use is COMMON. A quoted include is private: its
file lies in the folder of the file that includes it.
"""

import glob
import os
import re
import sys

# What every folder may use: types, tables and numbers, and the few services that are everywhere.
COMMON = set("bits types status event event_key cause_table call_table call device_table memory_map guest_abi spinlock "
             "cpu panic log trap".split())
# What each folder may include beyond COMMON, itself and hv/arch. vdev and mm see the machine they serve (vm, vcpu);
# vdev reaches hardware through the drivers' public headers, and the person at the serial line through console.h.
ALLOWED = {
    "lib": set(),
    "mm": {"lib", "vm", "vcpu"},
    "drivers": {"lib"},
    "vdev": {"lib", "vm", "vcpu", "drivers", "console", "policy", "mmio", "guest_mem"},
    "core": {"lib", "mm", "drivers", "vdev"},
    "arch/aarch64": {"lib", "mm", "drivers", "vdev", "vm", "vcpu", "policy", "telemetry"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
STANDARD = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h"}
# Barriers and maintenance stand in barrier.h and tlb.c, and in assembly.
BARRIER = re.compile(r'"[^"]*\b(dmb|dsb|isb|tlbi|at s1|at s12)\b[^"]*"')
# Guest memory is reached through mm/guest_mem.c, whose accesses may fault. A cast of an address of its, or of any boxed
# address, to a pointer stands only here, for the reason given.
POINTER = re.compile(r"\*\)\s*(?:\(uintptr_t\))?\s*\(?[^;,]*?(\bGUEST_RAM\w*|\bLINUX_\w+|\.v\b)|\b(guarded_copy)\(")
POINTER_ALLOWED = {
    "mm/guest_mem.c": "the one way",
    "mm/stage2.c": "its own tables, in EL2's memory",
    "core/loader.c": "before any guest runs",
    "core/loader_image.c": "likewise",
    "core/guest_manifest.c": "likewise",
    "core/selftest.c": "asks the MMU, loads nothing of the guest's",
}
# A call of out(), with its row; and a field of a row
ROW = re.compile(r'\bout\(((?:\s*(?:"(?:[^"\\]|\\.)*"|PRI\w+))+)')
FIELD = re.compile(r"(?<![a-z0-9_])[a-z0-9_]+[=:](?:%-?[0-9]*(?:l?[ux]|s|d)|0x%-?[0-9]*l?x)")
ASM = re.compile(r"\b(__asm__|asm)\b[^;]*;", re.S)


def owner_of(header):
    """The folder that implements include/hv/<header>.h: the one with a file of that name, or of its first words."""
    if header in COMMON:
        return "COMMON"
    words = header.split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return next((folder for name in names for folder in ALLOWED if os.path.exists(f"{folder}/{name}.c")), None)


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
    allowed = ALLOWED[folder]
    header = name[len("hv/"):-len(".h")]
    owner = owner_of(header)
    if owner is None and header not in allowed:
        return f"<{name}>: no folder has a {header}.c; name it in COMMON of scripts/check_layering.py if all may use it"
    if owner in ("COMMON", folder) or owner in allowed or header in allowed:
        return None
    return f"<{name}> belongs to {owner}; {folder} may use {' '.join(sorted(allowed)) or 'nothing beyond COMMON'}"


def guest_fault(path, kind, name):
    public = {"hv/guest_abi.h", "hv/memory_map.h", "hv/arch/vcpu_register_table.h"}
    if kind == "<" and name.startswith("hv/") and name not in public:
        return f"<{name}>: guests share only {' '.join(sorted(public))}"
    return None


def strip_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def barrier_faults(path, text):
    if os.path.basename(path) in ("barrier.h", "tlb.c", "tlb.h") or not path.endswith((".c", ".h")):
        return []
    return [f"{path}: {match[1]} outside barrier.h and tlb.c" for block in ASM.finditer(text)
            for match in BARRIER.finditer(block[0])]


def pointer_faults(path, text):
    if path in POINTER_ALLOWED or not path.endswith((".c", ".h")) or path.startswith("include/"):
        return []
    return [f"{path}: {match[1] or match[2]} as a pointer: only mm/guest_mem.c reaches guest memory"
            for match in POINTER.finditer(text)]


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
    for folder in [*ALLOWED, "guest"]:
        for path in sorted(glob.glob(f"{folder}/**/*.[chS]", recursive=True)):
            count += 1
            with open(path, encoding="utf-8") as file:
                text = strip_comments(file.read())
            for kind, name in INCLUDE.findall(text):
                fault = guest_fault(path, kind, name) if folder == "guest" else include_fault(path, folder, kind, name)
                if fault:
                    faults.append(f"{path}: {fault}")
            if folder != "guest":
                faults += barrier_faults(path, text) + pointer_faults(path, text) + row_faults(path, text)
    for fault in faults:
        print(fault)
    print(f"layering: {count} files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
