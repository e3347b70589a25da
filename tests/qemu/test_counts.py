# SPDX-License-Identifier: Apache-2.0
"""Counts that agree: exits by key, by class and by row; records written and held back with what rows have decided; the
decoder's sums with EL2's; times that have neither printing nor sleep in them; a reset of all counters at once."""

import io
import json

from counts import check_sums, counted, rows_of, rows_that_log

import log_decode  # tools/ is on the path since harness was imported


def guest_has_ended(boot, **parameters):
    ariel = boot(**parameters)
    ariel.expect_line(r"# ariel-guest: \d+ passed, 0 failed")
    ariel.attention()
    ariel.command("pause")
    return ariel


def decode(lines):
    out = io.StringIO()
    decoder = log_decode.Decoder(log_decode.parse_arguments(["--summary", "--json"]), out)
    decoder.capture(io.BytesIO("\n".join(lines).encode()))
    return decoder.finish(), json.loads(out.getvalue())


def test_all_ways_to_count_agree(boot):
    ariel = guest_has_ended(boot, smp=2)
    ariel.command("log -n 1")  # tells what is being gathered: maintenance by set and way, and counts not told yet
    rows = check_sums(ariel)
    logging = rows_that_log("policy/diag.toml")
    assert len(logging) >= 4
    for place, row in rows.items():
        if place in logging:
            assert row["count"] == row["logged"] + row["suppressed"], row
    assert rows["policy/diag.toml:5"]["count"] > 0  # what the guest tries, and no row allows
    suppressed = sum(row["suppressed"] for row in rows_of(ariel, "exc top 100000") if "suppressed" in row)
    assert suppressed == sum(row["suppressed"] for row in rows.values()) > 0
    ariel.command("exc log")
    ariel.command("halt")
    ariel.expect_exit()
    status, summary = decode(ariel.lines)
    assert status == 0 and not any(summary["trouble"].values())
    accesses = summary["accesses"]
    assert accesses["record_not_here"] == accesses["held_back_untold"] == 0, (accesses, summary["lacks"])
    assert accesses["held_back"] == suppressed
    assert accesses["with_record"] == sum(row["logged"] for row in rows.values())
    assert not summary["complete"]
    assert f"{suppressed} accesses counted and without a record: the log's limits held back as many" in summary["lacks"]


def test_a_reset_is_one_for_all_vcpus(boot):
    """Also for those that sleep or are off: what any of them counted before is gone, and the sums go on to agree."""
    ariel = guest_has_ended(boot, smp=4)
    assert all(row["exits"] > 100 for row in rows_of(ariel, "status") if "exits" in row)
    ariel.command("exc reset")
    assert counted(rows_of(ariel, "exc top 1000")) == counted(rows_of(ariel, "exc top class")) == 0
    assert rows_of(ariel, "exc top row")[-1] == {"exits": 0, "decided": 0, "none": 0, "requests": 0}
    ariel.command("resume")
    ariel.attention()
    ariel.command("exc reset")  # a vCPU waits for a key now, in WFI
    ariel.command("pause")
    check_sums(ariel, since_boot=False)
    assert counted(rows_of(ariel, "exc top 1000")) < 10000


def test_times_have_no_sleep_and_no_printing(boot):
    """The guest has waited for whole ticks of its timer, and its verdicts were printed: milliseconds each."""
    ariel = guest_has_ended(boot)
    rows = {row["key"]: row for row in rows_of(ariel, "exc top 100000") if "key" in row}
    wfi = rows["wfi"]
    assert wfi["count"] > 10 and 0 < wfi["min_ns"] <= wfi["p50_ns"] <= wfi["p99_ns"] <= wfi["max_ns"]
    assert wfi["p50_ns"] < 100_000, wfi
    for row in rows.values():
        assert len(row["buckets"]) == 31 and sum(row["buckets"]) == row["count"]
        assert row["min_ns"] <= row["mean_ns"] <= row["max_ns"] and row["p50_ns"] <= row["p99_ns"] <= row["max_ns"], row
