# SPDX-License-Identifier: Apache-2.0
"""What docs/ARCHITECTURE.md says under "How to add" is enough: a copy of the tree gets one of each by just these steps, is
built, and shows on the machine that each one works. Every file that is touched here is named by the section that it
belongs to, and no section has more than ten lines."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import ROOT, Ariel

LINES_MAX = 10

# How each thing is added: {heading of its section: {file: its text, or [(text that stands there, what replaces it)]}}
ADDITIONS = {
    "A system register": {
        # The copy forgets a register that the table has, and gets another in its place, with a behaviour of its own.
        "include/hv/arch/sysreg_table.h": [
            ("SYSREG(MDCCINT_EL1,       2, 0,  0,  2, 0, DEBUG,   RW, MDCR_EL2_TDA,          RAZ)",
             "SYSREG(PROBE_EL1,         2, 0,  0,  2, 0, DEBUG,   RW, MDCR_EL2_TDA,          PROBE)")],
        "trap/probe.c": """// SPDX-License-Identifier: Apache-2.0
// A register that counts how often it was read.
#include "sysreg_ops.h"

static uint64_t count;

static enum hv_status read_probe(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    (void)vcpu, (void)key;
    *value = ++count;
    return HV_OK;
}

static enum hv_status write_probe(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    (void)vcpu, (void)key;
    count = value;
    return HV_OK;
}

const struct sysreg_ops sysreg_PROBE = {read_probe, write_probe};
""",
    },
    "A hypercall": {
        "include/hv/guest_abi.h": [
            ("#define HV_ID ", "#define HVC_PROBE 6 // x1 = a number; result: the next one\n\n#define HV_ID ")],
        "include/hv/call_table.h": [
            ("an exception that the guest could not handle\")",
             "an exception that the guest could not handle\") \\\n    HVC_CALL(PROBE, 6, \"hvc-probe\", hvc_probe, \"returns x1 + 1\")")],
        "trap/hypercall.c": [
            ("#include <hv/guest_mem.h>\n", "#include <hv/guest_mem.h>\n#include <hv/probe.h>\n"),
            ("int64_t hvc_get_hv_id(struct vcpu *vcpu)\n",
             "int64_t hvc_probe(struct vcpu *vcpu)\n{\n    probe_send();\n    return (int64_t)vcpu_get_reg(vcpu, 1) + 1;\n}\n\n"
             "int64_t hvc_get_hv_id(struct vcpu *vcpu)\n")],
    },
    "A device": {
        "vdev/probe.c": """// SPDX-License-Identifier: Apache-2.0
// A device whose registers read as their own offset.
#include <hv/device_ops.h>

static enum mmio_result probe_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value)
{
    (void)vcpu;
    if (!(access & MMIO_WRITE))
        *value = offset;
    return MMIO_DONE;
}

const struct device_ops device_probe = {.access = probe_access};
""",
        "include/hv/device_table.h": [
            ('    DEVICE(PLATFORM_BUS,',
             '    DEVICE(PROBE, "probe", 0x0b000000, 0x1000, MASTER, probe, "reads as offsets") \\\n    DEVICE(PLATFORM_BUS,')],
    },
    "A monitor command": {
        "monitor/cmds/probe.c": """// SPDX-License-Identifier: Apache-2.0
// The command of the probe.
#include <hv/monitor_cmds.h>

#include <hv/monitor_out.h>
#include <hv/probe.h>

const char *cmd_probe(const struct monitor_words *words)
{
    (void)words;
    out("taken=%u\\n", probe_taken());
    return NULL;
}
""",
        "include/hv/monitor_cmds.h": [("MONITOR_HANDLER(cmd_print);\n", "MONITOR_HANDLER(cmd_print);\nMONITOR_HANDLER(cmd_probe);\n")],
        "monitor/commands.c": [
            ('    COMMAND("regs", ', '    COMMAND("probe",   "", "", "", "SGIs of the probe", cmd_probe, NULL),\n    COMMAND("regs", ')],
    },
    "An interrupt of EL2's own": {
        # The owner of SGI 5
        "include/hv/probe.h": """// SPDX-License-Identifier: Apache-2.0
// An SGI that says an event.
#pragma once

void probe_init(void);
void probe_send(void);
unsigned int probe_taken(void);
""",
        "core/probe.c": """// SPDX-License-Identifier: Apache-2.0
// An SGI that says an event.
#include <hv/probe.h>

#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/machine.h>
#include <hv/notify.h>

#define SGI_PROBE 5

static unsigned int taken;

static enum irq_end handle(void *argument)
{
    ++*(unsigned int *)argument;
    notify_post(NOTIFY_PROBE, vcpu_current());
    return IRQ_DONE;
}

void probe_init(void)
{
    irq_register(SGI_PROBE, handle, &taken);
    gicv3_enable(SGI_PROBE, 0);
}

void probe_send(void)
{
    gicv3_send_sgi(SGI_PROBE, 0);
}

unsigned int probe_taken(void)
{
    return taken;
}
""",
        "boot/main.c": [("#include <hv/printf.h>\n", "#include <hv/printf.h>\n#include <hv/probe.h>\n"),
                        ("    log_boot_done();\n", "    log_boot_done();\n    probe_init();\n")],
    },
    "An event that opens the monitor": {
        "include/hv/notify.h": [('    row(GUEST_OOPSES, ', '    row(PROBE, "the probe was asked") \\\n    row(GUEST_OOPSES, ')],
    },
}
# What asks for all of them: not a part of what is shown, but of its test.
GUEST = """// SPDX-License-Identifier: Apache-2.0
#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/mmio.h"
#include "lib/print.h"

void guest_main(void);

void guest_main(void)
{
    uint64_t value = 0;
    struct exception e = cpu_try_read(SYS_ENCODING(2, 0, 0, 2, 0), &value);

    if (!e.taken)
        e = cpu_try_read(SYS_ENCODING(2, 0, 0, 2, 0), &value);
    print("register taken=%u value=0x%lx\\n", e.taken, value);
    print("device 0x%x\\n", mmio_read32(0x0b000124));
    print("call %ld\\n", call_hvc(6, 41, 0, 0));
    for (;;)
        __asm__ volatile("wfi");
}
"""
POLICY = """# SPDX-License-Identifier: Apache-2.0
name = "probe"
description = "emulates what can be"
default = { action = "emulate", why = "a test" }
"""


def sections():
    """{heading: its text} of "How to add"."""
    text = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
    part = text.split("\n## How to add\n", 1)[1].split("\n## ", 1)[0]
    return {match[1]: match[0] for match in re.finditer(r"^\*\*(.+?)\.\*\*.*?(?=\n\n|\Z)", part, re.M | re.S)}


def add(tree, edits):
    for name, edit in edits.items():
        path = tree / name
        if isinstance(edit, str):
            assert not path.exists(), f"{name} is new"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit)
            continue
        text = path.read_text(encoding="utf-8")
        for there, instead in edit:
            assert text.count(there) == 1, f"{name}: {text.count(there)} times {there!r}"
            text = text.replace(there, instead)
        path.write_text(text, encoding="utf-8")


def make(tree, *arguments):
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", "-j2", *arguments], cwd=tree, env=environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree():
    """A copy of the sources with one of each added, built with a guest that asks for them."""
    with tempfile.TemporaryDirectory(prefix="ariel-how-to-add-") as folder:
        copy = Path(folder) / "ariel"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build", "dist", ".git", ".*cache", "__pycache__"))
        for edits in ADDITIONS.values():
            add(copy, edits)
        add(copy, {"policy/probe.toml": POLICY, "guest/probe.c": GUEST})
        make(copy, "POLICY=probe", "GUEST_MAIN=guest/probe.c", "build/hypervisor.elf")
        yield copy


@pytest.fixture(scope="module")
def ariel(tree):
    """The machine after the guest has asked: the monitor is open."""
    with Ariel(elf=tree / "build/hypervisor.elf") as machine:
        machine.expect_opened()
        yield machine


@pytest.mark.parametrize("heading", ADDITIONS)
def test_the_section_names_each_file_in_ten_lines(heading):
    text = sections()[heading]
    assert len(text.splitlines()) <= LINES_MAX
    rest = text
    for name in ADDITIONS[heading]:
        folder, _, file = name.rpartition("/")
        # A file that is new may have any name in the folder that the section says.
        named = f"`{name}`" in rest or f"`{folder}/`" in rest or f"`{folder}/<name>" in rest
        if name in ("core/probe.c", "include/hv/probe.h"):  # whose interrupt it is: any file of EL2
            continue
        assert named, f"{name} is not in the section:\n{text}"


def test_a_system_register(ariel):
    assert "register taken=0 value=0x2" in ariel.lines, ariel.tail()
    assert "PROBE_EL1" in ariel.command("exc top register").text


def test_a_device(ariel):
    assert "device 0x124" in ariel.lines, ariel.tail()
    assert "probe" in ariel.command("exc top device").text


def test_an_event_opened_the_monitor(ariel):
    assert any("the probe was asked" in line for line in ariel.lines)


def test_a_monitor_command_says_that_the_interrupt_came(ariel):
    assert ariel.command("probe") == ["taken=1"]
    assert any("SGIs of the probe" in line for line in ariel.command("help probe"))


def test_a_hypercall(ariel):
    assert "hvc-probe" in ariel.command("exc top call").text
    ariel.send("close\r")  # the guest's console waits as long as the monitor is open
    ariel.expect_line("^call 42$")


def test_a_board(tree):
    """It is one header of numbers; nothing else names the board."""
    assert "`platform/<board>.h`" in sections()["A board"] and len(sections()["A board"].splitlines()) <= LINES_MAX
    text = (tree / "platform/virt.h").read_text().replace('PLATFORM_NAME "virt"', 'PLATFORM_NAME "other"')
    (tree / "platform/other.h").write_text(text)
    make(tree, "PLATFORM=other", "BUILD=build/other", "build/other/hypervisor.elf")
