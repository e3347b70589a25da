# SPDX-License-Identifier: Apache-2.0
"""tools/run_linux.py: what lies where in the guest's memory, what EL2 is told of it, and what is refused or warned of."""

import re
import struct
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import c_source  # noqa: E402
import guest_manifest  # noqa: E402
import run  # noqa: E402
import run_linux  # noqa: E402
from linux_image import HEADER, MAGIC, ImageError  # noqa: E402

WHERE = run_linux.WHERE
SHIFT = WHERE["GUEST_RAM_PA"] - WHERE["GUEST_RAM_IPA"]
TREE = WHERE["LINUX_DTB_IPA"]


@pytest.fixture
def given(tmp_path):
    """given(name, bytes): the path of a file."""
    def make(name, data):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name
    return make


@pytest.fixture
def prepare(tmp_path):
    def make(*words):
        options = run_linux.arguments_of().parse_args([f"--folder={tmp_path}/out", *words])
        loads, said = run_linux.prepare(options)
        return {address - SHIFT: Path(path) for path, address in loads[:-1]}, listed(loads[-1]), said
    return make


def listed(load):
    """The list that EL2 reads, checked for its place."""
    path, address = load
    assert address == WHERE["GUEST_MANIFEST_PA"]
    data = Path(path).read_bytes()
    magic, version, kind, entry, argument, count = struct.unpack_from("<6Q", data)
    assert (magic, version, len(data)) == (guest_manifest.MAGIC, guest_manifest.VERSION, 64 + 24 * count)
    assert len(data) <= WHERE["GUEST_MANIFEST_SIZE"] and 64 + 24 * guest_manifest.PIECES_MAX <= WHERE["GUEST_MANIFEST_SIZE"]
    pieces = [struct.unpack_from("<3Q", data, 64 + 24 * n) for n in range(count)]
    return guest_manifest.KINDS[kind], entry, argument, [(guest_manifest.PIECE_KINDS[k], at, size) for at, size, k in pieces]


def kernel(image_size=0x4000, text_offset=0, flags=0xa):
    return HEADER.pack(0x14000010, 0, text_offset, image_size, flags, 0, 0, 0, MAGIC, 0).ljust(0x3000, b"\1")


def test_both_sides_have_the_same_list():
    names = ("GUEST_MANIFEST_MAGIC", "GUEST_MANIFEST_VERSION", "GUEST_MANIFEST_PIECES")
    number = c_source.constants("hv/guest_manifest.h", *names)
    assert [number[name] for name in names] == [guest_manifest.MAGIC, guest_manifest.VERSION, guest_manifest.PIECES_MAX]
    kinds = [name.removeprefix("GUEST_KIND_") for name in c_source.enumerators("hv/guest_manifest.h", "guest_kind")]
    assert tuple(kinds[:-1]) == guest_manifest.KINDS  # the last is their count
    pieces = [name.removeprefix("GUEST_PIECE_") for name in c_source.enumerators("hv/guest_manifest.h", "guest_piece_kind")]
    assert tuple(pieces[:-1]) == guest_manifest.PIECE_KINDS


def test_linux_has_its_documented_places(prepare, given):
    loads, (kind, entry, argument, pieces), _ = prepare(f"--image={given('Image', kernel())}",
                                                        f"--initrd={given('initrd', b'x' * 4096)}")
    tree = loads[TREE].stat().st_size
    assert (kind, entry, argument) == ("LINUX", 0x40000000, TREE)
    assert pieces == [("IMAGE", 0x40000000, 0x4000), ("INITRD", 0x44000000, 4096), ("DTB", TREE, tree)]
    assert sorted(loads) == [0x40000000, 0x44000000, TREE]


def test_an_initrd_goes_behind_a_large_image(prepare, given):
    loads, (_, _, _, pieces), said = prepare(f"--image={given('Image', kernel(72 << 20))}",
                                             f"--initrd={given('initrd', b'x' * 4096)}")
    assert ("INITRD", 0x44800000, 4096) in pieces and 0x44800000 in loads
    tree = loads[TREE].read_bytes()  # /chosen says the same
    assert struct.pack(">Q", 0x44800000) in tree and struct.pack(">Q", 0x44801000) in tree
    assert any("0x1000 bytes at 0x44800000" in line for line in said)


def test_a_program_finds_the_tree_at_the_start_of_ram(prepare, given):
    loads, (kind, entry, argument, pieces), _ = prepare(f"--program={given('prog', bytes(64))}")
    assert (kind, entry, argument) == ("PROGRAM", 0x40080000, TREE)
    assert [piece[:2] for piece in pieces] == [("PROGRAM", 0x40080000), ("DTB", TREE), ("DTB", 0x40000000)]
    assert loads[0x40000000].read_bytes() == loads[TREE].read_bytes()
    assert loads[0x40000000].read_bytes()[:4] == b"\xd0\x0d\xfe\xed"


def test_what_is_at_the_start_of_ram_is_left_alone(prepare, given):
    for words in ([f"--program={given('prog', bytes(64))}", "--address=0x40000400"],
                  [f"--program={given('prog', bytes(64))}", f"--file={given('f', b'x')}@0x40000010"],
                  [f"--program={given('Image', kernel())}"]):
        _, (_, _, _, pieces), _ = prepare(*words)
        assert ("DTB", 0x40000000) not in [piece[:2] for piece in pieces]


def test_files_and_an_initrd_for_a_program(prepare, given):
    one, other = given("one file", b"1" * 100), given("two", b"2")
    loads, (_, _, _, pieces), _ = prepare(f"--program={given('prog', bytes(64))}", f"--initrd={other}",
                                          f"--file={one}@0x50000000 {other}@1342177536")
    assert loads[0x50000000] == one and loads[0x50000100] == other and loads[0x44000000] == other
    assert {("FILE", 0x50000000, 100), ("FILE", 0x50000100, 1), ("INITRD", 0x44000000, 1)} <= set(pieces)


@pytest.mark.parametrize("words, why", [
    (["--program={prog}", "--file={f}@0x40080004"], "GUEST=.* at 0x40080000..0x40080040 overlaps GUEST_FILE=.*f@0x40080004"),
    (["--program={prog}", "--file={f}@0x6fe00000"], "overlaps the device tree at 0x6fe00000"),
    (["--program={prog}", "--file={f}@0x70000000"], "GUEST_FILE=.*: outside guest RAM, 0x40000000..0x70000000"),
    (["--program={prog}", "--file={f}@0x6ffffff0"], "0x100 bytes at 0x6ffffff0: must lie within guest RAM"),
    (["--program={prog}", "--file={f}"], "GUEST_FILE=.*: not path@IPA, as in ramdisk.img@0x50000000"),
    (["--program={prog}", "--file={f}@here"], "GUEST_FILE=.*@here: not path@IPA"),
    (["--program={prog}", "--file=nothing@0x50000000"], "GUEST_FILE=nothing@0x50000000: no such file"),
    (["--program={prog}", "--file={f}@0x50000000 {f}@0x50000010"], "GUEST_FILE=.* overlaps GUEST_FILE="),
    (["--program={prog}", "--address=0x6fe00000"], "overlaps the device tree"),
    (["--program={prog}", "--address=0x80000000"], "GUEST_ADDR=0x80000000: outside guest RAM"),
    (["--program={prog}", "--address=high"], "GUEST_ADDR=high: not a number"),
    (["--image={big}", "--initrd={f}"], "LINUX_INITRD=.*: size=0x100: at most 0x0 bytes fit between 0x6fe00000, behind the"),
])
def test_what_does_not_fit_is_one_line(prepare, given, words, why):
    paths = {"prog": given("prog", bytes(64)), "f": given("f", b"x" * 256), "big": given("big", kernel(TREE - 0x40000000))}
    with pytest.raises(ImageError, match=why) as caught:
        prepare(*(word.format(**paths) for word in words))
    assert "\n" not in str(caught.value)


def test_devices_are_said_and_those_that_the_policy_denies(prepare, given):
    disk = given("a.img", bytes(512))
    words = [f"--program={given('prog', bytes(64))}", f"--disk={disk}", "--rng=1"]
    loads, _, said = prepare(*words)
    assert said[-2:] == [f"DISK={disk}: transport 0: a raw image", "RNG=1: transport 1: random numbers of the host"]
    assert b"virtio_mmio@a000200" in loads[TREE].read_bytes() and b"virtio_mmio@a000400" not in loads[TREE].read_bytes()
    loads, _, said = prepare(*words, "--policy=policy/lockdown.toml")
    assert said[-1] == "RNG=1: the policy says deny to reads of virtio-mmio: the guest will see none"
    assert b"virtio_mmio@" not in loads[TREE].read_bytes()


@pytest.mark.parametrize("cpu, flags, why", [
    ("cortex-a57", 0xc, "built for 16 KiB pages, which CPU=cortex-a57 does not have: give CPU=max"),
    ("cortex-a53,pmu=off", 0xc, "which CPU=cortex-a53,pmu=off does not have"),
    ("max", 0xc, None), ("cortex-a76", 0xc, None), ("cortex-a57", 0xa, None), ("cortex-a57", 0xe, None), ("cortex-a57", 8, None)])
def test_pages_that_the_cpu_does_not_have(given, cpu, flags, why):
    piece = run_linux.Piece("LINUX_IMAGE=k", "IMAGE", 0x40000000, 0x4000, kernel(flags=flags))
    if why:
        with pytest.raises(ImageError, match=f"^LINUX_IMAGE=k: .*{why}"):
            run_linux.check_pages([piece], cpu)
    else:
        run_linux.check_pages([piece], cpu)


@pytest.mark.parametrize("extra, said", [
    ("-device virtio-net-device,netdev=n", "-device virtio-net-device,netdev=n: names no transport"),
    ("--device virtio-gpu-device,bus=virtio-mmio-bus.2", "virtio-gpu-device,bus=virtio-mmio-bus.2: no guest sees it: ariel passes"),
    ("-device virtio-net-device,netdev=n,bus=virtio-mmio-bus.3", None),
    ("-nic user", "-nic user: no guest sees it: ariel keeps PCIe and USB from its guests; DISK=, NET="),
    ("--device e1000", "-device e1000: no guest sees it"),
    ("-drive file=disk.img,if=virtio", "-drive file=disk.img,if=virtio: no guest sees it"),
    ("-usb", "QEMU_EXTRA: -usb: no guest sees it"),
    ("-hda disk.img", "-hda disk.img: no guest sees it"),
    ("-initrd ramdisk.gz", "-initrd ramdisk.gz: QEMU gives it to a kernel that it loads itself, and here that is ariel"),
    ("-append quiet", "give LINUX_CMDLINE= or GUEST_ARGS="),
    ("-device loader,file=x,addr=0x50000000", None), ("-drive if=pflash,file=x", None), ("-nic none", None),
    ("-s -S -d int -D log", None), ("", None)])
def test_what_the_guest_never_sees_is_warned_of(extra, said):
    found = run.warnings(extra)
    assert len(found) == bool(said) and all("\n" not in line for line in found)
    assert said is None or said in found[0]
