// SPDX-License-Identifier: Apache-2.0
// What a monitor command is: its words as they were typed, its handler, and its row in the table of commands.c. Data
// only: a command's own file, the table, and what runs and completes a line share it.
#pragma once

#include <hv/types.h>

#define MONITOR_WORDS_MAX 16

// A command line taken apart: word[0] is the command; -j, wherever it stood, is taken out.
struct monitor_words {
    unsigned int count; // 1 .. MONITOR_WORDS_MAX
    const char *word[MONITOR_WORDS_MAX];
};

// Runs a command. It writes its rows with out() (monitor_out.h). NULL when it succeeded: the reply ends with "ok". Else
// what was wrong, a constant string or monitor_error()'s: the reply ends with "err <that>".
typedef const char *(*monitor_handler)(const struct monitor_words *words);

// Tab: candidate n (0, 1, ...) for a word and, in *length, how long it is, for it need not be terminated. NULL behind
// the last one; a candidate of length 0 is none. list: what the completion below has put into its *list.
typedef const char *(*monitor_candidate)(unsigned int n, const char *list, size_t *length);

// Tab: which candidates a word of this command has. typed: the words between the command and that word, each with one
// blank behind it ("" for the word right behind the command, "top " for the next one in "exc top "). NULL: the words in
// *list, with blanks between, are the candidates. *list comes as the row's words where typed is "", else as "".
typedef monitor_candidate (*monitor_completion)(const char *typed, const char **list);

struct monitor_command {
    const char *name;
    const char *alias; // other names, with blanks between; ""
    const char *words; // what Tab offers as the second word, with blanks between; ""
    // Its arguments: alternatives with " | " between, what may be left out in []. A line with too few or too many words
    // for it gets this text as its error and never reaches the handler.
    const char *usage;
    const char *help; // one line
    monitor_handler handler;
    monitor_completion complete; // NULL: Tab knows only words
};
