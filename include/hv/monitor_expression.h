// SPDX-License-Identifier: Apache-2.0
// Expressions as gdb has them, and numbers shown as gdb shows them.
#pragma once

#include <hv/monitor_command.h>

struct vcpu;

// An expression of one word or, where operators stand alone, of several: numbers and $registers of vcpu, with + and -
// between, modulo 2^64. "$sp+16" is one word, "$sp + 16" are three. It begins at words->word[*at]; *at is then behind
// it. what: what the value is to be, for the error ("va"). NULL and *value, or the error.
const char *monitor_expression(const char *what, const struct monitor_words *words, unsigned int *at, struct vcpu *vcpu,
                               uint64_t *value);
// Whether word has an operator in it, or is one.
bool monitor_has_operator(const char *word);

// value, of width bytes (1, 2, 4 or 8), as gdb's letter shows it: x a d u o t c. False when it is none of them.
#define MONITOR_VALUE_MAX 72 // 64 binary digits are the longest
bool monitor_format_value(char letter, uint64_t value, unsigned int width, char text[MONITOR_VALUE_MAX]);
