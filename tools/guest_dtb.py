#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the device tree of ariel's guest from the machine's: it tells the truth about what the guest has.

guest_dtb.py --policy policy/linux.toml --smp 4 --output build/linux/guest.dtb [--dtb virt.dtb] [--initrd initrd.gz]

Without --dtb the blob is dumped from the very machine that ariel will run on; a blob that is given is read, never
written. Memory is the guest's RAM, PSCI goes by hvc, there is one CPU node per vCPU, and of the devices those remain
that the policy lets the guest have and that are no bus masters, and those that it denies with keep = true. Of the virtio-mmio
transports those stay that hold a device of the guest's (tools/guest_devices.py). /chosen gets the arguments, the initrd's
place and seeds, fresh or those of SEED=. Addresses come from include/hv/memory_map.h, devices and verdicts from the policy
compiler.
"""

import argparse
import hashlib
import os
import re
import secrets
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import libfdt

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_devices  # noqa: E402  (folders, not packages)
import policy_compile  # noqa: E402
from check_layout import read_memory_map  # noqa: E402
from run import machine_arguments, refusal  # noqa: E402

QUIET = libfdt.QUIET_NOTFOUND
GROWTH = 0x4000  # what is added is smaller
DEFAULT_ARGUMENTS = "console=ttyAMA0"
SEED_SIZES = (("rng-seed", 64), ("kaslr-seed", 8))
SEED_MAX = (1 << 64) - 1
# Nodes without registers of their own that are true for the guest, too.
PLAIN = ("fixed-clock", "arm,armv8-timer")
VIRTIO_MMIO, TRANSPORT_SIZE = "virtio-mmio", 0x200
STALE = ("linux,initrd-start", "linux,initrd-end")
ARGUMENTS_MAX = 2047  # arm64's COMMAND_LINE_SIZE, with the end


class TreeError(Exception):
    """No device tree for the guest; the message is one line."""


def sound(blob, name):
    """The blob as dtc writes it: what it can't read, libfdt must not see (Python's binding can crash on it)."""
    try:
        done = subprocess.run(["dtc", "-q", "-q", "-I", "dtb", "-O", "dtb", "-"], input=blob, capture_output=True)
    except FileNotFoundError:
        raise TreeError("dtc: not installed; run scripts/bootstrap linux") from None
    if done.returncode == 0 and done.stdout:
        return done.stdout
    why = (done.stderr.decode("ascii", "replace").strip().splitlines() or ["dtc cannot read it"])[0]
    raise TreeError(f"{name}: dtb: not a sound device tree: {why}")


# ---- A tree by path: every change moves offsets, so nodes are named ---------------------------------------------------


class Tree:
    def __init__(self, blob, name):
        self.name = name
        try:
            self.fdt = libfdt.Fdt.create_empty_tree(len(blob) + GROWTH)
            source = libfdt.Fdt(blob)
            libfdt.check_err(libfdt.fdt_open_into(source._fdt, self.fdt._fdt, len(blob) + GROWTH))
        except (libfdt.FdtException, ValueError) as error:
            raise TreeError(f"{name}: dtb: not a sound device tree: {error}") from None

    def has(self, path):
        return self.fdt.path_offset(path, QUIET) >= 0

    def children(self, path):
        """Paths of the nodes under a node."""
        offset = self.fdt.first_subnode(self.fdt.path_offset(path), QUIET)
        found = []
        while offset >= 0:
            found.append(f"{path.rstrip('/')}/{self.fdt.get_name(offset)}")
            offset = self.fdt.next_subnode(offset, QUIET)
        return found

    def properties(self, path):
        offset = self.fdt.first_property_offset(self.fdt.path_offset(path), QUIET)
        found = {}
        while offset >= 0:
            value = self.fdt.get_property_by_offset(offset)
            found[value.name] = bytes(value)
            offset = self.fdt.next_property_offset(offset, QUIET)
        return found

    def get(self, path, name):
        # Not by getprop: in libfdt 1.6 a property that is not there costs Python a reference to None.
        return self.properties(path).get(name)

    def words(self, path, name):
        """A property's strings."""
        return [part.decode("ascii", "replace") for part in (self.get(path, name) or b"").split(b"\0") if part]

    def cells(self, path, name, default):
        value = self.get(path, name)
        return struct.unpack(">I", value)[0] if value and len(value) == 4 else default

    def set(self, path, name, value):
        self.fdt.setprop(self.fdt.path_offset(path), name, value)

    def set_string(self, path, name, value):
        self.set(path, name, value.encode() + b"\0")

    def drop(self, path, name):
        if self.get(path, name) is not None:
            self.fdt.delprop(self.fdt.path_offset(path), name)

    def remove(self, path):
        self.fdt.del_node(self.fdt.path_offset(path))

    def add(self, parent, name):
        self.fdt.add_subnode(self.fdt.path_offset(parent), name)
        return f"{parent.rstrip('/')}/{name}"

    def registers(self, path, parent="/"):
        """[(address, size)] of a node's reg."""
        address_cells, size_cells = self.cells(parent, "#address-cells", 2), self.cells(parent, "#size-cells", 1)
        width, value = (address_cells + size_cells) * 4, self.get(path, "reg") or b""
        if not width or len(value) % width:
            raise TreeError(f"{self.name}: {path}/reg: {len(value)} bytes, not a multiple of {width}")
        return [(int.from_bytes(value[at:at + address_cells * 4], "big"),
                 int.from_bytes(value[at + address_cells * 4:at + width], "big")) for at in range(0, len(value), width)]

    def blob(self):
        self.fdt.pack()
        return bytes(self.fdt.as_bytearray()[:self.fdt.totalsize()])


# ---- What the guest may have -----------------------------------------------------------------------------------------


class Devices:
    """The policy's view of the address space outside RAM. transports: {number: the device's type, as policies name it} of
    the virtio-mmio transports that hold a device of the guest's."""

    def __init__(self, policy, transports):
        self.policy = policy
        self.transports = transports

    def range_at(self, address):
        return next((r for r in self.policy.ranges if r["base"] <= address < r["base"] + r["size"]), None)

    @staticmethod
    def kept(found):
        """Whether a row denies the device and leaves it in the tree all the same (keep = true)."""
        return found["verdicts"][0]["row"].keep

    def why_no_transport(self, number, found):
        """Why the guest can't have a virtio-mmio transport; None when it has a device there. found: the range."""
        action = found["verdicts"][0]["action"]
        if number not in self.transports:
            return "a transport without a device"
        if action != "emulate":
            return f"the policy says {action} to reads of {found['key'].name}"
        kind = self.transports[number]
        # The first row that is about this device, and not about some of its requests, decides; the last one is the default
        row = next(what for what in self.policy.virtio
                   if not what.part and kind in what.types and number in what.transports)
        return None if row.action == "emulate" else f"the policy denies {kind} devices"

    def why_not(self, address, size):
        """Why the guest can't have this range; None when it can read all of it."""
        found = self.range_at(address)
        if found is not None and found["key"].name == VIRTIO_MMIO and not self.kept(found):
            return self.why_no_transport((address - found["base"]) // TRANSPORT_SIZE, found)
        end = address + max(size, 1)
        while address < end:
            found = self.range_at(address)
            if found is None:
                return f"{address:#x} is no device of ariel's"
            device = found["key"].name
            action = found["verdicts"][0]["action"]
            if found["key"].kind == "MASTER" and not self.kept(found):
                return f"{device} is a bus master"
            if action not in ("allow", "emulate") and not self.kept(found):
                return f"the policy says {action} to reads of {device}"
            address = found["base"] + found["size"]
        return None

    def has_interrupts(self, address):
        """Whether the interrupts of a device stay in its node: it is emulated, or kept as the machine has it."""
        found = self.range_at(address)
        return found is not None and (found["verdicts"][0]["action"] == "emulate" or self.kept(found))


def keep_device(tree, path, devices):
    """Why a node with registers goes; None when it stays. Only emulated devices have their interrupts forwarded;
    one that is denied and kept looks as the machine has it, so that its driver asks for it."""
    registers = tree.registers(path)
    for address, size in registers:
        why_not = devices.why_not(address, size)
        if why_not:
            return why_not
    if not devices.has_interrupts(registers[0][0]):
        tree.drop(path, "interrupts")
    return None


def prune(tree, devices):
    """Removes what the guest does not have; returns [(path, why)]."""
    removed = []
    for path in tree.children("/"):
        name = path.strip("/").split("@")[0]
        compatible = tree.words(path, "compatible")
        if name in ("chosen", "cpus", "aliases") or any(word in PLAIN for word in compatible):
            continue
        if name == "memory" or tree.words(path, "device_type") == ["memory"] or name == "psci":
            why_not = "made anew"
        elif tree.get(path, "reg"):
            why_not = keep_device(tree, path, devices)
        else:
            why_not = "nothing in it that ariel has"
        if why_not:
            tree.remove(path)
            removed.append((path, why_not))
        elif "arm,gic-v3" in compatible:
            for child in tree.children(path):
                tree.remove(child)
                removed.append((child, "no ITS, no LPIs"))
    return removed


# ---- What it must have -----------------------------------------------------------------------------------------------


def set_memory(tree, where):
    base, size = where["GUEST_RAM_IPA"], where["GUEST_RAM_SIZE"]
    address_cells, size_cells = tree.cells("/", "#address-cells", 2), tree.cells("/", "#size-cells", 1)
    path = tree.add("/", f"memory@{base:x}")
    tree.set_string(path, "device_type", "memory")
    tree.set(path, "reg", base.to_bytes(4 * address_cells, "big") + size.to_bytes(4 * size_cells, "big"))


def set_psci(tree):
    path = tree.add("/", "psci")
    tree.set(path, "compatible", b"arm,psci-1.0\0arm,psci-0.2\0")
    tree.set_string(path, "method", "hvc")


def set_cpus(tree, count):
    """One node per vCPU, numbered as ariel numbers them: affinity is the vCPU's number."""
    if not tree.has("/cpus"):
        raise TreeError(f"{tree.name}: /cpus: not there: not the tree of a machine")
    cpus = [path for path in tree.children("/cpus") if path.startswith("/cpus/cpu@")]
    if not cpus:
        raise TreeError(f"{tree.name}: /cpus/cpu@0: not there: not the tree of a machine")
    models = [tree.get(path, "compatible") for path in sorted(cpus)]
    cells = tree.cells("/cpus", "#address-cells", 1)
    for path in tree.children("/cpus"):  # cpu-map and idle-states name CPUs and states of the bare machine
        tree.remove(path)
    for number in reversed(range(count)):
        path = tree.add("/cpus", f"cpu@{number:x}")
        tree.set_string(path, "device_type", "cpu")
        tree.set(path, "compatible", models[min(number, len(models) - 1)] or b"arm,armv8\0")
        tree.set(path, "reg", number.to_bytes(4 * cells, "big"))
        tree.set_string(path, "enable-method", "psci")


def parse_seed(text):
    """The number that SEED= says, or None where it says nothing."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) > SEED_MAX:
        raise TreeError(f"SEED={text}: not a number from 0 to {SEED_MAX}; leave it out for fresh randomness at each start")
    return int(text)


def randomness(name, size, seed):
    """What the property name gives the guest as random, in bytes: fresh, or what belongs to a seed."""
    return secrets.token_bytes(size) if seed is None else hashlib.shake_256(f"{name} {seed}".encode()).digest(size)


def set_chosen(tree, arguments, initrd_ipa, initrd_size, seed):
    if not tree.has("/chosen"):
        tree.add("/", "chosen")
    if arguments is None and not tree.get("/chosen", "bootargs"):
        arguments = DEFAULT_ARGUMENTS
    if arguments is not None:
        tree.set_string("/chosen", "bootargs", arguments)
    for name in STALE:
        tree.drop("/chosen", name)
    if initrd_size:
        for name, value in zip(STALE, (initrd_ipa, initrd_ipa + initrd_size)):
            tree.set("/chosen", name, struct.pack(">Q", value))
    for name, size in SEED_SIZES:
        tree.set("/chosen", name, randomness(name, size, seed))
    set_stdout(tree)


def set_stdout(tree):
    """stdout-path names the UART, or there is none."""
    target = "".join(tree.words("/chosen", "stdout-path")[:1]).split(":")[0]
    aliases = dict((name, tree.words("/aliases", name)) for name in [target] if tree.has("/aliases"))
    target = (aliases.get(target) or [target])[0]
    if target.startswith("/") and tree.has(target):
        return
    tree.drop("/chosen", "stdout-path")
    for path in tree.children("/"):
        if "arm,pl011" in tree.words(path, "compatible"):
            tree.set_string("/chosen", "stdout-path", path)


def drop_dead_aliases(tree):
    if not tree.has("/aliases"):
        return
    for name in tree.properties("/aliases"):
        target = "".join(tree.words("/aliases", name)[:1])
        if not target.startswith("/") or not tree.has(target):
            tree.drop("/aliases", name)


def check_machine(tree, where):
    """The blob must be of QEMU's virt with a GICv3 where ariel has its own."""
    for path in tree.children("/"):
        if "arm,gic-v3" in tree.words(path, "compatible"):
            address = (tree.registers(path) or [(0, 0)])[0][0]
            if address == where["GICD_IPA"]:
                return
            raise TreeError(f"{tree.name}: {path}/reg={address:#x}: the distributor is at {where['GICD_IPA']:#x}: not "
                            "the tree of QEMU's virt; leave LINUX_DTB out to have one made")
    raise TreeError(f"{tree.name}: compatible=\"arm,gic-v3\": no such node: not the tree of QEMU's virt with "
                    "gic-version=3; leave LINUX_DTB out to have one made")


def check_transports(tree, devices):
    """Each transport that holds a device must be in the machine's tree: the guest learns of it there alone."""
    if not devices.transports:
        return
    base = next(r["base"] for r in devices.policy.ranges if r["key"].name == VIRTIO_MMIO)
    there = {tree.registers(path)[0][0] for path in tree.children("/") if "virtio,mmio" in tree.words(path, "compatible")}
    for number in sorted(devices.transports):
        if base + number * TRANSPORT_SIZE not in there:
            raise TreeError(f"{tree.name}: no node virtio_mmio@{base + number * TRANSPORT_SIZE:x} for the device on transport "
                            f"{number}; leave LINUX_DTB out to have a tree made")


def check_arguments(arguments):
    if arguments is None:
        return
    if "\0" in arguments or not arguments.isascii() or not arguments.isprintable():
        raise TreeError("LINUX_CMDLINE: only printable ASCII can be an argument")
    if len(arguments) > ARGUMENTS_MAX:
        raise TreeError(f"LINUX_CMDLINE: length={len(arguments)}: arm64 kernels take at most {ARGUMENTS_MAX}")


def check_size(blob, name, where):
    if len(blob) > where["LINUX_DTB_MAX_SIZE"]:
        raise TreeError(f"{name}: size={len(blob):#x}: at most {where['LINUX_DTB_MAX_SIZE']:#x} bytes fit")


def make(blob, name, policy, where, smp, arguments=None, initrd_size=0, initrd_ipa=None, transports=None, seed=None):
    """(the guest's blob, [(path removed, why)]). An initrd without initrd_ipa is in its documented place. transports:
    {number: type} of the virtio-mmio transports that hold a device of the guest's. seed: a number that fixes what the tree
    gives as randomness."""
    check_arguments(arguments)
    check_size(blob, name, where)
    try:
        tree = Tree(sound(blob, name), name)
        check_machine(tree, where)
        devices = Devices(policy, transports or {})
        check_transports(tree, devices)
        removed = prune(tree, devices)
        while tree.fdt.num_mem_rsv():  # they name places of the bare machine
            libfdt.check_err(libfdt.fdt_del_mem_rsv(tree.fdt._fdt, 0))
        set_memory(tree, where)
        set_psci(tree)
        set_cpus(tree, smp)
        set_chosen(tree, arguments, initrd_ipa or where["LINUX_INITRD_IPA"], initrd_size, seed)
        drop_dead_aliases(tree)
        made = tree.blob()
    except (libfdt.FdtException, UnicodeDecodeError) as error:
        raise TreeError(f"{name}: dtb: cannot be changed: {error}") from None
    check_size(made, f"{name}, with what the guest needs", where)
    return made, removed


# ---- The machine's own blob ------------------------------------------------------------------------------------------


def dump(smp, mem, cpu):
    """The blob of QEMU's virt: whatever the board, a guest's machine is made of it."""
    with tempfile.TemporaryDirectory(prefix="ariel-dtb-") as folder:
        path = f"{folder}/machine.dtb"
        command = machine_arguments(smp, mem, cpu, f",dumpdtb={path}")
        try:
            done = subprocess.run([*command, "-display", "none", "-serial", "none"], capture_output=True, text=True,
                                  timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TreeError(f"{command[0]}: cannot dump the machine's device tree: {error}") from None
        if not os.path.exists(path):
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise TreeError(f"{command[0]}: cannot dump the machine's device tree: {why}")
        return Path(path).read_bytes()


def compile_policy(path, cc):
    try:
        return policy_compile.compile_file(path, cc, (str(ROOT / "include"),))
    except policy_compile.PolicyError as error:
        raise TreeError(error.args[0][0]) from None


def make_for(options, initrd_size=0, initrd_ipa=None):
    """The guest's blob for a command line's choices (smp, mem, cpu, dtb, policy, cc, cmdline, seed and its devices), and what was
    removed."""
    seed = parse_seed(options.seed)
    if options.dtb:
        try:
            blob, name = Path(options.dtb).read_bytes(), f"LINUX_DTB={options.dtb}"
        except OSError as error:
            raise TreeError(f"LINUX_DTB={options.dtb}: cannot read it: {error.strerror}") from None
    else:
        blob, name = dump(options.smp, options.mem, options.cpu), "the machine's device tree"
    return make(blob, name, compile_policy(options.policy, options.cc), read_memory_map(ROOT / "include/hv/memory_map.h"),
                int(options.smp), options.cmdline, initrd_size, initrd_ipa, guest_devices.parse(options).transports, seed)


def show(blob, seed):
    """The tree as source, the seeds aside where they are fresh. seed: what SEED= says."""
    done = subprocess.run(["dtc", "-q", "-s", "-I", "dtb", "-O", "dts", "-"], input=blob, stdout=subprocess.PIPE,
                          check=True)
    text = done.stdout.decode()
    print(text if seed else re.sub(r"((?:rng|kaslr)-seed) = <[^>]*>", r"\1 = <fresh at each start>", text), end="")


def add_arguments(parser):
    """The choices that make_for reads."""
    parser.add_argument("--smp", default="1")
    parser.add_argument("--mem", default="1G")
    parser.add_argument("--cpu", default="cortex-a57")
    parser.add_argument("--policy", default="policy/linux.toml", metavar="FILE")
    parser.add_argument("--cc", default="cc", help="C compiler whose preprocessor reads the headers")
    parser.add_argument("--dtb", default="", help="the machine's blob; it is only read")
    parser.add_argument("--cmdline", help="the kernel's arguments")
    parser.add_argument("--seed", default="", help="a number that fixes what the tree gives as randomness; none: fresh")
    parser.add_argument("--platform", default="virt", help="the board: a name in platform/ that QEMU has")
    guest_devices.add_arguments(parser)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make the device tree of ariel's guest.")
    add_arguments(parser)
    parser.add_argument("--initrd", default="", help="it will be loaded at LINUX_INITRD_PA")
    parser.add_argument("--output", help="write the blob here")
    parser.add_argument("--show", action="store_true", help="print it as source")
    options = parser.parse_args(arguments)
    why_not = refusal(options.smp, options.mem, options.cpu)
    if why_not:
        return why_not
    try:
        blob, removed = make_for(options, os.path.getsize(options.initrd) if options.initrd else 0)
        if options.output:
            Path(options.output).parent.mkdir(parents=True, exist_ok=True)
            Path(options.output).write_bytes(blob)
        if options.show:
            show(blob, options.seed)
            print("".join(f"// without {path}: {why}\n" for path, why in removed if why != "made anew"), end="")
    except (TreeError, guest_devices.DeviceError) as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return None


if __name__ == "__main__":
    sys.exit(main())
