// SPDX-License-Identifier: Apache-2.0
// The tables of commands and of one-key commands: dispatch, help, Tab and docs/MONITOR.md come from them.
#pragma once

#include <hv/monitor_command.h>

extern const struct monitor_command monitor_commands[]; // sorted by name
extern const unsigned int monitor_command_count;
extern const struct monitor_command monitor_keys[]; // each name is one character
extern const unsigned int monitor_key_count;

// What gdb and QEMU say behind "info" for a command that has another name here.
struct monitor_info {
    const char *word;    // what is said, one of the names of a command where there is such a command
    const char *command; // what it means here
    bool names;          // only with one more word, which is the name of something: no number
};

extern const struct monitor_info monitor_infos[];
extern const unsigned int monitor_info_count;

// The command of this name or alias, or NULL.
const struct monitor_command *monitor_find_command(const char *name);
// The one-key command of this key ('h' ...), or NULL. Its handler gets no words behind its name.
const struct monitor_command *monitor_find_key(int key);
// Tab: the names of the commands, a monitor_candidate.
const char *monitor_candidate_command(unsigned int n, const char *list, size_t *length);
