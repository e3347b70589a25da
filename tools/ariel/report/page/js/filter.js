// SPDX-License-Identifier: Apache-2.0
// What the reader has chosen: a key, a function, a time ... Each choice narrows the records; the address of the page
// keeps it all, by names and seconds, so that a link still means the same after the report is made anew.

const FACETS = ["key", "write", "function", "vcpu", "verdict", "row", "intid", "query"];

class Filter {
  constructor(model) {
    this.model = model;
    this.choice = {};     // facet: its number, or the words of a query
    this.range = null;    // [ticks, ticks]
  }

  get active() {
    return this.range !== null || Object.keys(this.choice).length > 0;
  }

  // The records that fit, in order of time. except: a facet that does not count.
  select(except) {
    const {model} = this;
    const [first, end] = this.bounds();
    const kinds = this.kindMask(except);
    const places = this.placeMask(except);
    const words = except === "query" ? null : this.wordMasks();
    const intid = except === "intid" ? undefined : this.choice.intid;
    const result = new Uint32Array(end - first);
    let count = 0;
    for (let at = first; at < end; at++) {
      if (!kinds[model.kind[at]] || (places && !places[model.owner[at]])) continue;
      if (intid !== undefined && !this.isIntid(at, intid)) continue;
      if (words && !words.kinds[model.kind[at]] && !words.places[model.place[at]] &&
          !words.places[model.owner[at]] && !words.places[model.caller[at]] && !words.addresses[model.address[at]]) continue;
      result[count++] = at;
    }
    return result.subarray(0, count);
  }

  bounds() {
    if (!this.range) return [0, this.model.count];
    const {time, count} = this.model;
    const first = lowerBound(time, this.range[0], 0, count);
    return [first, lowerBound(time, this.range[1], first, count)];
  }

  isIntid(at, intid) {
    return this.model.interruptKind[this.model.kind[at]] && this.model.addresses.low[this.model.address[at]] === intid;
  }

  kindMask(except) {
    const {kinds, facts, vcpuOfKind} = this.model;
    const wanted = (facet) => (facet === except ? undefined : this.choice[facet]);
    const [key, write, vcpu, verdict, row] = ["key", "write", "vcpu", "verdict", "row"].map(wanted);
    return Uint8Array.from(kinds.key, (of, kind) =>
      (key === undefined || of === key) && (write === undefined || kinds.write[kind] === write) &&
      (vcpu === undefined || vcpuOfKind[kind] === vcpu) && (row === undefined || kinds.row[kind] === row) &&
      (verdict === undefined || (kinds.row[kind] < facts.rows.length && kinds.verdict[kind] === verdict)));
  }

  placeMask(except) {
    const chosen = except === "function" ? undefined : this.choice.function;
    if (chosen === undefined) return null;
    return Uint8Array.from(this.model.facts.functionOf, (of) => of === chosen);
  }

  // For a search: the kinds, places and addresses whose names or hexadecimal numbers have the words in them.
  wordMasks() {
    const words = this.choice.query?.toLowerCase();
    if (!words) return null;
    const {facts, kinds, addresses, codes, model} = {...this.model, model: this.model};
    const has = (text) => text.toLowerCase().includes(words);
    const exact = words.startsWith("0x");
    const keys = facts.keys.map(has);
    return {
      kinds: Uint8Array.from(kinds.key, (key, kind) => keys[key] || (exact && formatHex(0, kinds.syndrome[kind]) === words)),
      places: Uint8Array.from(facts.places, (text, at) => has(text) || (exact && model.hex(codes, at).startsWith(words))),
      addresses: Uint8Array.from(addresses.low, (_, at) => exact && model.hex(addresses, at) === words),
    };
  }

  // Chooses, or takes the choice back when it is made already.
  toggle(facet, value) {
    if (this.choice[facet] === value) delete this.choice[facet];
    else this.choice[facet] = value;
  }

  // [[facet, name]] of what is chosen, for the bar.
  names() {
    const {facts} = this.model;
    const name = {
      key: (value) => this.model.keyName(value), write: (value) => (value ? "write" : "read"),
      function: (value) => facts.functions[value], vcpu: (value) => this.model.vcpuName(value),
      verdict: (value) => facts.verdicts[value], row: (value) => facts.rows[value]?.place || "row " + value,
      intid: (value) => String(value), query: (value) => value,
    };
    const chosen = FACETS.filter((facet) => this.choice[facet] !== undefined);
    return chosen.map((facet) => [facet, name[facet](this.choice[facet])]);
  }

  // The choice as parameters of the page's address.
  write(parameters) {
    for (const [facet, name] of this.names()) {
      parameters.set(facet, facet === "row" || facet === "vcpu" ? String(this.choice[facet]) : name);
    }
    if (this.range) parameters.set("time", this.range.map((ticks) => this.model.seconds(ticks).toFixed(9)).join("-"));
  }

  // Takes the choice from parameters; names that this report does not know are left out.
  read(parameters) {
    const {facts} = this.model;
    const lists = {key: facts.keys, function: facts.functions, verdict: facts.verdicts, write: ["read", "write"]};
    this.choice = {};
    for (const facet of FACETS) {
      const text = parameters.get(facet);
      if (text === null || text === "") continue;
      if (facet === "query") this.choice.query = text;
      else if (lists[facet]) this.choose(facet, lists[facet].indexOf(text));
      else if (/^\d+$/.test(text)) this.choose(facet, Number(text), {row: facts.rows.length, vcpu: facts.vcpus.length}[facet]);
    }
    const range = /^([\d.]+)-([\d.]+)$/.exec(parameters.get("time") ?? "");
    this.range = range ? [Number(range[1]) * facts.hz, Number(range[2]) * facts.hz] : null;
  }

  choose(facet, value, end = Infinity) {
    if (value >= 0 && value < end) this.choice[facet] = value;
  }
}
