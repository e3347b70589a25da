// SPDX-License-Identifier: Apache-2.0
// What a monitor command says, as text for people or, with -j, as one JSON object a line. The output goes to the
// console by whole lines, which are folded to the width of the terminal (monitor_screen.h).
#pragma once

#include <hv/types.h>

// Begins a reply: json says which form the rows take.
void out_begin(bool json);
bool out_is_json(void);
// A row, or a part of one: fields among words for people. It ends at '\n'.
//   name=%lu   a field. Text: "name=7"; JSON: "name":7.
//   name:%lu   the same without its name in text, for columns.
// Names are of a-z, 0-9 and '_'. A value is one of %u %lu %x %lx %s with a width, as printf.h has them, 0x%lx (a string
// in JSON), or %d: a bool, "yes" or "no", in JSON true or false. What else stands in the row has no % but %%, and is
// not in JSON.
__attribute__((format(printf, 1, 2))) void out(const char *row, ...);
// Text for people within or between rows, nothing with -j.
__attribute__((format(printf, 1, 2))) void out_note(const char *format, ...);
// The last line of the reply, the same in both forms: "ok" (error NULL) or "err <error>". Ends a row that was left
// open.
void out_end(const char *error);
// A line above a table; nothing with -j.
__attribute__((format(printf, 1, 2))) void out_heading(const char *format, ...);
// This line is not folded to the width of the terminal.
void out_whole(void);
// From here to its end this line is shown so, where the terminal can.
enum out_style { OUT_PLAIN, OUT_HEAD, OUT_BAD, OUT_WARN };
void out_style(enum out_style style);
// A field. JSON: an array. Text: the numbers with blanks between.
void out_numbers(const char *name, const uint64_t *values, unsigned int count);
struct field_table;
// The fields of a register's value: as text " NAME" for a set bit, " NAME=value" for wider ones, to go on in the row.
void out_fields(const struct field_table *table, uint64_t value);
