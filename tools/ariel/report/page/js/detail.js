// SPDX-License-Identifier: Apache-2.0
// One record in full, below the timeline.

const RESULTS = {done: "It was done.", retry: "The guest executed the instruction again.",
  undef: "The guest took an Undefined Instruction exception.", abort: "The guest took an external abort.",
  reflect: "The guest took its own debug exception.", stop: "The VM stopped."};

// "vCPU 0 read ID_AA64PFR0_EL1 in __cpuinfo_store_cpu+0x9c, called from ..."
function recordSentence(model, at) {
  const kind = model.kind[at];
  const key = model.keyName(model.kinds.key[kind]);
  const vcpu = model.vcpuName(model.vcpuOfKind[kind]);
  if (isRequest(model, at)) return `${vcpu}: ${key} answered a request: ${model.whatName(at)}.`;
  const what = {read: "read " + key, write: "wrote " + key, call: "called " + key, exit: "came to EL2 by " + key}[model.whatName(at)];
  return `${vcpu} ${what} at ${model.placeName(at)}.`;
}

// What became of it, and by which policy row.
function verdictSentence(model, at) {
  const {facts, kinds} = model;
  const kind = model.kind[at];
  const result = RESULTS[facts.results[kinds.result[kind]]] ?? "";
  const row = facts.rows[kinds.row[kind]];
  if (!row) return "No policy row decides about it. " + result;
  const why = row.why ? `, “${row.why}”` : "";
  return `Verdict ${model.verdictName(kind)}, by ${row.place || "row " + kinds.row[kind]}: ${row.text}${why}. ` +
    (isRequest(model, at) ? "" : result);
}

// [[name, text]] of the fields.
function recordFields(model, at) {
  const {kinds, facts} = model;
  const kind = model.kind[at];
  const fields = [["time", model.secondsText(model.time[at]) + " s"], [isRequest(model, at) ? "answered in" : "in EL2", model.durationText(model.duration[at])]];
  const address = model.hex(model.addresses, model.address[at]);
  if (isRequest(model, at)) {
    const [transport, , status, queue] = model.argumentsOf(at);
    return [...fields, ["sector", String(wide(model.addresses, model.address[at]))], ["bytes", formatCount(wide(model.value, at))],
      ["transport", String(transport.low)], ["queue", String(queue.low)], ["status", facts.statuses[status.low] ?? String(status.low)]];
  }
  const group = model.groupOfKey(kinds.key[kind]);
  const addressName = model.interruptKind[kind] ? "INTID" : group === "call" ? "function" : "IPA";
  fields.push(["number", String(model.sequence[at])], ["PC", codeText(model, model.place[at])]);
  if (model.callerName(at)) fields.push(["x30, caller", codeText(model, model.caller[at])]);
  if (address !== "0x0") fields.push([addressName, model.interruptKind[kind] ? String(model.addresses.low[model.address[at]]) : address]);
  fields.push(["value", model.hex(model.value, at)]);
  if (kinds.width[kind]) fields.push(["width", kinds.width[kind] + " bytes"]);
  fields.push(["cause", facts.causes[kinds.cause[kind]] ?? String(kinds.cause[kind])],
    ["PSTATE", `${formatHex(0, kinds.pstate[kind])} EL${(kinds.pstate[kind] >> 2) & 3}${kinds.pstate[kind] & 16 ? " AArch32" : ""}`],
    ["context", formatHex(0, facts.contexts[model.context[at]])]);
  (model.argumentsOf(at) ?? []).forEach(({high, low}, n) => fields.push(["x" + n, formatHex(high, low)]));
  return fields;
}

// An address of code and its name, if it has one.
function codeText(model, code) {
  const address = model.hex(model.codes, code);
  return model.facts.places[code] === address ? address : `${address} ${model.facts.places[code]}`;
}

// What the syndrome says, and the command that says more.
function recordNote(model, at) {
  const kind = model.kind[at];
  const syndrome = model.kinds.syndrome[kind];
  const said = model.facts.syndromes[syndrome];
  const note = make("p", "note", said ? `ESR_EL2 ${formatHex(0, syndrome)}: ${said}. ` : "");
  const [vm, vcpu] = model.facts.vcpus[model.vcpuOfKind[kind]];
  const command = `python3 -m ariel explain ${model.facts.file} ${model.sequence[at]} --vm ${vm} --vcpu ${vcpu}`;
  note.append(make("code", "", command));
  return note;
}

// Fills the panel; null empties it. actions: {step(±1), choose(null), pick(facet, value)}
function showDetail(model, at, actions) {
  const panel = document.getElementById("detail");
  if (at === null) {
    panel.replaceChildren();
    return;
  }
  const button = (text, title, act) => {
    const made = make("button", "step", text);
    made.type = "button";
    made.title = title;
    made.addEventListener("click", act);
    return made;
  };
  const buttons = make("span", "close", button("‹ before", "Record before ([)", () => actions.step(-1)),
    button("after ›", "Record after (])", () => actions.step(1)), button("only this key", "Filter by key", () => actions.filterKey(at)),
    button("only this function", "Filter by function", () => actions.filterFunction(at)), button("×", "Close (Esc)", () => actions.choose(null)));
  const list = make("dl", "", ...recordFields(model, at).map(([name, text]) => make("div", "", make("dt", "", name), make("dd", "", text))));
  panel.replaceChildren(buttons, make("p", "sentence", recordSentence(model, at)), make("p", "", verdictSentence(model, at)), list);
  if (!isRequest(model, at)) panel.append(recordNote(model, at));
}
