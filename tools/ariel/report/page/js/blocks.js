// SPDX-License-Identifier: Apache-2.0
// Reads the blocks of the page: columns of numbers and objects, deflated and in base64 (blocks.py packs them).

// Returns the bytes of a block and takes its text out of the document, which needs it no more.
async function inflateBlock(name) {
  const element = document.getElementById("block-" + name);
  const text = atob(element.textContent);
  element.remove();
  const packed = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) packed[at] = text.charCodeAt(at);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Numbers below 2^32 as a Uint32Array, made of `planes` byte planes of which the first is number `from`.
function joinPlanes(bytes, count, from, planes) {
  const result = new Uint32Array(count);
  for (let plane = 0; plane < planes; plane++) {
    const offset = (from + plane) * count;
    const shift = 8 * plane;
    for (let at = 0; at < count; at++) result[at] |= bytes[offset + at] << shift;
  }
  return result;
}

// A column of u64: {low, high}, Uint32Arrays of its lower and upper halves; high is null when all upper halves are 0.
async function readColumn(name, row) {
  const bytes = await inflateBlock(name);
  const low = joinPlanes(bytes, row.count, 0, Math.min(row.planes, 4));
  const high = row.planes > 4 ? joinPlanes(bytes, row.count, 4, row.planes - 4) : null;
  return {low, high};
}

// The numbers of a column as doubles, exact below 2^53. steps: the column has differences from one to the next.
function toDoubles(column, steps) {
  const result = new Float64Array(column.low.length);
  let sum = 0;
  for (let at = 0; at < result.length; at++) {
    const value = column.low[at] + (column.high ? column.high[at] * 4294967296 : 0);
    sum = steps ? sum + value : value;
    result[at] = sum;
  }
  return result;
}

// {columns, facts}: all that is in the page.
async function readBlocks() {
  const index = JSON.parse(document.getElementById("block-index").textContent);
  const found = {columns: {}, facts: null};
  await Promise.all(Object.entries(index).map(async ([name, row]) => {
    if (row.json) found[name] = JSON.parse(new TextDecoder().decode(await inflateBlock(name)));
    else found.columns[name] = await readColumn(name, row);
  }));
  found.columns.time = toDoubles(found.columns.time, true);
  found.columns.duration = toDoubles(found.columns.duration, false);
  return found;
}
