# SPDX-License-Identifier: Apache-2.0
"""tools/linux_image.py: kernels are unwrapped and checked, programs become Images, and what can't be loaded is named."""

import bz2
import gzip
import lzma
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import linux_image  # noqa: E402
from ariel import unwrap  # noqa: E402
from linux_image import HEADER, MAGIC, ImageError, load_kernel  # noqa: E402

WHERE = linux_image.read_memory_map(ROOT / "include/hv/memory_map.h")


def image(text_offset=0, image_size=0x4000, flags=0xa, magic=MAGIC, size=0x3000):
    return HEADER.pack(0x14000010, 0, text_offset, image_size, flags, 0, 0, 0, magic, 0).ljust(size, b"\1")


def efi_image(end, size):
    """An Image that EFI can start, whose last section ends there."""
    data = bytearray(image(size=size))
    data[0:2], data[0x3c:0x40] = b"MZ", (0x40).to_bytes(4, "little")
    data[0x40:0x58] = b"PE\0\0" + struct.pack("<2H12x2H", 0xaa64, 2, 0x10, 0)
    for at, (start, stop) in zip((0x68, 0x90), ((0x1000, 0x2000), (0x2000, end))):
        data[at:at + 40] = struct.pack("<16x2I16x", stop - start, start)
    return bytes(data[:size])


def test_a_cut_off_kernel_is_refused(tmp_path):
    path = tmp_path / "Image"
    path.write_bytes(efi_image(0x3000, 0x3000))
    assert load_kernel(path, WHERE).image_size == 0x4000
    for size in (0x2fff, 0x1000, 0xa0, 0x90):
        path.write_bytes(efi_image(0x3000, size))
        with pytest.raises(ImageError, match=rf"file size={size:#x}: its sections end at 0x\w+; is it cut off\?"):
            load_kernel(path, WHERE)


def zboot(payload, kind, offset=0x100, size=None):
    head = b"MZ\0\0zimg" + struct.pack("<IIII", offset, len(payload) if size is None else size, 0, 0) + kind.encode()
    return head.ljust(offset, b"\0") + payload


def zstd(data):
    return subprocess.run(["zstd", "-cq"], input=data, stdout=subprocess.PIPE, check=True).stdout


def lz4(data):
    return subprocess.run(["lz4", "-cq"], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture
def load(tmp_path):
    def loader(data, function=load_kernel, **options):
        (tmp_path / "file").write_bytes(data)
        return function(tmp_path / "file", WHERE, **options)
    return loader


@pytest.mark.parametrize("pack, wraps", [
    (lambda data: data, ()),
    (gzip.compress, ("gzip",)),
    (lzma.compress, ("xz",)),
    (lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE), ("lzma",)),
    (bz2.compress, ("bzip2",)),
    (zstd, ("zstd",)),
    (lz4, ("lz4",)),
    (lambda data: zboot(gzip.compress(data), "gzip"), ("EFI zboot", "gzip")),
    (lambda data: zboot(zstd(data), "zstd22"), ("EFI zboot", "zstd")),
    (lambda data: gzip.compress(zboot(lzma.compress(data), "xzkern")), ("gzip", "EFI zboot", "xz")),
], ids=["plain", "gzip", "xz", "lzma", "bzip2", "zstd", "lz4", "zboot-gzip", "zboot-zstd", "gzip-zboot-xz"])
def test_unwraps(load, pack, wraps):
    loaded = load(pack(image()))
    assert (loaded.data, loaded.wraps, loaded.image_size) == (image(), wraps, 0x4000)


@pytest.mark.parametrize("data, why", [
    (b"", "the file is empty"),
    (b"MZ", "size=2: too short for an Image header of 64 bytes"),
    (image(magic=0x1234), "image_magic=0x1234, an arm64 Image has 0x644d5241: this is not an arm64 Image"),
    (b"\x7fELF" + bytes(100), "this is an ELF file: for a kernel give arch/arm64/boot/Image, not vmlinux"),
    (b"\x27\x05\x19\x56" + bytes(100), "this is a U-Boot uImage"),
    (bytes(0x202) + b"HdrS" + bytes(100), "this is a kernel for another architecture"),
    (bytes(0x38) + b"RSC\x05" + bytes(100), "this is a kernel for another architecture"),
    (b"MZ".ljust(0x3c, b"\0") + b"\x80\0\0\0".ljust(0x44, b"\0") + b"PE\0\0", "this is an EFI application"),
    (image(flags=0xb), "image_flags=0xb: big-endian kernel"),
    (image(image_size=0), "image_size=0: older than Linux 3.17"),
    (image(text_offset=0x200000), "text_offset=0x200000: must be a multiple of 4 below 0x200000"),
    (image(text_offset=2), "text_offset=0x2: must be a multiple of 4"),
    (image(image_size=0x40000000), f"image_size=0x40000000 at text_offset=0x0: at most "
     f"{WHERE['LINUX_DTB_PA'] - WHERE['LINUX_IMAGE_PA']:#x} bytes fit below the device tree"),
    (gzip.compress(image())[:-9], "gzip data is damaged or ends after"),
    (gzip.compress(image())[:40] + b"damage" + gzip.compress(image())[46:], "gzip data is damaged"),
    (zstd(image())[:-9], "zstd data is damaged or ends after"),
    (zboot(b"", "gzip", size=0x100000), "EFI zboot payload=0x100+0x100000: reaches past the file's 0x100 bytes"),
    (zboot(gzip.compress(image()), "rot13"), 'EFI zboot comp_type="rot13": not one of gzip, lz4, lzma, xz'),
    (gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(image()))))), "wrapped more than 4 times"),
])
def test_refuses_kernel(load, data, why):
    with pytest.raises(ImageError) as caught:
        load(data)
    assert why in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("LINUX_IMAGE=/")


RAM, INITRD, TREE = WHERE["GUEST_RAM_IPA"], WHERE["LINUX_INITRD_IPA"], WHERE["LINUX_DTB_IPA"]


@pytest.mark.parametrize("size, end, place", [
    (0x1000, RAM + 0x2000000, INITRD),      # its documented place
    (TREE - INITRD, INITRD, INITRD),        # all of it
    (0x1000, INITRD + 1, INITRD + 0x10000),  # behind a larger Image
    (0x1000, RAM + (72 << 20), RAM + (72 << 20)),
    (TREE - INITRD + 1, RAM + 0x200001, RAM + 0x210000),  # larger than the documented place
    (TREE - RAM - (600 << 20), RAM + (600 << 20), RAM + (600 << 20)),  # up to the tree
    (0x1000, TREE - 0x1000, None),
])
def test_an_initrd_goes_behind_the_image(size, end, place):
    if place:
        assert linux_image.place_initrd(size, [(RAM, end)], "x", WHERE) == place
    with pytest.raises(ImageError, match=rf"x: size=0x\w+: at most 0x\w+ bytes fit between 0x\w+, behind the guest, and "
                                         rf"the device tree at {TREE:#x}"):
        linux_image.place_initrd(size if place is None else TREE - RAM, [(RAM, end)], "x", WHERE)


def test_an_image_may_reach_up_to_the_tree(load):
    room = TREE - RAM
    assert load(image(text_offset=0x80000, image_size=room - 0x80000)).text_offset == 0x80000
    with pytest.raises(ImageError, match=f"at most {room:#x} bytes fit below the device tree"):
        load(image(text_offset=0x80000, image_size=room - 0x80000 + 1))


def test_a_bomb_is_refused(load, monkeypatch):
    monkeypatch.setattr(unwrap, "UNWRAPPED_MAX", 0x10000)
    for pack in (gzip.compress, lzma.compress, bz2.compress, zstd, lz4):
        with pytest.raises(ImageError, match="unwraps to more than 0x10000 bytes"):
            load(pack(bytes(0x200000)))


def test_a_bomb_takes_no_more_memory_than_is_allowed(monkeypatch):
    monkeypatch.setattr(unwrap, "UNWRAPPED_MAX", 32 << 20)
    bombs = [("gzip", gzip.compress(bytes(48 << 20), 1)), ("bzip2", bz2.compress(bytes(48 << 20), 1))]
    for kind, data in bombs:
        tracemalloc.start()
        with pytest.raises(ImageError, match="unwraps to more than 0x2000000 bytes"):
            unwrap.decompress(data, kind, "a")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 72 << 20, kind


def test_packed_data_of_several_pieces(monkeypatch):
    monkeypatch.setattr(unwrap, "PIECE", 1000)
    data = bytes(range(256)) * 50
    for kind, pack in (("gzip", gzip.compress), ("xz", lzma.compress), ("bzip2", bz2.compress)):
        assert unwrap.decompress(pack(data), kind, "a") == data


def test_missing_unwrapper_is_named(load, monkeypatch):
    data = zstd(image())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ImageError, match="zstd: not installed"):
        load(data)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=300), st.tuples(st.sampled_from(unwrap.MAGICS), st.binary(max_size=200)).map(
    lambda pair: pair[0][0] + pair[1]), st.binary(max_size=64).map(lambda data: zboot(data, "gzip", 64))))
def test_any_bytes_end_in_an_image_or_one_line(data):
    try:
        unwrapped, _ = unwrap.unwrap(data, "x")
        linux_image.check_image(unwrapped, "x", WHERE)
    except ImageError as error:
        assert "\n" not in str(error)


def test_command_line_says_one_line(tmp_path):
    done = subprocess.run([sys.executable, "tools/linux_image.py", "--output", tmp_path / "Image", "README.md"], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "image_magic=" in done.stderr
    assert not (tmp_path / "Image").exists()
