// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them, as units.py writes them.

function formatCount(number) {
  return number.toLocaleString("en-US");
}

// Nanoseconds with three significant digits: 640 ns, 1.28 µs, 45.1 ms.
function formatDuration(nanoseconds) {
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (nanoseconds >= size * 0.9995) {
      const value = nanoseconds / size;
      return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + " " + unit;
    }
  }
  return nanoseconds.toFixed(0) + " ns";
}

// Two halves of a u64 as 0x...
function formatHex(high, low) {
  if (!high) return "0x" + low.toString(16);
  return "0x" + high.toString(16) + low.toString(16).padStart(8, "0");
}

// Seconds for an axis whose marks are `step` seconds apart: as many digits as they need.
function formatAxis(seconds, step) {
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9)));
  return seconds.toFixed(digits) + " s";
}

// A number for sorting by text: what is in a cell's data-sort, or its words.
function sortValue(cell) {
  const text = cell.dataset.sort ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

// An element with a class and text; children that are strings are text, never markup.
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
