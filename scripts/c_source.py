# SPDX-License-Identifier: Apache-2.0
"""C sources as a compiler reads them: tables and constants of headers, calls by their arguments, functions and what they
call. For tests that hold documents to the code, and for tools that make documents: none of them parses C by itself."""

import ast
import collections
import concurrent.futures
import csv
import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOST = ["gcc", "-E", "-P", "-w", "-x", "c"]
CROSS = ["aarch64-linux-gnu-gcc", "-S", "-O0", "-w", "-mgeneral-regs-only", "-mno-outline-atomics"]
FLAGS = ["-std=gnu2x", "-ffreestanding", "-Iinclude", "-I.", "-DPLATFORM_HEADER=<platform/virt.h>"]
STRING = r'"(?:[^"\\]|\\.)*"'


def preprocess(text):
    return subprocess.run([*HOST, f"-I{ROOT / 'include'}", "-"], input=text, capture_output=True, text=True, check=True).stdout


def rows(header, table):
    """The rows of an X-macro table of a header, each a list of its cells: rows("hv/call_table.h", "HVC_CALL_TABLE").
    Strings are without their quotes, other cells as they are written."""
    text = preprocess(f"#include <{header}>\n#define ROW(...) @@ #__VA_ARGS__\n{table}(ROW)\n")
    found = re.findall(rf"@@ ({STRING})", text)
    return [next(csv.reader([ast.literal_eval(row)], skipinitialspace=True, escapechar="\\")) for row in found]


def constants(header, *names):
    """{name: value} of constant expressions, such as #defines and enumerators, as a number without a sign."""
    asm = "".join(f'__asm__ volatile("@@{name} %c0" : : "i"((unsigned long long)({name})));' for name in names)
    done = subprocess.run([*CROSS, *FLAGS, "-x", "c", "-o", "-", "-"], input=f"#include <{header}>\nvoid f(void) {{ {asm} }}\n",
                          cwd=ROOT, capture_output=True, text=True, check=True)
    return {name: int(value) % (1 << 64) for name, value in re.findall(r"@@(\w+) (-?\d+)", done.stdout)}


def enumerators(header, tag):
    """The names of an enum, in order."""
    body = re.search(rf"\benum {tag} \{{(.*?)\}}", preprocess(f"#include <{header}>\n"), re.S)[1]
    return [name.split("=")[0].strip() for name in body.split(",") if name.strip()]


def macro(path, name):
    """What a #define in a source or header stands for, as it is written."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*HOST, "-dM", *FLAGS, generated(folder), path], cwd=ROOT, capture_output=True, text=True, check=True)
    return re.search(rf"^#define {name} (.*)$", done.stdout, re.M)[1]


def strings(path):
    """The string literals of a source, without those of what it includes."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["gcc", "-E", "-w", *FLAGS, generated(folder), path]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, own = [], False
    for line in done.stdout.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        own = marker[1] == path if marker else own
        found += [] if marker or not own else [ast.literal_eval(text) for text in re.findall(STRING, line)]
    return found


def text_of(literals):
    """The text of string literals that stand behind one another; None when there is something else."""
    if not re.fullmatch(rf"\s*(?:{STRING}\s*)+", literals):
        return None
    return "".join(ast.literal_eval(literal) for literal in re.findall(STRING, literals))


def each(work, paths):
    """[work(path)], some at the same time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, paths))


def generated(folder):
    """The option for a folder that stands for what a build generates."""
    (Path(folder) / "version.h").write_text('#define ARIEL_VERSION ""\n', encoding="utf-8")
    return f"-I{folder}"


def calls(paths, functions):
    """(path, line, function, arguments) of every call of these functions, in order. functions: {name: the names of its
    arguments}. An argument that is named in capital letters is given with its macros expanded, the others as they stand;
    what is behind the last one is left out. Declarations count as calls, whose arguments begin with their types."""
    with tempfile.TemporaryDirectory() as folder:
        marks = []
        for name, arguments in functions.items():
            values = " ".join(f"@({argument})@" if argument.isupper() else f"#{argument}" for argument in arguments)
            marks.append(f"-D{name}({', '.join(arguments)}, ...)=@@ {name} __LINE__ {values} @@")
        command = [*HOST, *FLAGS, generated(folder), *marks]

        def read(path):
            done = subprocess.run([*command, path], cwd=ROOT, capture_output=True, text=True, check=True)
            return [(path, int(line), name, [part[2:-2] if part.startswith("@(") else ast.literal_eval(part)
                                             for part in re.findall(rf"@\(.*?\)@|{STRING}", values, re.S)])
                    for name, line, values in re.findall(r"@@ (\w+) (\d+) (.*?) @@", done.stdout, re.S)]

        return [call for found in each(read, map(str, paths)) for call in found]


Function = collections.namedtuple("Function", "path name line calls")  # calls: how often it calls each function


def functions(paths):
    """The functions that these .c files define and the inline ones of the headers that they include."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*CROSS, *FLAGS, generated(folder)]

        def read(path):
            info, dump, out = (Path(folder) / (path.replace("/", "_") + end) for end in (".info", ".dump", ".s"))
            subprocess.run([*command, "-aux-info", str(info), f"-fdump-tree-original={dump}", "-o", str(out), path],
                           cwd=ROOT, check=True)
            bodies = re.findall(r"^;; Function (\w+) \(.*?\)\n(.*?)(?=^;; Function |\Z)",
                                dump.read_text(encoding="utf-8"), re.M | re.S)
            # A block's variables are printed at its beginning, and once more where they are declared.
            bodies = [(name, re.sub(r"\{\n(?:[^\n]+;\n)+\n", "{\n", body)) for name, body in bodies]
            counted = {name: collections.Counter(re.findall(r"\b(\w+) \(", body)) for name, body in bodies}
            # /* path:line:NF */ ...: F for a definition, with its name before the list of its parameters
            return [Function(os.path.normpath(where), name, int(line), counted[name]) for where, line, name in
                    re.findall(r"^/\* (\S+):(\d+):.F \*/ [^;]*?(\w+) \([^;]*;", info.read_text(encoding="utf-8"), re.M)
                    if name in counted]

        found = {(function.path, function.name): function for several in each(read, map(str, paths)) for function in several}
        return list(found.values())
