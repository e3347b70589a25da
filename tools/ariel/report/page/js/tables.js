// SPDX-License-Identifier: Apache-2.0
// The tables that the page came with: sorting, choosing by a click, and what the filter leaves of them.

// Sorts a table's rows by a column; the second time the other way round.
function sortTable(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const before = heads[column].getAttribute("aria-sort");
  const number = rows.some((row) => typeof sortValue(row.cells[column]) === "number");
  const down = before ? before === "ascending" : number && !heads[column].textContent.match(/first|time|row/);
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const values = new Map(rows.map((row) => [row, sortValue(row.cells[column])]));
  rows.sort((one, other) => (down ? -1 : 1) * compareValues(values.get(one), values.get(other)));
  body.append(...rows);
}

function compareValues(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en");
}

class Tables {
  constructor(model, filter, actions) {
    this.model = model;
    this.filter = filter;
    this.tables = [...document.querySelectorAll("table[data-table]")];
    for (const table of this.tables) {
      for (const button of table.querySelectorAll(".sort")) {
        button.addEventListener("click", () => sortTable(table, button.parentElement.cellIndex));
      }
    }
    document.querySelector("main").addEventListener("click", (event) => {
      const pick = event.target.closest(".pick");
      if (pick) actions.pick(pick.dataset.pick, pick.dataset.value, pick.closest("tr"));
    });
  }

  // Shows what the filter leaves: counts beside the whole ones, and only the rows that it is about.
  update() {
    document.documentElement.classList.toggle("filtered", this.filter.active);
    for (const table of this.tables) {
      if (table.dataset.count) this.count(table, table.dataset.count);
      else this.narrow(table);
    }
  }

  // Counts a table's rows anew, by its own facet: the choice of a key does not empty the table of keys.
  count(table, facet) {
    const {choice, active, model} = this.filter;
    const counts = active ? countBy(model, this.filter.select(facet), facet) : null;
    for (const row of table.tBodies[0].rows) {
      const number = Number(row.dataset.number);
      row.hidden = Boolean(counts) && !counts[number] && choice[facet] !== number;
      row.classList.toggle("chosen", choice[facet] === number);
      row.querySelector(".selected").textContent = counts ? formatCount(counts[number] ?? 0) : "";
    }
  }

  // Hides the rows that are about another key, function or policy row than the chosen one, or do not have the words.
  narrow(table) {
    const {choice} = this.filter;
    const words = choice.query?.toLowerCase();
    for (const row of table.tBodies[0].rows) {
      const differs = (facet) => facet in row.dataset && choice[facet] !== undefined && Number(row.dataset[facet]) !== choice[facet];
      row.hidden = ["key", "function", "write", "row"].some(differs) ||
        (words !== undefined && !row.textContent.toLowerCase().includes(words));
    }
  }
}

// How many of the records have each key, or are in each function: an array by number. virtio requests are no exits,
// and an interrupt is not the function's doing.
function countBy(model, records, facet) {
  const {kinds, kind, owner, interruptKind} = model;
  const {functionOf, functions, keys} = model.facts;
  const counts = new Uint32Array(facet === "key" ? Math.max(keys.length, ...kinds.key) + 1 : functions.length);
  for (const at of records) {
    if (kinds.type[kind[at]] !== TYPE_EXIT) continue;
    if (facet === "key") counts[kinds.key[kind[at]]]++;
    else if (!interruptKind[kind[at]]) counts[functionOf[owner[at]]]++;
  }
  return counts;
}
