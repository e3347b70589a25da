#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what ariel reads of kernels' own symbol tables (tools/ariel/symbols/kallsyms.py) to the System.map of the same build.

check_symbols.py [RELEASE ...]    of Debian: the kernels for the cloud, arm64, of the releases named, or of RELEASES

For each kernel a line: its version, how many symbols kallsyms has, how many of them System.map has too, at the same address
and of the same type, and that in per cent. The exit status is 1 unless all are right. It also says how many functions of
System.map kallsyms does not have: those that Linux leaves out (mapping symbols, __efistub_*, __kvm_nvhe_*, code for exit).

System.map is in the package with the debug information, 250 to 400 MB for each kernel. They are downloaded by apt-get, which
verifies them, and only Image and System.map are kept, in .cache/debian-symbols.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "scripts")]
from ariel.errors import ArielError  # noqa: E402
from ariel.symbols import Symbols  # noqa: E402
from fetch_kernel import apt_options, run  # noqa: E402
from fetch_linux import CACHE, FetchError, say  # noqa: E402

RELEASES = ("bullseye", "bookworm", "trixie", "sid")    # Linux 5.10, 6.1, 6.12, and the newest
META = "linux-image-cloud-arm64"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE = "deb [signed-by={}] http://deb.debian.org/debian {} main\n"
ABSOLUTE = "aA"     # symbols that name no memory: kallsyms leaves them out
CODE = "tTwW"


def extract(package, pattern, folder):
    """Takes the first file of that name out of a package, which is read no further."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
        subprocess.run(["tar", "-x", "-C", folder, "--occurrence=1", "--wildcards", pattern], stdin=source.stdout,
                       stderr=subprocess.DEVNULL)
        source.stdout.close()
    found = [path for path in Path(folder).rglob(pattern.rsplit("/", 1)[-1]) if path.is_file() and not path.is_symlink()]
    if not found:
        raise FetchError(f"{Path(package).name}: no {pattern} in it")
    return found[0]


def depends(options, package, prefix):
    """The package of that prefix which another one depends on, or None."""
    lines = run("apt-cache", *options, "depends", package).splitlines()
    return next((line.split()[1] for line in lines if line.strip().startswith(f"Depends: {prefix}")), None)


def fetch_into(release, folder, work):
    """Image and System.map of a release's kernel in folder; what apt needs lies in work. Paths."""
    for name in ("state/lists/partial", "cache/archives/partial", "files"):
        (work / name).mkdir(parents=True)
    (work / "state/none").touch()
    (work / "sources.list").write_text(SOURCE.format(KEYRING, release))
    options = [*apt_options(work), "-o", f"Dir::Etc::sourcelist={work}/sources.list", "-o", "Dir::Etc::sourceparts=-"]
    run("apt-get", *options, "update")
    image = depends(options, META, "linux-image-")
    if image is None:
        raise FetchError(f"{release}: {META} depends on no kernel")
    binary = depends(options, image, "linux-binary-") or image  # from 7.x on the kernel has a package of its own
    say(f"{release}: fetching {binary} and {image}-dbg (300 to 400 MB) for a kernel and its System.map")
    run("apt-get", *options, "download", binary, f"{image}-dbg", cwd=work)
    debs = {"Image": next(work.glob(f"{binary}_*.deb")), "System.map": next(work.glob(f"{image}-dbg_*.deb"))}
    for (name, package), pattern in zip(debs.items(), ("./*/vmlinuz*", "./*/System.map*")):
        (work / "files" / name).mkdir()
        os.rename(extract(package, pattern, work / "files" / name), folder / name)


def fetch(release, cache=CACHE):
    """(Image, System.map) of a release's kernel, Paths. FetchError when they can't be had."""
    kept = Path(cache) / "debian-symbols" / release
    if not (kept / "System.map").exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder, tempfile.TemporaryDirectory(dir=kept.parent) as work:
            fetch_into(release, Path(folder), Path(work))
            os.rename(folder, kept)  # whole or not at all
            os.mkdir(folder)         # for the clean-up
        os.chmod(kept, 0o755)
    return kept / "Image", kept / "System.map"


def read_map(path):
    """{(address, type, name)}, read as plainly as can be."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {(int(address, 16), letter, name) for address, letter, name in rows if letter not in ABSOLUTE}


def version_of(image):
    """What the Image says of itself: "6.1.0-50-cloud-arm64"."""
    data = Path(image).read_bytes()
    start = data.find(b"Linux version ")
    return data[start + 14:start + 80].split(b" ")[0].decode("ascii", "replace") if start >= 0 else "?"


def check(release):
    """The line about a release's kernel, and whether all is right."""
    image, system_map = fetch(release)
    start = time.process_time()
    table = Symbols.load(image).table
    seconds = time.process_time() - start
    symbols = set(zip(table.addresses.tolist(), table.types.astype(str).tolist(), table.names))
    expected = read_map(system_map)
    right = len(symbols & expected)
    functions = {row for row in expected if row[1] in CODE and row[0] >= table.addresses[0]}
    print(f"{version_of(image):32} {len(symbols):>8} {right:>8} {100 * right / len(symbols):>8.2f} %"
          f" {len(functions - symbols):>8} {seconds:>6.2f} s  {table.kind}", flush=True)
    return right == len(symbols)


def main():
    print(f"{'kernel':32} {'symbols':>8} {'right':>8} {'':>10} {'missing':>8} {'to load':>8}  layout", flush=True)
    try:
        return 0 if all([check(release) for release in sys.argv[1:] or RELEASES]) else 1
    except (ArielError, FetchError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
