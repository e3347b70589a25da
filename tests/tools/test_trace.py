# SPDX-License-Identifier: Apache-2.0
"""tools/ariel/trace.py: records in order, losses, damaged and strange files, saved memory, bounded memory."""

import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "tools")]
import c_source  # noqa: E402
from ariel import tables, trace_format as form  # noqa: E402
from ariel.trace import Trace, TraceError  # noqa: E402
from trace_maker import make_trace  # noqa: E402


def read_all(trace, **more):
    """All records of a boot; checks that they are in order."""
    records = numpy.concatenate([numpy.zeros(0, form.RECORD), *trace.batches(**more)])
    assert (numpy.diff(records["entry"].astype("i8")) >= 0).all()
    return records


def test_records_of_all_cpus_come_in_order(tmp_path):
    make_trace(tmp_path / "a", records=20_000, cpus=4)
    with Trace(tmp_path / "a") as trace:
        records = read_all(trace, size=3000)
        assert len(records) == 20_000 and trace.problems() == []
        assert {loss[1:] for loss in trace.losses().values()} == {(0, 0)}
        assert sum(loss.records for loss in trace.losses().values()) == 20_000
        data = (tmp_path / "a").read_bytes()
        # The same records as in the file, those that entered long before they were written included
        pieces = [numpy.frombuffer(data[int(chunk["offset"]) + 128:][:int(chunk["count"]) * 128], form.RECORD)
                  for chunk in trace.chunks if chunk["kind"] == form.KIND_RECORDS]
        plain = numpy.sort(numpy.concatenate(pieces).view("V128"))
        assert (numpy.sort(records.view("V128")) == plain).all()
        assert len(trace.boots[0].merger.entries) > 0


@pytest.mark.parametrize("header, table, read", [
    ("cause_table.h", "CAUSE_TABLE", 23), ("call_table.h", "HVC_CALL_TABLE", 6), ("device_table.h", "DEVICE_TABLE", 15),
    ("arch/sysreg_table.h", "SYSREG_TABLE", 379), ("virtio_request_table.h", "VIRTIO_REQUEST_TABLE", 10)])
def test_tables_are_those_that_the_compiler_sees(header, table, read):
    rows = tables.read_rows(header, table)
    assert rows == c_source.rows(f"hv/{header}", table) and len(rows) >= read


def test_not_a_trace(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(TraceError, match="is empty"):
        Trace(tmp_path / "empty")
