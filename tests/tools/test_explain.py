# SPDX-License-Identifier: Apache-2.0
"""tools/ariel/explain.py says what the monitor's explain says: the monitor's own code, compiled for the host, is asked the
same questions."""

import ast
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
from ariel import tables, trace_format as form  # noqa: E402
from ariel.explain import explain_esr, explain_record  # noqa: E402
from ariel.trace import Boot  # noqa: E402
from ariel.trace_index import INDEX  # noqa: E402
import trace_maker  # noqa: E402

START = 1000  # as in monitor_explain.c
SOURCES = ("tests/tools/monitor_explain.c", "monitor/cmds/explain.c", "monitor/out.c", "monitor/reply.c", "lib/printf.c",
           "arch/aarch64/esr_fields.c", "policy/event_key.c", "policy/policy.c", "trace/event_name.c", "trap/aarch32.c",
           "lib/parse.c", "monitor/place.c")


class Symbols:
    """Those of monitor_explain.c."""

    @staticmethod
    def lookup(address):
        return f"function+{address - 0x80:#x}" if 0x80 <= address < 0x80000000 else None


@pytest.fixture(scope="module")
def monitor(tmp_path_factory):
    """(ask, rows): ask(lines) gives the replies of the monitor's explain, a list of lines each; rows are its policy's as a
    trace's meta object has them."""
    folder = tmp_path_factory.mktemp("explain")
    subprocess.run([sys.executable, "tools/policy_compile.py", "--policy", "policy/linux-observe.toml", "--output",
                    folder / "policy.c"], cwd=ROOT, check=True)
    subprocess.run(["gcc", "-std=gnu2x", "-w", "-no-pie", "-Itests/fake", "-Iinclude", "-Wl,--unresolved-symbols=ignore-all",
                    "-o", folder / "explain", *SOURCES, folder / "policy.c"], cwd=ROOT, check=True)

    def ask(lines):
        text = "".join(f"{line}\n" for line in lines)
        done = subprocess.run([folder / "explain"], input=text, capture_output=True, text=True, check=True)
        return [reply.splitlines() for reply in done.stdout.split("ok\n")][:-1]

    rows = [dict(zip(("place", "text", "why"), (ast.literal_eval(text) for text in row))) for row in
            re.findall(r'^    \{("[^\n]*?"), ("[^\n]*?"), ("[^\n]*?"), ', (folder / "policy.c").read_text(), re.M)]
    return ask, rows


def syndromes():
    """Values of every class, with all codes of faults and all registers by their encodings, and any bits."""
    chosen = random.Random(1)
    for number in range(64):
        yield from (number << 26 | iss for iss in (0, 0x1ffffff, *(chosen.getrandbits(25) for _ in range(20))))
    yield from (number << 26 | 1 << 25 | status for number in (0x20, 0x24) for status in range(64))
    for row in tables.read_rows("arch/sysreg_table.h", "SYSREG_TABLE"):
        op0, op1, crn, crm, op2 = map(int, row[1:6])
        yield 0x18 << 26 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | chosen.getrandbits(1)
    for number in (3, 4, 5, 8, 12):  # AArch32's: those that the tables have are few and close together
        yield from (number << 26 | op2 << 17 | crn << 10 | crm << 1
                    for op2 in (0, 2, 4, 8) for crn in range(16) for crm in range(16))
    yield from (chosen.getrandbits(64) for _ in range(100))


def test_syndromes(monitor):
    values = list(syndromes())
    replies = monitor[0](f"esr {value:#x}" for value in values)
    assert len(replies) == len(values) > 5000
    for value, reply in zip(values, replies):
        assert explain_esr(value) == reply, hex(value)


def random_event(chosen, rows):
    """A record with any numbers that a record can have, and some that it cannot."""
    record = numpy.zeros(1, form.RECORD)[0]
    record["type"] = form.TYPE_EXIT
    for name in ("pc", "address", "value", "sequence"):
        record[name] = chosen.getrandbits(chosen.choice((0, 8, 32, 63)))
    record["entry"] = START + chosen.getrandbits(chosen.choice((4, 30, 50)))
    record["exit"] = record["entry"] + numpy.uint64(chosen.getrandbits(chosen.choice((4, 20, 40))))
    record["key"], record["cause"] = chosen.randrange(len(tables.key_names()[0]) + 3), chosen.randrange(len(tables.causes()) + 2)
    record["row"], record["syndrome"] = chosen.choice((chosen.randrange(rows), 128)), chosen.getrandbits(32)
    record["verdict"], record["result"], record["write"] = (chosen.randrange(count) for count in (7, 7, 2))
    return record


def test_events(monitor):
    ask, rows = monitor
    meta = trace_maker.make_meta(1, 1, start=START)
    meta["rows"] = rows
    boot = Boot(1, meta, numpy.zeros(0, INDEX))
    chosen = random.Random(2)
    records = [random_event(chosen, len(rows)) for _ in range(3000)]
    replies = ask(f"event {record.tobytes()[:64].hex()}" for record in records)
    assert len(replies) == len(records)
    for record, reply in zip(records, replies):
        assert explain_record(boot, record, Symbols()) == reply
