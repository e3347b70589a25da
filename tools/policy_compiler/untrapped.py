# SPDX-License-Identifier: Apache-2.0
"""Registers that exist, but that no policy can be about: no control that ariel sets traps them (DDI 0487 D1.5, D19.2).

A row that names one gets an answer of its own, since "unknown" would send the reader to look for a typing error. The table
of those that can trap is include/hv/arch/sysreg_table.h; tests hold that no name stands in both.
"""
import fnmatch
import re

from .model import some

FINE = "the fine-grained traps of FEAT_FGT, {}, which ariel does not use"
NONE = "no control of EL2 traps it"
NESTED = "a control for nested virtualization (HCR_EL2.NV1, FEAT_NV), which ariel does not use"
ECV = "CNTHCTL_EL2.{} (FEAT_ECV), which ariel does not use"

# name -> (class of the table with which it belongs or None, what would be needed to trap it)
UNTRAPPED = {
    **{name: (None, FINE.format(f"HFGRTR_EL2.{name} and HFGWTR_EL2.{name}"))
       for name in ("TPIDR_EL0", "TPIDR_EL1", "TPIDRRO_EL0")},
    **{name: ("VM", FINE.format(f"HFGRTR_EL2.{name} and HFGWTR_EL2.{name}")) for name in ("VBAR_EL1", "PAR_EL1")},
    **{name: ("ID", FINE.format(f"HFGRTR_EL2.{name}")) for name in ("MIDR_EL1", "MPIDR_EL1")},
    "ISR_EL1": ("GIC", FINE.format("HFGRTR_EL2.ISR_EL1")),
    **{f"AT_{name}": (None, FINE.format(f"HFGITR_EL2.AT{name}"))
       for name in ("S1E1R", "S1E1W", "S1E0R", "S1E0W", "S1E1RP", "S1E1WP")},
    "CNTVCT_EL0": ("TIMER", ECV.format("EL1TVCT")),
    **{name: ("TIMER", ECV.format("EL1TVT")) for name in ("CNTV_CTL_EL0", "CNTV_CVAL_EL0", "CNTV_TVAL_EL0")},
    **{name: ("TIMER", NONE) for name in ("CNTFRQ_EL0", "CNTKCTL_EL1")},
    **{name: (None, NESTED) for name in ("ELR_EL1", "SPSR_EL1")},
    **{name: (None, NONE) for name in ("SP_EL0", "SPSel", "CurrentEL", "DAIF", "NZCV", "PAN", "UAO", "DIT", "SSBS")},
    **{name: (None, "the trap of all of floating point: [[trap]] name = \"fp\"") for name in ("FPCR", "FPSR")},
    **{name: (None, "SCR_EL3.TRNDR, which is EL3's") for name in ("RNDR", "RNDRRS")},
}
HIGHER = re.compile(r"[A-Z][A-Z0-9_]*_EL(2|3|12|02)")  # registers of EL2 and EL3, and EL1's by their names for EL2


def why_untrapped(word, keys):
    """What to say of a register's name, or a pattern, that the table has not; None where it is no register that exists."""
    name = next((name for name in UNTRAPPED if fnmatch.fnmatchcase(name.upper(), word.upper())), None)
    if name is None:
        if HIGHER.fullmatch(word.upper()):
            return f"register \"{word}\" cannot trap: its name is one of EL2 or EL3, and for EL1 it is UNDEFINED whatever a " \
                   "policy says; leave it out"
        return None
    group, needed = UNTRAPPED[name]
    said = f"{needed}" if needed == NONE else f"that would need {needed}"
    cure = "leave it out"
    if group:
        names = [key.name for key in keys if key.cls == group]
        cure = f"of class {group} these can: {some(names)}; name one of them, or leave it out"
    return f"register \"{name}\" exists, but cannot trap: {said}; {cure}"
