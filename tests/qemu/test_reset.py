# SPDX-License-Identifier: Apache-2.0
"""What starts after a reset is what the person loaded, whatever the guest has left in its RAM: each guest is run, Image
headers, device tree magics and damaged words are written at each place that the loader looks at, and the machine is reset by
the guest and by the monitor. Other RAM survives, as on a board."""

import json

import pytest
from harness import memory_map
from test_images import DTB, IMAGE, MAGIC, dtb, image
from test_linux_boot import prepare

SHIFT = memory_map("GUEST_RAM_PA") - memory_map("GUEST_RAM_IPA")
INITRD = memory_map("LINUX_INITRD_PA")
CODE, KEPT = 0x50000000, 0x5ABCD000  # where the guest's last code lies, and what shall survive
MASKED = 0x3c5  # PSTATE: EL1h, all interrupts masked
PSCI = {"SYSTEM_RESET": (0x84000009, 0), "SYSTEM_RESET2": (0xc4000012, 0)}


def fill(machine, address, *words, size=8):
    for n, word in enumerate(words):
        machine.command(f"mem write {address + n * size:#x} {word:#x} {size}")


def word_at(machine, address):
    return int(json.loads(machine.command(f"xp /1xg {address:#x} -j")[0])["data"], 16)


def leave_traps(machine):
    """An Image that would run, a device tree, something in the initrd's place; the RAM that shall survive."""
    fill(machine, IMAGE - SHIFT, 0x14000000 | 16, 0, 0x1000, 0xa, 0, 0, 0, MAGIC)
    fill(machine, IMAGE - SHIFT + 64, 0x17ffffffd503207f)
    fill(machine, DTB - SHIFT, 0x00100000edfe0dd0)
    fill(machine, INITRD - SHIFT, 0x88b1f)
    fill(machine, KEPT, 0x0123456789abcdef, 0xfedcba9876543210)


def damage(machine):
    """One bit in each word of the places that the loader looks at."""
    for start in (IMAGE - SHIFT, DTB - SHIFT, INITRD - SHIFT):
        for at in range(start, start + 64, 8):
            fill(machine, at, word_at(machine, at) ^ 1 << 9)


def digest(machine, places):
    return [machine.command(f"mem crc {ipa:#x} {size}").text.split()[-1] for ipa, size in places]


def reset(machine, way):
    """By the guest's PSCI call, or by the monitor."""
    if way == "monitor":
        machine.send("reset\r")
        return
    function, argument = PSCI[way]
    fill(machine, CODE, 0xd4000002, 0x14000000, size=4)  # hvc #0; b .
    for name, value in (("PSTATE", MASKED), ("x0", function), ("x1", argument), ("PC", CODE)):
        machine.command(f"sr {name} {value:#x}")
    machine.send("resume\r")


def stop_at_start(machine, guest, entry):
    machine.expect_line(rf'event=guest-enter guest="{guest}" entry={entry:#x} ')
    machine.attention()
    machine.command("pause")


def holds_through_resets(machine, guest, places, entry=0x40000000):
    stop_at_start(machine, guest, entry)
    pristine = digest(machine, places)
    for attack in (leave_traps, damage):
        for way in ("monitor", *PSCI):
            attack(machine)
            assert digest(machine, places) != pristine
            reset(machine, way)
            stop_at_start(machine, guest, entry)
            assert digest(machine, places) == pristine, f"{attack.__name__}, then {way}"
            assert word_at(machine, KEPT) == 0x0123456789abcdef


def test_the_bundled_guest_comes_back(boot):
    machine = boot()
    machine.expect_line(r"^TAP version 13$")
    holds_through_resets(machine, "diagnostic guest", [(0x40000000, 0x400)])


def test_an_image_loaded_by_hand_comes_back(boot_with):
    machine = boot_with(image=(IMAGE, image()), dtb=(DTB, dtb()), initrd=(INITRD, b"initrd, of no known kind" * 16))
    holds_through_resets(machine, "Linux Image",
                         [(IMAGE - SHIFT, 128), (DTB - SHIFT, 4096), (INITRD - SHIFT, 24 * 16)])


def test_an_image_without_initrd_does_not_get_one(boot_with):
    """The first boot saw none, so the Image may take its place."""
    machine = boot_with(image=(IMAGE, image(size=0x8000000)), dtb=(DTB, dtb()))
    holds_through_resets(machine, "Linux Image", [(IMAGE - SHIFT, 128), (DTB - SHIFT, 4096)])


def test_a_bare_metal_program_comes_back(boot, tmp_path):
    """With its list, its device tree in both places, an initrd and a file."""
    (tmp_path / "p").write_bytes(bytes.fromhex("5f2003d5ffffff17") + b"program" * 100)  # wfe; b .-4
    (tmp_path / "f").write_bytes(b"file" * 100)
    machine = boot(loads=prepare(f"--folder={tmp_path}", f"--program={tmp_path}/p", "--policy=policy/diag.toml",
                                 f"--initrd={tmp_path}/f", f"--file={tmp_path}/f@0x48000000"))
    holds_through_resets(machine, "bare-metal program", [(0x40000000, 256), (0x40080000, 708), (DTB - SHIFT, 256),
                                                         (INITRD - SHIFT, 400), (0x48000000, 400)], 0x40080000)


def test_a_kernel_with_its_list_comes_back(boot, tmp_path):
    """An old one, which stands above the start of RAM."""
    (tmp_path / "kernel").write_bytes(image(text_offset=0x80000))
    (tmp_path / "initrd").write_bytes(b"initrd" * 100)
    machine = boot(loads=prepare(f"--folder={tmp_path}", f"--image={tmp_path}/kernel", f"--initrd={tmp_path}/initrd"))
    holds_through_resets(machine, "Linux Image", [(0x40080000, 128), (DTB - SHIFT, 256), (INITRD - SHIFT, 600)], 0x40080000)


@pytest.fixture
def boot_with(boot, tmp_path):
    def start(**files):
        loads = []
        for name, (address, data) in files.items():
            (tmp_path / name).write_bytes(data)
            loads.append((tmp_path / name, address))
        return boot(loads=loads)
    return start
