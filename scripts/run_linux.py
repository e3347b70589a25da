#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a guest of one's own under ariel: a Linux Image with initrd and device tree, or a bare-metal EL1 program.

`make run-linux` and `make run GUEST=` come through here, and so do the tests. Everything that can be refused is refused,
in one line, before QEMU starts. What QEMU loads lies in one folder: Image, guest.dtb.
"""

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_dtb  # noqa: E402  (folders, not packages)
import linux_image  # noqa: E402
from check_layout import read_memory_map  # noqa: E402
from fetch_linux import FetchError, fetch  # noqa: E402
from run import boot_option_arguments, qemu_command, refusal  # noqa: E402

WHERE = read_memory_map(ROOT / "include/hv/memory_map.h")


def arguments_of(description="Boot a guest of one's own under ariel."):
    parser = argparse.ArgumentParser(description=description)
    guest_dtb.add_arguments(parser)
    parser.add_argument("--elf", default="build/policy-linux/hypervisor.elf", help="the hypervisor")
    parser.add_argument("--folder", default="build/linux", help="where Image and guest.dtb are made")
    parser.add_argument("--image", default="", help="a kernel; without it and --program, Debian's installer is fetched")
    parser.add_argument("--initrd", default="")
    parser.add_argument("--program", default="", help="a bare-metal EL1 program in place of a kernel")
    parser.add_argument("--extra", default="", help="more arguments for QEMU")
    parser.add_argument("--check", action="store_true", help="only look at what is given")
    return parser


def refuse_early(options):
    """Looks at all that is given; raises what is wrong with it. Costs little, writes nothing."""
    why_not = refusal(options.smp, options.mem, options.cpu, options.extra)
    if why_not:
        raise linux_image.ImageError(why_not)
    for path, name in ((options.image, "LINUX_IMAGE"), (options.initrd, "LINUX_INITRD"), (options.dtb, "LINUX_DTB"),
                       (options.program, "GUEST")):
        if path and not os.path.isfile(path):
            raise linux_image.ImageError(f"{name}={path}: no such file")
        if path and not os.access(path, os.R_OK):
            raise linux_image.ImageError(f"{name}={path}: not readable")
        if path and not os.path.getsize(path):
            raise linux_image.ImageError(f"{name}={path}: the file is empty")
    if options.initrd:
        linux_image.check_initrd(os.path.getsize(options.initrd), f"LINUX_INITRD={options.initrd}", WHERE)
    guest_dtb.check_arguments(options.cmdline)


def choose(options):
    """Fills in what is not given: the tested kernel, with its own initrd."""
    if not options.image and not options.program:
        kernel, initrd = fetch()
        options.image = os.path.relpath(kernel)
        options.initrd = options.initrd or os.path.relpath(initrd)


def make_image(options):
    if options.program:
        return linux_image.load_program(options.program, WHERE)
    return linux_image.load_kernel(options.image, WHERE, bool(options.initrd))


def prepare(options):
    """Makes Image and device tree; returns [(file, PA)] for QEMU to load, and what was done in words."""
    refuse_early(options)
    choose(options)
    image = make_image(options)
    initrd_size = os.path.getsize(options.initrd) if options.initrd else 0
    blob, removed = guest_dtb.make_for(options, initrd_size)
    if options.program and len(blob) > linux_image.COPY_TREE_MAX:
        raise guest_dtb.TreeError(f"the device tree: {len(blob):#x} bytes, a program can have {linux_image.COPY_TREE_MAX:#x}")
    folder = Path(options.folder)
    linux_image.write(image, folder / "Image")
    (folder / "guest.dtb").write_bytes(blob)
    loads = [(folder / "Image", WHERE["LINUX_IMAGE_PA"]), (folder / "guest.dtb", WHERE["LINUX_DTB_PA"])]
    if options.initrd:
        loads.insert(1, (options.initrd, WHERE["LINUX_INITRD_PA"]))
    unwrapped = f", unwrapped from {' in '.join(reversed(image.wraps))}" if image.wraps else ""
    words = [f"guest: {options.program or options.image}{unwrapped}: {image.image_size:#x} bytes"]
    words += [f"initrd: {options.initrd}: {initrd_size:#x} bytes"] * bool(options.initrd)
    gone = sorted({path.split("/")[-1].split("@")[0] for path, why in removed if why != "made anew"})
    words.append(f"device tree: {options.dtb or 'of this machine'}, without {', '.join(gone) or 'nothing'}")
    return loads, words


def main():
    options = arguments_of().parse_args()
    try:
        if options.check:
            return refuse_early(options)
        loads, words = prepare(options)
    except (linux_image.ImageError, guest_dtb.TreeError, FetchError) as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    if not os.access(options.elf, os.R_OK):
        return f"{options.elf}: not there or not readable; run make"
    command = qemu_command(options.elf, options.smp, options.mem, options.cpu, options.extra, loads)
    if not shutil.which(command[0]):
        return f"{command[0]}: not installed; run scripts/bootstrap run"
    command += boot_option_arguments()
    print(*words, shlex.join(command), sep="\n", flush=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
