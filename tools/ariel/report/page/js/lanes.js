// SPDX-License-Identifier: Apache-2.0
// Lines of text on the timeline: each begins at its time, in the first lane in which it does not cover another. Where
// there are more lines than room, a tick stands for those that are not written.

const LANES = [3, 1];       // of console lines, of log records
const LETTERS_MIN = 40;     // of a line, at least; more where few lines are to be seen
const LANE_HEIGHT = 14;
const LINES_MAX = 400;  // written at once

// Draws lines ({times, places}: of facts.lines, in order of time) into `lanes` lanes of the box {left, top, width}. found:
// null, or for each line whether it has the words of a search; then only those are written.
function drawLines(context, model, lines, lanes, box, view, colours, found) {
  const scale = box.width / (view.to - view.from);
  const first = lowerBound(lines.times, view.from, 0, lines.times.length);
  const end = lowerBound(lines.times, view.to, first, lines.times.length);
  const letters = Math.max(LETTERS_MIN, Math.min(200, Math.floor(1500 * lanes / Math.max(1, end - first))));
  context.font = colours.smallFont;
  context.textBaseline = "middle";
  const free = new Float64Array(lanes).fill(-1);
  let written = 0;
  let tick = -1;
  for (let at = first; at < end;) {
    const x = (lines.times[at] - view.from) * scale;
    const place = lines.places[at];
    const lane = written < LINES_MAX && (!found || found[place]) ? free.findIndex((edge) => edge <= x) : -1;
    if (lane >= 0) {
      free[lane] = x + drawLine(context, model.facts.lines[place], letters, box.left + x, box.top + lane * LANE_HEIGHT, colours);
      written++;
      at++;
      continue;
    }
    if (x >= tick + 1) {
      context.fillStyle = colours.none;
      context.fillRect(box.left + x, box.top + lanes * LANE_HEIGHT, 1, 3);
      tick = x;
    }
    at = found ? at + 1 : Math.max(at + 1, lowerBound(lines.times, view.from + (Math.floor(x) + 1) / scale, at, end));
  }
}

// Writes a line and returns the width that it takes.
function drawLine(context, [, , , kind, text], letters, x, top, colours) {
  const shown = text.length > letters ? text.slice(0, letters - 1) + "…" : text;
  context.fillStyle = kind === 0 ? colours.text : colours.quiet;
  context.fillRect(x, top + 1, 1, LANE_HEIGHT - 3);
  context.fillText(shown, x + 4, top + LANE_HEIGHT / 2);
  return context.measureText(shown).width + 14;
}

// The lines of one kind (0 console, 1 log; facts.lines is in order of time): their times, and their places in facts.lines.
function linesOf(model, kind) {
  const places = [...model.facts.lines.keys()].filter((place) => (model.facts.lines[place][3] === 0) === (kind === 0));
  return {places, times: Float64Array.from(places, (place) => model.facts.lines[place][0])};
}
