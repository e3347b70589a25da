// SPDX-License-Identifier: Apache-2.0
// Starts the page: reads the blocks, makes the parts, and tells each of them when the reader chooses something.

const FACET_NAMES = {key: "key", write: "direction", function: "function", vcpu: "", verdict: "verdict", row: "row", intid: "INTID",
  query: "search"};
const HASH_DELAY = 250;  // ms after the last change, so that a pan does not write the address a hundred times

class Report {
  constructor(model) {
    this.model = model;
    this.filter = new Filter(model);
    this.selected = null;  // records that the filter leaves, in order of time
    this.record = null;
    const actions = {choose: (record) => this.choose(record), select: (range) => this.selectRange(range),
      pick: (...what) => this.pick(...what), show: (ticks) => this.showTime(ticks), step: (way) => this.step(way),
      filterKey: (at) => this.toggle("key", model.kinds.key[model.kind[at]]),
      filterFunction: (at) => this.toggle("function", model.facts.functionOf[model.owner[at]])};
    this.actions = actions;
    this.timeline = new Timeline(model);
    this.controls = new Controls(this.timeline, actions);
    this.tables = new Tables(model, this.filter, actions);
    this.records = new Records(model, actions);
    this.lines = new Lines(model, this.filter, actions);
    this.timeline.changed = () => this.viewChanged();
    this.listen();
    this.readHash();
  }

  listen() {
    document.getElementById("query").addEventListener("input", (event) => this.search(event.target.value));
    document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("help-button").addEventListener("click", () => document.getElementById("help").showModal());
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("hashchange", () => {
      if (location.hash !== this.written) this.readHash();
    });
  }

  // A click on a name in a table.
  pick(facet, text, row) {
    const value = Number(text);
    if (facet === "time") {
      this.showTime(value, row?.dataset.key === undefined ? undefined : Number(row.dataset.key));
      return;
    }
    this.toggle(facet, value);
  }

  toggle(facet, value) {
    this.filter.toggle(facet, value);
    this.update();
  }

  search(words) {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => {
      if (words.trim()) this.filter.choice.query = words.trim();
      else delete this.filter.choice.query;
      this.update();
    }, 120);
  }

  selectRange(range) {
    this.filter.range = range;
    this.update();
  }

  // All parts anew, for what is chosen now.
  update() {
    const {filter, timeline} = this;
    this.selected = filter.select();
    timeline.range = filter.range;
    const narrowed = Object.keys(filter.choice).length > 0;
    this.lines.update();
    timeline.linesFound = this.lines.found;
    timeline.setChosen(narrowed ? this.withoutRange() : null);
    this.tables.update();
    this.records.setRecords(this.selected);
    this.showChips();
    this.viewChanged();
  }

  // What the filter leaves at all times: the timeline shows these in colour.
  withoutRange() {
    const {filter} = this;
    if (!filter.range) return this.selected;
    const {range} = filter;
    filter.range = null;
    const records = filter.select();
    filter.range = range;
    return records;
  }

  showChips() {
    const {filter, model} = this;
    const chips = filter.names().map(([facet, name]) => this.makeChip(FACET_NAMES[facet], name, () => this.clear(facet)));
    if (filter.range) {
      const [from, to] = filter.range;
      const text = `${model.secondsText(from)} s, ${model.durationText(to - from)}`;
      chips.push(this.makeChip("time", text, () => this.selectRange(null)));
    }
    const bar = document.getElementById("filters");
    const count = make("span", "quiet", `${formatCount(this.selected.length)} of ${formatCount(model.count)} records`);
    bar.replaceChildren(...chips, ...(chips.length ? [count] : []));
    bar.hidden = !chips.length;
    document.documentElement.style.setProperty("--bar", document.querySelector(".bar").offsetHeight + "px");
  }

  makeChip(name, text, clear) {
    const chip = make("button", "chip", make("b", "", name), text + " ×");
    chip.type = "button";
    chip.title = "Take this filter away: " + text;
    chip.addEventListener("click", clear);
    return chip;
  }

  clear(facet) {
    delete this.filter.choice[facet];
    if (facet === "query") document.getElementById("query").value = "";
    this.update();
  }

  choose(record) {
    this.record = record;
    this.timeline.record = record;
    this.records.choose(record);
    showDetail(this.model, record, this.actions);
    if (record !== null) this.uncover(record);
    this.timeline.request();
  }

  // Moves the timeline so that a record can be seen.
  uncover(record) {
    const {view} = this.timeline;
    const time = this.model.time[record];
    if (time >= view.target.from && time <= view.target.to) return;
    const half = (view.target.to - view.target.from) / 2;
    view.set(time - half, time + half);
  }

  // The record at a time in ticks, of this key if one is given; the timeline goes there.
  showTime(ticks, key) {
    const {model} = this;
    let at = lowerBound(model.time, ticks, 0, model.count);
    for (let n = at; n < model.count && model.time[n] === ticks; n++) {
      if (key === undefined || model.kinds.key[model.kind[n]] === key) {
        at = n;
        break;
      }
    }
    const half = model.facts.hz / 2000;
    this.timeline.view.set(ticks - half, ticks + half);
    this.choose(at < model.count ? at : null);
    document.getElementById("timeline").scrollIntoView({block: "start"});
  }

  // The next or the previous record that the filter leaves.
  step(way) {
    const {selected} = this;
    if (!selected.length) return;
    const {view} = this.timeline;
    const from = this.record ?? lowerBound(this.model.time, view.target.from, 0, this.model.count);
    const place = lowerBound(selected, from, 0, selected.length);
    const exact = selected[place] === from && this.record !== null;
    const next = way > 0 ? place + (exact ? 1 : 0) : place - 1;
    if (next >= 0 && next < selected.length) this.choose(selected[next]);
  }

  // Escape: closes the record, then the selected time, then all filters.
  escape() {
    if (document.activeElement === document.getElementById("query")) document.activeElement.blur();
    else if (this.record !== null) this.choose(null);
    else if (this.filter.range) this.selectRange(null);
    else if (this.filter.active) {
      this.filter.choice = {};
      document.getElementById("query").value = "";
      this.update();
    }
  }

  key(event) {
    const typing = event.target.matches?.("input, select, textarea") || document.getElementById("help").open;
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    const acts = {w: () => this.controls.perform("in"), s: () => this.controls.perform("out"), a: () => this.controls.perform("left"),
      d: () => this.controls.perform("right"), 0: () => this.controls.perform("all"), f: () => this.controls.perform("range"),
      "[": () => this.step(-1), "]": () => this.step(1), "/": () => document.getElementById("query").focus(),
      t: () => document.getElementById("timeline").scrollIntoView(), "?": () => document.getElementById("help").showModal(),
      Escape: () => this.escape()};
    const act = acts[event.key];
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  }

  viewChanged() {
    const {view} = this.timeline;
    const {model} = this;
    document.getElementById("view-text").textContent =
      `Shown: ${model.secondsText(view.target.from)} s to ${model.secondsText(view.target.to)} s, ${model.durationText(view.target.to - view.target.from)}.`;
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.writeHash(), HASH_DELAY);
  }

  writeHash() {
    const {model, timeline, filter} = this;
    const parameters = new URLSearchParams();
    filter.write(parameters);
    const {view} = timeline;
    if (!view.whole()) parameters.set("view", [view.target.from, view.target.to].map((ticks) => model.seconds(ticks).toFixed(9)).join("-"));
    if (this.record !== null) parameters.set("record", String(this.record));
    const text = parameters.toString();
    if (!text && !/=/.test(location.hash)) return;
    this.written = text ? "#" + text : "#timeline";
    history.replaceState(null, "", this.written);
  }

  // Takes everything from the page's address; an address that names a section (#policy) chooses nothing.
  readHash() {
    const parameters = new URLSearchParams(/=/.test(location.hash) ? location.hash.slice(1) : "");
    const {model, timeline} = this;
    this.filter.read(parameters);
    document.getElementById("query").value = this.filter.choice.query ?? "";
    const view = /^([\d.]+)-([\d.]+)$/.exec(parameters.get("view") ?? "");
    if (view) timeline.view.set(Number(view[1]) * model.facts.hz, Number(view[2]) * model.facts.hz, true);
    this.update();
    const record = Number(parameters.get("record") ?? NaN);
    if (Number.isInteger(record) && record >= 0 && record < model.count) this.choose(record);
  }
}

// Colours: the system's choice, until the reader makes another. Where a page may keep nothing, it is made each time anew.
function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const choice = document.getElementById("theme");
  try {
    choice.value = localStorage.getItem("ariel-theme") ?? "auto";
  } catch {
    choice.value = "auto";
  }
  const apply = () => {
    const theme = choice.value === "auto" ? (dark.matches ? "dark" : "light") : choice.value;
    document.documentElement.dataset.theme = theme;
    window.ariel?.timeline.recolour();
  };
  choice.addEventListener("change", () => {
    try {
      localStorage.setItem("ariel-theme", choice.value);
    } catch {
      // The choice holds for this visit.
    }
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

// Marks the section that is read in the list beside the page.
function followSections() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const {target, isIntersecting} of entries) {
      if (isIntersecting) seen.add(target.id);
      else seen.delete(target.id);
    }
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, {rootMargin: "-120px 0px -50% 0px"});
  for (const id of links.keys()) observer.observe(document.getElementById(id));
}

async function start() {
  startTheme();
  followSections();
  try {
    window.ariel = new Report(new Model(await readBlocks()));
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    document.getElementById("view-text").textContent = "The timeline could not be made: " + error.message;
    document.documentElement.dataset.ready = "failed";
    throw error;
  }
}

start();
