// SPDX-License-Identifier: Apache-2.0
// What Tab may offer: the lists of names that several commands share. Each is a monitor_candidate (monitor_command.h).
#pragma once

#include <hv/monitor_command.h>

// The words of list, which has blanks between them.
const char *monitor_candidate_in_list(unsigned int n, const char *list, size_t *length);
// Levels and classes of log records.
const char *monitor_candidate_level(unsigned int n, const char *list, size_t *length);
const char *monitor_candidate_class(unsigned int n, const char *list, size_t *length);
// Event keys: what a policy row can name.
const char *monitor_candidate_key(unsigned int n, const char *list, size_t *length);
// Registers that can be read: those of EL1 that cannot be trapped, then those that have a key.
const char *monitor_candidate_register(unsigned int n, const char *list, size_t *length);
// A terminated word, as these functions return it.
const char *monitor_candidate_word(const char *word, size_t *length);
