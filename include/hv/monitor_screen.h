// SPDX-License-Identifier: Apache-2.0
// What the monitor knows of the person's terminal, and its pager. Everything a command says goes through
// screen_write, by whole lines. Used by the CPU that owns the serial line only.
#pragma once

#include <hv/types.h>

#define SCREEN_COLUMNS_DEFAULT 80u
#define SCREEN_COLUMNS_MIN     40u
#define SCREEN_COLUMNS_MAX     500u
#define SCREEN_ROWS_MIN        5u
#define SCREEN_ROWS_MAX        500u

struct screen_settings {
    uint16_t columns; // rows of a reply are folded to fit; 0: they are not
    uint16_t rows;    // lines of a page; 0: no pager
    bool color;       // the terminal understands SGR, and the person wants it
    bool page_all;    // the person asked for the pager: it pages what a script sends, too
};
extern struct screen_settings screen;

// Takes what the run script said of the terminal (boot_options.h). Once, at boot.
void screen_init(uint64_t options);

// Before the output of a command. typed: its line was typed by hand, so the pager may hold it up. What a script sends
// is paged only after somebody has asked for it (page_all): it would wait for ever.
void screen_begin(bool typed);
void screen_no_pager(void);
// length bytes, whole lines ("\n"): to the console at once, or into the pager's buffer behind a full page.
void screen_write(const char *text, size_t length);
// After the output of a command. Whether the pager holds some of it: then keys go to screen_key until it says false.
bool screen_end(void);
// A key while the pager waits: Space is a page, Enter a line, q or Ctrl-C the last line alone, a all of it.
// Whether it still waits.
bool screen_key(int byte);
// The pager's prompt, to be shown as the line being typed.
const char *screen_prompt(void);
// Drops what the pager holds.
void screen_drop(void);
