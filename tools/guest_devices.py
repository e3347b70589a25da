# SPDX-License-Identifier: Apache-2.0
"""The virtio devices of a guest: what DISK=, NET=, SHARE= and RNG= ask for, as arguments of QEMU.

DISK="root.img data.qcow2,ro" NET=user,hostfwd=tcp:127.0.0.1:2222-:22 SHARE=some/folder RNG=1

Each device gets a virtio-mmio transport of the machine by name, from the first one up, and the guest's device tree has
nodes for these transports alone (tools/guest_dtb.py). The last transport is EL2's own. What cannot be is refused here,
in one line, before QEMU starts.
"""

import fcntl
import os
import re
import shlex
import socket
import stat
import struct
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from run import BOARDS, device_transports  # noqa: E402  (a folder, not a package)

SECTOR = 512
QCOW2_MAGIC = b"QFI\xfb"
QCOW2_HEADER = struct.Struct(">4sIQIIQ")  # magic, version, backing file's offset and length, cluster bits, virtual size
QCOW2_BACKING_FORMAT = 0xE2792ACA  # the header extension that says how the backing file is to be read
OTHER_FORMATS = (".vmdk", ".vdi", ".vhd", ".vhdx", ".qcow", ".qed", ".dmg", ".cow")
# QEMU locks a byte for each thing that it does with an image, and another for what others must not do (block/file-posix.c)
LOCK_DOES, LOCK_END, LOCK_WRITES, LOCK_RESIZES = 100, 300, 101, 103
FLOCK = struct.Struct("hhqqi4x")  # type, whence, start, length, process
# What NET=user takes: options of QEMU's -netdev user that open no file and start no program
USER_OPTIONS = ("hostfwd", "restrict", "net", "host", "dhcpstart", "dns", "hostname", "domainname", "dnssearch", "ipv4",
                "ipv6", "ipv6-net", "ipv6-host", "ipv6-dns")
HOSTFWD = re.compile(r"(tcp|udp):([^:]*):(\d+)-([^:-]*):(\d+)")
MOUNT_TAG = "share"
OURS = "DISK, NET, SHARE and RNG"


class DeviceError(Exception):
    """The guest cannot have this device; the message is one line."""


class Device(NamedTuple):
    """A device, before it has a transport."""

    asked: str    # as the person gave it: DISK=root.img
    kind: str     # the type, as policies name it: block, net, 9p, rng
    backend: tuple  # QEMU's arguments for what is behind it
    model: str    # for QEMU's -device, without its bus
    what: str     # for the person: what it is


def add_arguments(parser):
    """The choices that parse reads."""
    parser.add_argument("--disk", default="", help="images, with blanks between: root.img data.qcow2,ro")
    parser.add_argument("--net", default="", help="user, or user,hostfwd=tcp:127.0.0.1:2222-:22")
    parser.add_argument("--share", default="", help="a folder that the guest can mount by 9p; folder,ro")
    parser.add_argument("--rng", default="", help="1: a source of random numbers")
    parser.add_argument("--extra", default="", help="more arguments for QEMU")


# ---- Disks -----------------------------------------------------------------------------------------------------------


def split_options(text, name, known):
    """(what stands before the first comma, the options behind it). known: the options that there are."""
    path, *options = text.split(",")
    for option in options:
        if option not in known:
            raise DeviceError(f"{name}: \"{option}\" is no option; there {'is' if len(known) == 1 else 'are'} "
                              f"{', '.join(known)} (a name with a comma needs a symbolic link)")
        if options.count(option) > 1:
            raise DeviceError(f"{name}: {option} is there twice")
    if not path:
        raise DeviceError(f"{name}: no name before the comma")
    return path, options


def qcow2_problem(head, size):
    """What is wrong with the first bytes of a qcow2 image, None when nothing is. size: of the file."""
    if len(head) < 72 or size < 72:
        return f"size={size}: too short for the header of a qcow2 image"
    _, version, backing, backing_size, _, virtual = QCOW2_HEADER.unpack_from(head)
    if version not in (2, 3):
        return f"version={version}: of a qcow2 image it must be 2 or 3"
    if not virtual or virtual % SECTOR:
        return f"virtual size={virtual}: must be a multiple of {SECTOR}, and not 0"
    if not backing:
        return None
    at = int.from_bytes(head[100:104], "big") if version == 3 else 72
    while at + 8 <= len(head):
        kind, length = struct.unpack_from(">II", head, at)
        if kind == QCOW2_BACKING_FORMAT:
            return None
        if kind == 0:
            break
        at += 8 + (length + 7 & ~7)
    name = head[backing:backing + backing_size].decode("utf-8", "replace")
    return f"does not say how its backing file {name} is to be read; record it: qemu-img rebase -u -F raw -b {name}"


def disk_format(path, head, size, options, name):
    """raw or qcow2. A guest can write what looks like a qcow2 image into its raw disk, and such an image can name any file
    of the host's as its backing file: so the file's name, which is the person's, has to say the same as its first bytes."""
    is_qcow2 = head.startswith(QCOW2_MAGIC)
    named = path.lower().endswith(".qcow2")
    if "raw" in options:
        return "raw"
    if path.lower().endswith(OTHER_FORMATS):
        raise DeviceError(f"{name}: only raw and qcow2 images can be a disk; convert it by qemu-img convert -O qcow2")
    if named and not is_qcow2:
        raise DeviceError(f"{name}: no qcow2 image, though its name says so; \",raw\" takes it as raw")
    if is_qcow2 and not named:
        raise DeviceError(f"{name}: begins like a qcow2 image, which a guest can have written there; \",raw\" takes it as raw, "
                          "and a qcow2 image needs a name that ends in .qcow2")
    problem = qcow2_problem(head, size) if is_qcow2 else None
    if problem:
        raise DeviceError(f"{name}: {problem}")
    return "qcow2" if is_qcow2 else "raw"


def is_in_use(file, read_only):
    """Whether another process, a QEMU, has an image open in a way that ours would be refused for."""
    ranges = [(LOCK_WRITES, 1), (LOCK_RESIZES, 1)] if read_only else [(LOCK_DOES, LOCK_END - LOCK_DOES)]
    for start, length in ranges:
        answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))
        if FLOCK.unpack(answer)[0] != fcntl.F_UNLCK:
            return True
    return False


def check_image(path, name, read_only):
    """Raises what is wrong with an image as a file; returns its os.stat_result."""
    try:
        status = os.stat(path)
    except OSError as error:
        why = error.strerror
        if isinstance(error, FileNotFoundError):
            why = "no such file; truncate -s 1G makes an empty disk of 1 GiB, make disk ROOT=folder one with files"
        raise DeviceError(f"{name}: {why}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DeviceError(f"{name}: a folder, not an image; make disk ROOT={path} makes an image of it, SHARE= shares it")
    if not stat.S_ISREG(status.st_mode):
        raise DeviceError(f"{name}: not a file")
    if not status.st_size:
        raise DeviceError(f"{name}: the file is empty; truncate -s 1G makes it an empty disk of 1 GiB")
    if not os.access(path, os.R_OK):
        raise DeviceError(f"{name}: not readable")
    if not read_only and not os.access(path, os.W_OK):
        raise DeviceError(f"{name}: not writable; \",ro\" gives the guest a disk that it can only read")
    return status


def disk(word, number):
    """(the device, the file's identity) for a word of DISK=."""
    name = f"DISK={word}"
    path, options = split_options(word, name, ("ro", "raw"))
    read_only = "ro" in options
    status = check_image(path, name, read_only)
    with open(path, "rb") as file:
        form = disk_format(path, file.read(65536), status.st_size, options, name)
        if is_in_use(file, read_only):
            raise DeviceError(f"{name}: in use by another QEMU")
    if form == "raw" and status.st_size % SECTOR:
        raise DeviceError(f"{name}: size={status.st_size}: a disk has a multiple of {SECTOR} bytes; truncate -s %{SECTOR} "
                          "fills it up")
    drive = f"if=none,id=disk{number},file={path},format={form},discard=unmap{',read-only=on' if read_only else ''}"
    # A full or faulty file of the host's is an error for the guest. By default QEMU would stop the machine.
    return Device(name, "block", ("-drive", drive), f"virtio-blk-device,drive=disk{number},werror=report,rerror=report",
                  f"a {form} image{', only to be read' if read_only else ''}"), (status.st_dev, status.st_ino)


def disks(text):
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise DeviceError(f"DISK={text}: not words with blanks between: {str(error).lower()}") from None
    found, files = [], {}
    for number, word in enumerate(words):
        device, file = disk(word, number)
        if file in files:
            raise DeviceError(f"{device.asked}: the same file as {files[file]}")
        files[file] = device.asked
        found.append(device)
    return found


# ---- The network -----------------------------------------------------------------------------------------------------


def check_port(text, name):
    if not 0 < int(text) < 65536:
        raise DeviceError(f"{name}: port {text}: must be 1 to 65535")


def check_forward(text, name):
    """Raises why a forwarded port cannot be."""
    match = HOSTFWD.fullmatch(text)
    if not match:
        raise DeviceError(f"{name}: hostfwd={text}: not tcp:<address here>:<port here>-<guest's address>:<its port>, as in "
                          "tcp:127.0.0.1:2222-:22")
    protocol, address, port, _, guest_port = match.groups()
    check_port(port, name)
    check_port(guest_port, name)
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as QEMU does
        try:
            probe.bind((address, int(port)))
        except OSError as error:
            raise DeviceError(f"{name}: {protocol} port {port} of {address or 'this machine'}: {error.strerror}; "
                              "give another port or address") from None


def net(text):
    name = f"NET={text}"
    words = text.split()
    if len(words) > 1:
        raise DeviceError(f"{name}: a guest has one network device; forwarded ports are joined by commas")
    kind, *options = words[0].split(",")
    if kind != "user":
        raise DeviceError(f"{name}: only user, the network inside QEMU, is there; QEMU_EXTRA takes others "
                          "(docs/LINUX.md)")
    forwards = []
    for option in options:
        key, _, value = option.partition("=")
        if key not in USER_OPTIONS or not value:
            raise DeviceError(f"{name}: {option or 'nothing between commas'}: not one of {'=, '.join(USER_OPTIONS)}=")
        if key == "hostfwd":
            check_forward(value, name)
            listens = value.rpartition("-")[0]
            if listens in forwards:
                raise DeviceError(f"{name}: {listens} is forwarded twice")
            forwards.append(listens)
    return Device(name, "net", ("-netdev", ",".join(["user", "id=net0", *options])), "virtio-net-device,netdev=net0",
                  "a network inside QEMU")


def warnings(options):
    """What a person should know, in lines: a forwarded port without an address is open to everybody."""
    text = options.net.strip()
    return [f"NET={text}: {option}: everybody who reaches this machine can connect; hostfwd={value[0]}:127.0.0.1:{value[2]} "
            "is for this machine alone"
            for option in text.split(",") if option.startswith("hostfwd=")
            for value in [option.removeprefix("hostfwd=").split(":", 2)] if len(value) == 3 and not value[1]]


# ---- A folder, random numbers ----------------------------------------------------------------------------------------


def keeps_attributes(folder):
    """Whether the file system there keeps extended attributes of users."""
    try:
        os.getxattr(folder, "user.ariel")
    except OSError as error:
        return error.errno != 95  # EOPNOTSUPP; anything else is about this attribute, which is not there
    return True


def share(text):
    name = f"SHARE={text}"
    folder, options = split_options(text, name, ("ro",))
    read_only = "ro" in options
    if not os.path.exists(folder):
        raise DeviceError(f"{name}: no such folder")
    if not os.path.isdir(folder):
        raise DeviceError(f"{name}: not a folder; a file can be a DISK=, or GUEST_FILE=path@IPA")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise DeviceError(f"{name}: not readable")
    if not read_only and not os.access(folder, os.W_OK):
        raise DeviceError(f"{name}: not writable; \",ro\" shares it only to be read")
    # Owners, modes, device nodes and symbolic links that the guest makes are then attributes of plain files here.
    model = "mapped-xattr" if not read_only and keeps_attributes(folder) else "none"
    backend = f"local,id=share0,path={folder},security_model={model},multidevs=remap{',readonly=on' if read_only else ''}"
    return Device(name, "9p", ("-fsdev", backend), f"virtio-9p-device,fsdev=share0,mount_tag={MOUNT_TAG}",
                  f"mount -t 9p -o trans=virtio,version=9p2000.L{',ro' if read_only else ''} {MOUNT_TAG} /mnt")


def rng(text):
    if text != "1":
        raise DeviceError(f"RNG={text}: 1 gives the guest a source of random numbers")
    return Device("RNG=1", "rng", ("-object", "rng-builtin,id=rng0"), "virtio-rng-device,rng=rng0", "random numbers of the host")


# ---- All of them -----------------------------------------------------------------------------------------------------


class Devices(NamedTuple):
    """The guest's devices, each with its transport's number, and {number: type} of the transports that QEMU_EXTRA names."""

    placed: tuple  # (transport, Device)
    extra: dict

    @property
    def transports(self):
        """{number: type} of the transports that hold a device of the guest's."""
        return {**self.extra, **{number: device.kind for number, device in self.placed}}

    def arguments(self):
        """QEMU's."""
        words = ["-global", "virtio-mmio.force-legacy=false"] if self.transports else []
        for number, device in self.placed:
            words += [*device.backend, "-device", f"{device.model},bus=virtio-mmio-bus.{number}"]
        return words

    def words(self, denied=None):
        """What the guest has, in lines for the person. denied: {transport: why} of those that the guest will not see."""
        denied = denied or {}
        return [f"{device.asked}: {denied[number]}: the guest will see none" if number in denied
                else f"{device.asked}: transport {number}: {device.what}" for number, device in self.placed]


def parse(options):
    """The Devices of a command line's choices (disk, net, share, rng, extra, platform); raises DeviceError."""
    found = disks(options.disk)
    for text, make in ((options.net, net), (options.share, share), (options.rng, rng)):
        if text.strip() and (make, text.strip()) != (rng, "0"):
            found.append(make(text.strip()))
    extra = device_transports(options.extra)
    last = BOARDS[options.platform].transports - 1
    free = [number for number in range(last) if number not in extra]
    if len(found) > len(free):
        raise DeviceError(f"{OURS}: {len(found)} devices: {options.platform} has {last} transports for a guest's devices"
                          f"{f', of which QEMU_EXTRA takes {last - len(free)}' if len(free) < last else ''}")
    return Devices(tuple(zip(free, found)), extra)
