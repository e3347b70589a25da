# SPDX-License-Identifier: Apache-2.0
"""tools/log_decode.py: genuine, missing, doubled and forged records; mangled input; filters; tables; bounded memory."""

import bz2
import gzip
import json
import lzma
import re
import resource
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_capture import PIECES, SECRET, TAG, TOOL, feed, line, log_decode, run, session, start, summary


def test_complete_capture_passes():
    code, result = summary(["qemu-system-aarch64 -M virt ...", *session(50), "guest says hello"])
    assert code == 0
    assert result["records"] == 50
    assert not any(result["trouble"].values())


@pytest.mark.parametrize("lost", [1, 7, 48])
def test_missing_record_is_found(lost):
    lines = session(50)
    del lines[lost]
    code, result = summary(lines)
    assert code == 1
    assert result["trouble"]["missing"] == 1
    assert f"between seq {lost - 1} and {lost + 1}" in result["trouble_texts"][0]


def test_every_loss_is_counted():
    lines = session(100)
    code, result = summary(lines[:10] + lines[20:30] + lines[75:])
    assert (code, result["trouble"]["missing"]) == (1, 55)


def test_hidden_records_are_told_apart_from_none():
    lines = [start(), line(1), line(5, fields="vcpus=1 hidden=3"), line(6)]
    text = run(lines, "--summary").stdout.decode()
    assert "No record is missing, doubled or forged." in text
    assert "3 records are hidden" in text and "does not end with a power off" in text
    assert b"3 hidden" in run(lines).stderr
    text = run([*session(5), line(5, "vm-off", "vcpus=1 hidden_total=0")], "--summary").stdout.decode()
    assert "hidden:" not in text and "does not end with a power off" not in text


def test_what_was_held_back_fills_what_was_hidden():
    """As log_write_held writes it: an error at the prompt, the announcement, then those that it announces."""
    lines = [start(), line(1), line(4, fields="vcpus=1 hidden=2"),
             line(7, "held-back", "count=4 hidden=2", klass="monitor"), line(2), line(3), line(5), line(6),
             line(8, "vm-off", "vcpus=1 hidden_total=0")]
    code, result = summary(lines)
    assert code == 0 and result["hidden"] == 0 and result["ends_with_power_off"]
    assert result["trouble"]["doubled"] == 0 and result["records"] == 9
    code, result = summary(lines[:-2] + lines[-1:])
    assert code == 0 and result["hidden"] == 1  # one that the ring had lost meanwhile
    code, result = summary([*lines[:-1], line(6), lines[-1]])
    assert code == 1 and result["trouble"]["doubled"] == 1


def test_a_boot_says_how_many_the_last_one_hid():
    other = "ffffffffffffffffffffffffffffffff"
    follows = start(tag="11111111", boots=2, proof=SECRET, secret=other)
    follows = follows.replace(" tag=", " hidden_before=5 tag=")
    code, result = summary([*session(3), follows, line(1, tag="11111111")])
    assert code == 0 and result["hidden"] == 5
    assert not result["ends_with_power_off"]


def test_hidden_records_are_not_missing():
    lines = [start(), line(1), line(5, fields="vcpus=1 hidden=3"), line(6)]
    assert summary(lines)[0] == 0
    lines[2] = line(5, fields="vcpus=1 hidden=2")
    code, result = summary(lines)
    assert (code, result["trouble"]["missing"]) == (1, 1)


def test_doubled_record_is_found():
    lines = session(10)
    code, result = summary(lines[:6] + [lines[3]] + lines[6:])
    assert (code, result["trouble"]["doubled"], result["records"]) == (1, 1, 10)


def test_late_record_fills_its_gap():
    lines = session(10)
    lines[4], lines[5] = lines[5], lines[4]
    code, result = summary(lines)
    assert (code, result["records"]) == (0, 10)


@pytest.mark.parametrize("seq", [0, 4, 5, 6, 10**16])
def test_wrong_tag_is_forged_and_believed_in_nothing(seq):
    lines = session(10)
    forged = line(seq, "vm-stop", 'reason="not true"', "00000000", level="error")
    code, result = summary(lines[:5] + [forged] + lines[5:])
    assert (code, result["trouble"]["forged"], result["records"], result["faults"]) == (1, 1, 10, 0)
    assert result["trouble"]["missing"] == 0


def test_forged_reset_and_boot():
    """A guest prints a whole reset, a boot and records after it: none of it counts, what is genuine goes on."""
    other = "ffffffffffffffffffffffffffffffff"
    fake = [
        line(5, "vm-reset", "vcpus=1", "00000000"),
        start("11111111", 2, "none", other),
        start("11111111", 2, other, other),
        start("11111111", 2, "0" * 32, other),
        line(1, "boot", "version=evil policy=none el=2", "11111111"),
    ]
    lines = session(10)
    code, result = summary(lines[:5] + fake + lines[5:])
    assert (code, result["records"], result["boot_count"]) == (1, 10, 1)
    assert result["trouble"]["forged"] == 5
    assert result["trouble"]["missing"] == 0


def test_warm_reset_is_proven():
    lines = session(5) + [line(5, "vm-reset")] + [start("0badcafe", 2, SECRET, "0" * 32), line(1, tag="0badcafe")]
    code, result = summary(lines)
    assert (code, result["boot_count"], result["records"]) == (0, 2, 8)
    assert result["boots"][0]["end"] == "vm-reset"


def test_joined_captures_need_trust():
    lines = session(5) + [start("0badcafe"), line(1, tag="0badcafe")]
    code, result = summary(lines)
    assert (code, result["trouble"]["forged"]) == (1, 2)
    code, result = summary(lines, "--trust-starts")
    assert (code, result["boot_count"]) == (0, 2)


def test_capture_without_its_boot():
    lines = session(10)[3:]
    code, result = summary(lines)
    assert (code, result["trouble"]["unverified"]) == (1, 7)
    code, result = summary(lines, "--tag", TAG)
    assert (code, result["records"]) == (0, 7)
    code, result = summary([lines[0]] + session(10))
    assert (code, result["trouble"]["unproven"]) == (1, 1)


def test_guest_text_in_a_value_is_no_record():
    evil = 'reason="x ariel: seq=2 t=1 cpu=0 level=error class=panic event=panic why=1 tag=00000000 \\" "'
    code, result = summary([start(), line(1, fields=evil), line(2)])
    assert (code, result["records"]) == (0, 3)
    assert "panic/panic" not in result["events"]


def test_hypercall_output_is_no_record():
    code, result = summary([*session(5), "guest: ariel: seq=5 t=1 cpu=0 level=error class=boot event=x tag=00000000"])
    assert (code, result["records"]) == (0, 5)


def test_monitor_listing_is_no_record():
    lines = session(5)
    code, result = summary(lines + [text[len("ariel: ") :] for text in lines] + ["ariel> log", "ok"])
    assert (code, result["records"]) == (0, 5)


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\r\r\n", "\0\r\n", "\x1b[0m\r\n"])
def test_terminal_line_ends(ending):
    data = "".join(f"\x1b[K{text}{ending}" for text in session(20))
    code, result = summary(data)
    assert (code, result["records"]) == (0, 20)


def test_records_behind_other_text():
    lines = session(6)
    data = f"{lines[0]}{lines[1]} {lines[2]}\nsome guest text{lines[3]}\nariel: seq=4 t=1 cpu={lines[4]}\n{lines[5]}"
    code, result = summary(data)
    assert (code, result["records"]) == (0, 6)


def test_cut_last_line_is_not_an_error():
    data = "\n".join(session(6))
    for cut in range(1, 60):
        code, result = summary(data[:-cut]) if cut % 20 == 0 else (0, {"records": 5})
        assert (code, result["records"]) == (0, 5)


def test_very_long_line():
    code, result = summary(b"\n".join([start().encode(), b"x" * 10**6, line(1).encode(), b"ariel: seq=" * 10**5]))
    assert (code, result["records"]) == (0, 2)


def test_summary_in_words():
    verdict = (
        "key=PMCR_EL0 op=read verdict=deny pc=0x40001000 addr=0x0 value=0x0 esr=0x6230e419 row=9 at=p.toml:5 why=\"no PMU\""
    )
    lines = [
        start(),
        line(1, "boot", "version=1.0 policy=diag el=2", klass="boot"),
        line(2, "verdict", verdict, klass="policy", level="warn"),
        line(3, "suppressed", "row=9 at=p.toml:5 count=41", klass="policy", level="warn"),
        line(4, "abort", 'key=pl011 op=read pc=0x40002000 reason="an exclusive access"', klass="fault", level="warn"),
        line(5, "counters", "key=wfi count=100 ticks=6250 p50=64 p99=128", klass="trap"),
        line(6, "row", 'row=9 at=p.toml:5 count=42 what="sysreg PMU"', klass="policy"),
        line(7, "vm-stop", 'reason="the guest died"', level="error"),
    ]
    text = run(lines, "--summary").stdout.decode()
    for part in ("diag", "the guest died", "PMCR_EL0", "0x40001000", "no PMU", "deny:1", "an exclusive access", "wfi"):
        assert part in text
    assert "992 ns" in text  # 62 ticks of 16 ns
    assert "No record is missing, doubled or forged." in text
    code, result = summary(lines)
    assert result["rows"] == [
        {"row": 9, "at": "p.toml:5", "records": 1, "suppressed": 41, "count": 42, "why": "no PMU", "verdicts": {"deny": 1}}
    ]
    assert result["traps"]["wfi"]["count"] == 100


def test_filters():
    lines = [start(), line(1, "verdict", "key=PMCR_EL0", klass="policy", level="warn", cpu=1), line(2), line(3)]

    def seqs(*arguments):
        return [json.loads(text)["seq"] for text in run(lines, "--json", *arguments).stdout.splitlines()]

    assert seqs() == [0, 1, 2, 3]
    assert seqs("--class", "policy") == [1]
    assert seqs("--class", "policy", "--class", "boot") == [0, 1]
    assert seqs("--event", "vm-pause") == [2, 3]
    assert seqs("--level", "warn") == [1]
    assert seqs("--cpu", "1") == [1]
    assert seqs("--since", "2ms", "--until", "2500") == [2]
    assert seqs("--key", "pmcr_el0") == [1]
    assert seqs("--grep", "PMCR") == [1]
    done = run(lines, "--class", "psci")
    assert (done.returncode, done.stderr) == (2, b"log_decode: no record passes the filters\n")


def test_a_file_without_records_is_not_called_filtered(tmp_path):
    (tmp_path / "uart.log").write_text("login: \n")
    done = run(b"", str(tmp_path / "uart.log"))
    assert (done.returncode, done.stderr) == (2, b"log_decode: no record in it\n")


def capture():
    return "".join(f"{text}\n" for text in text_lines([start(), *(line(n) for n in range(1, 9))]))


def text_lines(lines):
    return [text.decode() if isinstance(text, bytes) else text for text in lines]


@pytest.mark.parametrize("make, name", [
    (lambda text: text.encode("utf-16"), "UTF-16"),
    (lambda text: text.encode("utf-16-le"), "UTF-16"),
    (lambda text: text.encode("utf-16-be"), "UTF-16"),
    (lambda text: gzip.compress(text.encode()), "packed with gzip: unpack it first (gzip -dc FILE"),
    (lambda text: lzma.compress(text.encode()), "packed with xz: "),
    (lambda text: bz2.compress(text.encode()), "packed with bzip2: "),
    (lambda text: b"\x28\xb5\x2f\xfd" + text.encode(), "packed with zstd: "),
    (lambda text: b'{"version": 2, "width": 80, "height": 24}\n' + json.dumps([0.1, "o", text]).encode(), "an asciinema rec"),
    (lambda text: b'{"version":3,"term":{"cols":80}}\n' + json.dumps([0.1, "o", text]).encode(), "an asciinema rec"),
])
def test_what_is_no_capture_is_named(make, name):
    done = run(make(capture()))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(f"log_decode: the input is {name}") and done.stderr.count(b"\n") == 1


def test_a_byte_order_mark_is_passed_over():
    plain, marked = run(capture().encode(), "--json"), run(b"\xef\xbb\xbf" + capture().encode(), "--json")
    assert (marked.returncode, marked.stdout) == (plain.returncode, plain.stdout)
    assert b"begins with a byte order mark" in marked.stderr


def test_a_hard_wrapped_capture_is_named():
    wrapped = "\n".join(text[at:at + 60] for text in capture().splitlines() for at in range(0, len(text), 60))
    assert b"hard-wrapped at 60 columns" in run(wrapped.encode()).stderr
    assert b"hard-wrapped" not in run(capture().encode()).stderr


def test_json_values():
    fields = 'pc=0x40001000 count=12 id=007 why="two \\"words\\"\\n\\x1b" empty= cpu=9'
    record = json.loads(run([start(), line(1, fields=fields)], "--json", "--event", "vm-pause").stdout)
    assert record["fields"] == {
        "pc": "0x40001000", "count": 12, "id": "007", "why": 'two "words"\n\x1b', "empty": "", "cpu": 9
    }  # fmt: skip
    assert record["cpu"] == 0


@pytest.mark.parametrize(
    "arguments", [["/nonexistent"], ["--ring", "/nonexistent"], ["--since", "soon"], ["--tag", "xyz"], ["--level", "loud"]]
)
def test_bad_input_is_one_clear_line(arguments):
    done = run(b"", *arguments)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"log_decode" in done.stderr


def test_no_record():
    done = run(b"nothing here\n")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


def test_reader_that_stops_early(tmp_path):
    capture = tmp_path / "uart.log"
    capture.write_text("\n".join(session(20000)))
    command = f"{sys.executable} {TOOL} {capture} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=600)
    assert b"Traceback" not in done.stderr


def test_what_was_held_back_is_summed_by_key():
    lines = session(3)
    for seq, (event, fields) in enumerate((
        ("suppressed", "row=1 at=p.toml:9 count=40 of=verdict key=CTR_EL0 op=read"),
        ("abort", "key=no-device op=read held=7"),
        ("suppressed", "count=5 of=abort key=no-device op=read"),
        ("suppressed", "row=1 at=p.toml:9 count=2 of=verdict key=CTR_EL0 op=read"),
        ("suppressed", "count=3 of=others"),
    ), 3):  # fmt: skip
        lines.append(line(seq, event, fields, klass="policy"))
    status, text = feed("\n".join(lines).encode(), "--summary", "--json")
    result = json.loads(text)
    assert status == 0
    assert result["held"] == {"verdict CTR_EL0 read": 42, "abort no-device read": 12, "others": 3}
    assert [row["suppressed"] for row in result["rows"]] == [42]
    _, text = feed("\n".join(lines).encode(), "--summary")
    assert "42  verdict CTR_EL0 read" in text


def test_requests_to_virtio_devices_count_by_row():
    disk = 'device=block transport=0 op={} sector=8 bytes=512 status={} row=5 at=p.toml:9 why="boot sectors"'
    records = [start(), line(1, "virtio-blk", disk.format("write", "refused"), klass="policy", level="warn"),
               line(2, "virtio-blk", disk.format("write", "refused"), klass="policy", level="warn"),
               line(3, "virtio-blk", disk.format("read", "ok"), klass="policy"),
               line(4, "virtio-net", "device=net transport=1 op=tx bytes=60 status=ok row=6 at=p.toml:20 why=", klass="policy"),
               line(5, "virtio-io", "device=rng transport=2 bytes=16 status=ok row=6 at=p.toml:20 why=", klass="policy"),
               line(6, "suppressed", "row=5 at=p.toml:9 count=40 of=virtio", klass="policy"),
               line(7, "row", "row=5 at=p.toml:9 count=43 what=x", klass="policy")]  # fmt: skip
    code, result = summary(records)
    assert code == 0
    assert [(row["row"], row["records"], row["suppressed"], row["count"], row["verdicts"]) for row in result["rows"]] == [
        (5, 3, 40, 43, {"refused": 2, "ok": 1}), (6, 2, 0, 0, {"ok": 2})]  # fmt: skip
    assert result["rows"][0]["why"] == "boot sectors" and result["held"] == {"virtio": 40}
    text = run(records, "--summary").stdout.decode()
    assert re.search(r"2 +virtio-block +write +refused", text) and re.search(r"1 +virtio-rng +- +ok", text)


def test_a_table_that_is_cut_says_so_and_can_be_whole():
    verdicts = [line(5 + n, "verdict", f"exit=1 key=S3_0_C1_C{n}_0 op=read verdict=deny pc={0x1000 + n:#x} addr=0x0 "
                     'value=0x0 esr=0x0 row=1 at=a.toml:1 why="b"', klass="policy", level="warn") for n in range(25)]
    text = run([*session(5), *verdicts], "--summary").stdout.decode()
    accesses = text.split("Logged accesses")[1].split("\n\n")[0]
    assert len(accesses.splitlines()) == 1 + 1 + 20 + 1
    assert accesses.endswith("  ... and 5 more (all of them: --summary --all)")
    text = run([*session(5), *verdicts], "--summary", "--all").stdout.decode()
    assert "... and" not in text.split("Faults and errors")[0]
    assert text.split("Logged accesses")[1].split("\n\n")[0].count("S3_0_C1_") == 25


# ---- Arbitrary input -------------------------------------------------------------------------------------------------

@settings(max_examples=400)
@given(st.lists(PIECES, max_size=30))
def test_arbitrary_bytes_never_crash_it(pieces):
    data = b"".join(pieces)
    for arguments in (["--summary"], ["--json"], []):
        status, _ = feed(data, *arguments)
        assert status in (0, 1)


@settings(max_examples=200)
@given(st.sets(st.integers(1, 28)), st.data())
def test_exactly_the_lost_are_missing(lost, data):
    """Whatever is lost between the first and the last record, the count is right; so it is with forged ones between."""
    lines = [text for seq, text in enumerate(session(30)) if seq not in lost]
    forged = data.draw(st.integers(0, 5))
    for _ in range(forged):
        lines.insert(data.draw(st.integers(1, len(lines))), line(data.draw(st.integers(1, 40)), tag="00000000"))
    status, text = feed("\n".join(lines).encode(), "--summary", "--json")
    trouble = json.loads(text)["trouble"]
    assert (trouble["missing"], trouble["forged"]) == (len(lost), forged)
    assert status == (1 if lost or forged else 0)


@settings(max_examples=200)
@given(st.binary(min_size=0, max_size=200))
def test_a_guest_without_the_tag_adds_no_record(noise):
    noise = noise.replace(TAG.encode(), b"")
    lines = session(4)
    data = "\n".join(lines[:2]).encode() + b"\n" + noise + b"\n" + "\n".join(lines[2:]).encode()
    _, text = feed(data, "--summary", "--json")
    result = json.loads(text)
    assert (result["records"], result["trouble"]["missing"]) == (4, 0)


# ---- Bounded memory --------------------------------------------------------------------------------------------------


FEEDER = """
import sys
sys.stdout.write(sys.argv[1] + "\\n")
for n in range(1, 150000):
    if n % 3:
        sys.stdout.write(f"ariel: seq={n} t={n} cpu=0 level=warn class=policy event=verdict key=k{n} op=read verdict=deny "
                         f"pc={n:#x} row={n % 70000} at=p.toml:{n} why=because tag=d0330556\\n")
    else:
        sys.stdout.write("ariel: seq=7 t=1 cpu=0 level=warn class=vm event=x tag=00000000\\n" + "y" * 300 + "\\r\\n")
"""


def test_memory_does_not_grow():
    """30 MB with another program counter, key, row and trouble in every line, in 40 MB."""

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (40 << 20, 40 << 20))

    feeder = subprocess.Popen([sys.executable, "-c", FEEDER, start()], stdout=subprocess.PIPE)
    done = subprocess.run([sys.executable, str(TOOL), "--summary", "--json"], stdin=feeder.stdout, capture_output=True,
                          preexec_fn=limit, timeout=600)  # fmt: skip
    assert feeder.wait() == 0
    assert done.stderr == b""
    result = json.loads(done.stdout)
    assert result["records"] == 100001
    assert result["trouble"]["forged"] == 49999


# ---- Whether each access that wanted a record has one


def counters(seq, key, count, logged, suppressed):
    return line(seq, "counters", f"key={key} count={count} ticks=9 min=1 p50=3 p99=3 max=3 logged={logged} suppressed={suppressed}",
                klass="trap")  # fmt: skip


def denied(seq, key="CTR_EL0"):
    return line(seq, "verdict", f"exit={seq} key={key} op=read verdict=deny row=1 at=p.toml:9", klass="policy")


def off(seq):
    return line(seq, "vm-off", "vcpus=1 hidden_total=0", klass="vm")


def test_a_register_without_a_name_counts_as_unknown():
    """Its records have its encoding, the counters one row for all such."""
    unnamed = [start(), denied(1, "S3_7_C15_C2_1"), denied(2, "S3_0_C15_C0_0"), counters(3, "sysreg-unknown", 2, 2, 0), off(4)]
    assert verdict_on(unnamed)[1].startswith("\nComplete:")
    assert verdict_on([unnamed[0], *unnamed[2:]])[1].startswith("\nNot complete:")


WHOLE = [start(), denied(1), denied(2), counters(3, "CTR_EL0", 2, 2, 0), off(4)]


def verdict_on(lines, *arguments):
    """(the JSON summary, what the text says at its end)"""
    _, result = summary(lines, *arguments)
    text = run(lines, "--summary", *arguments).stdout.decode()
    return result, text[max(text.find("\nComplete:"), text.find("\nNot complete:")):]


def test_complete_is_said_of_what_is_complete():
    result, text = verdict_on(WHOLE)
    assert result["complete"] and result["lacks"] == []
    assert text == "\nComplete: 2 accesses have their record, none was held back, as many as EL2 has counted.\n"


def test_complete_is_said_where_nothing_was_asked_for():
    _, text = verdict_on([start(), counters(1, "irq", 5, 0, 0), off(2)])
    assert text == "\nComplete: no access wanted a record, as EL2 has counted too.\n"


@pytest.mark.parametrize("lines, said", [
    (WHOLE[:2] + WHOLE[3:], "1 record missing: numbers that no record here has"),
    (WHOLE[:2] + WHOLE[3:], "1 access of which EL2 has written a record that is not here: CTR_EL0 1 of 2"),
    (WHOLE[:-1], "1 capture cut or still growing"),
    ([start(), denied(1), off(2)], "1 boot without counters"),
    ([start(), denied(1), line(2, "suppressed", "row=1 at=p.toml:9 count=40 of=verdict key=CTR_EL0 op=read", klass="policy"),
      counters(3, "CTR_EL0", 41, 1, 40), off(4)], "40 accesses counted and without a record: the log's limits held back as many"),
    ([start(), denied(1), counters(2, "CTR_EL0", 8, 1, 7), off(3)],
     "7 accesses held back of which no record here tells: CTR_EL0 7"),
    (WHOLE[:-1] + [line(7, "vm-off", "vcpus=1 hidden=3 hidden_total=3", klass="vm")], "3 records in the ring only (hidden)"),
    ([*WHOLE[:2], denied(2)[:60], *WHOLE[3:]], "1 line cut or mangled"),
    ([*WHOLE[:1], line(1, tag="ffffffff"), *WHOLE[1:]], "1 record forged and 0 doubled"),
])  # fmt: skip
def test_what_lacks_is_said_with_its_number(lines, said):
    result, text = verdict_on(lines)
    assert not result["complete"] and text.startswith("\nNot complete: ")
    assert any(lack.startswith(said) for lack in result["lacks"]), result["lacks"]
    assert f"\n  {said}" in text


def test_set_way_and_aborts_count_as_what_they_are():
    lines = [start(), line(1, "set-way", "exit=1 key=DC_CISW verdict=emulate count=512 row=1 at=p.toml:9", klass="policy"),
             line(2, "abort", "exit=2 key=no-device op=read result=abort row=0 at=p.toml:5 reason=x held=0", klass="fault"),
             line(3, "abort", "exit=9 key=no-device op=read result=abort row=0 at=p.toml:5 reason=x held=3", klass="fault"),
             counters(4, "DC_CISW", 512, 512, 0), counters(5, "no-device", 5, 2, 3), off(6)]
    result, _ = verdict_on(lines)
    assert result["accesses"] == {"boots": 1, "with_counters": 1, "with_record": 514, "held_back": 3, "record_not_here": 0,
                                  "held_back_untold": 0}


def test_records_after_the_counters_are_no_surplus():
    """`exc log` in the monitor, and the guest goes on."""
    result, _ = verdict_on([*WHOLE[:4], denied(4), counters(5, "CTR_EL0", 3, 3, 0), denied(6), counters(7, "CTR_EL0", 4, 4, 0), off(8)])
    assert result["complete"] and result["accesses"]["with_record"] == 4


def test_each_boot_is_checked_by_its_own_counters():
    follows = start(tag="11111111", boots=2, proof=SECRET, secret="ffffffffffffffffffffffffffffffff")
    second = [follows, *(text.replace(f"tag={TAG}", "tag=11111111") for text in WHOLE[1:])]
    result, text = verdict_on([*WHOLE, *second])
    assert result["complete"] and "4 accesses have their record" in text and "(over 2 boots, each with counters of its own)" in text
    result, _ = verdict_on([*WHOLE, *second[:1], *second[2:]])
    assert result["accesses"]["record_not_here"] == 1 and not result["complete"]


def test_filters_do_not_make_an_input_incomplete():
    assert verdict_on(WHOLE, "--level", "error")[0]["complete"]


def test_an_input_that_begins_in_the_middle_says_so():
    result, _ = verdict_on(WHOLE[2:], "--tag", TAG)
    assert result["lacks"][0] == "2 records before the first one here: the input begins in the middle of a boot"


def test_counters_that_were_reset_say_since_when():
    lines = [*WHOLE[:4], line(4, "counters-reset", "count=2", klass="monitor"), counters(5, "wfi", 7, 0, 0), off(6)]
    text = run(lines, "--summary").stdout.decode()
    assert "from the last counters since they were reset at 0.004000 s" in text
    assert re.search(r"7 +wfi", text) and not re.search(r"2 +CTR_EL0 +\d+ ns", text)
    assert "reset at" not in run(WHOLE, "--summary").stdout.decode()


def test_rows_count_over_all_boots_as_their_records_do():
    def boot(first, tag):
        row = line(2, "row", "row=1 at=p.toml:9 count=5 logged=1 suppressed=0 what=x", klass="policy")
        return [first, *(text.replace(f"tag={TAG}", f"tag={tag}") for text in (denied(1), row, row.replace("seq=2", "seq=3"), off(4)))]

    follows = start(tag="11111111", boots=2, proof=SECRET, secret="ffffffffffffffffffffffffffffffff")
    _, result = summary([*boot(start(), TAG), *boot(follows, "11111111")])
    assert [(row["records"], row["count"]) for row in result["rows"]] == [(2, 10)]
