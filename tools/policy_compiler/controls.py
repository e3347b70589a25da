# SPDX-License-Identifier: Apache-2.0
"""The bits of the trap control registers that the verdicts need, and what those bits trap along."""
import re

from .model import ALWAYS_SET, BASE, CAUSE_ACTIONS, DIRECT, LETS_THROUGH, NEVER_SET, PASSABLE, REGISTERS, some


def derive_controls(policy):
    wanted, members = {}, {}
    for (key, way), verdict in policy.verdicts.items():
        for bit in bits_of(key, way):
            members.setdefault(bit, []).append((key, way))
            if verdict["trapped"]:
                wanted.setdefault(bit, []).append((key, way))
                verdict["row"].bits.add(bit)
    if "MDCR_EL2_TPM" in wanted and "MDCR_EL2_TPMCR" in wanted:
        wanted["MDCR_EL2_TPM"] += wanted.pop("MDCR_EL2_TPMCR")
    if "MDCR_EL2_TPM" in wanted:
        members["MDCR_EL2_TPM"] += members["MDCR_EL2_TPMCR"]
    if "MDCR_EL2_TDE" in wanted:  # "behaves as if" (DDI 0487 D19.3, MDCR_EL2.TDE)
        for bit in ("MDCR_EL2_TDA", "MDCR_EL2_TDOSA", "MDCR_EL2_TDRA"):
            wanted[bit] = wanted.get(bit, []) + wanted["MDCR_EL2_TDE"]
    for bit, wants in wanted.items():
        drag(policy, bit, wants, members[bit])
    policy.bits = {bit for bit in wanted if bit not in LETS_THROUGH + NEVER_SET} | set(ALWAYS_SET)
    policy.bits |= {bit for bit in LETS_THROUGH if bit not in wanted}


def bits_of(key, way):
    if key.group == "cause" and key.id not in CAUSE_ACTIONS or key.group not in ("cause", "sysreg"):
        return ()
    if key.control.upper() == "ALWAYS" or key.control in BASE:
        return ()
    if key.group == "sysreg" and way not in key.directions:
        return ()
    if key.control == "HCR_EL2_TVM" and way == 0:
        return ("HCR_EL2_TRVM",)
    return (key.control,) if re.match("|".join(REGISTERS), key.control) else ()


def traps(key, way, bits):
    """Whether each access to a key in a direction (0 read, 1 write or call) is an exit with these control bits set. Of devices
    their ranges say it, of causes without a bit their verdict; both are True here, as what always traps."""
    if key.group == "sysreg" and way not in key.directions:
        return False
    needed = bits_of(key, way)
    if "MDCR_EL2_TPMCR" in needed and "MDCR_EL2_TPM" in bits:  # TPM traps PMCR_EL0, too
        return True
    return not needed or any(bit in NEVER_SET or (bit in bits) != (bit in LETS_THROUGH) for bit in needed)


def drag(policy, bit, wants, members):
    """The others that a coarse bit traps along: they are passed on, each with its own verdict."""
    along = [(key, way) for key, way in members if not policy.verdicts[key, way]["trapped"]]
    for key, way in along:
        verdict = policy.verdicts[key, way]
        if key.kind == "NONE" or key.group == "cause" and bit not in LETS_THROUGH and key.id in DIRECT:
            first = policy.verdicts[wants[0]]["row"]
            policy.error(first.line, f"{first.text}: {wants[0][0].name} needs {bit}, which traps {key.name} "
                         "too, and that cannot be passed on; give both the same verdict")
        elif key.group == "sysreg" and key.kind not in PASSABLE:
            verdict["action"] = "emulate"
    if along:
        names = some(sorted({key.name for key, _ in along}))
        policy.notes.append(f"{bit} traps {names} along; passed on")
