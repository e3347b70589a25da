# SPDX-License-Identifier: Apache-2.0
"""RAM that nothing is loaded to survives a reset, as on a board: what Linux's ramoops wrote there before a panic or a
reboot, the next boot finds. Debian's kernel for arm64 has ramoops as a module, the installer's does not; and neither is
built with PSTORE_CONSOLE, so the console of the last boot is found as the kernel's log, which is what it printed."""

import gzip
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from fetch_kernel import fetch as fetch_kernel  # noqa: E402
from fetch_linux import FetchError  # noqa: E402
from shell_initrd import cpio_entry, module  # noqa: E402

MODULES = ("reed_solomon", "ramoops")  # the second needs the first
WHERE = "mem_address=0x6c000000 mem_size=0x100000 record_size=0x10000 max_reason=4"  # 4: reboots too


@pytest.fixture
def kernel_with_ramoops(installer, tmp_path):
    """(kernel, initrd): Debian's kernel, and the installer's initrd with the modules behind it."""
    try:
        image, folder, _ = fetch_kernel()
    except FetchError as error:
        pytest.fail(f"no kernel with modules: {error}", pytrace=False)
    files = [(f"{name}.ko", 0o100644, module(folder, name)) for name in MODULES] + [("TRAILER!!!", 0, b"")]
    archive = b"".join(cpio_entry(number, *file) for number, file in enumerate(files, 1))
    initrd = tmp_path / "initrd"
    initrd.write_bytes(Path(installer[1]).read_bytes() + gzip.compress(archive, mtime=0))
    return image, initrd


def test_ramoops_finds_what_the_last_boot_printed(boot_shell, kernel_with_ramoops):
    linux = boot_shell("mem=640M panic=1", files=kernel_with_ramoops)  # above mem= RAM is nobody's

    def start_ramoops():
        for name in MODULES:
            linux.done(f"insmod /{name}.ko" + (f" {WHERE}" if name == "ramoops" else ""))
        linux.done("mkdir -p /proc /dev /pstore && mount -t proc proc /proc")
        linux.done("mount -t devtmpfs dev /dev && mount -t pstore pstore /pstore")
        return linux.done("cat /pstore/dmesg-ramoops-* 2> /dev/null; rm -f /pstore/*")

    assert "dmesg-ramoops" not in start_ramoops()
    linux.done("echo first boot was here > /dev/kmsg")
    linux.send("echo c > /proc/sysrq-trigger\n")
    linux.expect_line(r"event=guest-panic")
    linux.expect_line(r'event=guest-enter guest="Linux Image" entry=0x40000000 ')
    linux.expect_shell()
    found = start_ramoops()
    assert "first boot was here" in found
    assert "Kernel panic - not syncing: sysrq triggered crash" in found

    linux.done("echo second boot was here > /dev/kmsg")
    linux.send("reboot -f\n")
    linux.expect_line(r'event=guest-enter guest="Linux Image" entry=0x40000000 ')
    linux.expect_shell()
    found = start_ramoops()
    assert "second boot was here" in found
    assert "first boot was here" not in found
