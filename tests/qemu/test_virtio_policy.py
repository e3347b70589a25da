# SPDX-License-Identifier: Apache-2.0
"""[[virtio]] rows, as a guest meets them: U-Boot, to which a policy gives parts of its disks, and a network address."""

import json
import random
import re
import shlex
import sys
import time

import pytest
from harness import ROOT, build_policy

sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/linux")]
import guest_devices  # noqa: E402  (folders, not packages)
import run_linux  # noqa: E402
from linux import Linux  # noqa: E402

UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
POLICY = "tests/qemu/policies/disks.toml"
MIB = 1 << 20
BUFFER = 0x48000000


@pytest.fixture(name="disks")
def make_disks(tmp_path):
    """Three disks of 4 MiB with noise in them."""
    paths = [tmp_path / f"disk{n}.img" for n in range(3)]
    for n, path in enumerate(paths):
        path.write_bytes(random.Random(n).randbytes(4 * MIB))
    return paths


@pytest.fixture(name="firmware")
def boot(tmp_path, disks):
    """U-Boot at its prompt."""
    options = run_linux.arguments_of().parse_args([
        f"--folder={tmp_path}/program", f"--program={UBOOT}", f"--policy={POLICY}", f"--disk={' '.join(map(str, disks))}",
        "--net=user"])
    loads = run_linux.prepare(options)[0]
    extra = shlex.join(guest_devices.parse(options).arguments())
    with Linux(elf=build_policy(POLICY), loads=loads, extra=extra, wait=300) as linux:
        linux.expect_text(r"Hit any key to stop autoboot")
        linux.send(" ")
        linux.expect_text(r"=> $")
        run(linux, "virtio scan")
        yield linux


def run(linux, command):
    linux.send(command + "\n")
    return linux.expect_text(r"=> $")


def requests(text):
    """What the records of block requests say: [(transport, op, sector, bytes, status, place, level)]."""
    found = re.findall(r"level=(\w+) class=policy event=virtio-blk device=block transport=(\d) op=(\S+) sector=(\d+) bytes=(\d+) "
                       r"status=(\w+) row=\d+ at=\S+?disks\.toml:\d+ why=\"?([^\"]+?)\"? tag=", text)
    return [(int(transport), op, int(sector), int(size), status, why, level)
            for level, transport, op, sector, size, status, why in found]


def test_sectors_and_read_only_disks_are_kept(firmware, disks):
    before = [disk.read_bytes() for disk in disks]
    run(firmware, f"mw.b {BUFFER:x} 5a 2000")
    said = run(firmware, "virtio device 0")
    assert "2000" in said or "8192 x 512" in said
    for command, status, why in (("write {} 0 1", "refused", "boot sectors"), ("write {} 3f 2", "refused", "boot sectors"),
                                 ("write {} 40 8", "ok", "what does it write?")):
        said = run(firmware, "virtio " + command.format(f"{BUFFER:x}"))
        sector, count = (int(word, 16) for word in command.split()[2:])
        level = "info" if status == "ok" else "warn"
        assert requests(said) == [(0, "write", sector, 512 * count, status, why, level)]
        assert ("ERROR" in said) == (status == "refused")
    run(firmware, "virtio device 1")
    said = run(firmware, f"virtio write {BUFFER:x} 100 1")
    assert requests(said) == [(1, "write", 0x100, 512, "refused", "a disk to look at", "warn")] and "ERROR" in said
    said = run(firmware, f"virtio read {BUFFER:x} 8 8")
    assert requests(said) == [(1, "read", 8, 4096, "ok", "a disk to look at", "info")] and "OK" in said
    assert "unknown device" in run(firmware, "virtio device 2")
    wanted = bytearray(before[0])
    wanted[0x40 * 512:0x48 * 512] = b"\x5a" * 4096
    assert [disk.read_bytes() for disk in disks] == [bytes(wanted), *before[1:]]

    firmware.attention()
    assert "boot sectors" in firmware.command("policy request 0 block write 63 2").text
    assert "what does it write?" in firmware.command("policy request 0 block write 64 1").text
    rows = [json.loads(line) for line in firmware.command("policy stat -j") if '"subject":"virtio' in line]
    counts = {row["why"]: int(row["count"]) for row in rows}
    assert counts["boot sectors"] == 2 and counts["what does it write?"] == 1 and counts["no other device"] == 0


def test_a_disk_is_as_fast_as_its_row_says(firmware):
    """U-Boot reads in one request, which is larger than the bucket: it goes when all before it has been paid for. So each MiB
    but the first waits for a second, and all of them arrive."""
    run(firmware, "virtio device 0")
    begin = time.monotonic()
    for number in range(4):
        assert "2048 blocks read: OK" in run(firmware, f"virtio read {BUFFER:x} {number * 2048:x} 800")
    assert time.monotonic() - begin >= 3 - 0.1


def test_a_network_card_sends_from_its_own_address(firmware):
    """QEMU's network answers whoever sends: an address that U-Boot makes up gets no answer because its frames go nowhere."""
    run(firmware, "setenv ipaddr 10.0.2.15; setenv netmask 255.255.255.0; setenv netretry no")
    frame = r"event=virtio-net device=net transport=3 op=tx bytes=\d+ status=(\w+) row=\d+ at=\S+ why=\"from its own address\""
    said = run(firmware, "ping 10.0.2.2")
    assert "host 10.0.2.2 is alive" in said and set(re.findall(frame, said)) == {"ok"}
    number = re.search(r"^eth(\d+) : virtio-net", run(firmware, "net list"), re.M)[1]
    run(firmware, f"env set -f eth{number if number != '0' else ''}addr 52:54:00:99:99:99")
    said = run(firmware, "ping 10.0.2.2")
    assert "not alive" in said and set(re.findall(frame, said)) == {"refused"}
