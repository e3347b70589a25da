# SPDX-License-Identifier: Apache-2.0
"""What scripts/graph.py finds in trees that were made for it: arrows to a later room, also those that stand in an inline
function of a header, and circles, within a room and across rooms."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import graph  # noqa: E402

ROOMS = ("include/hv", "ground", "middle", "top")
# Three rooms that need each other as they may: top calls middle, which calls ground. part/ belongs to the room middle.
GOOD = {
    "include/hv/types.h": "struct pair { int a, b; };\n",
    "include/hv/ground.h": "#include <hv/types.h>\nint ground_add(struct pair pair);\n",
    "include/hv/middle.h": "#include <hv/types.h>\nint middle_sum(int a, int b);\n",
    "include/hv/parts.h": "int part_one(void);\nint part_two(void);\nextern const int part_table[2];\n",
    "ground/ground.c": "#include <hv/ground.h>\nint ground_add(struct pair pair) { return pair.a + pair.b; }\n",
    "middle/middle.c": "#include <hv/middle.h>\n#include <hv/ground.h>\n"
                       "int middle_sum(int a, int b) { return ground_add((struct pair){a, b}); }\n",
    "middle/part/one.c": "#include <hv/parts.h>\nint part_one(void) { return part_two(); }\n",
    "middle/part/two.c": "#include <hv/parts.h>\nconst int part_table[2] = {1, 2};\nint part_two(void) { return 2; }\n",
    "top/top.c": "#include <hv/middle.h>\n#include <hv/parts.h>\nint top(void);\n"
                 "int top(void) { return middle_sum(part_one(), part_table[1]); }\n",
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Compiles the good tree with these files in place of its own, and reads its graph."""
    def read_with(files=()):
        monkeypatch.chdir(tmp_path)
        sources = {}
        for name, text in {**GOOD, **dict(files)}.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(("#pragma once\n" if name.endswith(".h") else "") + text)
        for path in sorted(str(path) for path in Path().glob("[gmt]*/**/*.c")):
            output = f"build/{path}.o"
            os.makedirs(os.path.dirname(output), exist_ok=True)
            subprocess.run([os.environ.get("HOSTCC", "gcc"), "-Os", "-Iinclude", "-MMD", "-MP", "-MF", output + ".d", "-c",
                            "-o", output, path], check=True)
            sources[path] = (output, output + ".d", graph.room_of_file(path, ROOMS))
        return graph.read_c("made", ROOMS, sources)
    return read_with


def test_a_tree_in_order_has_no_fault(read):
    found = read()
    assert found.faults() == []
    assert found.reasons["top/top.c", "middle/middle.c"] == {"uses middle_sum", "includes include/hv/middle.h"}
    assert found.room_of["middle/part/one.c"] == "middle"
    assert found.summary() == "made: 7 files, 10 arrows, 0 against the order, 0 circles, 0 files in the largest"


def test_where_headers_belong(read):
    found = read()
    assert found.room_of["include/hv/types.h"] == "include/hv"  # nobody defines what it declares
    assert found.room_of["include/hv/parts.h"] == "middle"  # two files do
    assert "include/hv/ground.h" not in found.room_of  # it is one with ground/ground.c


def test_a_call_to_a_later_room(read):
    found = read(files={"ground/ground.c": "#include <hv/ground.h>\nint top(void);\n"
                                           "int ground_add(struct pair pair) { return pair.a + pair.b + top(); }\n"})
    assert found.against() == [("ground/ground.c", "top/top.c")]
    assert "ground/ground.c (ground) needs top/top.c, of the later room top: uses top" in found.faults()
    # It closes a circle as well: top calls middle, and middle ground.
    assert found.circles() == [["ground/ground.c", "middle/middle.c", "top/top.c"]]


def test_a_call_from_an_inline_function_of_a_header(read):
    header = GOOD["include/hv/types.h"] + "int top(void);\nstatic inline int twice(void) { return 2 * top(); }\n"
    found = read(files={"include/hv/types.h": header,
                        "ground/ground.c": "#include <hv/ground.h>\n"
                                           "int ground_add(struct pair pair) { return pair.a + twice(); }\n"})
    assert ("ground/ground.c", "top/top.c") in found.against()
    assert "uses top" in found.reasons["ground/ground.c", "top/top.c"]


def test_an_include_alone_is_an_arrow(read):
    found = read(files={"ground/ground.c": "#include <hv/middle.h>\n" + GOOD["ground/ground.c"]})
    assert found.against() == [("ground/ground.c", "middle/middle.c")]


def test_an_include_between_headers_is_an_arrow(read):
    found = read(files={"include/hv/types.h": "#include <hv/parts.h>\nstruct pair { int a, b; };\n"})
    assert found.against() == [("include/hv/types.h", "include/hv/parts.h")]


def test_an_include_in_a_comment_is_none(read):
    found = read(files={"ground/ground.c": "/*\n#include <hv/middle.h>\n*/\n" + GOOD["ground/ground.c"]})
    assert found.faults() == []


def test_a_circle_within_a_room(read):
    found = read(files={"middle/part/two.c": "#include <hv/parts.h>\nconst int part_table[2] = {1, 2};\n"
                                             "int part_two(void) { return part_one(); }\n"})
    assert found.against() == []
    assert found.circles() == [["middle/part/one.c", "middle/part/two.c"]]
    assert found.faults()[0] == "2 files need each other in a circle: middle/part/one.c middle/part/two.c"


def test_a_symbol_that_two_files_define_needs_both(read):
    """spinlock.c and spinlock_checked.c are two ways of one lock."""
    found = read(files={"ground/other.c": "#include <hv/ground.h>\nint ground_add(struct pair pair) { return pair.a; }\n"})
    assert ("middle/middle.c", "ground/ground.c") in found.reasons
    assert ("middle/middle.c", "ground/other.c") in found.reasons


@pytest.mark.parametrize("text, names", [
    ("int a(void);\nextern const char b[], c[2];\n", {"a", "b", "c"}),
    ("static inline int a(void)\n{\n    if (b()) { return c(); }\n    return 0;\n}\n", {"a"}),
    ("#define A(x) b(x)\nextern struct t d;\n", {"d"}),
    ("// b()\nvoid a(struct s *s) REQUIRES(s->lock);\n", {"a", "REQUIRES"}),
])
def test_names_that_a_header_declares(text, names):
    assert graph.declared_names(text) == names


def test_python_imports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {"low/a.py": "import os\nimport b\n", "low/b.py": "def f():\n    from a import g\n",
                       "high/c.py": "from a import x\n", "low/d.py": "import c\n"}.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    found = graph.read_python("Python", ("low", "high"), ["high/c.py", "low/a.py", "low/b.py", "low/d.py"])
    assert found.against() == [("low/d.py", "high/c.py")]
    assert found.circles() == [["low/a.py", "low/b.py"]]


def test_the_picture(read):
    found = read(files={"ground/ground.c": "#include <hv/middle.h>\n" + GOOD["ground/ground.c"]})
    text = graph.draw([found])
    assert '"made/top" -> "made/middle" [label=4' in text
    assert any("color=red" in line for line in text.splitlines() if '"made/ground" -> "made/middle"' in line)
