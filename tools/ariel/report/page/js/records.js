// SPDX-License-Identifier: Apache-2.0
// Long lists of which only the rows that can be seen are in the document: VirtualList, and the list of records on it.

const SPACE_MAX = 8e6;  // pixels of height that every browser can scroll

// Rows of equal height in a box that scrolls. rowOf(n) makes row n of `count`.
class VirtualList {
  constructor(box, height, rowOf) {
    this.box = box;
    this.height = height;
    this.rowOf = rowOf;
    this.count = 0;
    this.space = box.querySelector(".record-space") ?? box.appendChild(make("div", "record-space"));
    this.box.addEventListener("scroll", () => this.request());
    new ResizeObserver(() => this.request()).observe(box);
  }

  // The box is as high as its rows, up to `most` of them.
  setCount(count, most) {
    this.count = count;
    this.box.style.height = Math.max(2, Math.min(most, count)) * this.height + "px";
    this.space.style.height = Math.min(SPACE_MAX, count * this.height) + "px";
    this.show();
  }

  // The first visible row, as a fraction. In a list that is higher than browsers can scroll, each pixel is several rows.
  top() {
    const whole = this.count * this.height;
    if (whole <= SPACE_MAX) return this.box.scrollTop / this.height;
    const reach = SPACE_MAX - this.box.clientHeight;
    return this.box.scrollTop / reach * (this.count - this.box.clientHeight / this.height);
  }

  scrollTo(n) {
    const shown = this.box.clientHeight / this.height;
    const top = this.top();
    if (n >= top && n < top + shown - 1) return;
    const wanted = Math.max(0, n - Math.floor(shown / 2));
    const whole = this.count * this.height;
    this.box.scrollTop = whole <= SPACE_MAX ? wanted * this.height :
      wanted / Math.max(1, this.count - shown) * (SPACE_MAX - this.box.clientHeight);
    this.show();
  }

  request() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.show();
    });
  }

  show() {
    const top = this.top();
    const first = Math.max(0, Math.floor(top));
    const end = Math.min(this.count, Math.ceil(top + this.box.clientHeight / this.height) + 1);
    const rows = [];
    for (let n = first; n < end; n++) {
      const row = this.rowOf(n);
      row.style.top = this.box.scrollTop + (n - top) * this.height + "px";
      rows.push(row);
    }
    this.space.replaceChildren(...rows);
  }
}

// Columns of the list: name, class, the text of a record, what it is sorted by.
const RECORD_COLUMNS = [
  ["time", "n", (model, at) => model.secondsText(model.time[at]), (model, at) => model.time[at]],
  ["vCPU", "", (model, at) => model.vcpuName(model.vcpuOfKind[model.kind[at]]).replace("vCPU ", ""), (model, at) => model.vcpuOfKind[model.kind[at]]],
  ["what", "", (model, at) => model.whatName(at), (model, at) => model.kinds.write[model.kind[at]]],
  ["key", "", (model, at) => model.keyName(model.kinds.key[model.kind[at]]), (model, at) => model.kinds.key[model.kind[at]]],
  ["from", "mono", (model, at) => (isRequest(model, at) ? "" : model.placeName(at)), (model, at) => model.owner[at]],
  ["caller", "mono", (model, at) => (isRequest(model, at) ? "" : model.callerName(at)), (model, at) => model.caller[at]],
  ["address", "n mono", (model, at) => model.hex(model.addresses, model.address[at]), (model, at) => wide(model.addresses, model.address[at])],
  ["value", "n mono", (model, at) => model.hex(model.value, at), (model, at) => wide(model.value, at)],
  ["verdict", "", (model, at) => model.verdictName(model.kind[at]), (model, at) => model.classOfKind[model.kind[at]]],
  ["in EL2", "n", (model, at) => model.durationText(model.duration[at]), (model, at) => model.duration[at]],
];

function isRequest(model, at) {
  return model.kinds.type[model.kind[at]] === TYPE_VIRTIO;
}

// A u64 as a double, which is near enough for an order.
function wide(column, at) {
  return column.low[at] + (column.high ? column.high[at] * 4294967296 : 0);
}

class Records {
  constructor(model, actions) {
    this.model = model;
    this.records = new Uint32Array(0);
    this.sort = {column: 0, down: false};
    this.chosen = null;
    this.actions = actions;
    this.list = new VirtualList(document.querySelector("#records-table .record-body"), 22, (n) => this.makeRow(n));
    this.makeHead();
  }

  makeHead() {
    const head = document.querySelector(".record-head");
    head.replaceChildren(...RECORD_COLUMNS.map(([name, className], column) => {
      const button = make("button", "sort", name);
      button.type = "button";
      button.addEventListener("click", () => this.sortBy(column));
      const cell = make("span", className, button);
      cell.setAttribute("role", "columnheader");
      if (this.sort.column === column) cell.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      return cell;
    }));
  }

  sortBy(column) {
    this.sort = {column, down: this.sort.column === column ? !this.sort.down : column > 5};
    this.makeHead();
    this.setRecords(this.inTime);
  }

  // The records to show, in order of time.
  setRecords(records) {
    this.inTime = records;
    this.records = this.sorted(records);
    document.getElementById("records-count").textContent = formatCount(records.length) + (records.length === 1 ? " record" : " records");
    this.list.setCount(records.length, 18);
  }

  sorted(records) {
    const {column, down} = this.sort;
    if (column === 0) return down ? records.slice().reverse() : records;
    const valueOf = RECORD_COLUMNS[column][3];
    const values = Float64Array.from(records, (at) => valueOf(this.model, at));
    const order = Uint32Array.from(records, (_, n) => n).sort((one, other) => values[one] - values[other] || one - other);
    if (down) order.reverse();
    return order.map((n) => records[n]);
  }

  choose(record) {
    this.chosen = record;
    const place = record === null ? -1 : this.records.indexOf(record);
    if (place >= 0) this.list.scrollTo(place);
    this.list.show();
  }

  makeRow(n) {
    const at = this.records[n];
    const row = make("div", "record-row" + (at === this.chosen ? " chosen" : ""));
    row.setAttribute("role", "row");
    for (const [name, className, text] of RECORD_COLUMNS) {
      const shown = text(this.model, at);
      const cell = make("span", className + (name === "verdict" ? " verdict " + shown : ""), shown);
      cell.setAttribute("role", "cell");
      if (className.includes("mono")) cell.title = shown;
      row.append(cell);
    }
    row.addEventListener("click", () => this.actions.choose(at));
    return row;
  }
}
