# SPDX-License-Identifier: Apache-2.0
"""The policy compiler: errors by message and line, folding against an independent model, derived controls, output."""
import glob
import gzip
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from policy_compiler import compiler, emit, headers, model, untrapped  # noqa: E402

TABLES = headers.read_tables(include=(os.path.join(ROOT, "include"),))
with open(os.path.join(ROOT, "policy", "linux.toml"), "rb") as shipped:
    SHIPPED = shipped.read()
DEFAULT = 'default = { action = "deny", log = true }\n'


def build(text, default=DEFAULT):
    return compiler.Compiler("test.toml", default + text, *TABLES)


def errors(text, default=DEFAULT):
    with pytest.raises(model.PolicyError) as caught:
        build(text, default)
    return "\n".join(caught.value.args[0])


def verdict(policy, name, way=0):
    key = next(key for key in policy.keys if key.name == name)
    return policy.verdicts[key, way]


@pytest.mark.parametrize("text, message", [
    ('[[sysreg]]\nname = "PMCCNTR_EL1"\naction = "deny"',
     'test.toml:3: unknown register "PMCCNTR_EL1"; did you mean "PMCCNTR_EL0"'),
    ('[[sysreg]]\nclass = "PNU"\naction = "deny"', 'test.toml:3: unknown class "PNU"; did you mean "PMU"?'),
    ('[[sysreg]]\nclass = "PMU"\naction = "dany"', 'test.toml:4: unknown action "dany"; did you mean "deny"?'),
    ('[[sysreg]]\nclass = "PMU"', 'test.toml:2: sysreg PMU: no action'),
    ('[[sysreg]]\naction = "deny"', "test.toml:2: sysreg: needs one of name or class"),
    ('[[sysreg]]\nclass = "PMU"\nacton = "deny"',
     'test.toml:4: unknown field "acton" in sysreg; did you mean "action"?'),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\nlog = 1', "test.toml:5: log must be true or false, not 1"),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\naccess = "x"', 'test.toml:5: access "x" is not'),
    ('[[sysreg]]\nname = "OSLAR_EL1"\naction = "deny"\naccess = "r"', "OSLAR_EL1 can only be written"),
    ('[[sysrag]]\nclass = "PMU"', 'test.toml:2: unknown table or field "sysrag"; did you mean "sysreg"?'),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\nlog = true\nlimit = "5"', 'test.toml:6: limit "5" is not "N/s"'),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\nlimit = "5/s"', "test.toml:5: limit without log"),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\n[[sysreg]]\nname = "PMCR_EL0"\naction = "deny"',
     "test.toml:5: sysreg PMCR_EL0: never reached: line 2 (sysreg PMU) comes first"),
    ('[[sysreg]]\nname = "ID_AA64PFR0_EL1"\naction = "allow"', "would offer the guest what ariel does not virtualize"),
    ('[[sysreg]]\nname = "GCR_EL1"\naction = "emulate"', "no part of the guest's CPU"),
    ('[[sysreg]]\nname = "ICC_PMR_EL1"\naction = "allow"\nlog = true', "EL2 cannot do it in the guest's place"),
    ('[[sysreg]]\nname = "ICC_IAR1_EL1"\naction = "deny"\n[[sysreg]]\nclass = "GIC"\naction = "allow"',
     "needs ICH_HCR_EL2_TALL1, which traps ICC_AP1R0_EL1 too"),
    ('[[mmio]]\ndevice = "virtio-mmio"\naction = "allow"', "it is a bus master"),
    ('[[mmio]]\ndevice = "pl011"\naction = "allow"', "EL2 drives this device itself"),
    ('[[mmio]]\ndevice = "pl061"\naction = "emulate"', "ariel has no emulation of it; allow, raz-wi or deny"),
    ('[[mmio]]\ndevice = "flash"\naction = "emulate"', "ariel has no emulation of it; allow of reads, raz-wi or deny"),
    ('[[mmio]]\ndevice = "fw-cfg"\naction = "emulate"', "ariel has no emulation of it; raz-wi or deny"),
    ('[[mmio]]\ndevice = "pl01"\naction = "deny"', 'unknown device "pl01"; did you mean'),
    ('[[mmio]]\ndevice = "pl031"\nsize = 0\naction = "deny"', "test.toml:4: mmio pl031: the range is empty"),
    ('[[mmio]]\ndevice = "pl031"\noffset = 2\nsize = 4\naction = "deny"', "not a multiple of 4 bytes"),
    ('[[mmio]]\ndevice = "pl031"\noffset = 0x1000\naction = "deny"', "runs past its 0x1000 bytes"),
    ('[[mmio]]\nbase = 0x40000000\nsize = 4096\naction = "deny"', "over guest RAM"),
    ('[[mmio]]\nbase = 0x3ffffffc\nsize = 8\naction = "deny"', "over guest RAM"),
    ('[[mmio]]\nbase = 0x7ffffffffffffffc\nsize = 0x7fffffffffffffff\naction = "deny"', "is not a multiple of 4"),
    ('[[mmio]]\nbase = -4\nsize = 8\naction = "deny"', "wraps"),
    ('[[mmio]]\ndevice = "pl031"\nwidth = 3\naction = "deny"', "width 3 is not 1, 2, 4 or 8"),
    ('[[mmio]]\ndevice = "pl031"\naction = "deny"\n[[mmio]]\ndevice = "pl031"\noffset = 4\nsize = 4\naction = "emulate"',
     "test.toml:5: mmio pl031+0x4: never reached: covered by line 2"),
    ('[[mmio]]\ndevice = "pl031"\noffset = 4\nsize = 4\naction = "deny"\n[[mmio]]\ndevice = "pl031"\naction = "emulate"',
     "test.toml:7: mmio pl031: overlaps line 2"),
    ('[[mmio]]\ndevice = "pl061"\naccess = "r"\nwidth = 4\naction = "allow"\n[[mmio]]\ndevice = "pl061"\naccess = "w"\n'
     'width = 1\naction = "allow"', "different width"),
    ('[[smccc]]\nnumber = 0x84000099\naction = "deny"', 'unknown smccc 0x84000099; what call_table.h does not have'),
    ('[[smccc]]\nname = "psci-version"\naction = "allow"', "never passed on to the firmware"),
    ('[[hypercall]]\nname = "hvc-paus"\naction = "deny"', 'did you mean "hvc-pause"?'),
    ('[[trap]]\nname = "sysreg"\naction = "deny"', "it has rows of its own"),
    ('[[trap]]\nname = "brk"\naction = "allow"\nlog = true', "allow without log, count or trace"),
    ('[[trap]]\nname = "sve"\naction = "allow"', "possible: deny, stop"),
    ('[[wfi]]\naction = "raz-wi"', "possible: allow, emulate"),
    ('sysreg = 3', "test.toml:2: sysreg must be an array of tables"),
    ('[[sysreg]]\nname = ', "test.toml:3: not TOML"),
    ('[[sysreg]]\nname = "A', "test.toml:3: not TOML"),
])
def test_errors_name_line_value_and_cure(text, message):
    assert message in errors(text)


def test_missing_and_bad_default():
    assert "test.toml:1: no default" in errors("", "")
    assert "default must be a table" in errors("", 'default = "deny"\n')
    assert 'unknown action "x"' in errors("", 'default = { action = "x" }\n')


def test_several_errors_in_one_run():
    text = errors('[[sysreg]]\nname = "X1"\naction = "deny"\n[[mmio]]\ndevice = "nope"\naction = "what"\n')
    assert [line.split(":")[1] for line in text.splitlines()] == ["3", "6", "7"]


ALL_AT_ONCE = """\
log_budget = 100
default = { action = "deny", log = true }
[sysreg]
class = "PMU"
action = deny
limit = 10
[[sysreg]
name = "TPIDR_EL0"
action = "deny"
log = True
[[mmio]]
device = "pl061"
action = "emulate"
[[mmio]]
device = "fw-cfg"
action = "allow"
width = 3
[[sysreg]]
name = ["CNTV_CTL_EL0", "SCTLR_EL2", "PMCCNTR_EL1", "timer"]
action = "deny"
log = "true"
limit = 70000
[[sysreg]]
class = "SCTLR_EL1"
action = "deny
[[virtio]]
device = "block"
action = "emulate"
[[mmio]]
base = "0x9010000"
"""


def test_all_errors_of_a_file_by_line_each_with_its_cure():
    """In spite of TOML errors between them, and without what would only follow from another error."""
    assert errors(ALL_AT_ONCE, "").splitlines() == [f"test.toml:{text}" for text in (
        '1: log_budget must be a string, not 100: write "100/s" (records a second), or "unlimited"',
        "3: [sysreg] is one table, and a policy has a list of rows: sysreg must be an array of tables: write [[sysreg]]",
        '5: not TOML: Invalid value: deny; write it in quotes: "deny"',
        '6: limit must be a string, not 10: write "10/s" (records a second), or "unlimited"',
        "7: not TOML: Expected ']]' at the end of an array declaration: [[sysreg]; write [[sysreg]]",
        "10: not TOML: Invalid value: True; write true",
        "13: mmio pl061: emulate is not possible: ariel has no emulation of it; allow, raz-wi or deny",
        "16: mmio fw-cfg: allow is not possible: it is a bus master: it would write at PA what the guest means as IPA; deny, "
        "raz-wi, pause or stop",
        "17: width 3 is not 1, 2, 4 or 8, or a list of them",
        '19: register "CNTV_CTL_EL0" exists, but cannot trap: that would need CNTHCTL_EL2.EL1TVT (FEAT_ECV), which ariel does '
        "not use; of class TIMER these can: CNTPCT_EL0, CNTPCTSS_EL0, CNTP_TVAL_EL0, CNTP_CTL_EL0 and 1 more; name one of them, "
        "or leave it out",
        '19: register "SCTLR_EL2" cannot trap: its name is one of EL2 or EL3, and for EL1 it is UNDEFINED whatever a policy '
        "says; leave it out",
        '19: unknown register "PMCCNTR_EL1"; did you mean "PMCCNTR_EL0"?',
        '19: unknown register "timer": it is a class; write class = "TIMER"',
        "21: log must be true or false, not 'true'; write true without quotes",
        '22: limit must be a string, not 70000: write "N/s" with N from 1 to 65534 (records a second), or "unlimited"',
        "25: not TOML: Illegal character '\\n': the string does not end in its line; end it with the quote that it begins with",
        "29: mmio 0x9010000: no action; one of allow, emulate, raz-wi, deny, pause, stop",
        "30: base must be an integer, not '0x9010000'; write it without quotes, such as 0x9010000")]


def test_errors_of_later_parts_come_along():
    """Each in a row of its own: a field, a name, what is possible, what is never reached, what has no device."""
    text = errors('[[sysreg]]\nname = "NOPE"\naction = "deny"\n[[mmio]]\ndevice = "pl061"\naction = "emulate"\n'
                  '[[wfi]]\naction = "deny"\n[[wfi]]\naction = "stop"\n[[virtio]]\ndevice = "net"\naction = "deny"\n'
                  '[[virtio]]\ndevice = "net"\naction = "deny"\n')
    assert [line.split(":")[1] for line in text.splitlines()] == ["3", "7", "10", "15"]


@pytest.mark.parametrize("text, message", [
    ('[sysreg]\nclass = "PMU"\naction = "deny"\n[sysreg]\nclass = "TLB"\naction = "deny"', "test.toml:5: [sysreg] is one table"),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\n[sysreg.x]\na = 1', 'test.toml:5: unknown field "x" in sysreg'),
    ('[ "wfi" ] # why\naction = "deny"', "test.toml:2: [wfi] is one table"),
    ('sysreg = { class = "PMU", action = "dany" }', 'test.toml:2: unknown action "dany"'),
    ('[[sysreg]]\nclass = "PMU"\naction = "deny"\n"a\\nb" = 1', 'test.toml:2: unknown field "a\\nb" in sysreg'),
    ('[[mmio]]\ndevice = "pl061"\nwidth = 4.0\naction = "deny"', "test.toml:4: width 4.0 is not 1, 2, 4 or 8"),
    ('[[smccc]]\nnumber = true\naction = "deny"', "test.toml:3: number must be a number or a list of them, not True"),
    ('[[smccc]]\nname = 3\naction = "deny"', "test.toml:3: name must be a name or a list of them, not 3"),
    ('[[smccc]]\nname = []\naction = "deny"', "test.toml:3: name must be a name or a list of them, not []"),
    ("[[mmio]]\nbase = 0x" + "f" * 5000, "test.toml:3: a number of 5000 digits: at most 64 bits"),
    ("[[mmio]]\nbase = " + "9" * 5000, "test.toml:3: a number of 5000 digits: at most 64 bits"),
    ("[[mmio]]\nbase = " + "[" * 5000, "test.toml:3: not TOML"),
    ('[[sysreg]]\nname = "TPIDR*"\naction = "deny"', 'register "TPIDR_EL0" exists, but cannot trap: that would need the fine-grained'),
    ('[[sysreg]]\nname = "CNTFRQ_EL0"\naction = "deny"', "no control of EL2 traps it; of class TIMER these can"),
    ('[[sysreg]]\nname = "FPCR"\naction = "deny"', 'all of floating point: [[trap]] name = "fp"; leave it out'),
])
def test_errors_by_what_was_meant(text, message):
    assert message in errors(text)


def test_no_register_both_traps_and_cannot():
    names = {key.name.upper() for key in TABLES[0]["sysreg"]}
    assert not names & {name.upper() for name in untrapped.UNTRAPPED}
    classes = {key.cls for key in TABLES[0]["sysreg"]}
    assert all(group is None or group in classes for group, _ in untrapped.UNTRAPPED.values())


def test_too_many_rows():
    names = [key.name for key in TABLES[0]["sysreg"][:-1] if key.kind == "HW"]
    rows = "".join(f'[[sysreg]]\nname = "{name}"\naction = "emulate"\n' for name in (names * 1024)[:1024])
    assert "too many rows: 1025 with the default, at most 1024" in errors(rows)


def test_lines_survive_comments_strings_and_arrays():
    text = '# [[sysreg]]\n[[sysreg]] # first\nname = [\n  "PMCR_EL0", # [x]\n]\naction = "deny"\n' \
        'why = """\n[[sysreg]]\n"""\n' \
        "[[ sysreg ]]\n\"name\" = '#[[PMSELR_EL0'\naction = 'deny'\n"
    assert 'test.toml:12: unknown register' in errors(text)
    inline = 'sysreg = [\n  { name = "PMCR_EL0", action = "deny" },\n  { name = "NOPE", action = "deny" },\n]\n'
    assert "test.toml:4: unknown register" in errors(inline)


def test_crlf_keeps_lines():
    assert "test.toml:3: unknown register" in errors('[[sysreg]]\r\nname = "NOPE"\r\naction = "deny"\r\n')


@pytest.mark.parametrize("text, bits, absent", [
    ("", {"HCR_EL2_TVM", "HCR_EL2_TRVM", "HCR_EL2_TSC"}, {"CNTHCTL_EL2_EL1PCEN", "HCR_EL2_APK"}),
    ('[[sysreg]]\nclass = ["*"]\naction = "allow"\n', {"HCR_EL2_TID3", "CNTHCTL_EL2_EL1PCEN", "HCR_EL2_APK"},
     {"HCR_EL2_TVM", "HCR_EL2_TRVM", "HCR_EL2_TTLB", "HCR_EL2_TDZ", "MDCR_EL2_TPM", "HCR_EL2_TID2"}),
    ('[[sysreg]]\nname = "TCR_EL1"\naccess = "w"\naction = "allow"\nlog = true\n'
     '[[sysreg]]\nclass = "VM"\naction = "allow"\n',
     {"HCR_EL2_TVM"}, {"HCR_EL2_TRVM"}),
    ('[[sysreg]]\nname = "PMCR_EL0"\naction = "deny"\n[[sysreg]]\nclass = "PMU"\naction = "allow"\n',
     {"MDCR_EL2_TPMCR"}, {"MDCR_EL2_TPM"}),
    ('[[wfi]]\naction = "allow"\n', {"HCR_EL2_TWE"}, {"HCR_EL2_TWI"}),
])
def test_controls_are_what_the_rows_need(text, bits, absent):
    both = '[[trap]]\nname = ["fp", "brk", "breakpoint", "watchpoint"]\naction = "allow"\n'
    gic = '[[sysreg]]\nname = "ICC_*"\naction = "allow"\n' if "*" not in text else ""
    policy = build(both + text + gic)
    assert bits <= policy.bits and not absent & policy.bits


def test_coarse_bit_passes_the_others_on():
    policy = build('[[sysreg]]\nname = "OSLAR_EL1"\naction = "deny"\n[[sysreg]]\nclass = "*"\naction = "allow"\n'
                   '[[trap]]\nname = ["fp", "brk", "breakpoint", "watchpoint"]\naction = "allow"\n')
    assert verdict(policy, "OSLSR_EL1")["action"] == "allow"      # passed on to the hardware
    assert verdict(policy, "OSDLR_EL1")["action"] == "emulate"    # EL2 does not touch it: ariel's own answer
    assert any("MDCR_EL2_TDOSA traps" in note for note in policy.notes)


def test_an_access_of_eight_bytes_never_reaches_the_next_row():
    policy = build('[[mmio]]\ndevice = "pl061"\noffset = 0\nsize = 4\naction = "allow"\nlog = true\n'
                   '[[mmio]]\ndevice = "pl061"\noffset = 4\nsize = 0xffc\naction = "deny"\n')
    widths = {item["base"]: item["widths"] for item in policy.ranges}
    assert widths[0x09030000] == widths[0x09030004] == 7
    assert widths[0x09000000] == 15


# ---- what a guest may not have: it would write memory by itself, or outlive the guest

ALL = ["flash", "gicd", "gic-its", "gicr", "pl011", "pl031", "fw-cfg", "pl061", "smmuv3", "virtio-mmio", "platform-bus",
       "pcie-mmio", "pcie-pio", "pcie-ecam-low", "pcie-ecam"]
MASTERS = ["gic-its", "fw-cfg", "smmuv3", "virtio-mmio", "platform-bus", "pcie-mmio", "pcie-pio", "pcie-ecam-low",
           "pcie-ecam"]
REFUSED = {**dict.fromkeys(MASTERS, ("it is a bus master: it would write at PA what the guest means as IPA",) * 2),
           **dict.fromkeys(["gicd", "gicr", "pl011"], ("EL2 drives this device itself; emulate gives",) * 2),
           "flash": (None, "what is written there outlives the guest and a reset and the machine may boot from it; deny, raz-wi"),
           "pl031": (None, "what is written there outlives the guest and a reset; emulate gives the guest one of its own"),
           "pl061": (None, None)}


@pytest.mark.parametrize("device", ALL)
@pytest.mark.parametrize("log", ["", "log = true\n", "count = true\n"])
def test_only_what_ends_with_the_guest_can_be_allowed(device, log):
    """However a row names the device: by name, in a list, in part, by address, in one direction or both."""
    key = next(key for key in TABLES[0]["device"] if key.name == device)
    forms = [f'device = "{device}"\n', f'device = ["pl061", "{device}"]\n' if device != "pl061" else 'device = ["pl061"]\n',
             f'device = "{device}"\noffset = 8\nsize = 8\n', f'base = {key.base + 8:#x}\nsize = 8\n',
             f'base = {key.base:#x}\nsize = {key.size:#x}\nwidth = 4\n']
    for form in forms:
        for access, ways in (("r", [0]), ("w", [1]), ("rw", [0, 1])):
            row = f'[[mmio]]\n{form}access = "{access}"\naction = "allow"\n{log}'
            reasons = [REFUSED[device][way] for way in ways if REFUSED[device][way]]
            if reasons:
                text = errors(row)
                assert all(reason in text for reason in reasons) and text.startswith("test.toml:")
            else:
                ranges = build(row).ranges
                assert any(r["key"].name == device and r["verdicts"][ways[0]]["action"] == "allow" for r in ranges)
    assert [key.name for key in TABLES[0]["device"] if key.base is not None] == ALL


@pytest.mark.parametrize("default", ['{ action = "allow" }', '{ action = "allow", log = true }'])
def test_a_default_of_allow_leaves_nothing_that_outlives_the_guest(default):
    ranges = build("", f"default = {default}\n").ranges
    got = {r["key"].name: tuple(v["action"] for v in r["verdicts"]) for r in ranges}
    assert got == {**{name: ("deny", "deny") for name in MASTERS}, "virtio-mmio": ("emulate", "emulate"),
                   **{name: ("emulate", "emulate") for name in ("gicd", "gicr", "pl011", "pl031")},
                   "flash": ("allow", "deny"), "pl061": ("allow", "allow")}
    assert {r["key"].name for r in ranges if r["mapping"] == "DIRECT"} <= {"pl061"}


def test_reads_of_the_machines_clock_and_writes_of_the_guests_do_not_go_together():
    reads, writes = ('[[mmio]]\ndevice = "pl031"\naccess = "r"\naction = "%s"\n',
                     '[[mmio]]\ndevice = "pl031"\naccess = "w"\naction = "%s"\n')
    assert "must be of the same device: allow is the machine's" in errors(reads % "allow" + writes % "emulate")
    for first, second in (("emulate", "emulate"), ("allow", "deny"), ("allow", "raz-wi"), ("emulate", "deny")):
        build(reads % first + writes % second)


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(ROOT, "policy/*.toml"))))
def test_no_shipped_policy_lets_a_guest_write_a_real_device(path):
    policy = compiler.compile_file(path, include=(os.path.join(ROOT, "include"),))
    for r in policy.ranges:
        assert r["verdicts"][1]["action"] != "allow" or r["key"].kind == "PLAIN", r["key"].name
        assert r["mapping"] != "DIRECT" or r["key"].kind == "PLAIN", r["key"].name


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(ROOT, "policy/*.toml"))))
def test_drives_and_flash_that_are_not_there_look_so(path):
    """In every policy but lockdown, which refuses them."""
    policy = compiler.compile_file(path, include=(os.path.join(ROOT, "include"),))
    got = {r["key"].name: {v["action"] for v in r["verdicts"]} for r in policy.ranges}
    locked = os.path.basename(path) == "lockdown.toml"
    assert got["virtio-mmio"] == ({"deny"} if locked else {"emulate"})
    assert got["flash"] == ({"deny"} if locked else {"raz-wi"})
    assert got["pl031"] == ({"deny"} if locked else {"emulate"})


def test_a_guest_cannot_turn_the_monitors_step_off():
    """OSDLR_EL1.DLK disables software step: no policy passes it on."""
    assert "MDCR_EL2_TDOSA" in build('[[sysreg]]\nclass = "DEBUG"\naction = "allow"\n').bits


def test_mmio_is_mapped_only_without_log_and_in_whole_pages():
    mapping = {r["base"]: r["mapping"] for r in build('[[mmio]]\ndevice = "pl061"\naction = "allow"\n').ranges}
    assert mapping[0x09030000] == "DIRECT" and mapping[0x09000000] == "TRAPPED"
    for row in ('device = "pl061"\nlog = true', 'device = "pl061"\ncount = true', 'device = "pl061"\naccess = "r"',
                'device = "pl061"\nwidth = 4', 'device = "pl061"\nsize = 4'):
        ranges = build(f'[[mmio]]\naction = "allow"\n{row}\n').ranges
        assert next(r for r in ranges if r["base"] == 0x09030000)["mapping"] == "TRAPPED"


def test_a_shadow_is_the_uarts_whole_and_unseen():
    mapping = {r["base"]: r["mapping"] for r in build('[[mmio]]\ndevice = "pl011"\naction = "emulate"\nshadow = true\n').ranges}
    assert mapping[0x09000000] == "SHADOW" and mapping[0x09010000] == "TRAPPED"
    for row in ('device = "pl031"', 'device = ["pl011"]', 'base = 0x09000000\nsize = 0x1000', 'device = "pl011"\naccess = "r"',
                'device = "pl011"\nwidth = 4', 'device = "pl011"\nsize = 0x1000'):
        assert 'shadow is for a row with device = "pl011"' in errors(f'[[mmio]]\n{row}\naction = "emulate"\nshadow = true\n')
    for action in ('"emulate"\nlog = true', '"emulate"\ncount = true', '"deny"', '"raz-wi"'):
        assert "what is read from the page is not seen" in errors(f'[[mmio]]\ndevice = "pl011"\naction = {action}\nshadow = true\n')
    assert "shadow must be true or false" in errors('[[mmio]]\ndevice = "pl011"\naction = "emulate"\nshadow = 1\n')
    assert 'unknown field "shadow"' in errors('[[sysreg]]\nclass = "ID"\naction = "emulate"\nshadow = true\n')


def test_keep_is_for_a_whole_device_that_is_denied():
    for rows in ('device = "pl031"\naction = "deny"', 'device = ["pl031", "fw-cfg"]\naccess = "r"\naction = "deny"\nlog = true'):
        item = next(r for r in build(f"[[mmio]]\n{rows}\nkeep = true\n").ranges if r["key"].name == "pl031")
        assert item["verdicts"][0]["row"].keep and item["verdicts"][0]["action"] == "deny" and item["mapping"] == "TRAPPED"
    for rows, why in (('[[mmio]]\ndevice = "pl031"\naction = "emulate"', "5: mmio pl031: keep needs action = \"deny\", not 'emulate'"),
                      ('[[mmio]]\ndevice = "flash"\naction = "raz-wi"', "5: mmio flash: keep needs action"),
                      ('[[mmio]]\nbase = 0x9010000\nsize = 0x1000\naction = "deny"', "6: mmio 0x9010000: keep: it is for [[mmio]] rows"),
                      ('[[mmio]]\ndevice = "pl031"\nsize = 8\naction = "deny"', "6: mmio pl031: keep: it is for [[mmio]] rows that name"),
                      ('[[mmio]]\ndevice = "no-device"\naction = "deny"', "5: mmio no-device: keep: it is for"),
                      ('[[mmio]]\ndevice = "pl031"\naccess = "w"\naction = "deny"', '6: mmio pl031: keep with access = "w": reads decide'),
                      ('[[sysreg]]\nclass = "PMU"\naction = "deny"', '5: unknown field "keep" in sysreg: it is for [[mmio]] rows')):
        assert errors(f"{rows}\nkeep = true").startswith(f"test.toml:{why}") and errors(f"{rows}\nkeep = true").count("\n") == 0
    assert errors('[[mmio]]\ndevice = "pl031"\nkeep = true').startswith("test.toml:2: mmio pl031: no action; one of")
    assert errors('[[mmio]]\ndevice = "pl031"\nkeep = true').count("\n") == 0
    assert "keep must be true or false, not 1" in errors('[[mmio]]\ndevice = "pl031"\naction = "deny"\nkeep = 1')
    build('[[mmio]]\ndevice = "pl031"\naction = "emulate"\nkeep = false\n')


# An independent model of "first match wins": rows as (set of names, directions, action), no code of the compiler's.
PLAIN = [key for key in TABLES[0]["sysreg"] if key.kind == "HW" and key.cls in ("VM", "PMU", "TLB", "CACHE", "FP")]
ROW = st.tuples(st.lists(st.sampled_from([key.name for key in PLAIN]), min_size=1, max_size=4, unique=True),
                st.sampled_from(["r", "w", "rw"]), st.sampled_from(model.ACTIONS), st.booleans())


@settings(max_examples=150)
@given(st.lists(ROW, max_size=6))
def test_folding_equals_the_model(rows):
    text, expected, wanted = "", {}, []
    ways = {"r": {0}, "w": {1}, "rw": {0, 1}}
    by_name = {key.name: key for key in PLAIN}
    for names, access, action, log in rows:
        names = [name for name in names if access == "rw" or ways[access] <= set(by_name[name].directions)]
        targets = [(name, way) for name in names for way in ways[access]]
        if not targets or all(target in expected for target in targets):
            continue
        wanted.append(len(wanted) + 1)
        for target in targets:
            expected.setdefault(target, (action, log, wanted[-1]))
        way = f'access = "{access}"\n' if access != "rw" else ""
        text += f'[[sysreg]]\nname = {json.dumps(names)}\n{way}action = "{action}"\nlog = {str(log).lower()}\n'
    policy = build(text)
    for key in PLAIN:
        for way in key.directions:
            got = policy.verdicts[key, way]
            assert (got["action"], got["log"], got["row"].index) == expected.get((key.name, way), ("deny", True, 0))


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from('[]{}="\'#\n\\ ,.sysregnamction012'), max_size=60))
def test_any_text_is_compiled_or_refused(text):
    try:
        build(text)
    except model.PolicyError as error:
        assert error.args[0] and all(line.startswith("test.toml:") for line in error.args[0])


VALUE = st.recursive(
    st.sampled_from(['"deny"', '"rw"', '"PMU"', '"pl031"', '"10/s"', "true", "4", "0", "-1", "0x9010000", "1e400", "nan", "deny",
                     "1979-05-27T07:32:00Z", '"psci-version"', '"*"', '"[a"', '""', "'", "2" * 40, "[", '"\\u0000\\n"', "{ a = 1 }"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]"), max_leaves=4)
FIELD = st.sampled_from(sorted({name for names in model.SUBJECTS.values() for name in names} | set(model.COMMON) | {"x", "a.b"}))
TABLE = st.builds(lambda head, fields: head + "".join(f"{name} = {value}\n" for name, value in fields),
                  st.sampled_from([f"{form % name}\n" for name in [*model.SUBJECTS, "default", "x"]
                                   for form in ("[[%s]]", "[%s]", "[[%s]", "%s = [", "[[%s.y]]")]),
                  st.lists(st.tuples(FIELD, VALUE), max_size=5))


@settings(max_examples=120, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.lists(TABLE, max_size=5).map(lambda parts: (DEFAULT + "".join(parts)).encode()),
                 st.tuples(st.integers(0, 3000), st.binary(max_size=4)).map(
                     lambda cut: SHIPPED[:cut[0]] + cut[1] + SHIPPED[cut[0] + 2:])))
def test_any_file_is_compiled_or_refused_by_line(data):
    """Bytes, tables with fields of every kind, a shipped policy with a hole: never a traceback, always sorted lines."""
    try:
        emit.generate(compiler.compile_data("test.toml", data, TABLES))
    except model.PolicyError as error:
        numbers = [int(line.split(":")[1]) for line in error.args[0]]
        assert numbers and numbers == sorted(numbers) and not any("\n" in line for line in error.args[0])
        assert min(numbers) >= 1 and max(numbers) <= data.count(b"\n") + data.count(b"\r") + 1


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(ROOT, "policy", "*.toml"))))
def test_shipped_policies_compile_and_show(path, tmp_path):
    output = tmp_path / "policy_tables.c"
    base = [sys.executable, os.path.join(ROOT, "tools", "policy_compile.py"), "--policy", path]
    done = subprocess.run(base + ["--output", output, "--show", "--json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["rows"][0]["subject"] == "default" and "TID3" in data["controls"]["HCR_EL2"]
    assert all(row["why"] for row in data["rows"][1:])
    compiled = subprocess.run(["cc", "-std=gnu2x", "-Wall", "-Wextra", "-Werror", "-Itests/fake", "-Iinclude", "-c",
                               "-o", tmp_path / "tables.o", output], cwd=ROOT, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr


def test_command_line_refuses_in_one_line(tmp_path):
    base = [sys.executable, os.path.join(ROOT, "tools", "policy_compile.py")]
    for arguments, message in ((["--policy", "none.toml", "--show"], "none.toml: cannot read the policy"),
                               (["--policy", "policy/diag.toml", "--show", "--cc", "no-cc"],
                                "name a compiler with --cc"),
                               (["--policy", "policy/diag.toml", "--output", "/proc/none/x.c"], "cannot write")):
        done = subprocess.run(base + arguments, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "bad.toml").write_bytes(b"# \xc3(")
    bad = base + ["--policy", tmp_path / "bad.toml", "--show"]
    done = subprocess.run(bad, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "not UTF-8" in done.stderr


def test_lookup_pages_hold_each_row_once():
    keys = TABLES[0]["sysreg"]
    pages = emit.lookup_pages(keys)
    assert sorted(name for page in pages.values() for name in page.values()) == sorted(key.enum for key in keys[:-1])
    for page in pages.values():  # the key of bit n is the first one's and the number of bits below n
        assert [name for _, name in sorted(page.items())] == [key.enum for key in keys if key.enum in page.values()]


def test_each_page_has_a_slot_of_its_own():
    pages = emit.lookup_pages(TABLES[0]["sysreg"])
    multiplier = emit.page_multiplier(pages)
    assert len({emit.page_slot(place, multiplier) for place in pages}) == len(pages)
    with pytest.raises(ValueError, match="SYSREG_SLOT_COUNT"):
        emit.page_multiplier(range(emit.SLOT_COUNT + 1))


def test_document_lists_every_class():
    with open(os.path.join(ROOT, "docs", "POLICY.md"), encoding="utf-8") as file:
        text = file.read()
    words = {key.cls for key in TABLES[0]["sysreg"][:-1]} | {key.kind for key in TABLES[0]["sysreg"][:-1]}
    words |= {key.name for key in TABLES[0]["device"]} | set(model.CAUSE_ACTIONS and model.ACTIONS)
    words |= {key.name for key in TABLES[0]["cause"] if key.id in model.CAUSE_ACTIONS}
    words |= {field for fields in model.SUBJECTS.values() for field in fields} | set(model.COMMON)
    missing = sorted(word for word in words if f"`{word}`" not in text)
    assert not missing, f"docs/POLICY.md does not name {missing}"


@pytest.mark.parametrize("data, name", [
    ("default = {}".encode("utf-16"), "UTF-16: "), ("default = {}".encode("utf-16-le"), "UTF-16 without a byte order mark: "),
    (b"\xef\xbb\xbf" + DEFAULT.encode(), "UTF-8 with a byte order mark: "), (gzip.compress(b"default = {}"), "packed with gzip: "),
])
def test_what_is_no_plain_text_is_named(tmp_path, data, name):
    (tmp_path / "mine.toml").write_bytes(data)
    done = subprocess.run([sys.executable, f"{ROOT}/tools/policy_compile.py", "--policy", tmp_path / "mine.toml", "--output",
                           tmp_path / "out.c"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"mine.toml:1: {name}" in done.stderr


@pytest.mark.parametrize("why, length", [("x" * 112, 112), ("a " + "x" * 108, 112), ("\u00e9" * 13 + " 345678", 113),
                                         ("x" * 113, 113), ("a " + "x" * 109, 113), ('"' * 55, 112), ("\\" * 113, 113)])
def test_a_why_that_a_record_would_cut_is_refused(why, length):
    """As long as a record shows it: quoted and escaped as %pQ does it."""
    text = f"[[sysreg]]\nclass = \"PMU\"\naction = \"deny\"\nwhy = {json.dumps(why)}\n"
    assert len(model.quoted(why)) == length
    if length <= 112:
        assert build(text).rows[1].why == why
    else:
        assert f"test.toml:5: why takes {length} bytes of a log record, quoted and escaped: at most 112; shorten" in errors(text)


@pytest.mark.parametrize("path, place", [
    ("policy/diag.toml", "policy/diag.toml:7"), ("/tmp/my policies/a (b) & c's.toml", "/tmp/my policies/a (b) & c's.toml:7"),
    ("/a/" + "b" * 30 + "/" + "c" * 35 + ".toml", ".../" + "c" * 35 + ".toml:7"), ("d" * 60, "..." + "d" * 43 + ":7")])
def test_the_place_of_a_row_fits_a_record(path, place):
    assert model.place_of(path, 7, 48) == place
    assert len(model.quoted(place)) <= 48


def test_a_list_of_names_fits_a_record():
    names = [key.name for key in TABLES[0]["sysreg"] if key.cls == "ID"]
    row = model.Row("sysreg", 1, {"name": names, "action": "emulate"}, {})
    assert len(", ".join(names)) > 150 > len(row.text) and row.text.endswith(f"and {len(names) - 4} more")


def test_any_path_gives_tables(tmp_path):
    path = tmp_path / "\u00e9 (b) & c's; \"d\" $x.toml"
    path.write_text(DEFAULT)
    text = emit.generate(compiler.compile_file(str(path), "cc", (os.path.join(ROOT, "include"),)))
    assert text.isascii() and "$x.toml:1\"" in text


@pytest.mark.parametrize("text, name, way, actions", [
    ("", "ID_AA64PFR0_EL1", 0, {"emulate", "raz-wi", "deny", "pause", "stop"}),
    ('[[sysreg]]\nclass = "VM"\naction = "allow"', "SCTLR_EL1", 1, set()),
    ('[[sysreg]]\nname = "SCTLR_EL1"\naction = "allow"\naccess = "w"\ncount = true\n[[sysreg]]\nclass = "VM"\naction = "allow"',
     "TCR_EL1", 1, {"allow", "emulate", "raz-wi", "deny", "pause", "stop"}),
    ('[[sysreg]]\nname = "PMCNTENSET_EL0"\naction = "deny"', "PMCR_EL0", 1, {"allow", "emulate", "raz-wi", "deny", "pause", "stop"}),
    ("", "psci-version", 1, {"emulate", "deny", "pause", "stop"}), ("", "psci-version", 0, set()),
    ("", "wfi", 0, {"allow", "emulate", "deny", "pause", "stop"}), ('[[wfi]]\naction = "allow"', "wfi", 0, set()),
    ("", "pl011", 1, {"emulate", "raz-wi", "deny", "pause", "stop"}),
])
def test_what_the_monitor_can_set(text, name, way, actions):
    policy = build(text)
    key = next(key for key in policy.keys if key.name == name)
    line = next((line for line in emit.settable_table(policy) if f"[{key.enum}]" in line), "{0x0, 0x0}")
    bits = int(line[line.rindex("{") + 1:line.rindex("}")].split(",")[way], 16)
    assert {action for n, action in enumerate(model.ACTIONS) if bits >> n & 1} == actions
