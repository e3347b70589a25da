#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots ariel in QEMU: the one place that knows QEMU's command line. `make run` and the tests come through here."""

import argparse
import fcntl
import itertools
import os
import re
import shlex
import shutil
import stat
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import channels  # noqa: E402  (scripts/ is not a package)

BOOT_OPTIONS_MAGIC = 0x61726f70  # include/hv/boot_options.h
CPU_MAX = 8
GDB = "tcp:127.0.0.1:1234"  # what -s in QEMU_EXTRA stands for


class Board(NamedTuple):
    """A board that QEMU has, for PLATFORM=. A test holds it to platform/<name>.h."""

    title: str
    machine: str  # for QEMU's -M
    cpu: str  # the model, unless another one is asked for
    cpus_max: int
    cpus: str  # for QEMU's -smp, of a machine that always has the same CPUs; empty: as many as are asked for
    mem_min_mib: int
    image: bool  # QEMU enters an ELF file at EL3 there, and an arm64 Image at EL2
    boot_options_pa: int
    guest_ram: int  # from the beginning of RAM
    transports: int  # virtio-mmio, of which the last one is EL2's own


BOARDS = {
    "virt": Board("QEMU virt,virtualization=on,gic-version=3", "virt,virtualization=on,gic-version=3", "cortex-a57",
                  CPU_MAX, "", 800, False, 0x41e02000, 0x2000000, 32),
    # Its CPUs are two Cortex-A72 and two Cortex-R5F, which stay off.
    "versal": Board("QEMU xlnx-versal-virt", "xlnx-versal-virt", "cortex-a72", 2, "4", 1024, True, 0x01e02000, 0x10000000, 8),
}
# AArch64 models with EL2. Models that QEMU does not know it refuses itself.
CPU_PATTERN = re.compile(r"(cortex-a(35|5\d|6\d|7\d|7\d\d)|neoverse-[a-z]\d|a64fx|max)(,\S*)?")


# QEMU's options that give the machine a device on a bus that ariel's guests do not have, and what says that one gives none
DEVICE_OPTIONS = {"-device": ("loader", "guest-loader"), "-drive": ("if=none", "if=pflash"), "-nic": ("none",),
                  "-net": ("none",), "-vga": ("none",), "-hda": (), "-hdb": (), "-hdc": (), "-hdd": (), "-cdrom": (), "-sd": (),
                  "-mtdblock": (), "-virtfs": (), "-usbdevice": (), "-usb": None}
# Devices of the virtio-mmio transports, and those of them that ariel passes on to its guests
TRANSPORT_DEVICE = re.compile(r"virtio-[a-z0-9-]+-device")
GUEST_DEVICES = {"virtio-blk-device": "block", "virtio-net-device": "net", "virtio-9p-device": "9p", "virtio-rng-device": "rng",
                 "virtio-serial-device": "console"}  # and their types, as policies name them
TRANSPORT = re.compile(r"bus=virtio-mmio-bus\.(\d+)")
# Those that QEMU reads for a kernel that it loads itself, and what to give in their place
LOADER_OPTIONS = {"-initrd": "LINUX_INITRD=", "-append": "LINUX_CMDLINE= or GUEST_ARGS=", "-dtb": "LINUX_DTB="}


def mem_mib(text):
    """MiB of a memory size as QEMU writes it (1G, 1024M, 1024), or None."""
    match = re.fullmatch(r"(\d+)([MG]?)", text, re.IGNORECASE)
    return int(match[1]) * (1024 if match[2].upper() == "G" else 1) if match else None


def refusal(smp, mem, cpu, extra="", console="filtered", platform="virt"):
    """Why these arguments cannot be, in one line; None when they can."""
    if platform not in BOARDS:
        return f"PLATFORM={platform}: QEMU has no such board here; it has {' '.join(BOARDS)}"
    board = BOARDS[platform]
    try:
        shlex.split(extra)
    except ValueError as error:
        return f"QEMU_EXTRA={extra}: not words of a command line: {str(error).lower()}"
    if not re.fullmatch(r"[1-9]\d*", smp) or int(smp) > board.cpus_max:
        return f"SMP={smp}: ariel runs on 1 to {board.cpus_max} CPUs"
    if mem_mib(mem) is None:
        return f"MEM={mem}: write a size as 1G or 1024M"
    if mem_mib(mem) < board.mem_min_mib:
        return f"MEM={mem}: ariel and its guest need {board.mem_min_mib}M or more"
    if console not in ("filtered", "raw"):
        return f"CONSOLE={console}: filtered, or raw to let what the guest prints reach the terminal as it is"
    if not CPU_PATTERN.fullmatch(cpu):
        return f"CPU={cpu}: not an AArch64 CPU with EL2; take cortex-a53, cortex-a57, cortex-a72, cortex-a76, " \
               "neoverse-n1 or max"
    if board.cpus and cpu != board.cpu:
        return f"CPU={cpu}: the CPUs of {board.machine} are always {board.cpu}"
    return None


def options_of(extra):
    """(option, value) of each word of QEMU_EXTRA that is an option's name; QEMU takes --device for -device."""
    words = shlex.split(extra)
    return [(f"-{word.lstrip('-')}", value) for word, value in zip(words, [*words[1:], ""]) if word.startswith("-")]


def transport_devices(extra):
    """(the value of -device, the model, the transport's number or None) of each virtio-mmio device in QEMU_EXTRA."""
    found = []
    for option, value in options_of(extra):
        model, *properties = value.split(",")
        if option == "-device" and TRANSPORT_DEVICE.fullmatch(model):
            buses = [TRANSPORT.fullmatch(word) for word in properties]
            found.append((value, model, next((int(bus[1]) for bus in buses if bus), None)))
    return found


def device_transports(extra):
    """{number: type} of the transports that QEMU_EXTRA gives a device of the guest's."""
    return {number: GUEST_DEVICES[model] for _, model, number in transport_devices(extra)
            if number is not None and model in GUEST_DEVICES}


def transport_warnings(extra):
    """What is wrong with virtio-mmio devices in QEMU_EXTRA, in lines."""
    found = []
    for value, model, number in transport_devices(extra):
        said = f"QEMU_EXTRA: -device {value}"
        if model not in GUEST_DEVICES:
            found.append(f"{said}: no guest sees it: ariel passes on {', '.join(GUEST_DEVICES)}")
        elif number is None:
            found.append(f"{said}: names no transport, so QEMU takes the last one, which is ariel's own: add "
                         "bus=virtio-mmio-bus.0")
    return found


def gives_device(option, value):
    """Whether an option of QEMU's gives the machine a device that no guest of ariel's sees."""
    if option == "-device" and TRANSPORT_DEVICE.fullmatch(value.split(",")[0]):
        return False
    harmless = DEVICE_OPTIONS[option]
    return harmless is None or not any(word in harmless for word in value.split(","))


def warnings(extra):
    """What in QEMU_EXTRA can have no effect on the guest, in lines."""
    found = transport_warnings(extra)
    for option, value in options_of(extra):
        if option in DEVICE_OPTIONS and gives_device(option, value):
            given = option if DEVICE_OPTIONS[option] is None else f"{option} {value}"
            found.append(f"QEMU_EXTRA: {given}: no guest sees it: ariel keeps PCIe and USB from its guests; DISK=, NET=, SHARE= "
                         "and RNG= give one devices that it sees (docs/LINUX.md)")
        if option in LOADER_OPTIONS:
            found.append(f"QEMU_EXTRA: {option} {value}: QEMU gives it to a kernel that it loads itself, and here that is "
                         f"ariel: give {LOADER_OPTIONS[option]}")
    return found


def machine_arguments(smp="1", mem="1G", cpu="cortex-a57", more="", platform="virt"):
    """The machine that ariel runs on: QEMU's first arguments. -smp appears only for more than one CPU."""
    board = BOARDS[platform]
    command = ["qemu-system-aarch64", "-M", board.machine + more]
    if board.cpus:
        return [*command, "-m", mem, "-smp", board.cpus]
    command += ["-cpu", cpu, "-m", mem]
    return command + (["-smp", str(smp)] if int(smp) != 1 else [])


def kernel_of(elf, platform):
    """What QEMU's -kernel is given: the ELF file, or the Image beside it."""
    return f"{str(elf).removesuffix('.elf')}.img" if BOARDS[platform].image else str(elf)


def qemu_command(elf="build/hypervisor.elf", smp="1", mem="1G", cpu="cortex-a57", extra="", loads=(), platform="virt"):
    """QEMU's argument list. loads: (file, PA) of what lies in memory at each reset of the machine."""
    command = [*machine_arguments(smp, mem, cpu, platform=platform), "-nographic", "-serial", "mon:stdio", "-kernel",
               kernel_of(elf, platform)]
    for path, address in loads:
        command += ["-device", f"loader,file={str(path).replace(',', ',,')},addr={address:#x},force-raw=on"]
    # QEMU's -s would let everybody on the network debug the guest.
    return [*command, *itertools.chain.from_iterable(["-gdb", GDB] if word in ("-s", "--s") else [word]
                                                     for word in shlex.split(extra))]


def terminal_size(stream):
    """(columns, lines) of the terminal that stream is, or None."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (size.columns, size.lines) if size.columns and size.lines else None


def boot_options(environment, size, raw=False, cpus=0):
    """The word of include/hv/boot_options.h; size: (columns, lines) of the person's terminal, or None; cpus: how many of
    the machine's CPUs to use, 0: all. 0: nothing to say."""
    word = int(raw) | cpus << 4
    if size:
        if environment.get("TERM", "dumb") not in ("", "dumb") and not environment.get("NO_COLOR"):
            word |= 1 << 1
        word |= min(size[1], 255) << 8 | min(size[0], 500) << 16
    return word and word | BOOT_OPTIONS_MAGIC << 32


def boot_option_arguments(raw=False, smp="1", platform="virt"):
    """QEMU's arguments that leave the word for EL2, at each reset of the machine. The guest's console is a terminal when
    a person both reads and types there. A machine that always has the same CPUs is told how many of them to use."""
    board = BOARDS[platform]
    size = terminal_size(sys.stdout) if sys.stdin and sys.stdin.isatty() else None
    word = boot_options(os.environ, size, raw, int(smp) if board.cpus else 0)
    return ["-device", f"loader,addr={board.boot_options_pa:#x},data={word:#x},data-len=8"] if word else []


def own_description(number):
    """Gives a file descriptor that is a terminal or a pipe an open file description that no other process has. QEMU makes
    its stdin and stdout non-blocking, which holds for everybody who has the same description: in `make run 2>&1 | tee
    uart.log` that is tee, which writes to the terminal that QEMU reads from. tee ends with "Resource temporarily
    unavailable" as soon as the terminal is slower than the guest, and then nothing is shown any more."""
    try:
        if not (os.isatty(number) or stat.S_ISFIFO(os.fstat(number).st_mode)):
            return
        access = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
        new = os.open(f"/proc/self/fd/{number}", access | os.O_NOCTTY)
    except OSError:  # another user's terminal, or no /proc: it stays shared
        return
    os.dup2(new, number)
    os.close(new)


def become_qemu(command):
    """Runs QEMU in the place of this process. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    for number in (0, 1):
        own_description(number)
    os.execvp(command[0], command)


def main():
    parser = argparse.ArgumentParser(description="Boot ariel in QEMU.")
    parser.add_argument("--elf", default="build/hypervisor.elf")
    parser.add_argument("--smp", default="1")
    parser.add_argument("--mem", default="1G")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--extra", default="", help="more arguments for QEMU")
    parser.add_argument("--platform", default="virt", help="the board: a name in platform/ that QEMU has")
    parser.add_argument("--console", default="filtered", help="raw: what the guest prints reaches the terminal as it is")
    parser.add_argument("--check", action="store_true", help="only look at the arguments")
    channels.add_arguments(parser)
    options = parser.parse_args()
    why_not = refusal(options.smp, options.mem, options.cpu, options.extra, options.console, options.platform)
    why_not = why_not or channels.refusal(options.monitor, options.log, options.trace)
    if why_not:
        sys.exit(why_not)
    if options.check:
        return
    kernel = kernel_of(options.elf, options.platform)
    if not os.access(kernel, os.R_OK):
        sys.exit(f"{kernel}: not there or not readable; run make")
    command = qemu_command(options.elf, options.smp, options.mem, options.cpu, options.extra, platform=options.platform)
    if not shutil.which(command[0]):
        sys.exit(f"{command[0]}: not installed; run scripts/bootstrap run")
    command += boot_option_arguments(options.console == "raw", options.smp, options.platform)
    command += channels.channel_arguments(options.monitor, options.log, BOARDS[options.platform].transports, command,
                                          options.trace)
    print("".join(f"{line}\n" for line in warnings(options.extra)), end="", file=sys.stderr, flush=True)
    print(shlex.join(command), flush=True)
    become_qemu(command)


if __name__ == "__main__":
    main()
