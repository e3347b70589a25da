# SPDX-License-Identifier: Apache-2.0
"""The rule that guest memory is reached in one place (scripts/check_layering.py) finds who breaks it."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
spec = importlib.util.spec_from_file_location("check_layering", ROOT / "scripts/check_layering.py")
check_layering = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layering)


@pytest.mark.parametrize("line", ["x = *(uint32_t *)GUEST_RAM_PA;", "x = *(const int *)(uintptr_t)ipa.v;",
                                  "x = ((struct a *)(LINUX_DTB_PA + 8))->b;", "memcpy((void *)(uintptr_t)(pa.v + n), y, z);",
                                  "guarded_copy(to, from, 8);"])
def test_guest_memory_is_reached_in_one_place(line):
    assert check_layering.pointer_faults("monitor/cmds/memory.c", line)
    assert check_layering.pointer_faults("mm/guest_mem.c", line) == []


@pytest.mark.parametrize("line", ["f(pa_make(GUEST_RAM_PA));", "g(h->pointer, ipa.v);", "*out = ipa.v;"])
def test_what_is_no_pointer_passes(line):
    assert check_layering.pointer_faults("vm/vm.c", line) == []


def test_only_the_plan_and_the_board_know_where_guest_ram_is():
    line = "uint64_t end = GUEST_RAM_IPA + GUEST_RAM_SIZE;"
    assert len(check_layering.planned_faults("boot/loader.c", line)) == 2
    assert check_layering.planned_faults("vm/plan.c", line) == []
    assert check_layering.planned_faults("platform/platform.c", line) == []
    assert check_layering.planned_faults("vm/vm.c", "x = vm->space.ram[0].range.base;") == []


@pytest.mark.parametrize("line", ['out("table=TTBR%u b=%s\\n", a, b);', 'out("a=%u "\n    "b %s", a, b);', 'out("%u", a);',
                                  'out("a=%.*s", n, a);', 'out("a=%p", a);', 'out("A=%u", a);', 'out("a=%-*s", n, a);'])
def test_a_conversion_outside_a_field_is_found(line):
    assert len(check_layering.row_faults("core/x.c", line)) == 1


@pytest.mark.parametrize("line", ['out("a=%u b:%-12s c=0x%016lx d:%d 5%%\\n", a);', 'out("\\n");', 'out_note("%u", a);', 'layout("%u");'])
def test_rows_of_fields_pass(line):
    assert check_layering.row_faults("core/x.c", line) == []


def test_the_rows_of_the_monitor_are_found():
    text = "".join(path.read_text() for path in ROOT.glob("*/**/*.c") if "monitor" in str(path.relative_to(ROOT)))
    assert len(check_layering.ROW.findall(text)) > 60
