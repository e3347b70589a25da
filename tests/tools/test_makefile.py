# SPDX-License-Identifier: Apache-2.0
"""What make and its scripts say to bad input, and that README.md tells the truth about them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from check_layout import map_faults, read_memory_map  # noqa: E402
from run import qemu_command, refusal  # noqa: E402

DEFAULT_COMMAND = "qemu-system-aarch64 -M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 1G -nographic " \
                  "-serial mon:stdio -kernel build/hypervisor.elf"


def make(*arguments, cwd=ROOT, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    environment |= variables
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=cwd, env=environment, capture_output=True,
                          text=True, timeout=600)


def complaint(done):
    """The one line that is not make's own word about its recipe."""
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not re.match(r"make.*Error \d", line)]
    assert len(lines) == 1 and not done.stdout, done.stdout + done.stderr
    return lines[0]


@pytest.mark.parametrize("variable, value, why", [
    ("SMP", "0", "SMP=0: ariel runs on 1 to 8 CPUs"),
    ("SMP", "9", "SMP=9: ariel runs on 1 to 8 CPUs"),
    ("SMP", "two", "SMP=two: ariel runs on 1 to 8 CPUs"),
    ("SMP", "-1", "SMP=-1: ariel runs on 1 to 8 CPUs"),
    ("SMP", "", "SMP=: ariel runs on 1 to 8 CPUs"),
    ("MEM", "512M", "MEM=512M: ariel and its guest need 800M or more"),
    ("MEM", "lots", "MEM=lots: write a size as 1G or 1024M"),
    ("CPU", "cortex-a15", "CPU=cortex-a15: not an AArch64 CPU with EL2"),
    ("CPU", "a b", "CPU=a b: not an AArch64 CPU with EL2"),
    ("QEMU_EXTRA", "-name 'a", "QEMU_EXTRA=-name 'a: not words of a command line: no closing quotation"),
    ("POLICY", "nothing", "POLICY=nothing: no file policy/nothing.toml; there are: "),
    ("GUEST_TEST", "nosuch", "GUEST_TEST=nosuch: no suite of the diagnostic guest; there are: "),
    ("BUILD", "/proc/nowhere", "BUILD=/proc/nowhere: cannot write to this folder"),
    ("BUILD", "README.md", "BUILD=README.md: cannot write to this folder"),
    *[("BUILD", name, f"BUILD={name}: make takes letters, digits and ._+@/- in this folder's name")
      for name in ("a b", "a;b", "a&b", "a'b", 'a"b', "(a)", "a:b", "a%b", "a|b", "-a", "")],
    ("OBJECTS", "a b", "OBJECTS=a b: make takes letters, digits and ._+@/- in this folder's name"),
])
def test_bad_value_is_one_line(variable, value, why):
    assert why in complaint(make("run", f"{variable}={value}"))


ODD = "a (b) & c's; \"d\" $x#1%"


def test_clean_removes_nothing_else(tmp_path):
    (tmp_path / "kept").touch()
    assert "BUILD=" in complaint(make("clean", f"BUILD=nothing {tmp_path}"))
    assert (tmp_path / "kept").exists()


def test_a_policy_with_any_path(tmp_path):
    """It is compiled again when it changes, and only then."""
    policy, build = tmp_path / "my policies" / f"{ODD}.toml", tmp_path / "build"
    policy.parent.mkdir()
    words = [f"POLICY={policy}".replace("$", "$$"), f"BUILD={build}", f"{build}/generated/policy_tables.c"]
    policy.write_bytes((ROOT / "policy/diag.toml").read_bytes())
    first = make(*words)
    assert first.returncode == 0 and f"POLICY  {policy}" in first.stdout, first.stderr
    assert not make(*words).stdout
    policy.write_bytes((ROOT / "policy/lockdown.toml").read_bytes())
    assert make(*words).stdout.count("POLICY ") == 1


@pytest.mark.parametrize("words", [["run", "GUEST=prog.elf"], ["run-linux"]])
def test_the_folder_of_a_policy_with_any_path(words, tmp_path):
    policy = tmp_path / f"{ODD}.toml"
    policy.write_bytes((ROOT / "policy/diag.toml").read_bytes())
    done = make("-n", *words, f"POLICY={policy}".replace("$", "$$"))
    run = shlex.split(done.stdout.splitlines()[-1])
    assert run[run.index("--policy") + 1] == str(policy)
    assert run[run.index("--elf") + 1] == "build/policy-a__b____c_s___d___x_1_/hypervisor.elf"


def test_a_checkout_with_any_path(tmp_path):
    """The guest is built there, EL2's flags and the policy's tables hold."""
    tree = tmp_path / ODD.replace('"', "") / "ariel"
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\0")
    for name in filter(lambda name: name and (ROOT / name).is_file(), names):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    done = make("-j2", f"COMMIT={tmp_path.name}", "build/guest.bin", "build/compile_commands.json",
                "build/lib/string.c.o", "build/generated/policy_tables.c", cwd=tree)
    assert done.returncode == 0, done.stderr
    assert f"-ffile-prefix-map={tree}=." in (tree / "build/compile_commands.json").read_text()


@pytest.mark.parametrize("script, arguments, why", [
    ("check.py", ["nothing"], "no gate nothing; there are: "),
    ("unit_tests.py", ["--build", "build/unit", "--cc", "gcc", "--cflags", "", "nothing"], "no unit test nothing; there"),
    ("qemu_tests.py", ["nothing"], "TESTS=nothing: no such test; there are: test_bare.py "),
    ("qemu_tests.py", ["--case", "nothing"], "CASE=nothing: no such test; there are: "),
    ("run.py", ["--elf", "nothing.elf"], "nothing.elf: not there or not readable; run make"),
])
def test_bad_argument_is_one_line(script, arguments, why):
    done = subprocess.run([sys.executable, f"scripts/{script}", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(why) and done.stderr.count("\n") == 1


def test_missing_tool_without_a_way_to_install_it(tmp_path):
    for name in ("sh", "cat", "cut", "sort", "tr", "id"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(["/bin/sh", "scripts/bootstrap", "run"], cwd=ROOT, env={"PATH": str(tmp_path)},
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert "qemu-system-aarch64" in done.stderr and "qemu-system-arm" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("bootstrap: no apt-get on this system")


def test_what_is_built_says_number_and_commit():
    number = (ROOT / "VERSION").read_text().strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", number)
    assert re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == number
    make("build/generated/version.h")
    assert re.search(rf'"{re.escape(number)}\+\S+"', (ROOT / "build/generated/version.h").read_text())


def test_gdb_is_listened_for_on_this_host_alone():
    for extra in ("-s -S", "-name x -s"):
        command = qemu_command(extra=extra)
        assert command[command.index("-gdb") + 1] == "tcp:127.0.0.1:1234" and "-s" not in command
    assert "-gdb tcp:127.0.0.1:1234 -S" in make("-n", "debug").stdout


def test_default_command_line():
    assert " ".join(qemu_command()) == DEFAULT_COMMAND
    assert DEFAULT_COMMAND in (ROOT / "README.md").read_text()
    assert qemu_command(smp="4")[7:9] == ["-smp", "4"]


def test_cpu_models_of_the_readme_are_taken():
    for cpu in ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "max"):
        for smp in range(1, 9):
            assert refusal(str(smp), "1G", cpu) is None


def test_help_lists_every_target_and_variable():
    text = make("help").stdout
    makefiles = "".join(path.read_text() for path in [ROOT / "Makefile", *(ROOT / "mk").glob("*.mk")])
    wanted = set(re.findall(r"^([A-Z_]+) \?=", makefiles, re.M))
    wanted |= {f"make {name}" for name in re.findall(r"^\.PHONY: ([a-z-]+)$", makefiles, re.M) if name != "tools"}
    assert not [name for name in wanted if not re.search(rf"^  {re.escape(name)} ", text, re.M)]


def test_help_lists_each_once_with_values_to_type():
    names = [line.split()[1 if line.startswith("  make") else 0] for line in make("help").stdout.splitlines()
             if line.startswith("  ")]
    assert len(names) == len(set(names))
    assert "$(" not in make("help").stdout


@pytest.mark.parametrize("target", ["run", "run-linux"])
def test_one_option_alone_is_handed_to_qemu(target):
    line = make("-n", target, "QEMU_EXTRA=-S").stdout.splitlines()[-1]
    words = shlex.split(line)
    assert "--extra=-S" in words
    assert qemu_command(extra="-S")[-1] == "-S"


@pytest.mark.parametrize("words, why", [
    (["run", "LINUX_IMAGE=x"], "LINUX_IMAGE=x: `make run` boots the diagnostic guest; give it to `make run-linux`"),
    (["run", "GUEST_ADDR=0x40080000"], "GUEST_ADDR=0x40080000: `make run` reads it with GUEST=<program> only"),
    (["run", "GUEST=a", "LINUX_CMDLINE=quiet"], "LINUX_CMDLINE=quiet: the guest is GUEST=a and its arguments are GUEST_ARGS="),
    (["run-linux", "GUEST=a b"], "GUEST=a b: it is for `make run`; a kernel is LINUX_IMAGE="),
])
def test_a_variable_that_is_not_read_is_refused(words, why):
    done = make("-n", *words)
    assert done.returncode != 0 and why in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words, option", [
    (["run", "GUEST=a", "GUEST_ADDR=0x5"], "--address=0x5"), (["run", "GUEST=a", "GUEST_FILE=b c@1 d@2"], "--file=b c@1 d@2"),
    (["run", "GUEST=a", "LINUX_INITRD=i"], "--initrd=i"), (["run", "GUEST=a", "LINUX_DTB=t"], "--dtb=t"),
    (["run-linux", "GUEST_FILE=b@1"], "--file=b@1")])
def test_what_is_read_is_handed_on(words, option):
    assert option in shlex.split(make("-n", *words).stdout.splitlines()[-1])


@pytest.mark.parametrize("words, policy", [
    (["run", "GUEST=prog.elf"], "firmware"),
    (["run", "GUEST=prog.elf", "POLICY=observe"], "observe"),
    (["run", "GUEST=prog.elf", "POLICY=policy/lockdown.toml"], "lockdown"),
    (["run-linux"], "linux"),
    (["run-linux", "POLICY=observe"], "observe"),
])
def test_each_kind_of_guest_has_its_policy(words, policy):
    """The build, QEMU's ELF and the device tree have the same one."""
    lines = make("-n", *words).stdout.splitlines()
    run = shlex.split(lines[-1])
    assert run[run.index("--policy") + 1] == f"policy/{policy}.toml"
    assert run[run.index("--elf") + 1] == f"build/policy-{policy}/hypervisor.elf"
    built = " ".join(lines)
    assert f"BUILD=build/policy-{policy} " in built and (f"policy/{policy}.toml" in built)


def test_the_policy_of_a_program_from_the_environment():
    run = shlex.split(make("-n", "run", "GUEST=prog.elf", POLICY="observe").stdout.splitlines()[-1])
    assert run[run.index("--policy") + 1] == "policy/observe.toml"


def test_soak_lasts_what_its_help_says():
    assert "--minutes '10'" in make("-n", "soak").stdout
    assert "--minutes '60'" in make("-n", "soak", "TIME=60").stdout


def test_memory_map_is_sound():
    assert map_faults(read_memory_map(ROOT / "include/hv/memory_map.h")) == []


@pytest.mark.parametrize("name, value, fault", [
    ("LOG_RING_PA", 0x40100000, "hypervisor 0x40080000..0x41080000 overlaps log ring"),
    ("GUEST_RAM_PA", 0x41000000, "log ring"),
    ("LINUX_DTB_PA", 0x72000000, "DTB"),
    ("LINUX_IMAGE_IPA", 0x40200000, "LINUX_IMAGE_PA and LINUX_IMAGE_IPA"),
    ("LINUX_INITRD_IPA", 0x45000000, "LINUX_INITRD_PA and LINUX_INITRD_IPA"),
    ("HV_PA", 0x08000000, "GICD"),
])
def test_unsound_memory_map_is_seen(name, value, fault):
    where = read_memory_map(ROOT / "include/hv/memory_map.h") | {name: value}
    assert any(fault in text for text in map_faults(where))
