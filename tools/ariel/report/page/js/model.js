// SPDX-License-Identifier: Apache-2.0
// The records: a typed array for each column, and the names of what their numbers stand for.

const TYPE_EXIT = 1;
const TYPE_VIRTIO = 3;

// What the colour of an exit says.
const CLASS_EMULATE = 0;
const CLASS_ALLOW = 1;
const CLASS_RAZ = 2;
const CLASS_REFUSED = 3;
const CLASS_NONE = 4;
const CLASS_COUNT = 5;
const CLASS_OF_VERDICT = {emulate: CLASS_EMULATE, allow: CLASS_ALLOW, "raz-wi": CLASS_RAZ, deny: CLASS_REFUSED,
  pause: CLASS_REFUSED, stop: CLASS_REFUSED};

class Model {
  constructor({facts, columns}) {
    this.facts = facts;
    this.kinds = facts.kinds;
    Object.assign(this, {time: columns.time, duration: columns.duration, kind: columns.kind.low, place: columns.place.low, owner: columns.owner.low,
      caller: columns.caller.low, address: columns.address.low, value: columns.value, context: columns.context.low});
    this.addresses = columns.addresses;
    this.codes = columns.codes;
    this.arguments = [columns.x0, columns.x1, columns.x2, columns.x3];
    this.count = this.time.length;
    this.end = Math.max(1, facts.end);
    this.nanoseconds = 1e9 / facts.hz;
    this.classOfKind = this.kinds.key.map((_, kind) => this.findClass(kind));
    this.sleeps = this.kinds.key.map((key) => facts.sleeping.includes(key));
    this.vcpuOfKind = this.kinds.vcpu.map((vcpu, kind) =>
      facts.vcpus.findIndex(([vm, number]) => vm === this.kinds.vm[kind] && number === vcpu));
    this.interruptKind = this.kinds.cause.map((cause, kind) =>
      this.kinds.type[kind] === TYPE_EXIT && facts.interruptCauses.includes(cause));
    for (let at = 0; at < this.count; at++) this.owner[at] = this.owner[at] ? this.owner[at] - 1 : this.place[at];
    this.sequence = this.findSequences(columns.sequence);
    this.withArguments = this.findArguments();
  }

  // Sequence numbers, from how many exits are missing before each.
  findSequences(steps) {
    const result = new Float64Array(this.count);
    const last = new Float64Array(this.facts.vcpus.length).fill(-1);
    for (let at = 0; at < this.count; at++) {
      const kind = this.kind[at];
      if (this.kinds.type[kind] !== TYPE_EXIT) continue;
      const vcpu = this.vcpuOfKind[kind];
      const step = steps.low[at] + (steps.high ? steps.high[at] * 4294967296 : 0);
      last[vcpu] += 1 + step;
      result[at] = last[vcpu];
    }
    return result;
  }

  // The records that have x0 to x3, in order: calls and virtio requests.
  findArguments() {
    const wanted = this.kinds.key.map((key, kind) => this.kinds.type[kind] === TYPE_VIRTIO || this.groupOfKey(key) === "call");
    const result = new Uint32Array(this.arguments[0].low.length);
    let count = 0;
    for (let at = 0; at < this.count; at++) if (wanted[this.kind[at]]) result[count++] = at;
    return result;
  }

  findClass(kind) {
    if (this.kinds.row[kind] >= this.facts.rows.length) return CLASS_NONE;
    return CLASS_OF_VERDICT[this.facts.verdicts[this.kinds.verdict[kind]]] ?? CLASS_NONE;
  }

  groupOfKey(key) {
    const starts = this.facts.starts;
    return key < starts[1] ? "cause" : key < starts[2] ? "call" : key < starts[3] ? "device" : "register";
  }

  keyName(key) {
    return this.facts.keys[key] ?? "key " + key;
  }

  vcpuName(index) {
    const [vm, vcpu] = this.facts.vcpus[index];
    const alone = this.facts.vcpus.every(([other]) => other === vm);
    return alone ? "vCPU " + vcpu : `VM ${vm} vCPU ${vcpu}`;
  }

  verdictName(kind) {
    return this.classOfKind[kind] === CLASS_NONE ? "" : this.facts.verdicts[this.kinds.verdict[kind]];
  }

  // "read", "write", "call", "exit", or a virtio request's kind
  whatName(at) {
    const kind = this.kind[at];
    if (this.kinds.type[kind] === TYPE_VIRTIO) {
      const [, request] = this.argumentsOf(at);
      return this.facts.requests[request.low] ?? "request " + request.low;
    }
    const group = this.groupOfKey(this.kinds.key[kind]);
    return group === "call" ? "call" : group === "cause" ? "exit" : this.kinds.write[kind] ? "write" : "read";
  }

  // x0 to x3 of a record as {high, low}, or null.
  argumentsOf(at) {
    const place = lowerBound(this.withArguments, at, 0, this.withArguments.length);
    if (this.withArguments[place] !== at) return null;
    return this.arguments.map((column) => ({low: column.low[place], high: column.high ? column.high[place] : 0}));
  }

  // The place that the exit is charged to: of the PC, or of the call that led there.
  placeName(at) {
    return this.facts.places[this.owner[at]];
  }

  callerName(at) {
    return this.hex(this.codes, this.caller[at]) === "0x0" ? "" : this.facts.places[this.caller[at]];
  }

  hex(column, at) {
    return formatHex(column.high ? column.high[at] : 0, column.low[at]);
  }

  seconds(ticks) {
    return ticks / this.facts.hz;
  }

  // Ticks as "0.141203"
  secondsText(ticks) {
    return (ticks / this.facts.hz).toFixed(6);
  }

  durationText(ticks) {
    return formatDuration(ticks * this.nanoseconds);
  }
}

// The first index in [from, to) of an ascending array whose value is not below `value`; `to` when there is none.
function lowerBound(array, value, from, to) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (array[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

// lowerBound from `from` on, for a value that is probably near: doubles its steps first.
function gallop(array, value, from, to) {
  let step = 1;
  let low = from;
  while (low + step < to && array[low + step] < value) {
    low += step;
    step *= 2;
  }
  return lowerBound(array, value, low, Math.min(to, low + step + 1));
}
