// SPDX-License-Identifier: Apache-2.0
// Pointer, wheel and keyboard on the timeline.

const ZOOM = 1.5;         // of one key
const PAN = 0.2;          // of what is shown, by one key
const CLICK_PIXELS = 3;   // a pointer that moves less has clicked

class Controls {
  constructor(timeline, actions) {
    this.timeline = timeline;
    this.actions = actions;  // {choose(record), select(range), key(event)}
    this.drag = null;
    this.tip = document.getElementById("tip");
    this.listen();
  }

  listen() {
    const {canvas, overview} = this.timeline;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => { this.drag = null; });
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("dblclick", (event) => this.zoom(1 / 4, this.timeline.timeAt(event.offsetX)));
    document.getElementById("stage").addEventListener("wheel", (event) => this.wheel(event), {passive: false});
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      this.centre(event);
    });
    overview.addEventListener("pointermove", (event) => {
      if (overview.hasPointerCapture(event.pointerId)) this.centre(event);
    });
    for (const button of document.querySelectorAll(".tools button")) {
      button.addEventListener("click", () => this.perform(button.dataset.do));
    }
  }

  zoom(factor, anchor, now) {
    this.timeline.view.zoom(factor, anchor ?? this.anchor(), now);
    this.timeline.request();
  }

  pan(share, now) {
    this.timeline.view.pan(share, now);
    this.timeline.request();
  }

  show(from, to) {
    this.timeline.view.set(from, to);
    this.timeline.request();
  }

  // Where a zoom by keys holds on to: the pointer, else the middle.
  anchor() {
    const {timeline} = this;
    return timeline.hover === null ? (timeline.view.from + timeline.view.to) / 2 : timeline.timeAt(timeline.hover);
  }

  perform(what) {
    const {timeline} = this;
    if (what === "in") this.zoom(1 / ZOOM);
    if (what === "out") this.zoom(ZOOM);
    if (what === "left") this.pan(-PAN);
    if (what === "right") this.pan(PAN);
    if (what === "all") this.show(0, timeline.view.end);
    if (what === "range") this.focus();
  }

  // Shows the selected time, or the surroundings of the chosen record.
  focus() {
    const {timeline} = this;
    if (timeline.range) {
      this.show(...timeline.range);
    } else if (timeline.record !== null) {
      const middle = timeline.model.time[timeline.record] + timeline.model.duration[timeline.record] / 2;
      const span = Math.max(timeline.model.duration[timeline.record] * 12, timeline.model.facts.hz / 20000);
      this.show(middle - span / 2, middle + span / 2);
    }
  }

  centre(event) {
    const {timeline} = this;
    const {view} = timeline;
    const time = (event.offsetX - LABEL_WIDTH) / timeline.width * view.end;
    const half = (view.target.to - view.target.from) / 2;
    view.set(time - half, time + half, true);
    timeline.request();
  }

  press(event) {
    if (event.button !== 0) return;
    this.timeline.canvas.setPointerCapture(event.pointerId);
    this.drag = {x: event.offsetX, y: event.offsetY, from: this.timeline.view.from, to: this.timeline.view.to, select: event.shiftKey,
      moved: false};
    this.tip.hidden = true;
  }

  move(event) {
    const {timeline, drag} = this;
    timeline.hover = event.offsetX >= LABEL_WIDTH ? event.offsetX : null;
    if (drag) {
      const distance = event.offsetX - drag.x;
      drag.moved ||= Math.abs(distance) > CLICK_PIXELS;
      if (drag.moved && drag.select) {
        timeline.range = [drag.x, event.offsetX].map((x) => timeline.timeAt(x)).sort((one, other) => one - other);
      } else if (drag.moved) {
        timeline.canvas.classList.add("grabbing");
        const ticks = distance / timeline.width * (drag.to - drag.from);
        timeline.view.set(drag.from - ticks, drag.to - ticks, true);
      }
    } else {
      this.describe(event);
    }
    timeline.request();
  }

  release(event) {
    const {timeline, drag} = this;
    timeline.canvas.classList.remove("grabbing");
    this.drag = null;
    if (!drag) return;
    if (drag.moved && drag.select) {
      this.actions.select(timeline.range.map((ticks) => Math.max(0, Math.min(timeline.model.end, ticks))));
    } else if (!drag.moved) {
      const track = timeline.trackAt(event.offsetY);
      const found = track && event.offsetX >= LABEL_WIDTH ? timeline.recordsAt(track, event.offsetX) : null;
      this.actions.choose(found ? found.layer.records[found.first] : null);
    }
  }

  leave() {
    this.timeline.hover = null;
    this.tip.hidden = true;
    this.timeline.request();
  }

  wheel(event) {
    const {timeline} = this;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const box = timeline.canvas.getBoundingClientRect();
      this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), timeline.timeAt(event.clientX - box.left));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.pan((event.deltaX || event.deltaY) / timeline.width, true);
    }
  }

  // The box beside the pointer.
  describe(event) {
    const {timeline, tip} = this;
    const track = event.offsetX >= LABEL_WIDTH ? timeline.trackAt(event.offsetY) : null;
    const found = track && timeline.recordsAt(track, event.offsetX);
    const text = found ? describeRecords(timeline.model, found) : this.lineText(event);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const stage = document.getElementById("stage").getBoundingClientRect();
    const x = event.clientX - stage.left;
    const y = event.clientY - stage.top;
    tip.style.left = Math.max(4, Math.min(x + 14, stage.width - tip.offsetWidth - 8)) + "px";
    tip.style.top = (y + 18 + tip.offsetHeight > stage.height ? y - tip.offsetHeight - 10 : y + 18) + "px";
  }

  // The whole text of the console lines under the pointer.
  lineText(event) {
    const {timeline} = this;
    if (event.offsetY < timeline.linesTop || event.offsetY > timeline.linesTop + LINES_HEIGHT) return "";
    const reach = 5 * (timeline.view.to - timeline.view.from) / timeline.width;
    const time = timeline.timeAt(event.offsetX);
    const first = lowerBound(timeline.lineTimes, time - reach, 0, timeline.lineTimes.length);
    const end = lowerBound(timeline.lineTimes, time + reach, first, timeline.lineTimes.length);
    const lines = timeline.model.facts.lines.slice(first, Math.min(end, first + 8));
    const more = end - first > 8 ? [`and ${end - first - 8} more`] : [];
    return [...lines.map(([ticks, , , , text]) => `${timeline.model.secondsText(ticks)} s  ${text}`), ...more].join("\n");
  }
}

// What stands under the pointer: one record, or how many of what.
function describeRecords(model, {layer, first, end}) {
  if (end - first === 1) {
    const at = layer.records[first];
    return `${model.secondsText(model.time[at])} s  ${model.vcpuName(model.vcpuOfKind[model.kind[at]])}  ${model.whatName(at)} ` +
      `${model.keyName(model.kinds.key[model.kind[at]])}\n${model.placeName(at)}\n${model.durationText(model.duration[at])} ` +
      `${model.kinds.type[model.kind[at]] === TYPE_EXIT ? "in EL2" : "until the answer"}  ${model.verdictName(model.kind[at])}`;
  }
  const counts = new Map();
  const step = Math.max(1, Math.floor((end - first) / 2000));  // of very many, a sample says which keys they are
  for (let n = first; n < end; n += step) {
    const key = model.kinds.key[model.kind[layer.records[n]]];
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const top = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 4);
  const refused = layer.sums[CLASS_REFUSED][end] - layer.sums[CLASS_REFUSED][first];
  return `${formatCount(end - first)} exits from ${model.secondsText(layer.times[first])} s\nmost: ` +
    top.map(([key]) => model.keyName(key)).join(", ") + (refused ? `\n${formatCount(refused)} refused` : "");
}
