#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make release`: holds the build products to release/manifest.toml, makes dist/ariel-<version>.tar.gz (the same bytes
from the same tree), then unpacks it elsewhere, checks the sums and boots it.

Nothing is archived before every product has passed; an archive that does not pass afterwards is removed.
"""

import argparse
import fnmatch
import glob
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from check_layout import MEMORY_MAP, Region, image_faults, read_memory_map
from run import qemu_command

BOOT_LIMIT_S = 120


# ---- What a product must be: each returns a list of faults

def elf_faults(path, row, where):
    try:
        with open(path, "rb") as file:
            elf = ELFFile(file)
            base = where[row["link"]]
            home = Region("its place", base, base + where[row["size"]])
            faults = image_faults(elf, home, base)
            lowest = min((part["p_vaddr"] for part in elf.iter_segments("PT_LOAD") if part["p_memsz"]), default=0)
            if lowest != base:
                faults.append(f"linked at {lowest:#x}, not at {row['link']} = {base:#x}")
            present = {section.name for section in elf.iter_sections()}
            return faults + [f"no section {name}" for name in row["sections"] if name not in present]
    except ELFError as error:
        return [f"not an ELF file: {error}"]


def flat_image(path):
    """The bytes that objcopy -O binary makes of an ELF file."""
    with open(path, "rb") as file:
        parts = [part for part in ELFFile(file).iter_segments("PT_LOAD") if part["p_filesz"]]
        base = min(part["p_paddr"] for part in parts)
        image = bytearray(max(part["p_paddr"] + part["p_filesz"] for part in parts) - base)
        for part in parts:
            image[part["p_paddr"] - base:part["p_paddr"] - base + part["p_filesz"]] = part.data()
        return bytes(image)


def bin_faults(path, row, _where):
    data = read(path)
    if data[:4] == b"\x7fELF":
        return ["an ELF file, not a flat image"]
    whole = flat_image(os.path.join(os.path.dirname(path), row["of"]))
    # objcopy stops at the last section's end, a segment may be padded beyond it
    if data != whole[:len(data)] or any(whole[len(data):]):
        return [f"not the flat image of {row['of']}"]
    return []


def map_faults(path, _row, _where):
    text = read(path).decode(errors="replace")
    return [] if re.search(r"^\s*(Linker script and memory map|VMA)", text, re.M) else ["not a linker map"]


def symbols_faults(path, row, _where):
    lines = read(path).decode(errors="replace").splitlines()
    listed = [line.split() for line in lines]
    if not listed or any(len(words) != 3 or not re.fullmatch(r"[0-9a-f]{16}", words[0]) for words in listed):
        return ["not a list of symbols (address type name)"]
    with open(os.path.join(os.path.dirname(path), row["of"]), "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        wanted = {(symbol["st_value"], symbol.name) for symbol in table.iter_symbols()
                  if symbol["st_info"]["bind"] == "STB_GLOBAL"}
    missing = wanted - {(int(address, 16), name) for address, _, name in listed}
    return [f"lacks {name} at {address:#x} of {row['of']}" for address, name in sorted(missing)]


CHECKS = {"elf": elf_faults, "bin": bin_faults, "map": map_faults, "symbols": symbols_faults}


def product_faults(build, manifest, where):
    """Every way in which the build folder is not what the manifest declares; each begins with the file's name."""
    rows = {row["name"]: row for row in manifest["product"]}
    faults = []
    for name in sorted(os.listdir(build)):
        leftover = any(fnmatch.fnmatch(name, pattern) for pattern in manifest["leftover"]["names"])
        if os.path.isfile(f"{build}/{name}") and name not in rows and not leftover and not name.startswith("."):
            faults.append(f"{name}: extra, not declared in the manifest")
    missing = [name for name in rows if not os.path.isfile(f"{build}/{name}")]
    faults += [f"{name}: missing" for name in missing]
    broken = set(missing)
    for name, row in rows.items():
        if name in broken:
            continue
        if row.get("of") in broken:
            faults.append(f"{name}: cannot be checked against {row['of']}")
            continue
        found = CHECKS[row["type"]](f"{build}/{name}", row, where)
        faults += [f"{name}: {fault}" for fault in found]
        if found:
            broken.add(name)
    return faults


def source_files(manifest):
    """(files of the source tree, faults)"""
    files, faults = [], []
    for pattern in manifest["source"]["names"]:
        found = sorted(glob.glob(pattern))
        files += found
        if not found:
            faults.append(f"{pattern}: missing")
    if not os.path.isfile(manifest["readme"]["from"]):
        faults.append(f"{manifest['readme']['from']}: missing")
    licence = manifest["licence"]["from"]
    if not os.path.isfile(licence):
        faults.append(f"{licence}: missing (on Debian it is part of base-files)")
    return files, faults


# ---- The archive

def read(path):
    with open(path, "rb") as file:
        return file.read()


def contents(build, manifest, version):
    """{name in the archive: bytes}, with manifest.json and SHA256SUMS."""
    files = {row["name"]: read(f"{build}/{row['name']}") for row in manifest["product"]}
    files |= {path: read(path) for path in source_files(manifest)[0]}
    for row in (manifest["readme"], manifest["licence"]):
        files[row["name"]] = read(row["from"])
    where = read_memory_map()
    rows = [{key: where.get(value, value) if key in ("link", "size") else value for key, value in row.items()}
            for row in manifest["product"]]
    described = {"name": "ariel", "version": version, "products": rows,
                 "files": {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                           for name, data in sorted(files.items())}}
    files["manifest.json"] = (json.dumps(described, indent=2) + "\n").encode()
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    files["SHA256SUMS"] = "".join(sums).encode()
    return files


def write_archive(path, top, files, epoch):
    """A tar.gz that depends on nothing but its contents, their names and epoch."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=9) as stream, \
            tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime = len(data), epoch
            entry.mode = 0o755 if data[:2] == b"#!" else 0o644
            archive.addfile(entry, io.BytesIO(data))
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(packed.getvalue())


# ---- The archive, seen by who receives it

def sum_faults(folder):
    listed = {}
    for line in read(f"{folder}/SHA256SUMS").decode().splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    paths = [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names]
    present = {os.path.relpath(path, folder) for path in paths} - {"SHA256SUMS"}
    faults = [f"{name}: in SHA256SUMS, not in the archive" for name in sorted(listed.keys() - present)]
    faults += [f"{name}: in the archive, not in SHA256SUMS" for name in sorted(present - listed.keys())]
    for name in sorted(present & listed.keys()):
        if hashlib.sha256(read(f"{folder}/{name}")).hexdigest() != listed[name]:
            faults.append(f"{name}: does not have the sum in SHA256SUMS")
    return faults


def boot_faults(elf, expect):
    """Boots the image until it prints a line that matches; ends QEMU in any case."""
    command = ["timeout", "-k", "5", str(BOOT_LIMIT_S), *qemu_command(elf)]
    start, last = time.monotonic(), ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as machine:
        try:
            for line in machine.stdout:
                last = line.strip() or last
                if re.search(expect, line):
                    print(f"  BOOT    {last} ({time.monotonic() - start:.1f} s)")
                    return []
        finally:
            machine.terminate()
    return [f"booted, but no line {expect!r} in {BOOT_LIMIT_S} s; last line: {last!r}"]


def archive_faults(path, top, manifest, boot):
    with tempfile.TemporaryDirectory(prefix="ariel-release-") as folder:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(folder)
        faults = sum_faults(f"{folder}/{top}")
        if not faults and boot:
            faults = boot_faults(f"{folder}/{top}/hypervisor.elf", manifest["boot"]["expect"])
        return faults


def refuse(faults):
    for fault in faults:
        print(f"release: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description="Verify the build products, archive them, verify the archive.")
    parser.add_argument("--build", default="build")
    parser.add_argument("--manifest", default="release/manifest.toml")
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", default="dist", help="folder of the archive")
    parser.add_argument("--verify-only", action="store_true", help="check the products, make no archive")
    parser.add_argument("--no-boot", action="store_true", help="do not boot the unpacked image")
    options = parser.parse_args()
    try:
        with open(options.manifest, "rb") as file:
            manifest = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"release: {options.manifest}: {error}")
    if not os.path.isdir(options.build):
        sys.exit(f"release: {options.build}: no such folder; run make")
    refuse(product_faults(options.build, manifest, read_memory_map(MEMORY_MAP)) + source_files(manifest)[1])
    print(f"  VERIFY  {len(manifest['product'])} products are what {options.manifest} declares")
    if options.verify_only:
        return
    top = f"ariel-{options.version}"
    path = f"{options.output}/{top}.tar.gz"
    write_archive(path, top, contents(options.build, manifest, options.version), int(os.environ["SOURCE_DATE_EPOCH"]))
    print(f"  ARCHIVE {path}", flush=True)
    faults = archive_faults(path, top, manifest, not options.no_boot)
    if faults:
        os.remove(path)
        refuse(faults)
    print(f"release: {path} sha256 {hashlib.sha256(read(path)).hexdigest()}")


if __name__ == "__main__":
    main()
