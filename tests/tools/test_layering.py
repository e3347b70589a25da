# SPDX-License-Identifier: Apache-2.0
"""The rule that guest memory is reached in one place (scripts/check_layering.py) finds who breaks it."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("check_layering", ROOT / "scripts/check_layering.py")
check_layering = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layering)


@pytest.mark.parametrize("line", ["x = *(uint32_t *)GUEST_RAM_PA;", "x = *(const int *)(uintptr_t)ipa.v;",
                                  "x = ((struct a *)(LINUX_DTB_PA + 8))->b;", "memcpy((void *)(uintptr_t)(pa.v + n), y, z);",
                                  "guarded_copy(to, from, 8);"])
def test_guest_memory_is_reached_in_one_place(line):
    assert check_layering.pointer_faults("core/monitor_cmds_mem.c", line)
    assert check_layering.pointer_faults("mm/guest_mem.c", line) == []


@pytest.mark.parametrize("line", ["f(pa_make(GUEST_RAM_PA));", "g(h->pointer, ipa.v);", "*out = ipa.v;"])
def test_what_is_no_pointer_passes(line):
    assert check_layering.pointer_faults("core/vm.c", line) == []
