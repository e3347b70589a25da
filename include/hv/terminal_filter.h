// SPDX-License-Identifier: Apache-2.0
// What a guest prints, made harmless for the terminal of the person who reads it, and how a record stays readable
// there. docs/MONITOR.md ("What reaches the terminal") says what passes. In short:
//   - text (printable ASCII, well-formed UTF-8), colours, cursor movement, erasing, scroll regions, line drawing, the
//     alternate screen and the modes that editors use pass; nothing else does. It is shown, as "\x1b" and the text that
//     followed: strings (titles, clipboard, device control), requests that a terminal answers, 8-bit controls.
//   - A sequence leaves as a whole or not at all, so that a record never stands within one.
//   - What EL2 prints begins from a state in which it is readable (terminal_filter_own).
//   - A record stays until it has scrolled off the top, into what the terminal keeps. What would move the cursor to it,
//     or erase it, is cut to the lines below it or scrolls it away first.
// No output of its own and no state but its struct: the caller prints what it returns, and locks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINAL_SEQUENCE_MAX 64  // bytes of the longest sequence that passes
#define TERMINAL_ROWS_MAX     100 // lines of the tallest screen on which a record cannot be erased
#define TERMINAL_OUT_MAX      (4 * TERMINAL_SEQUENCE_MAX + TERMINAL_ROWS_MAX + 16)

// What is not as a record needs it, and is put right before one.
#define TERMINAL_CHANGED   0x01 // something that is not one of these: full reset
#define TERMINAL_COLOURED  0x02 // attributes are set
#define TERMINAL_REGION    0x04 // the scroll region is part of the screen
#define TERMINAL_ALTERNATE 0x08 // the alternate screen is shown

struct terminal_filter {
    uint8_t state;
    uint8_t changes; // TERMINAL_*
    bool raw;        // everything passes
    bool exposed;    // a record may still stand on the screen
    uint8_t below;   // while exposed: the cursor is at least so many lines below the last one
    uint8_t deepest; // and has been so many
    uint8_t left;    // bytes of a UTF-8 character that are still to come
    uint8_t length;
    uint8_t sequence[TERMINAL_SEQUENCE_MAX]; // what has not been decided yet
};

// Whether byte is a printable one (ASCII) outside of any sequence.
static inline bool terminal_filter_is_text(const struct terminal_filter *filter, uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && filter->state == 0;
}

// Whether byte, outside of any sequence, is one that is printed as it is and changes nothing that the filter knows:
// text, or a carriage return, which moves the cursor within its line.
static inline bool terminal_filter_is_plain(const struct terminal_filter *filter, uint8_t byte)
{
    return terminal_filter_is_text(filter, byte) || (byte == '\r' && filter->state == 0);
}

// Takes one byte of the guest. Fills out (TERMINAL_OUT_MAX bytes) with what is to be printed; returns how many.
/*@ requires \valid(filter) && \valid(out + (0 .. TERMINAL_OUT_MAX - 1));
    assigns *filter \from *filter, byte;
    assigns out[0 .. TERMINAL_OUT_MAX - 1] \from *filter, byte;
    ensures \result <= TERMINAL_OUT_MAX;
    ensures \initialized(out + (0 .. TERMINAL_OUT_MAX - 1));
*/
size_t terminal_filter_byte(struct terminal_filter *filter, uint8_t byte, uint8_t *out);

// EL2 prints something of its own. Fills out (TERMINAL_OUT_MAX bytes) with what makes it readable, which ends in the
// end of a line, and returns how many; 0 when nothing is needed. A sequence of the guest's that is not whole stays so.
/*@ requires \valid(filter) && \valid(out + (0 .. TERMINAL_OUT_MAX - 1));
    assigns *filter \from *filter;
    assigns out[0 .. TERMINAL_OUT_MAX - 1] \from *filter;
    ensures \result <= TERMINAL_OUT_MAX;
    ensures \initialized(out + (0 .. TERMINAL_OUT_MAX - 1));
*/
size_t terminal_filter_own(struct terminal_filter *filter, uint8_t *out);

// What EL2 printed was a record, with its end of line: it is not to be erased.
//@ requires \valid(filter); assigns *filter \from *filter;
void terminal_filter_protect(struct terminal_filter *filter);

// What makes a terminal readable of which nothing is known: ends any sequence and string; attributes and character sets
// as they are at power on.
#define TERMINAL_RESET "\033\\\033[0m\017\033(B"
