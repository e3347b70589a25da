// SPDX-License-Identifier: Apache-2.0
// The list of console and log lines. They are the guest's words: text, and nothing else.

class Lines {
  constructor(model, filter, actions) {
    this.model = model;
    this.filter = filter;
    this.actions = actions;
    this.shown = [];   // lines of the list
    this.found = null; // for each of all lines whether it has the words; null without a search
    this.list = new VirtualList(document.getElementById("lines"), 19, (n) => this.makeRow(this.shown[n]));
  }

  // Shows the lines of the chosen time and vCPU that have the words of the search.
  update() {
    const {range, choice} = this.filter;
    const {lines, vcpus} = this.model.facts;
    const words = choice.query?.toLowerCase();
    const vcpu = choice.vcpu === undefined ? null : vcpus[choice.vcpu];
    this.found = words ? Uint8Array.from(lines, ([, , , , text]) => text.toLowerCase().includes(words)) : null;
    this.shown = lines.filter(([ticks, vm, number], at) => (!range || (ticks >= range[0] && ticks < range[1])) &&
      (!vcpu || (vcpu[0] === vm && vcpu[1] === number)) && (!this.found || this.found[at]));
    document.getElementById("lines-count").textContent = formatCount(this.shown.length) + " of " + formatCount(lines.length);
    this.list.setCount(this.shown.length, 13);
  }

  makeRow([ticks, , , kind, text]) {
    const row = make("div", "line-row" + (kind === 0 ? "" : " log"), make("time", "", this.model.secondsText(ticks)), this.markWords(text));
    row.title = text;
    row.addEventListener("click", () => this.actions.show(ticks));
    return row;
  }

  // The text with the words of the search marked.
  markWords(text) {
    const words = this.filter.choice.query?.toLowerCase();
    const place = words ? text.toLowerCase().indexOf(words) : -1;
    const whole = make("span", "");
    if (place < 0) whole.append(text);
    else whole.append(text.slice(0, place), make("mark", "", text.slice(place, place + words.length)), text.slice(place + words.length));
    return whole;
  }
}
