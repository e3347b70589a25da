# SPDX-License-Identifier: Apache-2.0
"""Names for what a machine says of itself: its CPU by MIDR_EL1, its kernel by its console, fields of ID registers."""

import re

CORES = {0xd03: "Cortex-A53", 0xd04: "Cortex-A35", 0xd05: "Cortex-A55", 0xd07: "Cortex-A57", 0xd08: "Cortex-A72",
         0xd09: "Cortex-A73", 0xd0a: "Cortex-A75", 0xd0b: "Cortex-A76", 0xd0c: "Neoverse N1", 0xd40: "Neoverse V1",
         0xd41: "Cortex-A78", 0xd47: "Cortex-A710", 0xd49: "Neoverse N2", 0xd4f: "Neoverse V2"}
ARM = 0x41
VERSION = re.compile(r"Linux version (\S+)")

# Fields of registers (DDI 0487 D19.2, G8.2): of four bits each from bit 0 up, or (name, high, low)
FIELDS = {
    "ID_AA64PFR0_EL1": "EL0 EL1 EL2 EL3 FP AdvSIMD GIC RAS SVE SEL2 MPAM AMU DIT RME CSV2 CSV3",
    "ID_AA64PFR1_EL1": "BT SSBS MTE RAS_frac MPAM_frac . SME RNDR_trap CSV2_frac NMI",
    "ID_AA64DFR0_EL1": "DebugVer TraceVer PMUVer BRPs PMSS WRPs SEBEP CTX_CMPs PMSVer DoubleLock TraceFilt TraceBuffer MTPMU BRBE",
    "ID_AA64ISAR0_EL1": ". AES SHA1 SHA2 CRC32 Atomic TME RDM SHA3 SM3 SM4 DP FHM TS TLB RNDR",
    "ID_AA64ISAR1_EL1": "DPB APA API JSCVT FCMA LRCPC GPA GPI FRINTTS SB SPECRES BF16 DGH I8MM XS LS64",
    "ID_AA64ISAR2_EL1": "WFxT RPRES GPA3 APA3 MOPS BC PAC_frac CLRBHB",
    "ID_AA64MMFR0_EL1": "PARange ASIDBits BigEnd SNSMem BigEndEL0 TGran16 TGran64 TGran4 TGran16_2 TGran64_2 TGran4_2 ExS . . FGT ECV",
    "ID_AA64MMFR1_EL1": "HAFDBS VMIDBits VH HPDS LO PAN SpecSEI XNX TWED ETS HCX AFP nTLBPA TIDCP1 CMOW ECBHB",
    "ID_AA64MMFR2_EL1": "CnP UAO LSM IESB VARange CCIDX NV ST AT IDS FWB . TTL BBM EVT E0PD",
    "ID_PFR0_EL1": "State0 State1 State2 State3 CSV2 AMU DIT RAS",
    "ID_PFR1_EL1": "ProgMod Security MProgMod Virtualization GenTimer Sec_frac Virt_frac GIC",
    "ID_DFR0_EL1": "CopDbg CopSDbg MMapDbg CopTrc MMapTrc MProfDbg PerfMon TraceFilt",
    "ID_MMFR0_EL1": "VMSA PMSA OuterShr ShareLvl TCM AuxReg FCSE InnerShr",
    "ID_ISAR5_EL1": "SEVL AES SHA1 SHA2 CRC32 . RDM VCMA",
    "MVFR0_EL1": "SIMDReg FPSP FPDP FPTrap FPDivide FPSqrt FPShVec FPRound",
    "CTR_EL0": (("IminLine", 3, 0), ("L1Ip", 15, 14), ("DminLine", 19, 16), ("ERG", 23, 20), ("CWG", 27, 24), ("IDC", 28, 28),
                ("DIC", 29, 29), ("TminLine", 37, 32)),
}


def core_name(midr):
    """ "Cortex-A57 r1p0" of a MIDR_EL1 as meta has it ("0x411fd070"); the text itself for what has no name here."""
    try:
        value = int(midr, 16)
    except (TypeError, ValueError):
        return str(midr)
    name = CORES.get(value >> 4 & 0xfff) if value >> 24 & 0xff == ARM else None
    return f"{name} r{value >> 20 & 0xf}p{value & 0xf}" if name else f"MIDR {midr}"


def kernel_of(lines):
    """What the kernel calls itself in its console's lines, or ""."""
    return next((found[1] for found in map(VERSION.search, lines) if found), "")


def changed_fields(register, first, second):
    """["AuxReg 1 -> 2"] of two values of a register whose name has a table here; fields of four bits by place otherwise."""
    words = FIELDS.get(register, "")
    rows = words if isinstance(words, tuple) else [
        (name, 4 * n + 3, 4 * n) for n, name in enumerate(words.split() + ["."] * (16 - len(words.split())))]
    found = []
    for name, high, low in rows:
        mask = (1 << (high - low + 1)) - 1
        before, after = first >> low & mask, second >> low & mask
        if before != after:
            found.append(f"{name if name != '.' else f'[{high}:{low}]'} {before:#x} -> {after:#x}")
    return found
