# SPDX-License-Identifier: Apache-2.0
"""[[virtio]] rows: errors by message and line; and what the compiled tables and policy/policy_virtio.c decide, against a model that
knows nothing of either: it has the rows as they stand in the file, and looks at each sector of a request by itself."""
import itertools
import json
import os
import random
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from policy_compiler import compiler, emit, headers, model, show  # noqa: E402

TABLES = headers.read_tables(include=(os.path.join(ROOT, "include"),))
TRANSPORTS = '[[mmio]]\ndevice = "virtio-mmio"\naction = "emulate"\n'
DEFAULT = 'default = { action = "deny", log = true }\n'
HEAD = (DEFAULT + TRANSPORTS).count("\n")  # lines before what a test writes


def build(text, default=DEFAULT):
    return compiler.Compiler("test.toml", default + TRANSPORTS + text, *TABLES)


def errors(text, default=DEFAULT):
    with pytest.raises(model.PolicyError) as caught:
        build(text, default)
    return "\n".join(caught.value.args[0])


def row(*fields, action="emulate"):
    return "[[virtio]]\n" + "".join(field + "\n" for field in fields) + (f'action = "{action}"\n' if action else "")


DISK = 'device = "block"'


@pytest.mark.parametrize("text, line, message", [
    (row(), 1, 'virtio: needs device: net, block, console, rng, 9p, a list of them, or "*"'),
    (row('device = "blok"'), 2, 'unknown virtio device "blok"; did you mean "block"? (devices: net, block'),
    (row('device = ["net", "gpu"]'), 2, 'unknown virtio device "gpu" (devices: net, block'),
    (row("device = 2"), 2, "device must be a name or a list of names, not 2"),
    (row("device = []"), 2, "device must be a name or a list of names, not []"),
    (row(DISK, action=None), 1, "virtio block: no action; one of"),
    (row(DISK, action="allow"), 3, "virtio block: allow is not possible: emulate (the device works"),
    (row(DISK, action="raz-wi"), 3, "virtio block: raz-wi is not possible"),
    (row(DISK, action="pause"), 3, "virtio block: pause is not possible"),
    (row(DISK, "count = true"), 3, 'unknown field "count" in virtio'),
    (row(DISK, "read_onyl = true"), 3, 'unknown field "read_onyl" in virtio; did you mean "read_only"?'),
    (row(DISK, "transport = 32"), 3, "transport 32 is not a number from 0 to 31, or a list of them"),
    (row(DISK, "transport = [0, -1]"), 3, "transport -1 is not a number from 0 to 31"),
    (row(DISK, "transport = true"), 3, "transport True is not a number from 0 to 31"),
    (row(DISK, "transport = []"), 3, "transport [] is not a number from 0 to 31"),
    (row(DISK, 'request = "reed"'), 3, 'unknown request "reed"; did you mean "read"? (requests: read, write, flush'),
    (row(DISK, 'request = "any"'), 3, 'unknown request "any"'),
    (row(DISK, "request = 1"), 3, "request must be a name or a list of names, not 1"),
    (row(DISK, 'request = "tx"'), 3, 'virtio block tx: "tx" is a request of net, not of block; its requests are read, write'),
    (row('device = "net"', 'request = ["tx", "read"]'), 3, '"read" is a request of block, not of net; its requests are tx, rx'),
    (row('device = "rng"', 'request = "read"'), 3, '"read" is a request of block, not of rng; ariel tells none of its requests'),
    (row('device = "*"', 'request = "read"'), 3, '"read" is a request of block, not of net'),
    (row(DISK, 'sectors = "8..7"'), 3, 'sectors "8..7" are backwards: the last, 7, is before the first, 8'),
    (row(DISK, 'sectors = "8"'), 3, 'sectors "8" is not "first..last" or "first.."'),
    (row(DISK, 'sectors = "..8"'), 3, 'sectors "..8" is not "first..last"'),
    (row(DISK, 'sectors = "-1..8"'), 3, 'sectors "-1..8" is not "first..last"'),
    (row(DISK, 'sectors = "0..18446744073709551616"'), 3, "18446744073709551616 is more than 18446744073709551615"),
    (row(DISK, "sectors = 8"), 3, "sectors must be a string, not 8"),
    (row('device = "net"', 'sectors = "0..8"'), 3, "virtio net sectors 0..8: sectors are a block device's, not net's"),
    (row(DISK, 'request = ["read", "flush"]', 'sectors = "0..8"'), 4, '"flush" names no sectors; give it a row of its own'),
    (row('device = "net"', "read_only = true"), 3, 'virtio net: read_only is for device = "block", not for net'),
    (row(DISK, "read_only = 1"), 3, "read_only must be true or false, not 1"),
    (row(DISK, "read-only = 1"), 3, "read-only must be true or false, not 1"),
    (row(DISK, "read_only = true", "read-only = true"), 4, "read-only and read_only are the same; give one"),
    (row(DISK, "read_only = true", 'request = "write"'), 3, "virtio block write: read_only is about the whole device"),
    (row(DISK, "read-only = true", action="deny"), 3, 'read-only with action = "deny": the guest has no such device'),
    (row(DISK, 'mac = "pinned"'), 3, 'virtio block: mac is for device = "net", not for block'),
    (row('device = "net"', 'mac = "52:54:00:00:00:01"'), 3, 'mac "52:54:00:00:00:01" is not "pinned"'),
    (row('device = "net"', 'mac = "pinned"', 'request = "tx"'), 3, "mac is about the whole device"),
    (row('device = "net"', "mac = true"), 3, "mac must be a string, not True"),
    (row(DISK, 'bytes = "0/s"'), 3, 'bytes "0/s" is not from 1 to 1099511627776 a second; action = "deny" refuses all'),
    (row(DISK, 'bytes = "1025G/s"'), 3, 'bytes "1025G/s" is not from 1 to 1099511627776 a second'),
    (row(DISK, 'bytes = "20MB/s"'), 3, 'bytes "20MB/s" is not "N/s", "NK/s", "NM/s" or "NG/s"'),
    (row(DISK, 'bytes = "20M"'), 3, 'bytes "20M" is not "N/s"'),
    (row(DISK, 'bytes = "1.5M/s"'), 3, 'bytes "1.5M/s" is not "N/s"'),
    (row(DISK, "bytes = 5"), 3, "bytes must be a string, not 5"),
    (row(DISK, 'requests = "1K/s"'), 3, 'requests "1K/s" is not "N/s"'),
    (row(DISK, 'requests = "0/s"'), 3, 'requests "0/s" is not from 1 to 1000000 a second'),
    (row(DISK, 'requests = "1000001/s"'), 3, 'requests "1000001/s" is not from 1 to 1000000 a second'),
    (row(DISK, 'bytes = "1/s"', action="deny"), 3, 'bytes with action = "deny": what is refused has no rate'),
    (row(DISK, 'limit = "5/s"'), 3, "limit without log = true: there is nothing to limit"),
    (row(DISK) + row(DISK, 'request = "read"', action="deny"), 4, "virtio block read: never reached: line 5 (virtio block) comes"),
    (row('device = "*"') + row(DISK, "transport = 3", action="deny"), 4, "virtio block transport 3: never reached"),
    (row(DISK, 'request = "read"', action="deny"), 0, None),
    (row(DISK, 'request = "read"'), 1, "virtio block read: the guest has no such device, by line 1 (default): add a row"),
])
def test_errors_name_line_value_and_cure(text, line, message):
    if message is None:
        build(text)
    else:
        assert f"test.toml:{HEAD + line}: " in errors(text) and message in errors(text)


@pytest.mark.parametrize("first, second, reached", [
    (("emulate", "0..9"), ("deny", "2..3"), True),  # by a request that leaves 0..9
    (("emulate", "0..9"), ("emulate", "2..3"), False),
    (("emulate", "0..9"), ("emulate", "5..15"), True),
    (("deny", "0..9"), ("deny", "2..3"), False),
    (("deny", "0..9"), ("emulate", "2..3"), False),
    (("deny", "0..9"), ("deny", "5..15"), True),
    (("deny", "5..15"), ("deny", "0..9"), True),
    (("emulate", "0.."), ("deny", "2..3"), False),
    (("emulate", "1.."), ("deny", "2..3"), True),
])
def test_a_row_behind_another_is_reached_or_not(first, second, reached):
    text = "".join(row(DISK, f'sectors = "{sectors}"', action=action) for action, sectors in (first, second)) + row(DISK)
    if reached:
        assert len(build(text).virtio) == 4
    else:
        assert f"test.toml:{HEAD + 5}: virtio block sectors {second[1]}: never reached: line {HEAD + 1} (virtio" in errors(text)


def test_what_bounds_the_table():
    rows = "".join(row(DISK, f"transport = {n}", action="deny") for n in range(31))
    assert len(build(rows).virtio) == 32
    assert f"test.toml:{HEAD + 125}: too many virtio rows: 33 with the default, at most 32" in errors(rows + row('device = "net"'))
    rated = "".join(row(DISK, f"transport = {n}", 'bytes = "1K/s"') for n in range(8))
    assert [what.rate for what in build(rated).virtio] == [*range(8), None]
    assert "too many virtio rows with bytes or requests: 9, at most 8" in errors(rated + row('device = "9p"', 'requests = "1/s"'))


def test_a_device_needs_transports():
    text = DEFAULT + '[[mmio]]\ndevice = "virtio-mmio"\naction = "raz-wi"\n' + row(DISK)
    with pytest.raises(model.PolicyError) as caught:
        compiler.Compiler("test.toml", text, *TABLES)
    assert "test.toml:5: virtio block: the transports are raz-wi, by line 2 (mmio virtio-mmio); give" in caught.value.args[0][0]


@pytest.mark.parametrize("action, becomes", [("allow", "emulate"), ("emulate", "emulate"), ("deny", "deny"), ("raz-wi", "deny"),
                                             ("pause", "deny"), ("stop", "deny")])
def test_the_default_decides_about_what_no_row_names(action, becomes):
    policy = build("", f'default = {{ action = "{action}", log = true }}\n')
    assert [what.action for what in policy.virtio] == [becomes]
    told = [note for note in policy.rows[0].changed if "a virtio device is there or not" in note]
    assert bool(told) == (action in ("raz-wi", "pause", "stop"))
    text = "\n".join(emit.generate(policy).splitlines())
    assert ".transports = 0xffffffff, .requests = 0xffffffff" in text and ".flags = POLICY_VIRTIO_LOG" in text


def test_units_and_forms():
    policy = build(row(DISK, 'bytes = "20M/s"', 'requests = "1000/s"', "read-only = true") +
                   row('device = ["entropy", "rng"]', 'bytes = "1G/s"') + row('device = "net"', 'mac = "pinned"', 'bytes = "7K/s"'))
    assert [(what.bytes, what.rate_requests, what.read_only, what.mac) for what in policy.virtio] == [
        (20 << 20, 1000, True, False), (1 << 30, 0, False, False), (7 << 10, 0, False, True), (0, 0, False, False)]
    assert policy.virtio[1].types == ["rng"]
    costs = [line["cost"] for line in show.describe(policy)["rows"][2:]]
    assert costs == ["shadow virtqueues, read-only, 20971520 bytes/s, 1000 requests/s", "shadow virtqueues, 1073741824 bytes/s",
                     "shadow virtqueues, mac pinned, 7168 bytes/s"]


def documented():
    """The TOML examples of docs/POLICY.md."""
    with open(os.path.join(ROOT, "docs", "POLICY.md"), encoding="utf-8") as file:
        return re.findall(r"^```toml\n(.*?)^```", file.read(), re.S | re.M)


def test_the_documents_examples_compile():
    first, kept, last = documented()
    compiler.Compiler("test.toml", first, *TABLES)
    assert compiler.Compiler("test.toml", DEFAULT + kept, *TABLES).rows[1].keep
    policy = compiler.Compiler("test.toml", DEFAULT + last, *TABLES)
    boot, writes, disk, net, rest = policy.virtio
    assert (boot.sectors, boot.action, boot.part) == ((0, 2047), "deny", True)
    assert (writes.requests, writes.row.limit, writes.rate) == (["write"], 20, None)
    assert (disk.bytes, disk.rate, disk.part) == (10 << 20, 0, False)
    assert (net.mac, rest.action) == (True, "deny")


# ---- The model

TYPES = {"net": 1, "block": 2, "console": 3, "rng": 4, "9p": 9}
REQUESTS = ["any", "read", "write", "flush", "discard", "write-zeroes", "get-id", "secure-erase", "tx", "rx"]
SECTORED = {"read", "write", "discard", "write-zeroes", "secure-erase"}
ASKS = {"block": REQUESTS[:8], "net": ["any", "tx", "rx"], "console": ["any"], "rng": ["any"], "9p": ["any"]}


def names(fields, kind, transport):
    devices = fields["device"] if isinstance(fields["device"], list) else [fields["device"]]
    where = fields.get("transport", [transport])
    return (kind in devices or devices == ["*"]) and transport in (where if isinstance(where, list) else [where])


def matches(fields, kind, transport, request, touched):
    if not names(fields, kind, transport) or request not in fields.get("request", [request]):
        return False
    if "sectors" not in fields:
        return True
    first, last = fields["sectors"].split("..")
    mine = [int(first) <= sector and (not last or sector <= int(last)) for sector in touched]
    return request in SECTORED and (any(mine) if fields["action"] == "deny" else all(mine))


def decide(rows, default, kind, transport, request, touched):
    """(index of the row that decides, whether the request may go on); default: the action of what no row names."""
    device = next((n for n, fields in enumerate(rows)
                   if "request" not in fields and "sectors" not in fields and names(fields, kind, transport)), None)
    found = next((n for n, fields in enumerate(rows) if matches(fields, kind, transport, request, touched)), None)
    action = [default if n is None else rows[n]["action"] for n in (device, found)]
    if action[1] == "deny":
        return found, False
    read_only = device is not None and rows[device].get("read_only", False)
    if action[0] == "deny" or read_only and request in SECTORED - {"read"}:
        return device, False
    return found, True


def random_row(draw):
    kind = draw.choice(["block", "block", "block", "net", "rng", "*", ["block", "9p"]])
    fields = {"device": kind, "action": draw.choice(["emulate", "deny"])}
    if draw.random() < 0.3:
        fields["transport"] = draw.choice([0, 1, [0, 2], [1, 31]])
    if kind in ("block", "net") and draw.random() < 0.5:
        fields["request"] = draw.sample(ASKS[kind][1:], draw.randint(1, 2))
    if kind == "block" and draw.random() < 0.6 and set(fields.get("request", ())) <= SECTORED:
        first = draw.randint(0, 12)
        fields["sectors"] = f"{first}.." + draw.choice(["", str(first), str(first + draw.randint(0, 10))])
    if kind == "block" and fields["action"] == "emulate" and not {"request", "sectors"} & set(fields):
        fields["read_only"] = draw.random() < 0.4
    return fields


def toml(fields):
    return "[[virtio]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


def domain(draw=None, count=0):
    """(kind, transport, request, sector, sectors), all small ones or some of any size."""
    if draw is None:
        for kind, transport in itertools.product(TYPES, (0, 1, 2, 31)):
            for request in ASKS[kind]:
                for sector, sectors in itertools.product(range(24), (1, 2, 5, 24)) if request in SECTORED else [(0, 0)]:
                    yield kind, transport, request, sector, sectors
    for _ in range(count):
        kind = draw.choice(["block"] * 4 + list(TYPES))
        yield kind, draw.choice([0, 1, 2, 3, 31]), draw.choice(ASKS[kind]), draw.randint(0, 30), draw.randint(0, 30)


def touched(sector, sectors):
    return range(sector, sector + max(sectors, 1))


def compiled(rows, default):
    """The policy of those rows that can be reached, and they. What the compiler calls unreachable the model must, too."""
    text = f'default = {{ action = "{default}" }}\n'
    while True:
        try:
            return compiler.Compiler("test.toml", text + TRANSPORTS + "".join(map(toml, rows)), *TABLES), rows
        except model.PolicyError as error:
            message = error.args[0][0]
        assert "never reached" in message or "no such device" in message, message
        starts = list(itertools.accumulate((toml(fields).count("\n") for fields in rows), initial=HEAD + 1))
        wrong = starts.index(int(message.split(":")[1]))
        decided = {decide(rows, default, kind, transport, request, touched(sector, sectors))
                   for kind, transport, request, sector, sectors in domain()}
        assert (wrong, True) not in decided, (message, rows)
        assert "no such device" in message or (wrong, False) not in decided, (message, rows)
        rows = rows[:wrong] + rows[wrong + 1:]


PROBE = """
#include <stdio.h>
#include <hv/policy_virtio.h>
int main(void)
{
    struct policy_virtio_access access;
    unsigned int request;
    while (scanf("%u %u %u %lu %lu", &access.transport, &access.device_id, &request, &access.sector, &access.sectors) == 5) {
        access.request = request;
        struct policy_virtio_verdict verdict = policy_virtio_request(&policy_built, &access);
        printf("%u %u\\n", verdict.row->row, verdict.allowed);
    }
}
"""


@pytest.fixture(scope="module", name="probe")
def make_probe(tmp_path_factory):
    """A function: policy and requests -> lines of what policy/policy_virtio.c decides."""
    folder = tmp_path_factory.mktemp("probe")
    cc = ["cc", "-std=gnu2x", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", f"-I{ROOT}/tests/fake", f"-I{ROOT}/include"]
    (folder / "probe.c").write_text(PROBE)
    for name, source in (("probe", folder / "probe.c"), ("virtio", f"{ROOT}/policy/policy_virtio.c"), ("rate", f"{ROOT}/lib/rate.c")):
        subprocess.run([*cc, "-c", "-o", folder / f"{name}.o", source], check=True)

    def ask(policy, requests):
        (folder / "tables.c").write_text(emit.generate(policy))
        subprocess.run([*cc, "-o", folder / "run", folder / "tables.c", *(folder / f"{name}.o" for name in ("probe", "virtio",
                                                                                                          "rate"))], check=True)
        lines = "".join(f"{transport} {TYPES[kind]} {REQUESTS.index(request)} {sector} {sectors}\n"
                        for kind, transport, request, sector, sectors in requests)
        return subprocess.run([folder / "run"], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()

    return ask


@pytest.mark.parametrize("seed", range(12))
def test_the_tables_decide_as_the_model_does(seed, probe):
    draw = random.Random(seed)
    default = draw.choice(["emulate", "deny"])
    policy, rows = compiled([random_row(draw) for _ in range(draw.randint(1, 9))], default)
    first = next((row.index for row in policy.rows if row.table == "virtio"), 0)
    requests = [*domain(), *domain(draw, 4000)]
    expected = []
    for kind, transport, request, sector, sectors in requests:
        decides, allowed = decide(rows, default, kind, transport, request, touched(sector, sectors))
        expected.append(f"{0 if decides is None else first + decides} {int(allowed)}")
    got = probe(policy, requests)
    assert len(got) == len(expected)
    wrong = [(request, had, want) for request, had, want in zip(requests, got, expected) if had != want]
    assert not wrong, (wrong[:3], rows)
