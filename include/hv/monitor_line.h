// SPDX-License-Identifier: Apache-2.0
// A line editor fed by single bytes: no output, no blocking, no state but its own struct. The caller draws.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_LENGTH_MAX    160 // bytes of one line
#define LINE_HISTORY_COUNT 16  // lines remembered; a power of two

struct monitor_line {
    char text[LINE_LENGTH_MAX + 1]; // printable ASCII only, terminated
    size_t length;
    size_t cursor;                   // 0 .. length
    char draft[LINE_LENGTH_MAX + 1]; // what was being typed when browsing began
    char history[LINE_HISTORY_COUNT][LINE_LENGTH_MAX + 1];
    uint32_t history_count; // lines ever kept; line n is at n % LINE_HISTORY_COUNT
    uint32_t browse;        // 0: not browsing; n: n lines back
    uint8_t escape;         // state of the escape sequence parser
    uint8_t parameter;      // the sequence's first number
    bool after_return;      // the last byte was CR: a LF after it is part of the same end of line
};

enum monitor_line_result {
    LINE_NONE,    // nothing to draw
    LINE_CHANGED, // text or cursor changed
    LINE_REFUSED, // nothing changed: the line is full, the byte has no meaning here (ring the bell)
    LINE_DONE,    // Enter: text is the line; call monitor_line_clear after use
    LINE_TAB,     // complete the word before the cursor
    LINE_CANCEL,  // Ctrl-C: text was dropped
    LINE_END,     // Ctrl-D on an empty line
    LINE_REDRAW,  // Ctrl-L: clear the screen
};

// Takes one byte as a terminal sends it. Any byte in any state is safe.
enum monitor_line_result monitor_line_byte(struct monitor_line *line, uint8_t byte);
// Empties the line; the history stays.
void monitor_line_clear(struct monitor_line *line);
// Keeps the line in the history, unless it is empty or equal to the last one.
void monitor_line_remember(struct monitor_line *line);
// Inserts text at the cursor; false, nothing inserted, when it does not fit.
bool monitor_line_insert(struct monitor_line *line, const char *text, size_t length);
