# SPDX-License-Identifier: Apache-2.0
"""docs/SECURITY.md names tests that exist, every proof that make prove runs, and every bound against speculation."""

import collections
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/tools"))
from test_docs import ROOMS, c_source, rows, section  # noqa: E402

TEXT = (ROOT / "docs/SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|guest)/[\w/.]+):([^`]+)`", TEXT)))


def test_promises_name_tests():
    rows = [line for line in section("docs/SECURITY.md", "## Promises").splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert [row for row in rows[1:] if not re.search(r"`(tests|guest)/[\w/.]+:", row)] == []


@pytest.mark.parametrize("path, name", NAMED)
def test_a_named_test_exists(path, name):
    source = (ROOT / path).read_text(encoding="utf-8")
    wanted = {".py": rf"^def {name}\(", ".c": rf'TEST\("\w+", "{re.escape(name)}"\)|TEST\({name}\)|unit_test\w*\({name}\b'}
    assert re.search(wanted[Path(path).suffix], source, re.M), f"{path} has no test {name}"


def test_proofs_are_those_of_make_prove():
    proofs = (ROOT / "scripts/prove.py").read_text(encoding="utf-8")
    section = TEXT.split("## Proofs")[1].split("## Not covered")[0]
    for path in re.findall(r'"((?:lib|core|mm|tests/prove)/\w+)\.c"', proofs):
        assert Path(path).name in section, f"{path}.c is proved, and docs/SECURITY.md does not say so"


# ---- speculation

BOUND = "bounded_index"


@functools.lru_cache(maxsize=None)
def all_functions():
    """{path: its functions, in order} of the C files of the hypervisor and of the headers that they include."""
    found = collections.defaultdict(list)
    for function in c_source.functions(str(path.relative_to(ROOT)) for folder in ROOMS for path in (ROOT / folder).glob("*.c")):
        found[function.path].append(function)
    return {path: sorted(several, key=lambda function: function.line) for path, several in found.items()}


def places():
    """(place, quotes) of each row of the table, which may have several places and several quotes."""
    for row in rows(section("docs/SECURITY.md", "## Speculation")):
        for place in re.findall(r"`([^`]+)`", row[3]):
            yield place, re.findall(r"`([^`]+)`", row[2])


def text_at(place):
    """The text of a function without what comments say, or of a whole file."""
    path, _, name = place.partition(":")
    text = re.sub(r"[ \t]*//.*", "", (ROOT / path).read_text(encoding="utf-8"))
    if not name:
        return text
    several = all_functions()[path]
    at = [function.name for function in several].index(name)
    end = several[at + 1].line if at + 1 < len(several) else None
    return "\n".join(text.splitlines()[several[at].line - 1:end and end - 1])


def test_what_bounds_a_guests_number_stands_there():
    assert len(list(places())) > 30
    quoted = collections.defaultdict(list)
    for place, quotes in places():
        assert quotes, place
        quoted[tuple(quotes)].append(place)
    for quotes, where in quoted.items():
        text = " ".join(" ".join(text_at(place) for place in where).split())
        for quote in quotes:
            assert quote in text, f"{where}: {quote}"


def test_every_bound_is_in_the_table():
    listed = collections.Counter()
    for place, quotes in places():
        listed[place] += sum(f"{BOUND}(" in quote for quote in quotes)
    found = collections.Counter({f"{function.path}:{function.name}": function.calls[BOUND]
                                 for several in all_functions().values() for function in several})
    assert +found == +listed


@pytest.mark.parametrize("compiler", ["aarch64-linux-gnu-gcc", "clang --target=aarch64-none-elf"])
def test_a_bound_is_a_mask_or_a_select_and_csdb(tmp_path, compiler):
    (tmp_path / "bound.c").write_text(
        "#include <hv/arch/barrier.h>\n"
        "unsigned char t[64];\n"
        "int masked(unsigned long i) { return i < 64 ? t[bounded_index(i, 64)] : 0; }\n"
        "int selected(unsigned long i) { return i < 63 ? t[bounded_index(i, 63)] : 0; }\n", encoding="utf-8")
    flags = ["-std=gnu2x", "-O2", "-ffreestanding", "-Iinclude", "-c", str(tmp_path / "bound.c"), "-o", str(tmp_path / "bound.o")]
    subprocess.run([*compiler.split(), *flags], cwd=ROOT, check=True)
    done = subprocess.run(["aarch64-linux-gnu-objdump", "-d", str(tmp_path / "bound.o")], capture_output=True, text=True, check=True)
    code = {name: re.findall(r"^ +[0-9a-f]+:\s+[0-9a-f]{8}\s+(\S+)[ \t]*([^/\n]*)", text, re.M)
            for name, text in re.findall(r"<(\w+)>:\n(.*?)(?=\n\n|\Z)", done.stdout, re.S)}
    assert ("and", "0x3f") in [(name, operands.split("#")[-1].strip()) for name, operands in code["masked"]]
    names = [name for name, _ in code["selected"]]
    at = names.index("csel")
    assert names[at - 1:at + 2] == ["cmp", "csel", "csdb"] and "ldrb" in names[at:]


def test_nothing_runs_on_behind_an_eret():
    for path in sorted(path for folder in ROOMS for path in (ROOT / folder).glob("*.S")):
        code = [line.split("//")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
        for at, line in enumerate(code):
            if line == "eret":
                assert code[at + 1:at + 3] == ["dsb nsh", "isb"], f"{path.name}:{at + 1}"
