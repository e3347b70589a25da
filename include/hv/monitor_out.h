// SPDX-License-Identifier: Apache-2.0
// What a monitor command says, as text for people or, with -j, as one JSON object a line. A row is a sequence of named
// fields and an end; notes are for people only. The output goes to the console by whole lines.
#pragma once

#include <hv/types.h>

// Begins a reply: json says which form the rows take.
void out_begin(bool json);
bool out_is_json(void);
// One field of a row. As text: width 0 gives "name=value", any other width only the value, padded to that many columns
// (text to the right when negative, numbers to the left always). JSON: "name": value.
void out_text(const char *name, int width, const char *value);
void out_number(const char *name, int width, uint64_t value);
// width: hexadecimal digits, zero padded; 0 as above and no padding. JSON: a string "0x...".
void out_hex(const char *name, int width, uint64_t value);
void out_bool(const char *name, bool value);
// Ends the row.
void out_end(void);
// Text for people within or between rows, nothing with -j.
__attribute__((format(printf, 1, 2))) void out_note(const char *format, ...);
// A line of the reply's frame ("ok", "err ..."), the same in both forms.
__attribute__((format(printf, 1, 2))) void out_line(const char *format, ...);
// JSON: an array. Text: the numbers with blanks between.
void out_numbers(const char *name, const uint64_t *values, unsigned int count);
struct field_table;
// The fields of a register's value: as text " NAME" for a set bit, " NAME=value" for wider ones, to go on in the row.
void out_fields(const struct field_table *table, uint64_t value);
// A string of length bytes, without end.
void out_bytes(const char *name, const char *bytes, size_t length);
