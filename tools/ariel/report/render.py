# SPDX-License-Identifier: Apache-2.0
"""From a trace to the page."""

import base64
import hashlib
import pathlib

import jinja2
import numpy as np

from .. import units
from ..distribution import EXACT_BITS
from ..owners import Owners
from . import facts
from .blocks import Blocks
from .names import Names
from .summary import Summary
from .survey import KIND, Survey

PAGE = pathlib.Path(__file__).with_name("page")
LINES_MAX = 100_000      # lines of console and log
BAR_WIDTH = 15           # of a histogram, with the gap to the next
BAR_HEIGHT = 16
SCRIPTS = ("blocks", "format", "model", "filter", "tracks", "lanes", "draw", "view", "timeline", "controls", "tables", "records",
           "lines", "detail", "main")
RESULTS = {"undef": "Undefined Instruction", "abort": "external abort", "reflect": "debug exception", "stop": "VM stopped",
           "retry": "retry", "done": "an answer"}


def write(trace, symbols, output, title, boot=-1, limit=1_000_000, unplaced=""):
    """Writes the page to a text file object.

    trace: an open Trace; boot: the place in its boots. symbols: of ariel.symbols, slide solved, or None. limit: how many
    records the timeline and the list hold. unplaced: why there are no symbols although a kernel was named, for the page.
    TraceError when the trace cannot be read.
    """
    chosen = trace.boot(boot)
    names = Names(chosen.meta)
    survey = Survey(origin_of(chosen), names, Owners(symbols, names.calls), limit)
    for batch in trace.batches(boot):
        survey.add(batch)
    summary = Summary(survey, names, symbols)
    blocks = make_blocks(survey, summary, names, chosen, {"lines": read_lines(trace, boot, survey.origin), "file": title})
    style, script = read_style(), read_script()
    context = make_context(trace, boot, summary, names, "" if symbols is not None else facts.nameless(unplaced))
    page = make_environment(chosen.meta["hz"], summary).get_template("report.html")
    for piece in page.generate(title=title, style=style, script=script, style_hash=hash_of(style),
                               script_hash=hash_of(script), blocks=blocks.texts,
                               index=blocks.index, **context):
        output.write(piece)


def origin_of(boot):
    """CNTPCT_EL0 at the page's time 0: the log's beginning, or the first record if that is earlier."""
    opened = boot.chunks["opened"][boot.chunks["opened"] > 0]
    return min([int(boot.start), *([int(opened.min())] if len(opened) else [])])


def read_lines(trace, boot, origin):
    """The first LINES_MAX lines as [ticks, vm, vcpu, kind, text] each: kind 0 console, 1 log."""
    lines = []
    for text in trace.texts(boot):
        if len(lines) == LINES_MAX:
            break
        lines.append([max(0, text.entry - origin), text.vm, text.vcpu, text.kind, text.text])
    return sorted(lines, key=lambda line: line[0])


def make_blocks(survey, summary, names, boot, more):
    """All that the scripts read; more: lines, and the name of the file."""
    blocks = Blocks()
    for name, parts in survey.columns.items():
        values = np.concatenate(parts) if parts else np.empty(0, np.uint64)
        blocks.add(name, values, steps=name == "time")
    arguments = np.concatenate(survey.arguments) if survey.arguments else np.empty((0, 4), np.uint64)
    for register in range(4):
        blocks.add(f"x{register}", arguments[:, register])
    kinds = survey.kinds.values() if len(survey.kinds) else [[] for _ in KIND]
    vcpus = sorted({(int(vm), int(vcpu)) for vm, vcpu in zip(kinds[1], kinds[2])})
    blocks.add_object("facts", {
        "hz": boot.meta["hz"], "origin": str(survey.origin), "end": survey.end, "keys": names.keys, "starts": names.starts,
        "verdicts": names.verdicts, "results": names.results, "causes": names.causes, "requests": names.requests,
        "statuses": names.statuses, "rows": names.rows, "sleeping": names.sleeping, "vcpus": vcpus, **more,
        "kinds": {name: [int(value) for value in values] for name, values in zip(KIND, kinds)},
        "interruptCauses": names.interrupt_causes, "intids": [[intid, name] for intid, _, name in facts.interrupts(survey)],
        "syndromes": facts.syndromes(survey),
        "contexts": [int(value) for value in survey.contexts.values()],
        "places": summary.places.texts, "functions": summary.places.functions, "functionOf": summary.places.function})
    blocks.add("addresses", survey.addresses.values())
    blocks.add("codes", survey.places.values())
    return blocks


def make_context(trace, boot, summary, names, nameless):
    """What the template shows. nameless: why functions have no names, "" when they have."""
    survey, chosen = summary.survey, trace.boot(boot)
    losses, refused, latencies = facts.losses(trace, boot), summary.refused(), summary.latencies()
    functions, more, more_exits = summary.functions()
    seconds = survey.end / chosen.meta["hz"]
    vcpus = summary.vcpus()
    vms = len({row["vm"] for row in vcpus})
    vcpus = [add_rates(row, chosen.meta["hz"], vms) for row in vcpus]
    spans = sum(row["last"] - row["first"] for row in vcpus)
    context = {
        "survey": survey, "summary": summary, "names": names, "places": summary.places, "rows": names.rows, "vcpus": vcpus,
        "symbols": not nameless, "guests": facts.guests(chosen.meta), "policy_name": chosen.meta.get("policy", "unknown"),
        "machine": facts.machine(chosen, survey, seconds_text(chosen.meta["hz"])), "kept": survey.kept,
        "records_all": survey.exits + survey.requests, "rate": survey.exits / seconds if seconds else 0,
        "el2_share": units.share(sum(row["ticks"] for row in vcpus), spans),
        "lost": sum(row["gaps"] for row in losses), "losses": losses, "first": summary.first_touches(), "keys": summary.keys(),
        "interrupts": facts.interrupts(survey), "functions": functions, "functions_more": more,
        "functions_more_exits": more_exits,
        "only_interrupted": summary.only_interrupted(), "policy": summary.policy(), "undecided": summary.undecided(), "refused": refused,
        "refused_count": sum(row["count"] for row in refused), "answered": summary.answered(),
        "untouched": summary.untouched(), "latencies": latencies, "requests": summary.requests(),
        "rounded": survey.durations.rounded, "exact_bits": EXACT_BITS, "scale": make_scale(chosen.meta["hz"], latencies),
        "lacks": facts.lacks(trace, boot, summary, losses, nameless)}
    return {**context, "sections": sections(context)}


def sections(context):
    """The list beside the page: where to go, and how much is there."""
    counts = {"machine": None, "timeline": None, "first": len(context["first"]), "keys": len(context["keys"]),
              "functions": len(context["functions"]) + context["functions_more"], "policy": len(context["policy"]),
              "refused": len(context["refused"]), "latency": None, "records": context["kept"], "lacks": None, "terms": None}
    names = {"machine": "Machine", "timeline": "Timeline", "first": "First touches", "keys": "Traps by key",
             "functions": "Traps by function", "policy": "Policy rows", "refused": "Denied, untouched",
             "latency": "Latencies", "records": "Records", "lacks": "What it lacks", "terms": "The words"}
    return [{"id": name, "name": names[name], "count": count} for name, count in counts.items()]


def add_rates(row, hz, vms):
    """A vCPU's row with its name, exits a second and shares of its time."""
    span = max(1, row["last"] - row["first"])
    return {**row, "name": f"vCPU {row['vcpu']}" if vms == 1 else f"VM {row['vm']} vCPU {row['vcpu']}",
            "rate": row["exits"] * hz / span, "share": units.share(row["ticks"], span),
            "waiting": units.share(row["asleep"], span)}


def make_scale(hz, latencies):
    """The common axis of the histograms: its first octave, its width, and marks (x, text) at powers of ten."""
    used = [n for row in latencies for n, count in enumerate(row["octaves"]) if count]
    low, high = (min(used), max(used) + 1) if used else (0, 1)
    marks = []
    for power in range(10):  # 1 ns to 1 s
        octave = np.log2(10.0 ** power * hz / 1e9) - low
        if 0 <= octave <= high - low:
            marks.append((round(float(octave) * BAR_WIDTH, 1), units.duration(10.0 ** power).replace(".00", "").replace(".0 ", " ")))
    return {"low": low, "width": (high - low) * BAR_WIDTH + 24, "bar": BAR_WIDTH - 1, "marks": marks}


def make_bars(counts, low):
    """(x, height) of a histogram's bars; the smallest is visible."""
    top = max(counts, default=0)
    return [((n - low) * BAR_WIDTH, max(1.5, round(BAR_HEIGHT * (count / top) ** 0.5, 1)))
            for n, count in enumerate(counts) if count]


def bars_text(counts, hz):
    """A histogram in words: "12 of 1.02 µs to 2.05 µs, ..."."""
    return ", ".join(f"{units.count(count)} of {units.duration(2 ** n * 1e9 / hz)} to {units.duration(2 ** (n + 1) * 1e9 / hz)}"
                     for n, count in enumerate(counts) if count)


def sparkline(counts):
    """The path of a line of steps, 16 high: the square root of each bin's share of the greatest."""
    top = max(counts, default=0)
    path, height = ["M0 16"], 0
    for count in counts:
        wanted = round(15 * (count / top) ** 0.5 + 0.5) if count else 0
        if wanted != height:
            path.append(f"v{height - wanted}")
        path.append("h1")
        height = wanted
    path.append("V16")
    return "".join(path)


def seconds_text(hz):
    """The function that shows ticks as seconds."""
    return lambda ticks: f"{int(ticks) / hz:.6f}"


def make_environment(hz, summary):
    """Jinja2 with everything escaped, and the filters of the template."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGE), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    low = make_scale(hz, summary.latencies())["low"]
    environment.filters.update(
        count=units.count, share=units.share, bytes=units.bytes_of, sparkline=sparkline, seconds=seconds_text(hz),
        duration=lambda ticks: units.duration(ticks * 1e9 / hz), bars=lambda counts: make_bars(counts, low),
        bars_text=lambda counts: bars_text(counts, hz), result_text=lambda result: RESULTS.get(result, result),
        direction=lambda row: direction(row, summary.names))
    return environment


def direction(row, names):
    """read, write, call or, of a cause, "exit"; row: a Site, or a dict with key and write."""
    key, write = (row["key"], row["write"]) if isinstance(row, dict) else (row.key, row.write)
    group = names.group(key)
    return {"call": "call", "cause": "exit"}.get(group, "write" if write else "read")


class Trusted(str):
    """Text of this package that goes into the page as it is."""

    def __html__(self):
        return str(self)


def read_style():
    """The style sheet."""
    return Trusted((PAGE / "report.css").read_text(encoding="utf-8"))


def read_script():
    """The scripts, one behind the other in a function of their own."""
    parts = [(PAGE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return Trusted('(() => {\n"use strict";\n' + "\n".join(parts) + "\n})();\n")


def hash_of(text):
    """SHA-256 as a Content-Security-Policy names it (CSP Level 3, 2.3.1)."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
