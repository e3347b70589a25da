# SPDX-License-Identifier: Apache-2.0
"""The table of a vCPU's registers has every register that a guest can write, or here is why it does not."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import c_source  # noqa: E402

HIDDEN = "always trapped or refused where the CPU has it: no part of the guest's CPU"
SOFTWARE = "always trapped: its value is EL2's own, or none"
VIEW = "another view of a register that the table has"
GIC = "state of ICH_*_EL2, which vgic_init_cpu resets"
WHY_NOT = {
    "SYSTEM INSTRUCTION": re.compile(r"(DC|IC|TLBI)_.*"),  # keeps nothing
    HIDDEN: re.compile(r"RGSR_EL1|GCR_EL1|TFSRE?0?_EL1|ERR?X?\w+_EL1|PM[SB]\w*R_EL1|TRFCR_EL1|LOR\w+_EL1|MPAM[01]_EL1|"
                       r"SCXTNUM_EL[01]|AM(CR|USERENR|CNTEN\w+|EVCNTR\w+)_EL0"),
    SOFTWARE: re.compile(r"OSDLR_EL1|DBGPRCR_EL1|L2\w+_EL1|CPU\w+_EL1"),
    VIEW: re.compile(r"PM(CNTEN|INTEN|OVS)SET_EL[01]|PMXEV\w+_EL0|PMSWINC_EL0|CNTP_TVAL_EL0|DBGCLAIMSET_EL1|"
                     r"DBGDTR(RX)?_EL0"),
    GIC: re.compile(r"ICC_\w+_EL1"),
    "its value at reset is what vcpu_reset found at first (reset_actlr)": re.compile(r"ACTLR_EL1"),
}
# What no table of traps names: the rest of what EL1 and EL0 can write (DDI 0487 D19.2), by hand.
UNTRAPPED = {"SPSR_EL1", "ELR_EL1", "SP_EL0", "SP_EL1", "PAR_EL1", "VBAR_EL1", "TPIDR_EL1", "TPIDR_EL0", "TPIDRRO_EL0",
             "TPIDR2_EL0", "CNTKCTL_EL1", "CNTV_CTL_EL0", "CNTV_CVAL_EL0", "FPCR", "FPSR", "VDISR_EL2", "DACR32_EL2",
             "SPSR_irq", "SPSR_abt", "SPSR_und", "SPSR_fiq", "IFSR32_EL2", "FPEXC32_EL2"}


def table(name, macro):
    return {row[0]: (tuple(map(int, row[1:6])), row[6:]) for row in c_source.rows(f"hv/arch/{name}", macro)}


VCPU = table("vcpu_register_table.h", "VCPU_REGISTER_TABLE")
TRAPPED = table("sysreg_table.h", "SYSREG_TABLE")


def test_the_tables_were_read():
    assert len(VCPU) > 180 and len(TRAPPED) > 300


def test_every_register_that_a_guest_can_write_is_reset():
    writable = {name for name, (_, rest) in TRAPPED.items() if rest[1] != "RO"} | UNTRAPPED
    explained = {name for name in writable if any(reason.fullmatch(name) for reason in WHY_NOT.values())}
    assert sorted(writable - explained - VCPU.keys()) == []
    assert sorted(explained & VCPU.keys()) == [], "in the table, and said not to be"


def test_every_reason_is_that_of_a_register():
    assert all(any(reason.fullmatch(name) for name in TRAPPED) for reason in WHY_NOT.values())


def test_what_is_said_to_be_hidden_is():
    for name, (_, rest) in TRAPPED.items():
        if WHY_NOT[HIDDEN].fullmatch(name):
            assert rest[3] == "UNDEF", name
        if WHY_NOT[SOFTWARE].fullmatch(name):
            assert rest[3] == "RAZ" and rest[2] in ("MDCR_EL2_TDOSA", "HCR_EL2_TIDCP"), name


def test_both_tables_mean_the_same_register():
    for name in VCPU.keys() & TRAPPED.keys():
        assert VCPU[name][0] == TRAPPED[name][0], name
    assert VCPU.keys() - TRAPPED.keys() == UNTRAPPED
