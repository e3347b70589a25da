#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make report-check`: the page of a million records, in a real Chromium.

Says how long the page took to make and to open, its size, and the frames while the timeline zooms in to single exits,
moves, and zooms out again. It fails when the page is larger than 20 MB, complains, or shows another count than the trace."""

import argparse
import io
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
import trace_maker  # noqa: E402
from ariel.report import write  # noqa: E402
from ariel.symbols import Symbols  # noqa: E402
from ariel.trace import Trace  # noqa: E402
from browser import open_browser  # noqa: E402

SIZE_MAX = 20_000_000  # bytes of the page of a million records

# Zooms in by 8 % a frame for 150 frames, moves for 60, and zooms out for 150: [ms of each frame, ms of drawing in each]
FRAMES = """
const done = arguments[0], {timeline, controls, model} = window.ariel, frames = [], draws = [];
const draw = timeline.draw.bind(timeline);
timeline.draw = () => { const begin = performance.now(); draw(); draws.push(performance.now() - begin); };
let count = 0, last = 0;
const step = (now) => {
  if (count > 3) frames.push(now - last);
  last = now;
  if (count < 150) controls.zoom(1 / 1.08, model.end * 0.37, true);
  else if (count < 210) controls.pan(0.02, true);
  else if (count < 360) controls.zoom(1.08, model.end * 0.37, true);
  else { done([frames, draws]); return; }
  count++;
  requestAnimationFrame(step);
};
requestAnimationFrame(step);
"""
FILTER = """
const report = window.ariel, key = report.model.facts.keys.indexOf("pl011"), begin = performance.now();
report.toggle("key", key); const spent = performance.now() - begin; report.toggle("key", key); return spent;
"""


def make_page(trace_path, page_path, records):
    """(seconds, seconds of CPU, virtio requests and exits) of making a page."""
    trace_maker.make_trace(trace_path, records=records, cpus=4)
    begin, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    symbols_path = trace_path.with_name("System.map")
    symbols_path.write_text(trace_maker.system_map(), encoding="ascii")
    output = io.StringIO()
    with Trace(trace_path) as trace:
        write(trace, Symbols.load(symbols_path), output, trace_path.name)
        page_path.write_text(output.getvalue(), encoding="utf-8")
        seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF)
        count = sum(int((batch["type"] != 2).sum()) for batch in trace.batches())
    return seconds, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, count


def measure(folder, records):
    """Prints the numbers; returns what is wrong, a sentence each."""
    page, faults = folder / "boot.html", []
    seconds, cpu, count = make_page(folder / "boot.trace", page, records)
    size = page.stat().st_size
    print(f"page       {records:,} records: {seconds:.1f} s ({cpu:.1f} s of CPU), {size / 1e6:.1f} MB")
    with open_browser() as browser:
        begin = time.monotonic()
        browser.open(page)
        print(f"opens      {time.monotonic() - begin:.1f} s until the timeline can be used")
        frames, draws = (sorted(times) for times in browser.driver.execute_async_script(FRAMES))
        print(f"zooming    {1000 * len(frames) / sum(frames):.0f} frames a second, longest {frames[-1]:.0f} ms, "
              f"95 % within {frames[len(frames) * 95 // 100]:.0f} ms")
        print(f"drawing    median {draws[len(draws) // 2]:.1f} ms, 95 % within {draws[len(draws) * 95 // 100]:.1f} ms, "
              f"longest {draws[-1]:.0f} ms")
        print(f"filtering  {browser.run(FILTER):.0f} ms for one key")
        if browser.run("return window.ariel.model.count") != count:
            faults.append(f"the page has {browser.run('return window.ariel.model.count')} records, the trace {count}")
        faults += [f"the page says: {line}" for line in browser.log()]
    if size > SIZE_MAX:
        faults.append(f"the page has {size} bytes, {SIZE_MAX} at most")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="records of the trace (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ariel-report-") as folder:
        faults = measure(Path(folder), options.records)
    for fault in faults:
        print(f"report-check: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
