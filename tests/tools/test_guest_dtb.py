# SPDX-License-Identifier: Apache-2.0
"""tools/guest_dtb.py: the guest's device tree tells the truth, whatever tree it was made from."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import guest_dtb  # noqa: E402
from guest_dtb import Tree, TreeError, make  # noqa: E402

WHERE = guest_dtb.read_memory_map(ROOT / "include/hv/memory_map.h")


@pytest.fixture(scope="module")
def policies():
    os.chdir(ROOT)
    return {name: guest_dtb.compile_policy(f"policy/{name}.toml", "cc")
            for name in ("linux", "linux-observe", "lockdown", "diag")}


@pytest.fixture(scope="module")
def machine():
    """The blob of QEMU's virt with 2 CPUs."""
    return guest_dtb.dump("2", "1G", "cortex-a57")


def guest_tree(machine, policy, smp=2, **options):
    blob, removed = make(machine, "x", policy, WHERE, smp, **options)
    return Tree(blob, "guest"), dict(removed)


def devices_of(tree):
    return {path for path in tree.children("/") if tree.get(path, "reg") and not path.startswith("/memory")}


def test_has_what_the_policy_lets_it_have(machine, policies):
    tree, removed = guest_tree(machine, policies["linux"])
    assert devices_of(tree) == {"/intc@8000000", "/pl011@9000000", "/pl031@9010000"}
    assert set(tree.children("/")) - devices_of(tree) - {"/aliases"} == {"/memory@40000000", "/psci", "/cpus", "/timer",
                                                                        "/chosen", "/apb-pclk"}
    assert removed["/pcie@10000000"] == "pcie-ecam is a bus master"
    assert removed["/fw-cfg@9020000"] == "fw-cfg is a bus master"
    assert removed["/flash@0"] == "the policy says raz-wi to reads of flash"
    assert removed["/intc@8000000/its@8080000"] == "no ITS, no LPIs"
    tree, removed = guest_tree(machine, policies["lockdown"])
    assert devices_of(tree) == {"/intc@8000000", "/pl011@9000000"}


def test_no_bus_master_under_any_policy(machine, tmp_path, policies):
    (tmp_path / "all.toml").write_text('default = { action = "allow" }\n[[mmio]]\ndevice = ["gicd", "gicr", "pl011"]\n'
                                       'action = "emulate"\n')
    tree, _ = guest_tree(machine, guest_dtb.compile_policy(tmp_path / "all.toml", "cc"))
    assert devices_of(tree) == {"/intc@8000000", "/pl011@9000000", "/pl031@9010000", "/pl061@9030000", "/flash@0"}
    assert tree.children("/intc@8000000") == []
    # EL2 forwards the interrupts of what it emulates
    assert tree.get("/pl011@9000000", "interrupts") and not tree.get("/pl061@9030000", "interrupts")


def kept_policy(folder, name, rows=""):
    (folder / f"{name}.toml").write_text('default = { action = "deny" }\n[[mmio]]\ndevice = ["gicd", "gicr", "pl011"]\n'
                                         f'action = "emulate"\n[[mmio]]\ndevice = "{name}"\naction = "deny"\nkeep = true\n{rows}')
    return guest_dtb.compile_policy(folder / f"{name}.toml", "cc")


def test_a_device_that_is_denied_and_kept_is_there_as_the_machine_has_it(machine, tmp_path):
    before = Tree(machine, "machine")
    for name, path in (("pl031", "/pl031@9010000"), ("pl061", "/pl061@9030000"), ("fw-cfg", "/fw-cfg@9020000")):
        tree, removed = guest_tree(machine, kept_policy(tmp_path, name))
        assert devices_of(tree) == {"/intc@8000000", "/pl011@9000000", path}
        assert tree.properties(path) == before.properties(path) and path not in removed
    tree, _ = guest_tree(machine, kept_policy(tmp_path, "virtio-mmio"))
    assert len(transports_of(tree)) == 32


@pytest.mark.parametrize("seed, other", [("7", "8"), ("0", "1"), ("18446744073709551615", "1844674407370955161")])
def test_the_same_seed_gives_the_same_tree(machine, policies, seed, other):
    one, again, differs = (make(machine, "x", policies["linux"], WHERE, 1, seed=guest_dtb.parse_seed(text))[0]
                           for text in (seed, seed, other))
    assert one == again and one != differs
    trees = [Tree(blob, "x") for blob in (one, differs)]
    for name, size in guest_dtb.SEED_SIZES:
        values = {tree.get("/chosen", name) for tree in trees}
        assert len(values) == 2 and {len(value) for value in values} == {size}


@pytest.mark.parametrize("text", ["-1", "x", "0x7", "1.5", "7 8", "18446744073709551616", "\u0663", "9" * 5000])
def test_a_seed_is_a_number(text):
    with pytest.raises(TreeError, match=r"not a number from 0 to 18446744073709551615; leave it out for fresh randomness"):
        guest_dtb.parse_seed(text)
    assert guest_dtb.parse_seed("") is None


def transports_of(tree):
    return [path for path in tree.children("/") if "virtio,mmio" in tree.words(path, "compatible")]


def test_a_transport_with_a_device_stays_as_the_machine_has_it(machine, policies):
    before = Tree(machine, "machine")
    for numbers in ({0}, {0, 1, 2}, {5, 30}, set(range(31))):
        tree, removed = guest_tree(machine, policies["linux"], transports=dict.fromkeys(numbers, "block"))
        wanted = [f"/virtio_mmio@{0xa000000 + number * 0x200:x}" for number in sorted(numbers)]
        assert transports_of(tree) == wanted  # in this order Linux names its disks
        assert all(tree.properties(path) == before.properties(path) for path in wanted)
        assert {"dma-coherent", "interrupts", "reg"} <= set(tree.properties(wanted[0]))
        assert sum(why == "a transport without a device" for why in removed.values()) == 32 - len(numbers)


def test_a_transport_that_the_policy_denies_goes(machine, policies):
    tree, removed = guest_tree(machine, policies["lockdown"], transports={0: "block"})
    assert transports_of(tree) == []
    assert removed["/virtio_mmio@a000000"] == "the policy says deny to reads of virtio-mmio"


def test_a_device_that_the_policy_denies_goes(machine, tmp_path):
    (tmp_path / "some.toml").write_text('default = { action = "deny" }\n[[mmio]]\ndevice = ["gicd", "gicr", "pl011", "virtio-mmio"]\n'
                                        'action = "emulate"\n[[virtio]]\ndevice = "block"\ntransport = 1\naction = "deny"\n'
                                        '[[virtio]]\ndevice = "block"\nrequest = "write"\naction = "deny"\n'
                                        '[[virtio]]\ndevice = "block"\naction = "emulate"\n')
    tree, removed = guest_tree(machine, guest_dtb.compile_policy(tmp_path / "some.toml", "cc"),
                               transports={0: "block", 1: "block", 2: "net"})
    assert transports_of(tree) == ["/virtio_mmio@a000000"]
    assert removed["/virtio_mmio@a000200"] == "the policy denies block devices"
    assert removed["/virtio_mmio@a000400"] == "the policy denies net devices"  # the default decides


def test_a_tree_without_the_transport_is_refused(machine, policies):
    blob = changed(machine, lambda tree: tree.remove("/virtio_mmio@a000200"))
    assert transports_of(guest_tree(blob, policies["linux"], transports={0: "net", 2: "rng"})[0])
    with pytest.raises(TreeError, match=r"x: no node virtio_mmio@a000200 for the device on transport 1; leave LINUX_DTB out"):
        make(blob, "x", policies["linux"], WHERE, 1, transports={0: "net", 1: "rng"})


@pytest.mark.parametrize("smp", [1, 2, 3, 8])
def test_one_cpu_node_per_vcpu(machine, policies, smp):
    tree, _ = guest_tree(machine, policies["linux"], smp)
    assert tree.children("/cpus") == [f"/cpus/cpu@{n}" for n in range(smp)]
    for n in range(smp):
        path = f"/cpus/cpu@{n}"
        assert tree.get(path, "reg") == struct.pack(">I", n)
        assert tree.words(path, "enable-method") == ["psci"]
        assert tree.words(path, "compatible") == ["arm,cortex-a57"]


def test_memory_and_psci_are_the_guests(machine, policies):
    tree, _ = guest_tree(machine, policies["linux"])
    assert tree.registers("/memory@40000000") == [(WHERE["GUEST_RAM_IPA"], WHERE["GUEST_RAM_SIZE"])]
    assert tree.words("/psci", "method") == ["hvc"]
    assert tree.words("/psci", "compatible") == ["arm,psci-1.0", "arm,psci-0.2"]


def large_tree(machine, size):
    """The machine's tree with so many bytes in a property of /chosen."""
    tree = Tree(machine + bytes(size), "x")
    tree.set("/chosen", "large", bytes(size))
    return tree.blob()


def test_a_tree_may_have_2_mib(machine, policies):
    most = WHERE["LINUX_DTB_MAX_SIZE"]
    room = most - len(large_tree(machine, 0))
    blob, _ = make(large_tree(machine, room & ~3), "x", policies["linux"], WHERE, 1)
    assert most - 0x4000 < len(blob) <= most
    with pytest.raises(TreeError, match=rf"x: size=0x\w+: at most {most:#x} bytes fit"):
        make(large_tree(machine, room + 4), "x", policies["linux"], WHERE, 1)
    with pytest.raises(TreeError, match=rf"x, with what the guest needs: size=0x\w+: at most {len(blob):#x} bytes fit"):
        bound = WHERE | {"LINUX_DTB_MAX_SIZE": len(blob)}
        make(blob, "x", policies["linux"], bound, 1, arguments=2047 * "x")


def test_an_initrd_is_where_it_is_said(machine, policies):
    tree, _ = guest_tree(machine, policies["linux"], initrd_size=0x1234, initrd_ipa=0x48000000)
    assert [struct.unpack(">Q", tree.get("/chosen", name))[0] for name in guest_dtb.STALE] == [0x48000000, 0x48001234]


def test_chosen(machine, policies):
    tree, _ = guest_tree(machine, policies["linux"], arguments="a=\"b c\" d", initrd_size=0x1234)
    assert tree.words("/chosen", "bootargs") == ['a="b c" d']
    start, end = (struct.unpack(">Q", tree.get("/chosen", f"linux,initrd-{name}"))[0] for name in ("start", "end"))
    assert (start, end) == (WHERE["LINUX_INITRD_IPA"], WHERE["LINUX_INITRD_IPA"] + 0x1234)
    assert tree.words("/chosen", "stdout-path") == ["/pl011@9000000"]
    again, _ = guest_tree(machine, policies["linux"])
    for name, size in guest_dtb.SEED_SIZES:
        seeds = {bytes(source.get("/chosen", name)) for source in (tree, again, Tree(machine, "machine"))}
        assert len(seeds) == 3 and len(tree.get("/chosen", name)) == size
    assert again.words("/chosen", "bootargs") == [guest_dtb.DEFAULT_ARGUMENTS]
    assert again.get("/chosen", "linux,initrd-start") is None


def changed(machine, change):
    tree = Tree(machine, "machine")
    change(tree)
    return tree.blob()


def test_what_the_users_tree_says_is_kept_or_replaced(machine, policies):
    def change(tree):
        tree.set_string("/chosen", "bootargs", "from=the-tree")
        tree.set("/chosen", "linux,initrd-start", struct.pack(">Q", 0x1000))
        tree.set("/chosen", "linux,initrd-end", struct.pack(">Q", 0x2000))
        tree.set_string("/chosen", "stdout-path", "serial1:115200n8")
        if not tree.has("/aliases"):  # QEMU's have it since 8.1
            tree.add("/", "aliases")
        tree.set_string("/aliases", "serial0", "/pl011@9000000")
        tree.set_string("/aliases", "ethernet0", "/pcie@10000000")
        tree.set("/pl011@9000000", "current-speed", struct.pack(">I", 115200))
        tree.add("/", "reserved-memory")
    blob = changed(machine, change)
    tree, _ = guest_tree(blob, policies["linux"])
    assert tree.words("/chosen", "bootargs") == ["from=the-tree"]
    assert tree.get("/chosen", "linux,initrd-start") is None
    assert tree.words("/chosen", "stdout-path") == ["/pl011@9000000"]
    assert set(tree.properties("/aliases")) == {"serial0"}
    assert tree.get("/pl011@9000000", "current-speed")
    assert not tree.has("/reserved-memory")
    tree, _ = guest_tree(blob, policies["linux"], arguments="mine")
    assert tree.words("/chosen", "bootargs") == ["mine"]


@pytest.mark.parametrize("change, why", [
    (lambda tree: tree.remove("/intc@8000000"), 'x: compatible="arm,gic-v3": no such node'),
    (lambda tree: tree.set("/intc@8000000", "reg", struct.pack(">QQ", 0x2f000000, 0x10000)),
     "/intc@8000000/reg=0x2f000000: the distributor is at 0x8000000"),
    (lambda tree: tree.remove("/cpus"), "x: /cpus: not there"),
    (lambda tree: [tree.remove(path) for path in tree.children("/cpus")], "x: /cpus/cpu@0: not there"),
    (lambda tree: tree.set("/pl011@9000000", "reg", b"\0" * 5), "/pl011@9000000/reg: 5 bytes, not a multiple of 16"),
])
def test_another_machines_tree_is_refused(machine, policies, change, why):
    with pytest.raises(TreeError) as caught:
        make(changed(machine, change), "x", policies["linux"], WHERE, 1)
    assert why in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.integers(0, 8191), st.tuples(st.integers(0, 3000), st.integers(0, 255))))
def test_any_bytes_make_a_tree_or_one_line(machine, policies, damage):
    blob = Tree(machine, "machine").blob()
    if isinstance(damage, bytes):
        blob = damage
    elif isinstance(damage, int):
        blob = blob[:damage]
    else:
        blob = bytearray(blob)
        blob[damage[0]] = damage[1]
        blob = bytes(blob)
    try:
        made, _ = make(blob, "x", policies["linux"], WHERE, 1)
        assert Tree(made, "made").registers("/memory@40000000")
    except TreeError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("arguments, why", [("x" * 2048, "length=2048: arm64 kernels take at most 2047"),
                                            ("tab\t", "only printable ASCII"), ("\u00e9", "only printable ASCII")])
def test_bad_arguments_are_refused(machine, policies, arguments, why):
    with pytest.raises(TreeError, match=why):
        make(machine, "x", policies["linux"], WHERE, 1, arguments)


def test_the_users_file_is_only_read(machine, tmp_path):
    path = tmp_path / "virt.dtb"
    path.write_bytes(machine)
    path.chmod(0o444)
    done = subprocess.run(["make", "-s", "dtb-show", f"LINUX_DTB={path}", "LINUX_CMDLINE=it's a test", "SMP=2"], cwd=ROOT,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "bootargs = \"it's a test\"" in done.stdout and 'method = "hvc"' in done.stdout
    assert "rng-seed = <fresh at each start>" in done.stdout
    assert path.read_bytes() == machine


@pytest.mark.parametrize("value, why", [("LINUX_DTB=/nowhere", "LINUX_DTB=/nowhere: cannot read it"),
                                        ("LINUX_DTB=README.md", "LINUX_DTB=README.md: dtb: not a sound device tree"),
                                        ("SMP=9", "SMP=9: ariel runs on 1 to 8 CPUs"),
                                        ("SEED=x", "SEED=x: not a number from 0 to 18446744073709551615"),
                                        ("LINUX_INITRD=/nowhere", "/nowhere: No such file")])
def test_dtb_show_refuses_in_one_line(value, why):
    done = subprocess.run(["make", "-s", "dtb-show", value], cwd=ROOT, capture_output=True, text=True, timeout=600)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode and len(lines) == 1 and why in lines[0]
