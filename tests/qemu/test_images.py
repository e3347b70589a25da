# SPDX-License-Identifier: Apache-2.0
"""What lies at LINUX_IMAGE_PA and is no guest: one record names field, value and bound, and the monitor opens."""

import struct

import pytest
from harness import memory_map

IMAGE, DTB = memory_map("LINUX_IMAGE_PA"), memory_map("LINUX_DTB_PA")
MAGIC, DTB_MAGIC = 0x644D5241, 0xD00DFEED


def image(text_offset=0, size=0x200000, flags=0xA, magic=MAGIC):
    """An arm64 Image whose first instruction branches to itself."""
    return struct.pack("<IIQQQQQQII", 0x14000000, 0, text_offset, size, flags, 0, 0, 0, magic, 0) + bytes(64)


def dtb(magic=DTB_MAGIC, size=4096):
    return struct.pack(">II", magic, size) + bytes(size - 8 if size < 4096 else 4088)


@pytest.fixture
def boot_with(boot, tmp_path):
    def start(**files):
        extra = []
        for name, (address, data) in files.items():
            path = tmp_path / name
            path.write_bytes(data)
            extra.append(f"-device loader,file={path},addr={address:#x},force-raw=on")
        return boot(extra=" ".join(extra))
    return start


@pytest.mark.parametrize("what, kernel, tree, field, value, bound", [
    ("a truncated Image", image()[:40], dtb(), "image_magic", 0, MAGIC),
    ("an x86 bzImage", b"MZ\x00\x00" + bytes(508) + b"\x55\xaa", dtb(), "image_magic", 0, MAGIC),
    ("an ELF file", b"\x7fELF\x02\x01\x01" + bytes(57), dtb(), "image_magic", 0, MAGIC),
    ("a big-endian Image", image(flags=1), dtb(), "image_flags", 1, 0),
    ("an Image without a size", image(size=0), dtb(), "image_size", 0, 1),
    ("an Image larger than its room", image(size=0x30000000), dtb(), "image_size", 0x30000000, DTB - IMAGE),
    ("a text_offset beyond 2 MiB", image(text_offset=0x200000), dtb(), "text_offset", 0x200000, 0x200000),
    ("no device tree", image(), b"", "dtb_magic", 0, DTB_MAGIC),
    ("a device tree cut short", image(), dtb(size=16), "dtb_totalsize", 16, 40),
    ("a device tree too large", image(), struct.pack(">II", DTB_MAGIC, 0x400000), "dtb_totalsize", 0x400000, 0x200000),
])
def test_what_is_no_guest_is_refused_by_name(boot_with, what, kernel, tree, field, value, bound):
    files = {"image": (IMAGE, kernel)}
    if tree:
        files["dtb"] = (DTB, tree)
    ariel = boot_with(**files)
    ariel.expect_line(rf'event=refused reason="[^"]+" {field}={value:#x} bound={bound:#x} ')
    ariel.expect_prompt()
    assert "stopped" in ariel.command("status").text, what
    assert ariel.command("resume", fails=True).status.startswith("err ")


def test_an_image_is_entered_with_its_device_tree_in_x0(boot_with):
    ariel = boot_with(image=(IMAGE, image()), dtb=(DTB, dtb()))
    ariel.expect_line(r'event=guest-enter guest="Linux Image" entry=0x40000000 ')
    ariel.attention()
    text = ariel.command("regs").text
    assert "x0  0x000000006fe00000" in text
    assert "PC             0x0000000040000000" in text


def test_an_image_with_a_text_offset_is_moved_there(boot_with):
    ariel = boot_with(image=(IMAGE, image(text_offset=0x80000)), dtb=(DTB, dtb()))
    ariel.expect_line(r'event=guest-enter guest="Linux Image" entry=0x40080000 ')
    ariel.attention()
    assert "PC             0x0000000040080000" in ariel.command("regs").text
