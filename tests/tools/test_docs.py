# SPDX-License-Identifier: Apache-2.0
"""README.md and docs/*.md say what the code says: addresses, calls, commands, make's words, paths, the tree, barriers."""

import collections
import functools
import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "tests/tools"))
sys.path.insert(0, str(ROOT / "tools"))
import c_source  # noqa: E402
import log_schema  # noqa: E402
from check_layout import read_memory_map  # noqa: E402
from policy_compiler import model  # noqa: E402
from rooms import ROOMS  # noqa: E402
from test_monitor_doc import table as monitor_table  # noqa: E402

DOCUMENTS = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
LISTED = dict.fromkeys((*ROOMS, "guest", "policy", "tools", "scripts", "mk"))
MADE = ("build/", "dist/", "path/")  # what is made by a build, or stands for anything


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(name, heading):
    """The text below a heading, up to the next one of its kind."""
    level = heading.split(" ")[0]
    return re.split(rf"^{level} ", text_of(name).split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(text):
    """The cells of each row of the tables in text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {n for n, row in enumerate(cells) if all(re.fullmatch("-+", cell) for cell in row)}
    return [row for n, row in enumerate(cells) if n not in rules and n + 1 not in rules]


def code(text):
    """Everything in text that stands in backticks or in a fenced block."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    return fenced + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


# ---- tables of the headers


def test_memory_map_is_the_headers():
    where = read_memory_map(ROOT / "include/hv/memory_map.h")
    found = {row[1].strip("`"): int(row[2], 16) for row in rows(section("docs/REFERENCE.md", "## Memory map"))}
    assert found.items() <= where.items()
    assert {name for name in where if name.endswith(("_PA", "_IPA"))} <= found.keys()


def test_hypercalls_are_the_headers():
    text = section("docs/REFERENCE.md", "## Hypercalls")
    found = {row[1].strip("`"): int(row[0]) for row in rows(text)}
    assert found == {f"HVC_{row[0]}": int(row[1]) for row in c_source.rows("hv/call_table.h", "HVC_CALL_TABLE")}
    assert found == c_source.constants("hv/guest_abi.h", *found)
    others = c_source.constants("hv/guest_abi.h", "HV_ID", "HVC_CONSOLE_WRITE_MAX")
    assert f"{others['HV_ID']:#x}" in text
    assert str(others["HVC_CONSOLE_WRITE_MAX"]) in text


def test_smccc_calls_are_the_headers():
    named = set(re.findall(r"\b[A-Z][A-Z0-9]+_[A-Z0-9_]+\b", section("docs/REFERENCE.md", "## Hypercalls").split("SMCCC 1.1 and")[1]))
    calls = [row[0] for row in c_source.rows("hv/call_table.h", "SMCCC_CALL_TABLE")]
    short = {re.sub(r"^PSCI_(?!VERSION|FEATURES)|_(32|64)$", "", re.sub(r"_(32|64)$", "", name)) for name in calls}
    assert named == short


# ---- commands


def monitor_words():
    return {word for row in monitor_table("command") for word in (row[0], *row[1].split())}


def test_monitor_commands_exist():
    words = set(re.findall(r"`([a-z]+)`", section("README.md", "## The monitor"))) - {"ok"}
    assert len(words) > 15 and words <= monitor_words()
    for name in DOCUMENTS:
        assert set(re.findall(r"^ariel> (\w+)", text_of(name), re.M)) <= monitor_words()


def test_every_monitor_command_is_in_the_readme():
    text = section("README.md", "## The monitor")
    missing = [row[0] for row in monitor_table("command") if f"`{row[0]}`" not in text]
    assert not set(missing) - {"close", "help"}  # under another name, or in a sentence


@functools.lru_cache(maxsize=None)
def make_help():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets, variables = done.stdout.split("Variables", 1)
    return set(re.findall(r"^  make ([a-z-]+)", targets, re.M)), set(re.findall(r"^  ([A-Z_]+) ", variables, re.M))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_and_variables_exist(name):
    targets, variables = make_help()
    for part in code(text_of(name)):
        for line in re.findall(r"\bmake\b[^\n|;&#]*", part):
            words = line.split()[1:]
            assert {word for word in words if re.fullmatch(r"[a-z][a-z-]+", word)} <= targets | {"all"}, line
            assert {word.split("=")[0] for word in words if re.match(r"[A-Z_]+=", word)} <= variables, line


def test_variables_of_the_readme_exist_with_their_defaults():
    _, variables = make_help()
    found = {row[0].strip("`"): row[1] for row in rows(section("README.md", "## Make"))}
    makefiles = "".join(text_of(str(path.relative_to(ROOT))) for path in [ROOT / "Makefile", *(ROOT / "mk").glob("*.mk")])
    assert len(found) > 6 and found.keys() <= variables
    for name, value in found.items():
        assert re.search(rf"^{name} \?= *{re.escape(value)}$", makefiles, re.M), name


@pytest.mark.parametrize("name", DOCUMENTS)
def test_example_records_have_the_fields_of_the_schema(name):
    events, _ = log_schema.read_schema()
    fields = {(kind, event): set(names) for event, kind, names, _ in events}
    for line in re.findall(r"^ariel: .*$", text_of(name), re.M):
        record = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))
        named = {field.strip("[]") for field in fields[record["class"], record["event"]]}
        assert record.keys() - set(log_schema.FIXED) == named, line


# ---- paths


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths_exist(name):
    text = text_of(name)
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert "://" in link or (ROOT / name).parent.joinpath(link).exists(), link
    for part in code(text):
        for path in re.findall(r"(?<![\w./<-])((?:[\w-]+/)+[\w.-]*\w|(?:[\w-]+/)+)(?![\w<*-])", part):
            first = path.split("/")[0]
            if (ROOT / first).is_dir() and not path.startswith(MADE):
                assert (ROOT / path).exists(), path


def test_layout_names_every_folder():
    text = section("README.md", "## Layout")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for folder in {path.split("/")[0] for path in tracked if "/" in path}:
        assert re.search(rf"(^|\s){re.escape(folder)}/", text), folder


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_machine_and_no_banner(name):
    assert not re.search(r"/home/|/root/|TODO|FIXME", text_of(name))


# ---- pictures


@pytest.mark.parametrize("dot", sorted((ROOT / "docs").glob("*.dot")), ids=lambda path: path.stem)
def test_a_picture_is_drawn_from_what_stands_beside_it(dot):
    """`make pictures` draws it; this needs no Graphviz: every word of the one is in the other."""
    svg = dot.with_suffix(".svg").read_text(encoding="utf-8")
    source = re.sub(r"//.*", "", dot.read_text(encoding="utf-8"))
    said = {html.escape(line.strip(), quote=False).replace("'", "&#39;")
            for label in re.findall(r'\blabel = "([^"]*)"', source) for line in label.split("\\n")}
    drawn = {text.strip().replace("&#160;", " ").replace("&#45;", "-")
             for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}
    assert {re.sub(" +", " ", text) for text in drawn} == {re.sub(" +", " ", text) for text in said}
    assert "prefers-color-scheme: dark" in svg and "currentColor" in svg and "black" not in svg and "white" not in svg


# ---- docs/ARCHITECTURE.md


def tree():
    """{folder: names} of the annotated tree; each line has a description."""
    found, folder = {}, None
    for line in section("docs/ARCHITECTURE.md", "## The tree").split("```")[1].strip("\n").splitlines():
        if line.endswith("/"):
            folder = line.rstrip("/")
            found[folder] = []
        else:
            entry = re.fullmatch(r"  (\S+)\s+(\S.*)", line)
            assert entry, line
            found[folder].append(entry[1])
    return found


def listed_files():
    files = [path for folder in LISTED for path in (ROOT / folder).glob("**/*" if folder not in ROOMS else "*") if path.is_file()]
    code = [(folder, path.stem) for folder in ROOMS for path in (ROOT / folder).glob("*.[cS]")]
    stems = {stem for folder, stem in code if folder != "monitor/cmds"}
    stems |= {f"{folder.split('/')[0]}_{stem}" for folder, stem in code}  # hv/monitor_out.h is monitor/out.c's
    files += [path for path in (ROOT / "include/hv").rglob("*.h") if path.stem not in stems]
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_tree_has_every_source_file():
    found = [f"{folder}/{name}" for folder, names in tree().items() for name in names]
    assert len(found) == len(set(found))
    assert sorted(set(found) - listed_files()) == [], "in the tree of docs/ARCHITECTURE.md, but not there"
    assert sorted(listed_files() - set(found)) == [], "not in the tree of docs/ARCHITECTURE.md"


def test_trap_controls_are_those_always_set():
    base = set(re.findall(r"HCR_EL2_(\w+)", c_source.macro("arch/aarch64/el2_setup.c", "HCR_BASE")))
    found = [row[0] for row in rows(section("docs/ARCHITECTURE.md", "## Policy"))]
    assert {name.split(".")[1] for name in found if name.startswith("HCR_EL2.")} == base
    for name in model.ALWAYS_SET:
        assert re.sub("_EL2_", "_EL2.", name) in section("docs/ARCHITECTURE.md", "## Policy"), name


def test_fault_reasons_are_the_codes():
    text = section("docs/ARCHITECTURE.md", "## Stage-2 faults")
    words = {reason for reason in c_source.strings("trap/abort_classify.c") if " " in reason and "%" not in reason}  # no asm()
    assert set(re.findall(r'"([^"]+)"', text)) == words


def test_states_and_steps_are_named_as_in_the_code():
    text = section("docs/ARCHITECTURE.md", "## vCPUs, pause and resume")
    states = [name.removeprefix("VM_") for name in c_source.enumerators("hv/machine.h", "vm_state")]
    assert len(states) > 2 and all(state in text for state in states)


CALL = re.compile(r"(barrier|tlb|cache)_\w+")
INSTRUCTION = re.compile(r"^\s*(?:\d+:\s*)?(isb|dsb|dmb|tlbi|ic)\b")


def sites_of_c():
    """(place, call) of each barrier in a C file."""
    for function in c_source.functions(path for folder in ROOMS for path in sources(folder, "*.c")):
        for call, count in function.calls.items():
            if CALL.fullmatch(call) and not function.path.startswith("include/"):
                yield from [(f"{function.path}:{function.name}", call)] * count


def sites_of_assembly(path):
    label = None
    for line in path.read_text(encoding="utf-8").splitlines():
        head = re.match(r"(?:function\s+)?([A-Za-z_]\w+)(?::|$)|\.macro\s+(\w+)", line)
        label = head[1] or head[2] if head else label
        instruction = INSTRUCTION.match(line)
        if instruction:
            yield f"{path.relative_to(ROOT)}:{label}", instruction[1]


def sources(folder, pattern):
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / folder).glob(pattern))


def sites_of_the_code():
    yield from sites_of_c()
    for folder in ROOMS:
        for path in sources(folder, "*.S"):
            yield from sites_of_assembly(ROOT / path)


def sites_of_the_document():
    for _, _, how, where in rows(section("docs/ARCHITECTURE.md", "## Memory ordering")):
        for place in re.findall(r"`([^`]+:\w+)`", where):
            pattern = r"`((?:barrier|tlb|cache)_\w+)`" if ".c:" in place else r"`(isb|dsb|dmb|tlbi|ic)`"
            found = re.findall(pattern, how)
            assert found, f"{place}: its row names no barrier"
            yield from ((place, name) for name in found)


def test_every_barrier_is_in_the_memory_ordering_table():
    code_has = collections.Counter(sites_of_the_code())
    document_has = collections.Counter(sites_of_the_document())
    assert sum(code_has.values()) > 30
    assert list((code_has - document_has).elements()) == [], "not in the table of docs/ARCHITECTURE.md"
    assert list((document_has - code_has).elements()) == [], "in the table, but not in the code"
