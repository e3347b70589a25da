# SPDX-License-Identifier: Apache-2.0
"""tools/guest_devices.py: what DISK=, NET=, SHARE= and RNG= become, and that what cannot be is refused in one line."""

import argparse
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "scripts")]
import guest_devices  # noqa: E402  (folders, not packages)
from guest_devices import DeviceError  # noqa: E402
from run import machine_arguments  # noqa: E402


def options(platform="virt", policy="policy/linux.toml", **given):
    parser = argparse.ArgumentParser()
    guest_devices.add_arguments(parser)
    words = [f"--{name}={value}" for name, value in given.items()]
    return argparse.Namespace(platform=platform, policy=policy, **vars(parser.parse_args(words)))


def parse(**given):
    return guest_devices.parse(options(**given))


def refused(**given):
    """The line that refuses it."""
    with pytest.raises(DeviceError) as caught:
        parse(**given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def qcow2(version=3, backing=b"", form=b"", virtual=1 << 20):
    """The first cluster of a qcow2 image, as docs/interop/qcow2.txt of QEMU has it."""
    extensions = (struct.pack(">II", 0xE2792ACA, len(form)) + form.ljust(len(form) + 7 & ~7, b"\0") if form else b"") + bytes(8)
    length = 104 if version == 3 else 72
    at = length + len(extensions) if backing else 0
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", version, at, len(backing), 16, virtual).ljust(72, b"\0")
    if version == 3:
        head += bytes(28) + struct.pack(">I", length)
    return (head + extensions + backing).ljust(65536, b"\0")


@pytest.fixture
def file(tmp_path, monkeypatch):
    """file(name, bytes or a size): the name of a file in the current folder."""
    monkeypatch.chdir(tmp_path)

    def make(name, data=1 << 20):
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else bytes(data))
        return name
    return make


def values(arguments, option):
    return [value for word, value in zip(arguments, arguments[1:]) if word == option]


def test_without_devices_the_command_line_is_as_it_was():
    assert parse().arguments() == [] and parse().transports == {} and parse().words() == []
    assert parse(rng="0").arguments() == []


def test_all_of_them(file, tmp_path):
    file("a.img"), file("b.qcow2", qcow2()), (tmp_path / "shared").mkdir()
    devices = parse(disk="a.img  b.qcow2,ro", net="user,hostfwd=tcp:127.0.0.1:0022-:22".replace("0022", str(free_port())),
                    share="shared", rng="1")
    arguments = devices.arguments()
    assert devices.transports == {0: "block", 1: "block", 2: "net", 3: "9p", 4: "rng"}
    assert arguments[:2] == ["-global", "virtio-mmio.force-legacy=false"]
    assert values(arguments, "-drive") == ["if=none,id=disk0,file=a.img,format=raw,discard=unmap",
                                           "if=none,id=disk1,file=b.qcow2,format=qcow2,discard=unmap,read-only=on"]
    assert [value.split(",")[0] + value[value.rindex(",bus="):] for value in values(arguments, "-device")] == [
        "virtio-blk-device,bus=virtio-mmio-bus.0", "virtio-blk-device,bus=virtio-mmio-bus.1",
        "virtio-net-device,bus=virtio-mmio-bus.2", "virtio-9p-device,bus=virtio-mmio-bus.3",
        "virtio-rng-device,bus=virtio-mmio-bus.4"]
    assert all(",werror=report,rerror=report" in value for value in values(arguments, "-device")[:2])
    assert [line.split(":")[0] for line in devices.words()] == ["DISK=a.img", "DISK=b.qcow2,ro", devices.placed[2][1].asked.split(":")[0],
                                                                "SHARE=shared", "RNG=1"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_qemu_takes_what_is_made(file, tmp_path):
    """Each argument is one that QEMU knows: it starts the machine and ends at its monitor's word."""
    file("a b.img"), file("b.img"), file("c.img", qcow2()), (tmp_path / "shared").mkdir()
    port = free_port()
    devices = parse(disk="'a b.img' b.img,ro c.img,raw", net=f"user,hostfwd=tcp:127.0.0.1:{port}-:22,restrict=on", share="shared",
                    rng="1")
    status, out = qemu(devices, "info block\ninfo qtree\nquit\n")
    assert status == 0
    assert re.search(r"disk0.*: a b\.img \(raw\)", out) and re.search(r"disk1.*: b\.img \(raw, read-only\)", out)
    for number, model in enumerate(("blk", "blk", "blk", "net", "9p", "rng")):
        assert re.search(rf"bus: virtio-mmio-bus\.{number}\s.*\s+dev: virtio-{model}-device", out)


@pytest.mark.parametrize("disk, why", [
    ("nowhere.img", "DISK=nowhere.img: no such file"),
    ("empty.img", "DISK=empty.img: the file is empty; truncate -s 1G makes"),
    ("folder", "DISK=folder: a folder, not an image; make disk ROOT=folder"),
    ("/dev/null", "DISK=/dev/null: not a file"),
    ("odd.img", "DISK=odd.img: size=1000: a disk has a multiple of 512 bytes; truncate -s %512"),
    ("a.img a.img", "DISK=a.img: the same file as DISK=a.img"),
    ("a.img link.img,ro", "DISK=link.img,ro: the same file as DISK=a.img"),
    ("a.img,rw", "DISK=a.img,rw: \"rw\" is no option; there are ro, raw (a name with a comma needs a symbolic link)"),
    ("a,b.img", "DISK=a,b.img: \"b.img\" is no option"),
    ("a.img,ro,ro", "DISK=a.img,ro,ro: ro is there twice"),
    (",ro", "DISK=,ro: no name before the comma"),
    ("'a.img", "DISK='a.img: not words with blanks between: no closing quotation"),
    ("raw.qcow2", "DISK=raw.qcow2: no qcow2 image, though its name says so; \",raw\" takes it as raw"),
    ("q.img", "DISK=q.img: begins like a qcow2 image, which a guest can have written there"),
    ("v4.qcow2", "DISK=v4.qcow2: version=4: of a qcow2 image it must be 2 or 3"),
    ("odd.qcow2", "DISK=odd.qcow2: virtual size=1000: must be a multiple of 512"),
    ("short.qcow2", "DISK=short.qcow2: size=16: too short for the header of a qcow2 image"),
    ("unsure.qcow2", "DISK=unsure.qcow2: does not say how its backing file base.img is to be read; record it: qemu-img rebase"),
    ("x.vmdk", "DISK=x.vmdk: only raw and qcow2 images can be a disk; convert it"),
])
def test_a_disk_that_cannot_be_is_one_line(file, tmp_path, disk, why):
    file("a.img"), file("empty.img", 0), file("odd.img", 1000), file("raw.qcow2"), file("q.img", qcow2()), file("x.vmdk")
    file("v4.qcow2", qcow2().replace(struct.pack(">I", 3), struct.pack(">I", 4), 1)), file("odd.qcow2", qcow2(virtual=1000))
    file("short.qcow2", qcow2()[:16]), file("unsure.qcow2", qcow2(backing=b"base.img"))
    (tmp_path / "folder").mkdir()
    os.symlink("a.img", "link.img")
    assert refused(disk=disk).startswith(why)


def test_a_qcow2_image_says_how_its_backing_file_is_read(file):
    for version in (2, 3):
        file("q.qcow2", qcow2(version=version, backing=b"base.img", form=b"raw"))
        assert "format=qcow2" in " ".join(parse(disk="q.qcow2").arguments())


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write and read everything")
def test_rights_matter(file, tmp_path):
    os.chmod(file("r.img"), 0o444)
    assert refused(disk="r.img").startswith('DISK=r.img: not writable; ",ro" gives the guest a disk that it can only read')
    assert "read-only=on" in " ".join(parse(disk="r.img,ro").arguments())


def test_what_can_only_be_read_is_asked_for_so(file, monkeypatch):
    file("r.img")
    monkeypatch.setattr(guest_devices.os, "access", lambda path, mode: mode != os.W_OK)
    assert refused(disk="r.img").startswith('DISK=r.img: not writable; ",ro" gives the guest a disk that it can only read')
    assert "read-only=on" in " ".join(parse(disk="r.img,ro").arguments())
    monkeypatch.setattr(guest_devices.os, "access", lambda path, mode: False)
    assert refused(disk="r.img,ro") == "DISK=r.img,ro: not readable"
    assert refused(share=".") == "SHARE=.: not readable"


def qemu(devices, commands, wait=True):
    """Starts QEMU's virt with the devices, its CPUs stopped, and gives its monitor commands."""
    machine = subprocess.Popen([*machine_arguments(), "-display", "none", "-serial", "none", "-S", "-monitor", "stdio",
                                *devices.arguments()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if wait:
        out, _ = machine.communicate(commands, timeout=120)
        return machine.returncode, out
    machine.stdin.write(commands)
    machine.stdin.flush()
    return machine


@pytest.mark.parametrize("other, ours, free", [("a.img", "a.img", False), ("a.img", "a.img,ro", False),
                                               ("a.img,ro", "a.img", False), ("a.img,ro", "a.img,ro", True)])
def test_an_image_of_another_qemu(file, other, ours, free):
    file("a.img")
    machine = qemu(parse(disk=other), "info block\n", wait=False)
    try:
        while "Cache mode" not in machine.stdout.readline():
            assert machine.poll() is None
        if free:
            assert parse(disk=ours)
        else:
            assert refused(disk=ours) == f"DISK={ours}: in use by another QEMU"
    finally:
        machine.kill()
        machine.wait()
    assert parse(disk=ours)


@pytest.mark.parametrize("net, why", [
    ("tap", "NET=tap: only user, the network inside QEMU, is there; QEMU_EXTRA takes others"),
    ("user user", "NET=user user: a guest has one network device"),
    ("user,smb=/etc", "NET=user,smb=/etc: smb=/etc: not one of hostfwd=, restrict="),
    ("user,guestfwd=tcp:10.0.2.9:1-cmd:sh", "not one of hostfwd="),
    ("user,", "NET=user,: nothing between commas: not one of"),
    ("user,hostfwd=", "hostfwd=: not one of"),
    ("user,hostfwd=22", "hostfwd=22: not tcp:<address here>:<port here>-<guest's address>:<its port>, as in tcp:127.0.0.1:2222-:22"),
    ("user,hostfwd=sctp::1-:2", "hostfwd=sctp::1-:2: not tcp:"),
    ("user,hostfwd=tcp::0-:22", "port 0: must be 1 to 65535"),
    ("user,hostfwd=tcp::2222-:65536", "port 65536: must be 1 to 65535"),
    ("user,hostfwd=tcp:192.0.2.1:2222-:22", "tcp port 2222 of 192.0.2.1: Cannot assign requested address"),
    ("user,hostfwd=udp:127.0.0.1:45671-:1,hostfwd=udp:127.0.0.1:45671-:2", "udp:127.0.0.1:45671 is forwarded twice"),
])
def test_a_network_that_cannot_be_is_one_line(net, why):
    assert why in refused(net=net)


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"tcp port {port} of 127.0.0.1: Address already in use" in refused(net=f"user,hostfwd=tcp:127.0.0.1:{port}-:22")


def test_a_port_open_to_everybody_is_warned_of():
    port = free_port()
    lines = guest_devices.warnings(options(net=f"user,hostfwd=tcp::{port}-:22"))
    assert lines == [f"NET=user,hostfwd=tcp::{port}-:22: hostfwd=tcp::{port}-:22: everybody who reaches this machine can connect; "
                     f"hostfwd=tcp:127.0.0.1:{port}-:22 is for this machine alone"]
    assert guest_devices.warnings(options(net=f"user,hostfwd=tcp:127.0.0.1:{port}-:22")) == []


def test_what_the_guest_will_not_see_is_said(file):
    devices = parse(disk=file("a.img"), rng="1")
    assert devices.words({0: "the policy denies block devices"}) == [
        "DISK=a.img: the policy denies block devices: the guest will see none", "RNG=1: transport 1: random numbers of the host"]


@pytest.mark.parametrize("share, why", [
    ("nowhere", "SHARE=nowhere: no such folder"), ("a.img", "SHARE=a.img: not a folder; a file can be a DISK="),
    (".,rw", "SHARE=.,rw: \"rw\" is no option; there is ro"), (",ro", "SHARE=,ro: no name before the comma")])
def test_a_folder_that_cannot_be_is_one_line(file, share, why):
    file("a.img")
    assert refused(share=share).startswith(why)


def test_a_folder_with_a_blank_and_one_to_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("my files")
    assert "path=my files,security_model=" in parse(share="my files").arguments()[3]
    assert parse(share="my files,ro").arguments()[3].endswith("security_model=none,multidevs=remap,readonly=on")
    monkeypatch.setattr(guest_devices, "keeps_attributes", lambda folder: False)
    assert "security_model=none" in parse(share="my files").arguments()[3]


@pytest.mark.parametrize("rng", ["2", "yes", "1 1"])
def test_random_numbers_are_there_or_not(rng):
    assert refused(rng=rng) == f"RNG={rng}: 1 gives the guest a source of random numbers"


def test_so_many_and_no_more(file):
    names = " ".join(file(f"{n}.img", 512) for n in range(32))
    words = names.split()
    assert parse(disk=" ".join(words[:31])).transports == dict.fromkeys(range(31), "block")
    assert refused(disk=names) == "DISK, NET, SHARE and RNG: 32 devices: virt has 31 transports for a guest's devices"
    assert len(parse(disk=" ".join(words[:7]), platform="versal").transports) == 7
    assert "8 devices: versal has 7 transports" in refused(disk=" ".join(words[:7]), rng="1", platform="versal")


def test_transports_of_qemu_extra_are_left_to_it(file):
    extra = "-device virtio-rng-device,bus=virtio-mmio-bus.1 -device virtio-gpu-device,bus=virtio-mmio-bus.2"
    devices = parse(disk=f"{file('a.img')} {file('b.img')}", extra=extra)
    assert [number for number, _ in devices.placed] == [0, 2] and devices.transports == {0: "block", 1: "rng", 2: "block"}
    alone = parse(extra="-device virtio-rng-device,bus=virtio-mmio-bus.4")
    assert alone.arguments() == ["-global", "virtio-mmio.force-legacy=false"] and alone.transports == {4: "rng"}


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
@pytest.mark.parametrize("words, why", [
    (["run", "DISK=a.img"], "DISK=a.img: the diagnostic guest drives no such device; give it to `make run-linux` or with GUEST="),
    (["run-linux", "DISK=nowhere.img"], "DISK=nowhere.img: no such file"),
    (["run-linux", "NET=tap"], "NET=tap: only user"),
    (["run", "GUEST=README.md", "SHARE=nowhere"], "SHARE=nowhere: no such folder"),
    (["dtb-show", "RNG=2"], "RNG=2: 1 gives")])
def test_make_says_it_in_one_line(words, why):
    done = subprocess.run(["make", "-s", *words], cwd=ROOT, capture_output=True, text=True, timeout=600)
    lines = [line for line in done.stderr.splitlines() if not re.match(r"make(\[\d+\])?: \*\*\*", line) or why in line]
    assert done.returncode and len(lines) == 1 and why in lines[0], done.stderr
