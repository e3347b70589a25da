#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a guest of one's own under ariel: a Linux Image with initrd and device tree, or a bare-metal EL1 program.

`make run-linux` and `make run GUEST=` come through here, and so do the tests. Everything that can be refused is refused,
in one line, before QEMU starts. What QEMU loads lies in one folder: Image or the program's pieces, guest.dtb, and
guest.list, which tells ariel what lies where (include/hv/guest_manifest.h).
"""

import argparse
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import channels  # noqa: E402
from ariel.errors import ArielError  # noqa: E402
import guest_devices  # noqa: E402  (folders, not packages)
import guest_dtb  # noqa: E402
import guest_manifest  # noqa: E402
import guest_program  # noqa: E402
import guest_symbols  # noqa: E402
import linux_image  # noqa: E402
from check_layout import read_memory_map  # noqa: E402
from fetch_linux import FetchError, fetch  # noqa: E402
from guest_manifest import Piece  # noqa: E402
from run import BOARDS, become_qemu, boot_option_arguments, kernel_of, qemu_command, refusal, warnings  # noqa: E402

WHERE = read_memory_map(ROOT / "include/hv/memory_map.h")  # the guest's addresses, the same on every board
WITHOUT_16K = ("cortex-a53", "cortex-a57", "cortex-a72")  # their ID_AA64MMFR0_EL1.TGran16 is 0
FILE = re.compile(r"(\S.*?)@(0[xX][0-9a-fA-F]+|\d+)(?:\s+|$)")  # GUEST_FILE: path@IPA, several with blanks between


def arguments_of(description="Boot a guest of one's own under ariel."):
    parser = argparse.ArgumentParser(description=description)
    guest_dtb.add_arguments(parser)
    parser.add_argument("--elf", default="build/policy-linux/hypervisor.elf", help="the hypervisor")
    parser.add_argument("--folder", default="build/linux", help="where Image and guest.dtb are made")
    parser.add_argument("--image", default="", help="a kernel; without it and --program, Debian's installer is fetched")
    parser.add_argument("--initrd", default="")
    parser.add_argument("--program", default="", help="a bare-metal EL1 program in place of a kernel")
    parser.add_argument("--address", default="", help="where a flat binary, or a program that can stand anywhere, goes")
    parser.add_argument("--file", default="", help="more files for the guest's memory: path@IPA, and further ones")
    parser.add_argument("--symbols", default="", help="names for the monitor: 0 for none, or a file that has them")
    parser.add_argument("--console", default="filtered", help="raw: what the guest prints reaches the terminal as it is")
    parser.add_argument("--check", action="store_true", help="only look at what is given")
    channels.add_arguments(parser)
    return parser


def check_pages(pieces, cpu):
    """Whether the CPU has the pages that an Image was built for, as far as it is known here; EL2 asks the CPU itself."""
    for piece in pieces:
        size = linux_image.page_size(piece.data) if piece.kind == "IMAGE" else None
        if size == 16 and cpu.split(",")[0] in WITHOUT_16K:
            raise linux_image.ImageError(f"{piece.name}: built for 16 KiB pages, which CPU={cpu} does not have: give CPU=max, "
                                         "or a kernel for 4 KiB pages")


def check_file(path, name):
    if not os.path.isfile(path):
        raise linux_image.ImageError(f"{name}: no such file")
    if not os.access(path, os.R_OK):
        raise linux_image.ImageError(f"{name}: not readable")
    if not os.path.getsize(path):
        raise linux_image.ImageError(f"{name}: the file is empty")


def file_pieces(text):
    """What GUEST_FILE= names, as pieces."""
    pieces, at = [], 0
    while text[at:].strip():
        match = FILE.match(text, at)
        if not match:
            raise linux_image.ImageError(f"GUEST_FILE={text[at:]}: not path@IPA, as in ramdisk.img@0x50000000")
        name = f"GUEST_FILE={match[1]}@{match[2]}"
        check_file(match[1], name)
        pieces.append(Piece(name, "FILE", guest_program.parse_address(match[2], name, WHERE), os.path.getsize(match[1]),
                            path=match[1]))
        at = match.end()
    guest_manifest.check_pieces(pieces, WHERE)
    return pieces


def address_of(options):
    """What GUEST_ADDR= says, or None."""
    if not options.address:
        return None
    return guest_program.parse_address(options.address, f"GUEST_ADDR={options.address}", WHERE)


def refuse_early(options):
    """Looks at all that is given; raises what is wrong with it. Costs little, writes nothing."""
    why_not = refusal(options.smp, options.mem, options.cpu, options.extra, options.console, options.platform)
    why_not = why_not or channels.refusal(options.monitor, options.log, options.trace)
    if why_not:
        raise linux_image.ImageError(why_not)
    for path, name in ((options.image, "LINUX_IMAGE"), (options.initrd, "LINUX_INITRD"), (options.dtb, "LINUX_DTB"),
                       (options.program, "GUEST"), (options.symbols, "SYMBOLS")):
        if path and path != guest_symbols.OFF:
            check_file(path, f"{name}={path}")
    if options.initrd:
        linux_image.place_initrd(os.path.getsize(options.initrd), [], f"LINUX_INITRD={options.initrd}", WHERE)
    address_of(options)
    file_pieces(options.file)
    guest_dtb.check_arguments(options.cmdline)
    guest_dtb.parse_seed(options.seed)
    guest_devices.parse(options)


def choose(options):
    """Fills in what is not given: the tested kernel, with its own initrd."""
    if not options.image and not options.program:
        kernel, initrd = fetch()
        options.image = os.path.relpath(kernel)
        options.initrd = options.initrd or os.path.relpath(initrd)


def make_guest(options):
    """The kernel or program: its pieces, entry and wraps."""
    if options.program:
        return guest_program.load_program(options.program, WHERE, address_of(options))
    image = linux_image.load_kernel(options.image, WHERE)
    piece = guest_program.image_piece(image, f"LINUX_IMAGE={options.image}", WHERE)
    return guest_program.Program([piece], piece.ipa, image.wraps)


def place_all(options):
    """(guest, its pieces, [(path removed from the tree, why)]): all that lies in the guest's memory at its start."""
    guest = make_guest(options)
    check_pages(guest.pieces, options.cpu)
    pieces = guest.pieces + file_pieces(options.file)
    size = place = 0
    if options.initrd:
        size, name = os.path.getsize(options.initrd), f"LINUX_INITRD={options.initrd}"
        place = linux_image.place_initrd(size, [(piece.ipa, piece.end) for piece in pieces], name, WHERE)
        pieces.append(Piece(name, "INITRD", place, size, path=options.initrd))
    blob, removed = guest_dtb.make_for(options, size, place)
    pieces.append(Piece("the device tree", "DTB", WHERE["LINUX_DTB_IPA"], len(blob), blob))
    start = WHERE["GUEST_RAM_IPA"]
    if options.program and guest_manifest.is_free(start, start + len(blob), pieces):
        # QEMU's virt leaves the tree of what is no kernel here, and some programs look nowhere else.
        pieces.append(Piece("the device tree at the start of RAM", "DTB", start, len(blob), blob))
    guest_manifest.check_pieces(pieces, WHERE)
    return guest, pieces, removed


def write_pieces(pieces, folder, board):
    """[(file, PA)] for QEMU to load. board: the numbers of the board's header."""
    shift = board["GUEST_RAM_PA"] - WHERE["GUEST_RAM_IPA"]
    names = {"IMAGE": "Image", "DTB": "guest.dtb"}
    loads = []
    for number, piece in enumerate(pieces):
        path = piece.path or folder / names.get(piece.kind, f"piece-{number}")
        if piece.data is not None:
            path.write_bytes(piece.data)
        loads.append((path, piece.ipa + shift))
    return loads


def describe(options, guest, pieces, removed, symbols):
    """What was done, in lines for the person."""
    unwrapped = f", unwrapped from {' in '.join(reversed(guest.wraps))}" if guest.wraps else ""
    size = sum(piece.size for piece in guest.pieces)
    words = [f"guest: {options.program or options.image}{unwrapped}: {size:#x} bytes at {guest.pieces[0].ipa:#x}, entered at "
             f"{guest.entry:#x}", f"policy: {options.policy}; POLICY=name takes another"]
    words += [f"{'initrd' if piece.kind == 'INITRD' else 'file'}: {piece.path}: {piece.size:#x} bytes at {piece.ipa:#x}"
              for piece in pieces if piece.path]
    denied = {(int(path.split("@")[1], 16) - WHERE["VIRTIO_PA"]) // WHERE["VIRTIO_STRIDE"]: why
              for path, why in removed if path.startswith("/virtio_mmio@")}
    gone = sorted({path.split("/")[-1].split("@")[0] for path, why in removed if why != "made anew"})
    places = " and ".join(f"{piece.ipa:#x}" for piece in pieces if piece.kind == "DTB")
    words.append(f"device tree: {options.dtb or 'of this machine'}, at {places}, without {', '.join(gone) or 'nothing'}")
    words.append(symbols.words)
    return words + guest_devices.parse(options).words(denied)


def prepare(options):
    """Makes the guest's pieces, its device tree and the list of both; returns [(file, PA)] for QEMU to load, and what was
    done in words."""
    refuse_early(options)
    choose(options)
    guest, pieces, removed = place_all(options)
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    board = read_memory_map(ROOT / "include/hv/memory_map.h", options.platform)
    loads = write_pieces(pieces, folder, board)
    symbols = guest_symbols.load(options.symbols, options.program or options.image, guest, folder.parent / "symbols",
                                 WHERE["SYMBOLS_SIZE"])
    if symbols.path:
        loads.append((symbols.path, board["SYMBOLS_PA"]))
    listed = guest_manifest.pack("PROGRAM" if options.program else "LINUX", guest.entry, WHERE["LINUX_DTB_IPA"], pieces,
                                 (symbols.size, symbols.check))
    (folder / "guest.list").write_bytes(listed)
    loads.append((folder / "guest.list", board["GUEST_MANIFEST_PA"]))
    return loads, describe(options, guest, pieces, removed, symbols)


def main():
    options = arguments_of().parse_args()
    try:
        if options.check:
            return refuse_early(options)
        loads, words = prepare(options)
    except (ArielError, guest_dtb.TreeError, guest_devices.DeviceError, FetchError) as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    kernel = kernel_of(options.elf, options.platform)
    if not os.access(kernel, os.R_OK):
        return f"{kernel}: not there or not readable; run make"
    command = qemu_command(options.elf, options.smp, options.mem, options.cpu, options.extra, loads, options.platform)
    if not shutil.which(command[0]):
        return f"{command[0]}: not installed; run scripts/bootstrap run"
    command += guest_devices.parse(options).arguments()
    command += boot_option_arguments(options.console == "raw", options.smp, options.platform)
    command += channels.channel_arguments(options.monitor, options.log, BOARDS[options.platform].transports, command,
                                          options.trace)
    said = warnings(options.extra) + guest_devices.warnings(options)
    print("".join(f"{line}\n" for line in said), end="", file=sys.stderr, flush=True)
    print(*words, shlex.join(command), sep="\n", flush=True)
    become_qemu(command)


if __name__ == "__main__":
    sys.exit(main())
