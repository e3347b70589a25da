// SPDX-License-Identifier: Apache-2.0
// The timeline: an axis, a track for each vCPU, the console's lines, and tracks for devices, virtio requests and interrupts,
// on one canvas; above it an overview of the whole trace.

const LABEL_WIDTH = 144;
const AXIS_HEIGHT = 22;
const GAP = 5;
const LINES_GAP = 5;  // below the lanes, for ticks
const LINES_HEIGHT = (LANES[0] + LANES[1]) * LANE_HEIGHT + 2 * LINES_GAP;

class Timeline {
  constructor(model) {
    this.model = model;
    this.view = new View(model.end);
    this.plan = new TrackPlan(model);
    this.tracks = this.plan.tracks;
    this.plan.layers(null).forEach((layer, n) => { this.tracks[n].all = layer; });
    this.lines = [linesOf(model, 0), linesOf(model, 1)];
    this.lineTimes = Float64Array.from(model.facts.lines, ([ticks]) => ticks);
    this.canvas = document.getElementById("tracks");
    this.overview = document.getElementById("overview");
    this.range = null;       // selected time: [ticks, ticks]
    this.record = null;      // chosen record
    this.linesFound = null;  // for each line of text whether a search found it
    this.hover = null;       // x of the pointer in the tracks' box
    this.changed = () => {}; // called when the view has changed
    this.placeTracks();
    this.colours = readColours();
    this.pending = false;
    new ResizeObserver(() => this.resize()).observe(document.getElementById("stage"));
    this.resize();
  }

  // Gives each track its box; the console's lines stand between the vCPUs and the rest.
  placeTracks() {
    let top = AXIS_HEIGHT;
    let kind = "vcpu";
    this.groups = [];
    for (const track of this.tracks) {
      if (track.kind !== kind) {
        if (kind === "vcpu") {
          this.linesTop = top;
          top += LINES_HEIGHT;
        }
        this.groups.push(top - 1);
        top += GAP;
        kind = track.kind;
      }
      track.top = top;
      top += track.height + (track.kind === "vcpu" ? GAP : 3);
    }
    if (kind === "vcpu") {
      this.linesTop = top;
      top += LINES_HEIGHT;
    }
    this.height = top + 4;
  }

  // Fits the canvases to the page and its pixels.
  resize() {
    const width = document.getElementById("tracks-scroll").clientWidth;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    for (const [canvas, height] of [[this.canvas, this.height], [this.overview, 34]]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + "px";
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.width = Math.max(50, width - LABEL_WIDTH);
    this.background = null;
    this.draw();
  }

  recolour() {
    this.colours = readColours();
    this.background = null;
    this.request();
  }

  // The records that a filter leaves; null: no filter.
  setChosen(records) {
    const layers = records && this.plan.layers(records);
    this.tracks.forEach((track, n) => { track.chosen = layers && layers[n]; });
    this.background = null;
    this.request();
  }

  request() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      const moving = this.view.step();
      this.draw();
      if (moving) this.request();
      else this.changed();
    });
  }

  timeAt(x) {
    return this.view.from + (x - LABEL_WIDTH) / this.width * (this.view.to - this.view.from);
  }

  xOf(ticks) {
    return LABEL_WIDTH + (ticks - this.view.from) / (this.view.to - this.view.from) * this.width;
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const {colours} = this;
    context.fillStyle = colours.background;
    context.fillRect(0, 0, this.width + LABEL_WIDTH, this.height);
    this.drawAxis(context);
    context.save();
    context.beginPath();
    context.rect(LABEL_WIDTH, 0, this.width, this.height);
    context.clip();
    this.drawRange(context);
    for (const track of this.tracks) {
      const box = {left: LABEL_WIDTH, top: track.top, width: this.width, height: track.height};
      track.most = drawTrack(context, this.model, track, box, this.view, colours);
    }
    this.lines.forEach((lines, kind) => {
      const box = {left: LABEL_WIDTH, top: this.linesTop + kind * (LANES[0] * LANE_HEIGHT + LINES_GAP), width: this.width};
      drawLines(context, this.model, lines, LANES[kind], box, this.view, colours, this.linesFound);
    });
    this.drawMarks(context);
    context.restore();
    this.drawLabels(context);
    this.drawOverview();
  }

  drawAxis(context) {
    const {colours, model, view} = this;
    const {step, marks} = axisMarks(model.seconds(view.from), model.seconds(view.to), this.width / 110);
    context.font = colours.smallFont;
    context.textBaseline = "middle";
    for (const seconds of marks) {
      const x = Math.round(this.xOf(seconds * model.facts.hz)) + 0.5;
      context.fillStyle = colours.line;
      context.fillRect(x, AXIS_HEIGHT - 4, 1, this.height);
      context.fillStyle = colours.quiet;
      context.fillText(formatAxis(seconds, step), x + 4, AXIS_HEIGHT / 2);
    }
    context.fillStyle = colours.line;
    context.fillRect(0, AXIS_HEIGHT - 1, this.width + LABEL_WIDTH, 1);
  }

  drawLabels(context) {
    const {colours, model} = this;
    context.textBaseline = "middle";
    for (const track of this.tracks) {
      context.font = track.kind === "vcpu" ? colours.font : colours.smallFont;
      context.fillStyle = colours.text;
      const two = track.kind === "vcpu";
      context.fillText(fitText(context, track.name, LABEL_WIDTH - 10) , 2, track.top + (two ? 12 : track.height / 2));
      if (!two) continue;
      context.font = colours.smallFont;
      context.fillStyle = colours.quiet;
      const rate = track.most / Math.max(1e-9, model.seconds((this.view.to - this.view.from) / this.width));
      const {all} = track;
      const count = lowerBound(all.times, this.view.to, 0, all.length) - lowerBound(all.times, this.view.from, 0, all.length);
      context.fillText(track.most ? `to ${formatRate(rate)}/s` : `${formatCount(count)} exits`, 2, track.top + 28);
    }
    context.font = colours.smallFont;
    context.fillStyle = colours.text;
    context.fillText("console", 2, this.linesTop + LANE_HEIGHT / 2);
    context.fillText("ariel's log", 2, this.linesTop + LANES[0] * LANE_HEIGHT + LINES_GAP + LANE_HEIGHT / 2);
    context.fillStyle = colours.line;
    for (const top of this.groups) context.fillRect(0, top, this.width + LABEL_WIDTH, 1);
    context.fillRect(LABEL_WIDTH - 1, 0, 1, this.height);
  }

  drawRange(context) {
    if (!this.range) return;
    const [left, right] = this.range.map((ticks) => this.xOf(ticks));
    context.fillStyle = this.colours.soft;
    context.fillRect(left, 0, Math.max(1, right - left), this.height);
  }

  // The chosen record and the pointer.
  drawMarks(context) {
    const {colours, model} = this;
    if (this.record !== null) {
      const x = this.xOf(model.time[this.record]);
      context.fillStyle = colours.accent;
      context.fillRect(Math.round(x), 0, 1, this.height);
      const track = this.tracks[this.plan.primary[model.kind[this.record]]];
      const width = Math.max(3, this.xOf(model.time[this.record] + model.duration[this.record]) - x);
      context.strokeStyle = colours.accent;
      context.lineWidth = 2;
      context.strokeRect(x - 1, track.top - 1, width + 2, track.height + 2);
    }
    if (this.hover !== null) {
      context.fillStyle = colours.quiet;
      context.fillRect(Math.round(this.hover), AXIS_HEIGHT, 1, this.height);
    }
  }

  // The whole trace, drawn once and kept; over it the part that is shown.
  drawOverview() {
    const context = this.overview.getContext("2d");
    const {colours, view} = this;
    if (!this.background) this.background = this.paintOverview();
    context.clearRect(0, 0, this.width + LABEL_WIDTH, 34);
    context.drawImage(this.background, 0, 0, this.width + LABEL_WIDTH, 34);
    const left = LABEL_WIDTH + view.from / view.end * this.width;
    const width = Math.max(2, (view.to - view.from) / view.end * this.width);
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, 0.5, Math.max(1, width - 1), 32);
  }

  paintOverview() {
    const {colours, model} = this;
    const canvas = document.createElement("canvas");
    canvas.width = this.overview.width;
    canvas.height = this.overview.height;
    const context = canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.scale(ratio, ratio);
    context.fillStyle = colours.background;
    context.fillRect(0, 0, this.width + LABEL_WIDTH, 34);
    const vcpus = this.tracks.filter((track) => track.kind === "vcpu");
    const height = 30 / Math.max(1, vcpus.length);
    vcpus.forEach((track, n) => {
      const box = {left: LABEL_WIDTH, top: 2 + n * height, width: this.width, height: Math.max(1, height - 1)};
      drawTrack(context, model, track, box, {from: 0, to: model.end}, colours);
    });
    context.font = colours.smallFont;
    context.fillStyle = colours.quiet;
    context.textBaseline = "middle";
    context.fillText("whole trace", 2, 17);
    return canvas;
  }

  // The track at a height of the canvas, or null.
  trackAt(y) {
    return this.tracks.find((track) => y >= track.top - 1 && y < track.top + track.height + 3) ?? null;
  }

  // {first, end, layer}: the records of a track under a pixel; the nearest within 4 pixels when there is none.
  recordsAt(track, x) {
    const layer = track.chosen ?? track.all;
    const time = this.timeAt(x);
    const pixel = (this.view.to - this.view.from) / this.width;
    let first = lowerBound(layer.times, time - pixel / 2, 0, layer.length);
    const end = lowerBound(layer.times, time + pixel / 2, first, layer.length);
    if (end > first) return {layer, first, end};
    const under = first - 1;
    if (under >= 0 && layer.times[under] + this.model.duration[layer.records[under]] >= time - pixel) return {layer, first: under, end: first};
    const near = [under, first].filter((n) => n >= 0 && n < layer.length && Math.abs(layer.times[n] - time) <= 4 * pixel);
    if (!near.length) return null;
    first = near.reduce((one, other) => (Math.abs(layer.times[one] - time) <= Math.abs(layer.times[other] - time) ? one : other));
    return {layer, first, end: first + 1};
  }
}

// 12345 as 12.3 k
function formatRate(rate) {
  return rate >= 1e6 ? (rate / 1e6).toFixed(1) + " M" : rate >= 1e3 ? (rate / 1e3).toFixed(1) + " k" : rate.toFixed(0);
}
