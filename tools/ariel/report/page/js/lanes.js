// SPDX-License-Identifier: Apache-2.0
// Lines of text on the timeline: each begins at its time, in the first lane in which it does not cover another. Where
// there are more lines than room, a tick stands for those that are not written.

const LANES = 3;
const LANE_HEIGHT = 14;
const LINES_MAX = 400;  // written at once

// Draws facts.lines into the box {left, top, width}. times: Float64Array of the lines' ticks.
// found: null, or for each line whether it has the words of a search; then only those are written.
function drawLines(context, model, times, box, view, colours, found) {
  const scale = box.width / (view.to - view.from);
  const first = lowerBound(times, view.from, 0, times.length);
  const end = lowerBound(times, view.to, first, times.length);
  context.font = colours.smallFont;
  context.textBaseline = "middle";
  const free = new Float64Array(LANES).fill(-1);
  let written = 0;
  let tick = -1;
  for (let at = first; at < end;) {
    const x = (times[at] - view.from) * scale;
    const lane = written < LINES_MAX && (!found || found[at]) ? free.findIndex((edge) => edge <= x) : -1;
    if (lane >= 0) {
      free[lane] = x + drawLine(context, model.facts.lines[at], box.left + x, box.top + lane * LANE_HEIGHT, colours);
      written++;
      at++;
      continue;
    }
    if (x >= tick + 1) {
      context.fillStyle = colours.none;
      context.fillRect(box.left + x, box.top + LANES * LANE_HEIGHT, 1, 4);
      tick = x;
    }
    at = found ? at + 1 : Math.max(at + 1, lowerBound(times, view.from + (Math.floor(x) + 1) / scale, at, end));
  }
}

// Writes a line and returns the width that it takes.
function drawLine(context, [, , , kind, text], x, top, colours) {
  const shown = text.length > 90 ? text.slice(0, 89) + "…" : text;
  context.fillStyle = kind === 0 ? colours.text : colours.quiet;
  context.fillRect(x, top + 1, 1, LANE_HEIGHT - 3);
  context.fillText(shown, x + 4, top + LANE_HEIGHT / 2);
  return context.measureText(shown).width + 14;
}
