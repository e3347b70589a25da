// SPDX-License-Identifier: Apache-2.0
// Draws one layer of a track into a box: columns where a pixel stands for many records, single records where there is room.

const SLICES_PER_PIXEL = 0.25;  // records for each pixel up to which they are drawn one by one
const ORDER = [CLASS_REFUSED, CLASS_RAZ, CLASS_ALLOW, CLASS_NONE, CLASS_EMULATE];  // from the ground of a column up

// Colours of classes and of the page, from the style sheet.
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue("--" + name).trim();
  const classes = [];
  classes[CLASS_EMULATE] = named("emulate");
  classes[CLASS_ALLOW] = named("allow");
  classes[CLASS_RAZ] = named("raz");
  classes[CLASS_REFUSED] = named("deny");
  classes[CLASS_NONE] = named("none");
  const sans = named("sans");
  return {classes, text: named("text"), quiet: named("quiet"), line: named("line"), background: named("bg"), none: named("none"),
    panel: named("panel"), accent: named("accent"), soft: named("accent-soft"), faint: named("faint"), sleep: named("sleep"),
    ink: named("ink"), refusedInk: named("refused-ink"),
    font: "12px " + sans, smallFont: "11px " + sans};
}

// Calls visit(x, first, end) for each pixel column of the box that has records, with their places in the layer.
function eachColumn(layer, box, view, visit) {
  const ticks = (view.to - view.from) / box.width;
  let at = lowerBound(layer.times, view.from, 0, layer.length);
  const end = lowerBound(layer.times, view.to, at, layer.length);
  while (at < end) {
    const x = Math.floor((layer.times[at] - view.from) / ticks);
    const next = Math.max(at + 1, gallop(layer.times, view.from + (x + 1) * ticks, at, end));
    visit(x, at, next);
    at = next;
  }
}

// The most records in one pixel column of the layer in this view.
function highestColumn(layer, box, view) {
  let most = 0;
  eachColumn(layer, box, view, (x, first, end) => { most = Math.max(most, end - first); });
  return most;
}

function drawColumns(context, layer, box, view, most, colours, plain) {
  const paths = colours.classes.map(() => []);
  eachColumn(layer, box, view, (x, first, end) => {
    const height = Math.max(1.5, box.height * Math.sqrt((end - first) / most));
    if (plain) {
      paths[0].push(x, box.top + box.height - height, height);
      return;
    }
    let below = box.top + box.height;
    for (const found of ORDER) {
      const count = layer.sums[found][end] - layer.sums[found][first];
      if (!count) continue;
      let part = height * count / (end - first);
      if (found === CLASS_REFUSED) part = Math.max(part, 3);
      paths[found].push(x, below - part, part);
      below -= part;
    }
  });
  paths.forEach((path, found) => {
    context.fillStyle = plain ? colours.faint : colours.classes[found];
    for (let n = 0; n < path.length; n += 3) context.fillRect(box.left + path[n], path[n + 1], 1, path[n + 2]);
  });
}

// Single records: a bar from entry to the way back, with the name of its key where it is wide enough.
function drawSlices(context, model, layer, box, view, colours, plain) {
  const scale = box.width / (view.to - view.from);
  const first = Math.max(0, lowerBound(layer.times, view.from, 0, layer.length) - 1);
  const end = lowerBound(layer.times, view.to, first, layer.length);
  context.textBaseline = "middle";
  context.font = colours.smallFont;
  for (let n = first; n < end; n++) {
    const at = layer.records[n];
    const kind = model.kind[at];
    const left = Math.max(-1, (layer.times[n] - view.from) * scale);
    const right = Math.min(box.width + 1, (layer.times[n] + model.duration[at] - view.from) * scale);
    if (right < 0) continue;
    const width = Math.max(1.5, right - left);
    const sleeps = model.sleeps[kind];
    if (sleeps && plain) continue;
    context.fillStyle = plain ? colours.faint : sleeps ? colours.sleep : colours.classes[model.classOfKind[kind]];
    context.fillRect(box.left + left, box.top, width, box.height);
    if (width > 28 && !plain) labelSlice(context, model, at, {left: box.left + left, width, top: box.top, height: box.height}, colours, sleeps);
  }
}

function labelSlice(context, model, at, box, colours, sleeps) {
  const kind = model.kind[at];
  context.fillStyle = sleeps ? colours.text : model.classOfKind[kind] === CLASS_REFUSED ? colours.refusedInk : colours.ink;
  const lines = box.height > 30 ? [model.keyName(model.kinds.key[kind]), model.placeName(at)] : [model.keyName(model.kinds.key[kind])];
  lines.forEach((text, line) => {
    const shown = fitText(context, text, box.width - 8);
    if (shown) context.fillText(shown, box.left + 4, box.top + box.height * (line + 1) / (lines.length + 1));
  });
}

// As much of a text as fits, with an ellipsis; "" when not even three letters do.
function fitText(context, text, width) {
  const whole = context.measureText(text).width;
  if (whole <= width) return text;
  const letters = Math.floor(text.length * width / whole) - 1;
  return letters >= 3 ? text.slice(0, letters) + "…" : "";
}

// Whether the records of this layer in the view are few enough to be drawn one by one.
function isSparse(layer, box, view) {
  const first = lowerBound(layer.times, view.from, 0, layer.length);
  return lowerBound(layer.times, view.to, first, layer.length) - first <= box.width * SLICES_PER_PIXEL;
}

// A track: in colour what the filter leaves, behind it all records in a faint colour.
function drawTrack(context, model, track, box, view, colours) {
  const layers = track.chosen ? [[track.all, true], [track.chosen, false]] : [[track.all, false]];
  const sparse = isSparse(track.all, box, view);
  const most = sparse ? 1 : highestColumn(track.all, box, view);
  for (const [layer, plain] of layers) {
    if (sparse) drawSlices(context, model, layer, box, view, colours, plain);
    else drawColumns(context, layer, box, view, most, colours, plain);
  }
  return sparse ? 0 : most;
}
