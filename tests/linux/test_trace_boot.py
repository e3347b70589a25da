# SPDX-License-Identifier: Apache-2.0
"""A Linux on 4 CPUs whose every exit goes to a file (TRACE=): nothing is lost, and it agrees with what was counted."""

import re

import channels
from run import BOARDS
from test_linux import no_trouble
from test_trace_port import counted, exits_by_key, lines_of, log_lines  # tests/qemu

from ariel import trace_format as form
from ariel.trace import Trace


def test_the_trace_of_a_boot_is_complete(boot_shell, tmp_path):
    file, log = tmp_path / "trace", tmp_path / "log"
    extra = " ".join(channels.channel_arguments("", str(log), BOARDS["virt"].transports, (), str(file)))
    linux = boot_shell(smp=4, policy="linux-observe", extra=extra)
    linux.done("true")
    no_trouble(linux)
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0
    with Trace(file) as trace:
        assert trace.damages == [] and trace.cut_bytes == 0 and len(trace.boots) == 1
        losses = trace.losses()
        assert set(losses) == {0, 1, 2, 3} and all(loss.gaps == loss.drops == 0 for loss in losses.values())
        assert trace.meta["policy"] == "linux-observe" and trace.meta["vms"][0]["guest"] == "Linux Image"
        lines = log_lines(log.read_text())
        assert lines_of(trace, form.TEXT_LOG) == lines
        # The CPUs that Linux has stopped are in a loop of WFI, which goes on between the end of their trace and the count.
        exits, counters = exits_by_key(trace), counted(lines)
        assert exits.pop("psci-system-off") == 1  # an exit that never ended is in no counter
        for key in set(exits) | set(counters):
            parked = key in ("irq", "wfi", "wfe")
            assert counters[key] == exits[key] or (parked and counters[key] > exits[key]), (key, exits[key], counters[key])
        text = "\n".join(lines_of(trace, form.TEXT_CONSOLE))
        assert "Linux version" in text and re.search(r"reboot: Power down", text)
