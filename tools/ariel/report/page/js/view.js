// SPDX-License-Identifier: Apache-2.0
// The part of the trace that the timeline shows, in ticks, and its way from one part to the next.

const TICKS_MIN = 32;      // shown at least
const STEP = 0.38;         // of the way to the target in each frame

class View {
  constructor(end) {
    this.end = end;
    this.from = 0;
    this.to = end;
    this.target = {from: 0, to: end};
    this.smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  // Where the view goes, kept inside the trace. now: at once.
  set(from, to, now) {
    const span = Math.min(this.end, Math.max(TICKS_MIN, to - from));
    const middle = (from + to) / 2;
    const left = Math.max(0, Math.min(this.end - span, middle - span / 2));
    this.target = {from: left, to: left + span};
    if (now || !this.smooth) Object.assign(this, this.target);
  }

  // Factor below 1: nearer. anchor: the time that stays where it is.
  zoom(factor, anchor, now) {
    const {from, to} = this.target;
    const span = Math.min(this.end, Math.max(TICKS_MIN, (to - from) * factor));
    const share = (anchor - this.from) / (this.to - this.from);
    this.set(anchor - share * span, anchor + (1 - share) * span, now);
  }

  // Moves by a share of what is shown.
  pan(share, now) {
    const {from, to} = this.target;
    this.set(from + share * (to - from), to + share * (to - from), now);
  }

  // Goes on towards the target; returns whether it is not there yet.
  step() {
    const rest = Math.abs(this.target.from - this.from) + Math.abs(this.target.to - this.to);
    if (rest < (this.to - this.from) * 0.002) {
      Object.assign(this, this.target);
      return false;
    }
    this.from += (this.target.from - this.from) * STEP;
    this.to += (this.target.to - this.to) * STEP;
    return true;
  }

  whole() {
    return this.target.from <= 0 && this.target.to >= this.end;
  }
}

// {step, marks}: times in seconds for an axis of about `wanted` marks, at 1, 2 or 5 times a power of ten.
function axisMarks(from, to, wanted) {
  const rough = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const marks = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) marks.push(n * step);
  return {step, marks};
}
