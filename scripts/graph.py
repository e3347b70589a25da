#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which file needs which: `make graph`, and the gate "graph" of `make check`.

The rule has two halves. Rooms stand in an order, ground first, and a file needs nothing of a room behind its own. And
no files need each other in a circle, not even within one room. The Makefile lists the rooms of EL2 and of the guest.

What a file needs is read from what the tools saw, not from what the text says. EL2 is compiled once more without
whole-program optimization, so that each object still says by its undefined symbols what the file calls or loads; a call
that stands in an inline function of a header is among them. The dependency files name the headers that were included.
A header is one with the file that defines what it declares, and belongs to that file's room. When several files define
it, the header is a file by itself, in the last of their rooms. A header of include/hv that declares nothing which any
file defines (types, tables, fields) belongs to the first room, the ground.
Python files need what they import.
"""

import argparse
import ast
import collections
import glob
import os
import re
import subprocess
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile

from rooms import GUEST_ROOMS, WHOLE_ROOMS

OFFSETS = "arch/aarch64/asm-offsets.c"
PYTHON_ROOMS = ("tools/policy_compiler", "scripts", "tools")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


class Graph:
    """Files, each in a room, and arrows from a file to one that it needs."""

    def __init__(self, name, rooms):
        self.name = name
        self.rooms = list(rooms)
        self.room_of = {}
        self.reasons = collections.defaultdict(set)  # (file, file that it needs): {"calls x", "includes <y>"}

    def add(self, file, room):
        self.room_of[file] = room

    def need(self, file, needed, reason):
        if file != needed:
            self.reasons[file, needed].add(reason)

    def against(self):
        """The arrows to a later room, sorted."""
        place = self.rooms.index
        return sorted(arrow for arrow in self.reasons
                      if place(self.room_of[arrow[1]]) > place(self.room_of[arrow[0]]))

    def circles(self):
        """[files that need each other in a circle], the largest first: Tarjan's strongly connected components."""
        needed = collections.defaultdict(list)
        for file, other in sorted(self.reasons):
            needed[file].append(other)
        index, low, stack, found = {}, {}, [], []

        def visit(file):
            index[file] = low[file] = len(index)
            stack.append(file)
            for other in needed[file]:
                if other not in index:
                    visit(other)
                    low[file] = min(low[file], low[other])
                elif other in stack:
                    low[file] = min(low[file], index[other])
            if low[file] == index[file]:
                circle = stack[stack.index(file):]
                del stack[stack.index(file):]
                if len(circle) > 1:
                    found.append(sorted(circle))

        for file in sorted(self.room_of):
            if file not in index:
                visit(file)
        return sorted(found, key=lambda circle: (-len(circle), circle))

    def faults(self, arrows_shown=40):
        """One text for each arrow against the order and each circle, with at most so many of the circle's arrows."""
        texts = [f"{file} ({self.room_of[file]}) needs {needed}, of the later room {self.room_of[needed]}: "
                 f"{self.why(file, needed)}" for file, needed in self.against()]
        for circle in self.circles():
            texts.append(f"{len(circle)} files need each other in a circle: {' '.join(circle)}")
            within = [f"    {file} needs {needed}: {self.why(file, needed)}" for file, needed in sorted(self.reasons)
                      if file in circle and needed in circle]
            left = len(within) - arrows_shown
            texts += [*within[:arrows_shown], *([f"    and {left} arrows more: --arrows 1000"] if left > 0 else [])]
        return texts

    def why(self, file, needed):
        reasons = sorted(self.reasons[file, needed])
        return ", ".join(reasons[:6]) + (f" and {len(reasons) - 6} more" if len(reasons) > 6 else "")

    def summary(self):
        circles = self.circles()
        return (f"{self.name}: {len(self.room_of)} files, {len(self.reasons)} arrows, {len(self.against())} against the "
                f"order, {len(circles)} circles, {len(circles[0]) if circles else 0} files in the largest")


def read_symbols(path):
    """(global symbols that the object defines, those that it leaves to others)"""
    defined, undefined = set(), set()
    with open(path, "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if table is not None else ():
            if symbol.name and symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK"):
                (undefined if symbol["st_shndx"] == "SHN_UNDEF" else defined).add(symbol.name)
    return defined, undefined


def dependencies(path):
    """The files that a compiler's dependency file (-MMD) names."""
    text = Path(path).read_text(encoding="utf-8").replace("\\\n", " ")
    return [os.path.normpath(word) for word in text.split("\n", 1)[0].split(":", 1)[1].split()]


def declared_names(text):
    """Names of the functions and objects that a header declares outside of any body."""
    text = re.sub(r"^\s*#(?:[^\n\\]|\\.)*", "", COMMENT.sub("", text), flags=re.M | re.S)
    while (shorter := re.sub(r"\{[^{}]*\}", ";", text)) != text:
        text = shorter
    return set(re.findall(r"\b(\w+)\s*\(", text)) | {name for declaration in re.findall(r"\bextern\b([^;]*);", text)
                                                    for name in re.findall(r"\b(\w+)\b(?=\s*(?:\[[^]]*\]\s*)*(?:,|$))",
                                                                           declaration)}


def room_of_file(path, rooms):
    """The room in whose folder the file lies; where one room's folder is in another's, the inner one. None: no room's."""
    fitting = [room for room in rooms if path.startswith(room + "/")]
    return max(fitting, key=len, default=None)


def place_header(header, definers, graph):
    """(the file that the header is one with, its room)"""
    names = declared_names(Path(header).read_text(encoding="utf-8"))
    files = sorted({file for name in names for file in definers.get(name, ())})
    if len(files) == 1:
        return files[0], graph.room_of[files[0]]
    if files:
        return header, max((graph.room_of[file] for file in files), key=graph.rooms.index)
    return header, room_of_file(header, graph.rooms) or graph.rooms[0]


def included(file, headers):
    """Those of the headers that the file includes by itself: the one of that name beside it, else any whose path ends
    as the include says."""
    text = COMMENT.sub("", Path(file).read_text(encoding="utf-8"))
    found = set()
    for kind, name in INCLUDE.findall(text):
        beside = os.path.normpath(os.path.join(os.path.dirname(file), name))
        if kind == '"' and beside in headers:
            found.add(beside)
        else:
            found |= {header for header in headers if header.endswith("/" + name)}
    return sorted(found)


def read_c(name, rooms, sources, made=None):
    """The graph of C and assembly files. rooms: ground first; a header outside of all rooms that nobody implements
    belongs to the first. sources: {file: (its object or None, its dependency file, its room)}. made: {a header that was
    generated: the file of sources that it is made from}."""
    graph = Graph(name, rooms)
    undefined, definers, headers = {}, collections.defaultdict(set), set()
    for file, (path, depfile, room) in sources.items():
        graph.add(file, room)
        headers |= {header for header in dependencies(depfile) if header.endswith(".h")}
        defined, undefined[file] = read_symbols(path) if path else (set(), set())
        for symbol in defined:
            definers[symbol].add(file)

    owner = dict(made or {})
    for header in sorted(headers - set(owner)):
        owner[header], room = place_header(header, definers, graph)
        graph.add(owner[header], room)

    for file, symbols in undefined.items():
        for symbol in symbols:
            for needed in definers.get(symbol, ()):
                graph.need(file, needed, f"uses {symbol}")
    for file in [*sources, *headers]:
        for header in included(file, headers):
            graph.need(owner.get(file, file), owner[header], f"includes {header}")
    return graph


def read_python(name, rooms, files):
    """The graph of Python files, wherever in a file an import stands."""
    graph = Graph(name, rooms)
    by_name = collections.defaultdict(list)
    for file in files:
        graph.add(file, room_of_file(file, rooms))
        by_name[Path(file).stem].append(file)
    for file in files:
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"), file)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module] if node.module else [alias.name for alias in node.names]
            for imported in names:
                found = by_name[imported.split(".")[-1]]
                beside = [other for other in found if os.path.dirname(other) == os.path.dirname(file)]
                for needed in beside or found:
                    graph.need(file, needed, f"imports {imported}")
    return graph


def build(folder):
    """Compiles all objects without whole-program optimization into folder, and the lock of LOCKS=1, which stands in no
    build beside the other one."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command = ["make", "-s", f"-j{os.cpu_count() or 1}", f"OBJECTS={folder}", f"BUILD={folder}", "whole_program=",
               "LLVM=0", "SAN=0"]
    for target in (["objects"], ["LOCKS=1", f"{folder}/arch/aarch64/spinlock_checked.c.o"]):
        done = subprocess.run([*command, *target], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}graph: {' '.join(command + target)} ended with {done.returncode}")


def compiled(folder, rooms):
    """The sources of read_c: what was compiled into folder, lies in one of the rooms and still exists."""
    found = {}
    for path in sorted(glob.glob(f"{folder}/**/*.o", recursive=True)):
        file = os.path.relpath(path, folder)[:-len(".o")]
        room = room_of_file(file, rooms)
        if room and os.path.exists(file):
            found[file] = (path, path + ".d", room)
    return found


def hypervisor_sources(folder):
    """The sources of read_c for EL2: also the policy's tables, which are generated, and asm-offsets.c, from which a header
    is made and no object."""
    sources = compiled(folder, WHOLE_ROOMS)
    tables = f"{folder}/generated/policy_tables.c"
    sources[tables] = (tables + ".o", tables + ".o.d", "policy")
    sources[OFFSETS] = (None, f"{folder}/{OFFSETS.replace('.c', '.s.d')}", room_of_file(OFFSETS, WHOLE_ROOMS))
    return sources


def read_tree(folder):
    """The graphs of EL2, the guests and the Python files of this tree, whose objects are in folder."""
    python = sorted(path for room in PYTHON_ROOMS for path in glob.glob(f"{room}/*.py"))
    return [read_c("EL2", WHOLE_ROOMS, hypervisor_sources(folder), {f"{folder}/generated/asm-offsets.h": OFFSETS}),
            read_c("guest", ("include/hv", *GUEST_ROOMS), compiled(folder, GUEST_ROOMS)),
            read_python("Python", PYTHON_ROOMS, python)]


def draw(graphs):
    """The rooms and their arrows in Graphviz's language. An arrow's number says how many files need another; its text
    under the mouse says which. Arrows against the order are red."""
    lines = ["digraph rooms {", "rankdir=TB; bgcolor=white; fontname=Helvetica; splines=true; nodesep=0.3; ranksep=0.5;",
             "node [shape=box style=filled fillcolor=\"#eef3fb\" color=\"#5b7db1\" fontname=Helvetica];",
             "edge [fontname=Helvetica fontsize=9 color=\"#8c9bb0\" fontcolor=\"#56657a\" arrowsize=0.6];"]
    for graph in graphs:
        lines.append(f"subgraph \"cluster_{graph.name}\" {{ label=\"{graph.summary()}\"; color=\"#c5ccd6\";")
        for room in graph.rooms:
            count = list(graph.room_of.values()).count(room)
            if count:
                lines.append(f"\"{graph.name}/{room}\" [label=\"{room}\\n{count} files\"];")
        lines.append("}")
        between = collections.defaultdict(list)
        for file, needed in sorted(graph.reasons):
            between[graph.room_of[file], graph.room_of[needed]].append(f"{file} needs {needed}")
        for (room, other), files in sorted(between.items()):
            if room != other:
                bad = graph.rooms.index(other) > graph.rooms.index(room)
                tip = "\\n".join(files)
                lines.append(f"\"{graph.name}/{room}\" -> \"{graph.name}/{other}\" [label={len(files)} "
                             f"edgetooltip=\"{tip}\" labeltooltip=\"{tip}\""
                             f"{' color=red fontcolor=red penwidth=2 constraint=false' if bad else ''}];")
    return "\n".join([*lines, "}", ""])


def main():
    parser = argparse.ArgumentParser(description="Which file needs which, by rooms and without circles.")
    parser.add_argument("--build", default="build/graph", help="folder for the objects (default: %(default)s)")
    parser.add_argument("--svg", help="draw the rooms and their arrows into this file, by Graphviz")
    parser.add_argument("--arrows", type=int, default=40, help="of each circle, show so many (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when there is a fault")
    options = parser.parse_args()
    build(options.build)
    graphs = read_tree(options.build)
    faults = 0
    for graph in graphs:
        texts = graph.faults(options.arrows)
        faults += bool(texts)
        print("\n".join([*texts, graph.summary()]))
    if options.svg:
        subprocess.run(["dot", "-Tsvg", "-o", options.svg], input=draw(graphs), text=True, check=True)
        print(f"drawn: {options.svg}")
    sys.exit(1 if options.check and faults else 0)


if __name__ == "__main__":
    main()
