# SPDX-License-Identifier: Apache-2.0
"""A booted Linux: boot_linux(smp=4, policy="linux", cmdline=..., files=(kernel, initrd), devices={"net": "user"}) -> Linux,
ended after the test."""

import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/qemu"), str(ROOT / "tests/linux"), str(ROOT / "scripts"), str(ROOT / "tools")]
import guest_devices  # noqa: E402  (folders, not packages)
import run_linux  # noqa: E402
import shell_initrd  # noqa: E402
from fetch_linux import FetchError, fetch  # noqa: E402
from harness import build_policy  # noqa: E402
from linux import Linux  # noqa: E402


@pytest.fixture(scope="session")
def installer():
    """(kernel, initrd) of the Debian installer. Where they can't be had the tests fail: they have proved nothing."""
    try:
        return fetch()
    except FetchError as error:
        pytest.fail(f"no Linux to boot: {error}", pytrace=False)


@pytest.fixture(scope="session")
def drivers(tmp_path_factory):
    """(kernel, initrd): Debian's packaged kernel, with the drivers of virtio devices, ext4 and 9p loaded by /init."""
    try:
        return shell_initrd.write(tmp_path_factory.mktemp("drivers"))
    except FetchError as error:
        pytest.fail(f"no kernel with modules: {error}", pytrace=False)


@pytest.fixture
def boot_linux(installer, tmp_path):
    machines = []

    def start(smp=1, cpu="cortex-a57", policy="linux", cmdline="console=ttyAMA0 quiet", variables=(), files=installer,
              platform="virt", devices=None, extra="", **more):
        board = () if platform == "virt" else (f"PLATFORM={platform}",)
        elf = build_policy(policy, *board, *variables)
        words = ["--platform", platform, "--smp", str(smp), "--cpu", cpu, "--policy", f"policy/{policy}.toml",
                 f"--cmdline={cmdline}", "--folder", str(tmp_path), "--image", str(files[0]), "--initrd", str(files[1])]
        words += [f"--{name}={value}" for name, value in {"extra": extra, **(devices or {})}.items()]
        options = run_linux.arguments_of().parse_args(words)
        loads, _ = run_linux.prepare(options)
        arguments = f"{extra} {shlex.join(guest_devices.parse(options).arguments())}"
        machines.append(Linux(elf=elf, smp=smp, cpu=cpu, loads=loads, platform=platform, extra=arguments,
                              **{"wait": 600, "life": 3600, **more}))
        return machines[-1]

    yield start
    for machine in machines:
        print(f"--- console, last lines ---\n{machine.tail(80)}\n--- unfinished: {machine.child.buffer[-2000:]!r}")
        machine.close()


@pytest.fixture
def boot_shell(boot_linux):
    """Boots to a shell in place of /init."""
    def start(cmdline="", **parameters):
        linux = boot_linux(cmdline=f"console=ttyAMA0 rdinit=/bin/sh {cmdline}", **parameters)
        linux.expect_shell()
        return linux
    return start
