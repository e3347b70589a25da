# SPDX-License-Identifier: Apache-2.0
"""What `make release` refuses, by name, and that the archive depends on nothing but its contents. The products are
small images with the sections of the real ones, so that each can be broken in one way; the real ones must pass, too."""

import os
import re
import shlex
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parents[2]
TOOLS = "aarch64-linux-gnu-"
ENVIRONMENT = {"SOURCE_DATE_EPOCH": "1700000000", "PATH": "/usr/bin:/bin"}

SOURCE = """
.section .text, "ax"
.globl _start, other
_start: b _start
other: ret
.section .rodata, "a"
.quad 1
.section .guest, "a"
.quad 2
.section .data, "aw"
.quad 3
.section .bss, "aw", %nobits
.skip 64
"""
SCRIPT = """
ENTRY(_start)
PHDRS {{ text PT_LOAD FLAGS({flags}); rodata PT_LOAD FLAGS(4); data PT_LOAD FLAGS(6); }}
SECTIONS {{ . = {base:#x};
 .text : {{ *(.text) }} :text
 . = ALIGN(4096); .rodata : {{ *(.rodata) }} :rodata .guest : {{ *(.guest) }} :rodata
 . = ALIGN(4096); .data : {{ *(.data) }} :data .bss : {{ *(.bss) }} :data
}}
"""


def run(*command, **options):
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, **options)


def make_image(folder, name, base, flags=5):
    """folder/name.elf and what is made of it."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    (scratch / "image.S").write_text(SOURCE)
    (scratch / "image.ld").write_text(SCRIPT.format(base=base, flags=flags))
    elf = folder / f"{name}.elf"
    run(f"{TOOLS}gcc", "-c", "-o", scratch / "image.o", scratch / "image.S", check=True)
    run(f"{TOOLS}ld", "--no-warn-rwx-segments", "-z", "max-page-size=4096", "-T",
        scratch / "image.ld", "-Map", folder / f"{name}.map", "-o", elf, scratch / "image.o", check=True)
    run(f"{TOOLS}objcopy", "-O", "binary", elf, folder / f"{name}.bin", check=True)
    (folder / f"{name}.symbols").write_text(run(f"{TOOLS}nm", "-n", elf, check=True).stdout)


@pytest.fixture
def build(tmp_path):
    """A build folder whose products are as declared."""
    folder = tmp_path / "build"
    folder.mkdir()
    make_image(folder, "hypervisor", 0x40080000)
    for policy in sorted(ROOT.glob("policy/*.toml")):
        (folder / f"hypervisor-{policy.stem}.elf").write_bytes((folder / "hypervisor.elf").read_bytes())
    make_image(folder, "guest", 0x40000000)
    (folder / "guest.symbols").unlink()
    (folder / "hypervisor.img").write_bytes((folder / "hypervisor.bin").read_bytes())
    return folder


def patch(path, offset, data):
    whole = bytearray(path.read_bytes())
    whole[offset:offset + len(data)] = data
    path.write_bytes(whole)


def release(build, *more):
    return run(sys.executable, "scripts/release.py", "--build", build, "--version", "test", *more, env=ENVIRONMENT)


def refusals(build):
    """The refusals of a release, which makes no archive."""
    output = build.parent / "dist"
    done = release(build, "--no-boot", "--output", output)
    assert done.returncode == 1, done.stdout
    assert not output.exists()
    return done.stderr


def test_declared_products_pass(build):
    done = release(build, "--verify-only")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["hypervisor.elf", "hypervisor.bin", "hypervisor.img", "hypervisor.map",
                                  "hypervisor.symbols", "guest.bin"])
def test_missing_product(build, name):
    (build / name).unlink()
    assert f"release: {name}: missing" in refusals(build)


def test_extra_file(build):
    (build / "core.dump").write_text("")
    assert "release: core.dump: extra, not declared" in refusals(build)


def test_wrong_link_address(build):
    make_image(build, "hypervisor", 0x40090000)
    assert "release: hypervisor.elf: linked at 0x40090000, not at HV_PA = 0x40080000" in refusals(build)


def test_undefined_symbol(build):
    with open(build / "hypervisor.elf", "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        index = [symbol.name for symbol in table.iter_symbols()].index("other")
        place = table["sh_offset"] + index * table["sh_entsize"] + 6  # st_shndx
    patch(build / "hypervisor.elf", place, struct.pack("<H", 0))
    assert "release: hypervisor.elf: symbol other is undefined" in refusals(build)


def test_writable_text_section(build):
    with open(build / "hypervisor.elf", "rb") as file:
        elf = ELFFile(file)
        place = elf["e_shoff"] + elf.get_section_index(".text") * elf["e_shentsize"] + 8  # sh_flags
    flags = SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_WRITE | SH_FLAGS.SHF_EXECINSTR
    patch(build / "hypervisor.elf", place, struct.pack("<Q", flags))
    assert "release: hypervisor.elf: section .text is writable and executable" in refusals(build)


def test_writable_text_segment(build):
    make_image(build, "hypervisor", 0x40080000, flags=7)
    assert "release: hypervisor.elf: segment at 0x40080000 is writable and executable" in refusals(build)


@pytest.mark.parametrize("name, data, why", [
    ("hypervisor.elf", b"#!/bin/sh\n", "not an ELF file"),
    ("hypervisor.elf", b"", "not an ELF file"),
    ("hypervisor.bin", b"\x7fELF", "an ELF file, not a flat image"),
    ("hypervisor.bin", b"\x00" * 8, "not the flat image of hypervisor.elf"),
    ("hypervisor.map", b"nothing", "not a linker map"),
    ("hypervisor.symbols", b"nothing\n", "not a list of symbols"),
    ("hypervisor.symbols", b"0000000040080000 T another\n", "lacks _start"),
])
def test_wrong_type(build, name, data, why):
    (build / name).write_bytes(data)
    assert f"release: {name}: {why}" in refusals(build)


def test_truncated_elf(build):
    whole = (build / "hypervisor.elf").read_bytes()
    for size in (16, 64, 100, len(whole) // 2, len(whole) - 1):
        (build / "hypervisor.elf").write_bytes(whole[:size])
        text = refusals(build)
        assert "release: hypervisor.elf: " in text and "Traceback" not in text


def test_executable_of_this_machine(build):
    (build / "hypervisor.elf").write_bytes(Path(sys.executable).resolve().read_bytes())
    assert "not an AArch64 executable" in refusals(build)


def test_missing_section(build):
    run(f"{TOOLS}objcopy", "--remove-section", ".guest", build / "hypervisor.elf", check=True)
    assert "release: hypervisor.elf: no section .guest" in refusals(build)


def test_unreadable_manifest(build, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("[[product")
    done = release(build, "--manifest", bad)
    assert done.returncode == 1
    assert done.stderr.startswith(f"release: {bad}: ") and done.stderr.count("\n") == 1


def test_archive_is_reproducible_and_sums_hold(build, tmp_path):
    archives = []
    for output in (tmp_path / "one", tmp_path / "another"):
        done = release(build, "--no-boot", "--output", output)
        assert done.returncode == 0, done.stderr
        archives.append((output / "ariel-test.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "one" / "ariel-test.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked")
        names = archive.getnames()
        assert {entry.uid for entry in archive} == {0} and {entry.mtime for entry in archive} == {1700000000}
    assert names == sorted(names)
    for name in ("README.md", "LICENSE", "LICENSE-Apache-2.0.txt", "manifest.json", "SHA256SUMS", "hypervisor.elf",
                 "hypervisor-linux.elf", "guest.bin", "policy/diag.toml", "tools/log_decode.py", "tools/run_linux.py",
                 "CHANGELOG.md"):
        assert f"ariel-test/{name}" in names
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=tmp_path / "unpacked" / "ariel-test", check=True)


def test_image_that_does_not_boot_leaves_no_archive(build, tmp_path):
    code = "import sys; sys.path.insert(0, 'scripts'); import release; release.BOOT_LIMIT_S = 3; release.main()"
    output = tmp_path / "dist"
    done = run(sys.executable, "-c", code, "--build", build, "--version", "test", "--output", output, env=ENVIRONMENT)
    assert done.returncode == 1
    assert "booted, but no line" in done.stderr
    assert not list(output.glob("*"))


def test_what_the_build_makes_is_released_and_boots(tmp_path):
    folder = tmp_path / "build"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "-s", "-j2", f"BUILD={folder}", "all", "policies"], cwd=ROOT, env=environment, check=True, timeout=600)
    done = release(folder, "--output", tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dist" / "ariel-test.tar.gz").is_file()


@pytest.fixture
def unpacked(build, tmp_path):
    assert release(build, "--no-boot", "--output", tmp_path).returncode == 0
    with tarfile.open(tmp_path / "ariel-test.tar.gz") as archive:
        archive.extractall(tmp_path)
    return tmp_path / "ariel-test"


def test_readme_is_about_the_archive(unpacked):
    """Each file and folder that it names is there, and its commands are taken."""
    text = (unpacked / "README.md").read_text()
    named = set(re.findall(r"\b(?:hypervisor[\w-]*\.\w+|guest\.\w+|(?:scripts|tools|docs|policy)/[\w.-]+\w|[A-Z]+\.md)\b", text))
    assert {name for name in named if not (unpacked / name).exists()} == set()
    assert {f"hypervisor-{path.stem}.elf" for path in ROOT.glob("policy/*.toml")} <= named
    command = re.search(r"^python3 (scripts/run.py .*?) *(?:#.*)?$", text, re.M)[1]
    done = subprocess.run([sys.executable, *shlex.split(command), "--check"], cwd=unpacked, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_linux_can_be_run_from_the_archive(unpacked, tmp_path):
    """All that run_linux.py needs is in it: a kernel and its device tree are made ready with a linux policy."""
    kernel = bytearray(0x100000)
    struct.pack_into("<QQQQ", kernel, 0, 0x14000000, 0, len(kernel), 0xA)
    kernel[56:60] = b"ARMd"
    (tmp_path / "Image").write_bytes(kernel)
    code = ("import sys; sys.path.insert(0, 'tools'); import run_linux; "
            "loads, words = run_linux.prepare(run_linux.arguments_of().parse_args()); print(words)")
    done = subprocess.run([sys.executable, "-c", code, "--policy", "policy/linux.toml", "--folder", tmp_path / "out",
                           "--image", tmp_path / "Image"], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/guest.dtb").stat().st_size > 1000
