// SPDX-License-Identifier: Apache-2.0
// The tracks of the timeline. A track's records are sorted by time, and have running sums of exits by class and of ticks.
// So what lies between two times is found by two binary searches and one subtraction, exactly, at every zoom: a pixel
// that stands for a million records costs as much as one that stands for none.

const INTERRUPT_TRACKS = 6;  // INTIDs with a track of their own; the others share one

// Records of one track with their times and running sums.
class Layer {
  constructor(model, records) {
    this.records = records;
    this.length = records.length;
    this.times = new Float64Array(records.length);
    this.sums = Array.from({length: CLASS_COUNT}, () => new Uint32Array(records.length + 1));
    for (let n = 0; n < records.length; n++) {
      const at = records[n];
      this.times[n] = model.time[at];
      const found = model.classOfKind[model.kind[at]];
      for (let one = 0; one < CLASS_COUNT; one++) this.sums[one][n + 1] = this.sums[one][n];
      this.sums[found][n + 1]++;
    }
  }
}

class Track {
  constructor(name, kind, height, members) {
    this.name = name;
    this.kind = kind;       // "vcpu", "device", "irq", "virtio"
    this.height = height;
    this.members = members; // of all records
    this.all = null;
    this.chosen = null;     // of those that the filter leaves; null without a filter
  }
}

// Which tracks a record belongs to, by its kind and address; -1: none.
class TrackPlan {
  constructor(model) {
    this.model = model;
    this.tracks = [];
    this.vcpu = model.facts.vcpus.map((_, index) => this.add(model.vcpuName(index), "vcpu", 40));
    this.devices = new Map();
    this.requests = new Map();
    const keys = [...new Set(model.kinds.key)].sort((one, other) => one - other);
    for (const key of keys) {
      if (model.groupOfKey(key) === "device" && this.has(key, TYPE_EXIT)) {
        this.devices.set(key, this.add(model.keyName(key), "device", 20));
      }
    }
    for (const key of keys) {
      if (this.has(key, TYPE_VIRTIO)) this.requests.set(key, this.add(model.keyName(key) + " requests", "virtio", 20));
    }
    this.interrupts = new Map();
    this.planInterrupts(model.facts.intids);
    this.primary = model.kinds.key.map((_, kind) => this.primaryOf(kind));
    this.secondary = model.kinds.key.map((key, kind) =>
      (model.kinds.type[kind] === TYPE_EXIT ? this.devices.get(key) ?? -1 : -1));
  }

  add(name, kind, height) {
    this.tracks.push(new Track(name, kind, height));
    return this.tracks.length - 1;
  }

  has(key, type) {
    return this.model.kinds.key.some((of, kind) => of === key && this.model.kinds.type[kind] === type);
  }

  // intids: [INTID, name], the most frequent first.
  planInterrupts(intids) {
    const alone = intids.length <= INTERRUPT_TRACKS ? intids : intids.slice(0, INTERRUPT_TRACKS - 1);
    for (const [intid, name] of alone) {
      this.interrupts.set(intid, this.add(`INTID ${intid}` + (name ? ` ${name}` : ""), "irq", 20));
    }
    this.others = alone.length < intids.length ? this.add("other INTIDs", "irq", 20) : -1;
    const {addresses} = this.model;
    this.interruptOf = Int32Array.from(addresses.low, (intid) => this.interrupts.get(intid) ?? this.others);
  }

  primaryOf(kind) {
    const {kinds, vcpuOfKind} = this.model;
    return kinds.type[kind] === TYPE_VIRTIO ? this.requests.get(kinds.key[kind]) : this.vcpu[vcpuOfKind[kind]];
  }

  // The second track of a record: its device, or its interrupt.
  secondOf(at) {
    const kind = this.model.kind[at];
    return this.model.interruptKind[kind] ? this.interruptOf[this.model.address[at]] : this.secondary[kind];
  }

  // A Layer for each track, of these records (indices in order of time; null: all).
  layers(records) {
    const {model} = this;
    const count = records ? records.length : model.count;
    const sizes = new Uint32Array(this.tracks.length);
    const visit = (put) => {
      for (let n = 0; n < count; n++) {
        const at = records ? records[n] : n;
        put(this.primary[model.kind[at]], at);
        const second = this.secondOf(at);
        if (second >= 0) put(second, at);
      }
    };
    visit((track) => sizes[track]++);
    const lists = Array.from(sizes, (size) => new Uint32Array(size));
    sizes.fill(0);
    visit((track, at) => { lists[track][sizes[track]++] = at; });
    return lists.map((list) => new Layer(model, list));
  }
}
